// SPDX-License-Identifier: MIT
// The Doppler of a neighbour, followed over a satellite's pass.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "mac/doppler_tracker.hpp"

namespace meshnet::mac {
namespace {

Instant at(double seconds) {
    return Instant{} + Duration{static_cast<std::int64_t>(seconds * 1e9)};
}

/// Doppler of a satellite at 550 km over a flat earth, Hz, nearest at second 0.
double pass(double carrier_hz, double seconds) {
    constexpr double kSpeed = 7'600.0;
    constexpr double kHeight = 550e3;
    const double along = kSpeed * seconds;
    return -carrier_hz / 299'792'458.0 * kSpeed * along / std::sqrt(along * along + kHeight * kHeight);
}

TEST(DopplerTracker, PredictsAPassOneSecondAheadWithinFiveHertzRms) {
    for (const double carrier : {2.4e9, 5.8e9}) {
        for (const double every : {0.2, 1.0}) {
            Rng rng(3);
            DopplerTracker tracker;
            double worst = 0.0;
            double square = 0.0;
            int count = 0;
            for (double t = -200.0; t < 200.0; t += every * (0.5 + rng.uniform())) {
                tracker.hear(at(t + 300.0), pass(carrier, t) + 2.0 * rng.normal(), 2.0);
                const auto ahead = tracker.at(at(t + 301.0));
                if (t > -190.0) {
                    ASSERT_TRUE(ahead) << t;
                    const double error = ahead->cfo_hz - pass(carrier, t + 1.0);
                    worst = std::max(worst, std::abs(error));
                    square += error * error;
                    ++count;
                    EXPECT_LT(std::abs(error), 6.0 * ahead->deviation_hz + 1.0);
                }
            }
            EXPECT_LT(std::sqrt(square / count), 5.0) << carrier << " Hz, a frame every " << every << " s";
            EXPECT_LT(worst, 20.0) << carrier << " Hz, a frame every " << every << " s";
            RecordProperty("rms_millihertz", static_cast<int>(1e3 * std::sqrt(square / count)));
            std::printf("%g Hz, every %g s: rms %.2f Hz, worst %.2f Hz\n", carrier, every, std::sqrt(square / count),
                        worst);
        }
    }
}

TEST(DopplerTracker, SaysNothingBeforeItKnowsAndAfterItForgot) {
    DopplerTracker tracker;
    EXPECT_FALSE(tracker.at(at(0.0)));
    for (int i = 0; i < 3; ++i) {
        tracker.hear(at(i), 100.0, 2.0);
        EXPECT_FALSE(tracker.at(at(i)));
    }
    for (int i = 3; i < 20; ++i) {
        tracker.hear(at(i), 100.0, 2.0);
    }
    const auto known = tracker.at(at(20.0));
    ASSERT_TRUE(known);
    EXPECT_NEAR(known->cfo_hz, 100.0, 2.0);
    EXPECT_NEAR(known->rate_hz_s, 0.0, 1.0);
    EXPECT_FALSE(known->moves());
    EXPECT_GT(tracker.at(at(28.0))->deviation_hz, known->deviation_hz);
    EXPECT_FALSE(tracker.at(at(51.0)));
    tracker.hear(at(60.0), 5'000.0, 2.0);
    EXPECT_FALSE(tracker.at(at(60.0))) << "began anew";
}

TEST(DopplerTracker, LeavesOutOutliersAndFollowsAJump) {
    DopplerTracker tracker;
    for (int i = 0; i < 20; ++i) {
        tracker.hear(at(i), 500.0 * i, 2.0);
    }
    tracker.hear(at(20.0), -3'000.0, 2.0);
    tracker.hear(at(20.5), std::numeric_limits<double>::quiet_NaN(), 2.0);
    tracker.hear(at(3.0), 77.0, 2.0);
    auto e = tracker.at(at(21.0));
    ASSERT_TRUE(e);
    EXPECT_NEAR(e->cfo_hz, 500.0 * 21, 5.0);
    EXPECT_NEAR(e->rate_hz_s, 500.0, 3.0);
    EXPECT_TRUE(e->moves());
    // Another oscillator behind the same address.
    for (int i = 21; i < 30; ++i) {
        tracker.hear(at(i), -8'000.0, 2.0);
    }
    e = tracker.at(at(30.0));
    ASSERT_TRUE(e);
    EXPECT_NEAR(e->cfo_hz, -8'000.0, 30.0);
}

}  // namespace
}  // namespace meshnet::mac
