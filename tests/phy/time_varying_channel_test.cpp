// SPDX-License-Identifier: MIT
#include "phy/estimation/time_varying_channel.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

// A few paths, each a sum of waves from all sides (Jakes), unit total power on average.
class Fading {
public:
    Fading(const Grid& grid, std::vector<double> delays, double doppler, std::uint64_t seed)
        : grid_(grid), delays_(std::move(delays)), doppler_(doppler) {
        Rng rng(seed);
        for (std::size_t i = 0; i < kWaves * delays_.size(); ++i) {
            angle_.push_back(kTwoPi * rng.uniform());
            phase_.push_back(kTwoPi * rng.uniform());
        }
    }
    [[nodiscard]] std::vector<Sample> at(double symbol) const {
        std::vector<Sample> h(grid_.carriers());
        for (std::size_t p = 0; p < delays_.size(); ++p) {
            std::complex<double> gain{};
            for (std::size_t w = 0; w < kWaves; ++w) {
                const std::size_t i = p * kWaves + w;
                gain += std::polar(1.0, phase_[i] + kTwoPi * doppler_ * std::cos(angle_[i]) * symbol);
            }
            gain /= std::sqrt(static_cast<double>(kWaves * delays_.size()));
            for (std::size_t c = 0; c < h.size(); ++c) {
                h[c] += Sample(gain * std::polar(1.0, -kTwoPi * grid_.subcarrier(c) * delays_[p] /
                                                          static_cast<double>(grid_.profile().fft_size)));
            }
        }
        return h;
    }

private:
    static constexpr std::size_t kWaves = 24;
    const Grid& grid_;
    std::vector<double> delays_;
    double doppler_;
    std::vector<double> angle_, phase_;
};

struct Heard {
    PilotRecord record;
    double error = 0.0;   // of the fitted response, over the noise
    double signal = 0.0;  // mean power of the actual
    TimeVaryingChannel::Fit fit;
};

// Pilots of symbols [0, symbols) with noise, a carrier offset of `turn` radians per symbol; fitted and compared.
Heard hear(const Grid& grid, const Fading& actual, std::size_t symbols, double noise, double turn, bool dense = false) {
    Heard out{PilotRecord(grid), 0.0, 0.0, {}};
    Rng rng(5);
    const auto draw = [&] {
        const double scale = std::sqrt(noise / 2.0);
        return Sample(static_cast<float>(scale * rng.normal()), static_cast<float>(scale * rng.normal()));
    };
    for (std::size_t s = 0; s < symbols; ++s) {
        auto carriers = actual.at(static_cast<double>(s));
        const Sample w(std::complex<double>(std::polar(1.0, turn * static_cast<double>(s))));
        for (std::size_t c = 0; c < carriers.size(); ++c) {
            carriers[c] = carriers[c] * w * grid.pilot(s, c) + draw();
        }
        out.record.add_pilots(carriers, s, dense, 0.0);
    }
    TimeVaryingChannel channel(grid);
    out.fit = channel.fit(out.record, noise);
    std::vector<Sample> h(grid.carriers());
    for (std::size_t s = 0; s < symbols; ++s) {
        channel.response(static_cast<double>(s), h);
        const auto right = actual.at(static_cast<double>(s));
        const Sample w(std::complex<double>(std::polar(1.0, (turn - out.fit.residual_cfo) * static_cast<double>(s))));
        for (std::size_t c = 0; c < h.size(); ++c) {
            out.error += static_cast<double>(std::norm(h[c] - right[c] * w));
            out.signal += static_cast<double>(std::norm(right[c]));
        }
    }
    const auto values = static_cast<double>(symbols * grid.carriers());
    out.error /= noise * values;
    out.signal /= values;
    return out;
}

TEST(TimeVaryingChannel, FollowsFastFadingFarBelowTheNoise) {
    for (const char* name : {"1M", "2M"}) {
        const Grid grid(*find_profile(name));
        const double symbol_s = static_cast<double>(grid.profile().symbol_samples()) / grid.profile().sample_rate_hz;
        for (const std::uint64_t seed : {1U, 2U, 3U}) {
            // 100 Hz, 20 dB, one path between two samples; then two paths.
            const auto one = hear(grid, Fading(grid, {2.4}, 100.0 * symbol_s, seed), 150, 0.01, 0.0);
            EXPECT_LT(one.error, 0.10) << name << " " << seed;
            EXPECT_NEAR(one.fit.noise, 0.01, 0.002) << name;
            const auto two = hear(grid, Fading(grid, {1.7, 5.2}, 100.0 * symbol_s, seed), 150, 0.01, 0.0);
            EXPECT_LT(two.error, 0.20) << name << " " << seed;
        }
    }
}

TEST(TimeVaryingChannel, StandingStillCostsLittle) {
    const Grid grid(*find_profile("1M"));
    const auto heard = hear(grid, Fading(grid, {2.0}, 0.0, 1), 169, 0.1, 0.0);
    EXPECT_LT(heard.error, 0.04);
    EXPECT_GT(heard.fit.knots, 30.0);
}

TEST(TimeVaryingChannel, FindsTheCarrierOffset) {
    const Grid grid(*find_profile("1M"));
    for (const double turn : {-0.6, 0.05, 0.9}) {
        const auto heard = hear(grid, Fading(grid, {2.0, 3.0}, 0.002, 4), 60, 0.01, turn);
        EXPECT_NEAR(heard.fit.residual_cfo, turn, 0.02);
        EXPECT_LT(heard.error, 0.3) << turn;
        EXPECT_LT(heard.fit.residual_cfo_deviation, 0.02);
    }
}

TEST(TimeVaryingChannel, EveryProfileAndBothPilotPatterns) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        for (const bool dense : {false, true}) {
            const double prefix = static_cast<double>(profile.cyclic_prefix);
            const auto heard = hear(grid, Fading(grid, {0.25 * prefix, 0.6 * prefix}, 0.005, 7), 100, 0.1, 0.0, dense);
            EXPECT_LT(heard.error, 0.25) << profile.name << dense;
        }
    }
}

TEST(TimeVaryingChannel, AFewSymbolsAndATrainingAreEnough) {
    const Grid grid(*find_profile("1M"));
    const Fading actual(grid, {2.3}, 0.005, 9);
    PilotRecord record(grid);
    record.add_training(actual.at(-2.5), -2.5, 4.0);
    for (std::size_t s = 0; s < 4; ++s) {
        auto carriers = actual.at(static_cast<double>(s));
        for (std::size_t c = 0; c < carriers.size(); ++c) {
            carriers[c] *= grid.pilot(s, c);
        }
        record.add_pilots(carriers, s, false, 0.0);
    }
    TimeVaryingChannel channel(grid);
    const auto fit = channel.fit(record, 1e-4);
    std::vector<Sample> h(grid.carriers());
    for (std::size_t s = 0; s < 4; ++s) {
        channel.response(static_cast<double>(s), h);
        const auto right = actual.at(static_cast<double>(s));
        const Sample w(std::complex<double>(std::polar(1.0, -fit.residual_cfo * static_cast<double>(s))));
        double error = 0.0;
        for (std::size_t c = 0; c < h.size(); ++c) {
            error += static_cast<double>(std::norm(h[c] - right[c] * w)) / static_cast<double>(h.size());
        }
        EXPECT_LT(error, 4e-3) << s;
    }
}

TEST(PilotRecord, ForgetsWhatItIsTold) {
    const Grid grid(*find_profile("1M"));
    const Fading early(grid, {2.0}, 0.0, 1);
    const Fading late(grid, {4.0}, 0.0, 2);
    PilotRecord record(grid);
    const auto add = [&](const Fading& actual, std::size_t s) {
        auto carriers = actual.at(static_cast<double>(s));
        for (std::size_t c = 0; c < carriers.size(); ++c) {
            carriers[c] *= grid.pilot(s, c);
        }
        record.add_pilots(carriers, s, false, 0.0);
    };
    for (std::size_t s = 0; s < 30; ++s) add(early, s);
    for (std::size_t s = 30; s < 80; ++s) add(late, s);
    for (std::size_t s = 80; s < 90; ++s) add(early, s);
    record.drop_before(30.0);
    record.drop_after(79.5);
    TimeVaryingChannel channel(grid);
    EXPECT_LT(channel.fit(record, 1e-4).noise, 1e-4);  // only `late` is left: it is static
    std::vector<Sample> h(grid.carriers());
    channel.response(50.0, h);
    EXPECT_NEAR(static_cast<double>(std::abs(h[5] - late.at(0.0)[5])), 0.0, 0.03);
}

}  // namespace
}  // namespace meshnet::phy
