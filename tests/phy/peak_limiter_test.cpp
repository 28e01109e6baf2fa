// SPDX-License-Identifier: MIT
#include "phy/waveform/peak_limiter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

// Peak over mean power of one symbol, dB, at four times the sample rate.
double peak_db(const Grid& grid, std::span<const Sample> carriers, Fft& inverse) {
    const std::size_t n = 4 * grid.profile().fft_size;
    auto in = inverse.in();
    std::fill(in.begin(), in.end(), Sample{});
    for (std::size_t c = 0; c < carriers.size(); ++c) {
        const int sub = grid.subcarrier(c);
        in[static_cast<std::size_t>(sub < 0 ? sub + static_cast<int>(n) : sub)] = carriers[c];
    }
    inverse.run();
    float peak = 0.0F;
    for (const Sample s : inverse.out()) {
        peak = std::max(peak, std::norm(s));
    }
    return 10.0 * std::log10(static_cast<double>(peak) / static_cast<double>(carriers.size()));
}

struct Measured {
    double plain_db, limited_db;  // exceeded by 0.1 % of symbols
    double error_db;              // error vector on data carriers, best gain removed
    double power_db;
};

Measured measure(const Profile& profile, PeakLimiter::Strength strength, int symbols) {
    const Grid grid(profile);
    PeakLimiter limiter(grid);
    Fft inverse(4 * profile.fft_size, Fft::Direction::kInverse);
    Rng rng(3);
    std::vector<double> plain;
    std::vector<double> limited;
    double power = 0.0;
    double error = 0.0;
    std::complex<double> correlation{};
    double reference = 0.0;
    double own = 0.0;
    for (int s = 0; s < symbols; ++s) {
        std::vector<Sample> points(grid.carriers());
        const auto index = static_cast<std::size_t>(s);
        for (auto& x : points) {
            x = Sample((rng.next_u64() & 1) != 0 ? 0.70711F : -0.70711F,
                       (rng.next_u64() & 1) != 0 ? 0.70711F : -0.70711F);
        }
        for (const auto c : grid.pilots(index, false)) {
            points[c] = Sample(grid.pilot(index, c), 0.0F);
        }
        auto after = points;
        limiter.apply(after, grid.pilots(index, false), strength);
        for (const auto c : grid.pilots(index, false)) {
            EXPECT_EQ(after[c], points[c]) << "pilots stay exact";
        }
        for (const auto c : grid.data(index, false)) {
            correlation += std::complex<double>(after[c] * std::conj(points[c]));
            reference += static_cast<double>(std::norm(points[c]));
            own += static_cast<double>(std::norm(after[c]));
        }
        for (const Sample x : after) {
            power += static_cast<double>(std::norm(x)) /
                     static_cast<double>(grid.carriers() * static_cast<std::size_t>(symbols));
        }
        plain.push_back(peak_db(grid, points, inverse));
        limited.push_back(peak_db(grid, after, inverse));
    }
    const double gain = correlation.real() / reference;
    error = own / reference - gain * gain;
    const auto quantile = [&](std::vector<double>& v) {
        std::sort(v.begin(), v.end());
        return v[v.size() - 1 - v.size() / 1000];
    };
    return {quantile(plain), quantile(limited), 10.0 * std::log10(error / (gain * gain)), 10.0 * std::log10(power)};
}

struct Promise {
    PeakLimiter::Strength strength;
    double peak_db, error_db;
};

class EveryStrength : public testing::TestWithParam<Promise> {};
INSTANTIATE_TEST_SUITE_P(All, EveryStrength,
                         testing::Values(Promise{PeakLimiter::Strength::kStrong, 5.3, -17.4},
                                         Promise{PeakLimiter::Strength::kNormal, 5.5, -18.7},
                                         Promise{PeakLimiter::Strength::kGentle, 5.55, -19.0},
                                         Promise{PeakLimiter::Strength::k16, 8.0, -32.7},
                                         Promise{PeakLimiter::Strength::k64, 8.9, -38.3},
                                         Promise{PeakLimiter::Strength::k256, 9.65, -45.0}));

TEST_P(EveryStrength, KeepsThePromiseOfItsHeader) {
    const Promise& promise = GetParam();
    const Measured m = measure(*find_profile("1M"), promise.strength, 10'000);
    EXPECT_GT(m.plain_db, 10.0);
    EXPECT_LT(m.limited_db, promise.peak_db);
    EXPECT_LT(m.error_db, promise.error_db);
    EXPECT_NEAR(m.power_db, 0.0, 0.02);
}

TEST(PeakLimiter, SymbolsWithoutPeaksStayAsTheyAre) {
    const Grid grid(*find_profile("1M"));
    PeakLimiter limiter(grid);
    // One carrier alone has a flat envelope, below the mean power of a whole symbol.
    std::vector<Sample> points(grid.carriers());
    const auto data = grid.data(0, false);
    points[data[3]] = Sample(0.0F, 1.0F);
    limiter.apply(points, data, PeakLimiter::Strength::k256);
    for (std::size_t c = 0; c < points.size(); ++c) {
        EXPECT_NEAR(std::abs(points[c] - (c == data[3] ? Sample(0.0F, 1.0F) : Sample{})), 0.0F, 1e-3F) << c;
    }
}

TEST(PeakLimiter, WorksInEveryProfile) {
    for (const Profile& profile : profiles()) {
        const Measured m = measure(profile, PeakLimiter::Strength::kNormal, 1000);
        EXPECT_LT(m.limited_db, 5.9) << profile.name;
        EXPECT_LT(m.error_db, -17.8) << profile.name;
        EXPECT_NEAR(m.power_db, 0.0, 0.05) << profile.name;
    }
}

}  // namespace
}  // namespace meshnet::phy
