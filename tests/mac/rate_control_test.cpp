// SPDX-License-Identifier: MIT
// The mode follows reports and learns from losses.
#include <gtest/gtest.h>

#include "mac/rate_control.hpp"
#include "tests/mac/medium.hpp"

namespace meshnet::mac::test {
namespace {

const TablePhy kPhy;

/// Bursts of 24 fragments at a true SNR, reported with an error.
ModeIndex settle(RateControl& rate, double true_db, double report_error_db, double extra_loss, int bursts, Rng& rng) {
    for (int k = 0; k < bursts; ++k) {
        const ModeIndex mode = rate.data_mode();
        const double p =
            1.0 / (1.0 + std::exp(4.0 * (true_db - static_cast<double>(kPhy.required_snr_db(mode))) + std::log(99.0)));
        std::size_t lost = 0;
        for (int i = 0; i < 24; ++i) {
            lost += rng.uniform() < p + extra_loss ? 1U : 0U;
        }
        rate.on_report(static_cast<float>(true_db + report_error_db));
        rate.on_fate(mode, 24, lost);
    }
    return rate.data_mode();
}

TEST(MacRateControl, StartsRobustAndFollowsTheReport) {
    RateControl rate(kPhy, 1.5, std::nullopt);
    EXPECT_EQ(rate.data_mode(), 0);
    rate.on_report(14.0F);
    EXPECT_EQ(rate.data_mode(), 7);     // 12.0 + 1.5 <= 14
    EXPECT_EQ(rate.control_mode(), 6);  // 10.5 + 3.5 <= 14
    rate.on_report(3.0F);
    rate.on_report(3.0F);
    rate.on_report(3.0F);
    EXPECT_LE(rate.data_mode(), 2);
}

TEST(MacRateControl, AReportTooGoodIsSeenThrough) {
    Rng rng(1);
    RateControl rate(kPhy, 1.5, std::nullopt);
    // Reported 4 dB too good: of the modes the true 9.0 dB carries the best is 8.0 dB.
    int good = 0;
    settle(rate, 9.0, 4.0, 0.0, 40, rng);
    for (int k = 0; k < 100; ++k) {
        good += settle(rate, 9.0, 4.0, 0.0, 1, rng) == 5 ? 1 : 0;
    }
    EXPECT_GE(good, 80);
}

TEST(MacRateControl, LossThatNoModeCuresLeavesTheModeAlone) {
    Rng rng(2);
    RateControl rate(kPhy, 1.5, std::nullopt);
    settle(rate, 14.0, 0.0, 0.3, 60, rng);
    int fast = 0;
    for (int k = 0; k < 100; ++k) {
        fast += settle(rate, 14.0, 0.0, 0.3, 1, rng) >= 6 ? 1 : 0;
    }
    EXPECT_GE(fast, 85);
}

TEST(MacRateControl, SilenceFallsBackAndAnAnswerRestores) {
    RateControl rate(kPhy, 1.5, std::nullopt);
    rate.on_report(14.0F);
    rate.on_silence();
    EXPECT_EQ(rate.data_mode(), 7);  // one may be a collision
    rate.on_silence();
    EXPECT_LT(rate.data_mode(), 7);
    for (int k = 0; k < 10; ++k) {
        rate.on_silence();
    }
    EXPECT_EQ(rate.data_mode(), 0);
    rate.on_answer();
    EXPECT_EQ(rate.data_mode(), 7);
}

TEST(MacRateControl, NonsenseIsIgnored) {
    RateControl rate(kPhy, 1.5, std::nullopt);
    rate.on_report(std::nanf(""));
    EXPECT_FALSE(rate.known());
    rate.on_fate(200, 5, 5);
    rate.on_fate(3, 0, 0);
    EXPECT_EQ(rate.data_mode(), 0);
    RateControl fixed(kPhy, 1.5, ModeIndex{4});
    fixed.on_report(30.0F);
    EXPECT_EQ(fixed.data_mode(), 4);
    EXPECT_EQ(fixed.control_mode(), 4);
}

}  // namespace
}  // namespace meshnet::mac::test
