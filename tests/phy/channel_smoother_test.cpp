// SPDX-License-Identifier: MIT
#include "phy/estimation/channel_smoother.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

// Paths at these apparent delays (0: window's edge, cyclic prefix: the other), unit total power.
std::vector<Sample> channel_with_paths(const Grid& grid, std::initializer_list<std::pair<double, double>> paths) {
    std::vector<Sample> h(grid.carriers());
    for (std::size_t c = 0; c < h.size(); ++c) {
        std::complex<double> sum{};
        for (const auto& [delay, amplitude] : paths) {
            const double phase =
                -2.0 * std::numbers::pi * grid.subcarrier(c) * delay / static_cast<double>(grid.profile().fft_size);
            sum += std::polar(amplitude, phase);
        }
        h[c] = Sample(sum);
    }
    return h;
}

double error_db(std::span<const Sample> a, std::span<const Sample> b) {
    double error = 0.0;
    double power = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        error += static_cast<double>(std::norm(a[i] - b[i]));
        power += static_cast<double>(std::norm(b[i]));
    }
    return 10.0 * std::log10(error / power);
}

TEST(ChannelSmoother, TakesMostOfTheNoiseAway) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        ChannelSmoother smoother(grid);
        const double prefix = static_cast<double>(profile.cyclic_prefix);
        const auto actual = channel_with_paths(grid, {{0.25 * prefix, 0.8}, {0.7 * prefix, 0.6}});
        Rng rng(1);
        double sum = 0.0;
        constexpr int kTrials = 20;
        for (int t = 0; t < kTrials; ++t) {
            auto estimate = actual;
            for (auto& h : estimate) {  // 10 dB SNR
                h += Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal())) * std::sqrt(0.05F);
            }
            smoother.apply(estimate, 10.0F);
            sum += error_db(estimate, actual);
        }
        EXPECT_LT(sum / kTrials, -10.0 - 7.0) << profile.name;
        EXPECT_LT(smoother.noise_gain(10.0F), 0.2F) << profile.name;
    }
}

TEST(ChannelSmoother, BendsACleanChannelLittle) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        ChannelSmoother smoother(grid);
        const double prefix = static_cast<double>(profile.cyclic_prefix);
        const auto actual = channel_with_paths(grid, {{0.0, 0.6}, {0.5 * prefix, 0.5}, {prefix, 0.6}});
        auto estimate = actual;
        smoother.apply(estimate, 40.0F);
        EXPECT_LT(error_db(estimate, actual), -33.0) << profile.name;
    }
}

// A filter is linear: one carrier at a time gives its column, columns add up to what all carriers give at once. Near DC
// and the edges rows differ from carrier to carrier; elsewhere eight are smoothed together.
TEST(ChannelSmoother, EveryCarrierIsSmoothedByItself) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        ChannelSmoother smoother(grid);
        const std::size_t k = grid.carriers();
        Rng rng(3);
        std::vector<Sample> all(k);
        for (auto& h : all) {
            h = Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        }
        std::vector<Sample> sum(k);
        for (std::size_t c = 0; c < k; ++c) {
            std::vector<Sample> one(k);
            one[c] = all[c];
            smoother.apply(one, 10.0F);
            for (std::size_t i = 0; i < k; ++i) {
                sum[i] += one[i];
                // No more than the 31 nearest take part: 30 away at the band's edge.
                if (i + 31 <= c || c + 31 <= i) {
                    ASSERT_EQ(one[i], Sample{}) << profile.name << " " << c << " " << i;
                }
            }
        }
        smoother.apply(all, 10.0F);
        for (std::size_t i = 0; i < k; ++i) {
            EXPECT_LT(std::abs(all[i] - sum[i]), 1e-5F) << profile.name << " " << i;
        }
        // Smooth in, the same out, on every carrier.
        const double prefix = static_cast<double>(profile.cyclic_prefix);
        const auto actual = channel_with_paths(grid, {{0.4 * prefix, 1.0}});
        auto estimate = actual;
        smoother.apply(estimate, 40.0F);
        for (std::size_t i = 0; i < k; ++i) {
            EXPECT_LT(std::abs(estimate[i] - actual[i]), 0.05F) << profile.name << " " << i;
        }
    }
}

TEST(ChannelSmoother, KeepsEchoesBeyondThePrefixIfToldTo) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        const double prefix = static_cast<double>(profile.cyclic_prefix);
        const auto actual = channel_with_paths(grid, {{0.25 * prefix, 0.8}, {4.0 * prefix, 0.6}});
        ChannelSmoother within(grid);
        ChannelSmoother beyond(grid, ChannelSmoother::Reach::kBeyond);
        auto estimate = actual;
        within.apply(estimate, 30.0F);
        EXPECT_GT(error_db(estimate, actual), -12.0) << profile.name;
        estimate = actual;
        beyond.apply(estimate, 30.0F);
        EXPECT_LT(error_db(estimate, actual), -22.0) << profile.name;
        EXPECT_LT(beyond.noise_gain(30.0F), 0.6F) << profile.name;
        EXPECT_GT(beyond.noise_gain(30.0F), within.noise_gain(30.0F)) << profile.name;
    }
}

}  // namespace
}  // namespace meshnet::phy
