// SPDX-License-Identifier: MIT
#include "lab/monte_carlo.hpp"
#include "lab/genie.hpp"

#include <gtest/gtest.h>

#include "lab/detection.hpp"
#include "lab/liquid_baseline.hpp"

namespace meshnet::lab {
namespace {

Scenario scenario(const char* mode, double snr_db) {
    Scenario s;
    s.profile = phy::find_profile("1M");
    s.mode = *phy::find_mode(mode);
    s.payload_bytes = 200;
    s.snr_db = snr_db;
    s.seed = 7;
    return s;
}

Tally run(const Scenario& s, std::uint64_t frames, unsigned threads = 1, std::uint64_t min_errors = 0) {
    Effort effort;
    effort.frames = frames;
    effort.threads = threads;
    effort.min_errors = min_errors;
    return run_point(s, effort);
}

void expect_same(const Tally& a, const Tally& b) {
    EXPECT_EQ(a.frames, b.frames);
    EXPECT_EQ(a.errors, b.errors);
    EXPECT_EQ(a.detect_miss, b.detect_miss);
    EXPECT_EQ(a.header_miss, b.header_miss);
    EXPECT_EQ(a.false_alarms, b.false_alarms);
    EXPECT_EQ(a.blocks, b.blocks);
    EXPECT_EQ(a.iterations, b.iterations);
}

TEST(MonteCarlo, AllArriveWellAboveTheThresholdAndNoneFarBelow) {
    const Tally good = run(scenario("16qam-1/2", 20.0), 70);
    EXPECT_EQ(good.frames, 70U);
    EXPECT_EQ(good.errors, 0U);
    EXPECT_EQ(good.blocks, 70U);
    EXPECT_EQ(good.false_headers, 0U);
    const Tally bad = run(scenario("16qam-1/2", -25.0), 20);
    EXPECT_EQ(bad.errors, 20U);
    EXPECT_EQ(bad.detect_miss + bad.header_miss, 20U);
    EXPECT_EQ(bad.blocks, 0U);
}

TEST(MonteCarlo, SameResultForAnyNumberOfThreads) {
    std::uint64_t errors = 0;
    for (const double snr_db : {11.0, 12.0, 13.0}) {
        const Scenario s = scenario("64qam-2/3", snr_db);
        const Tally one = run(s, 70, 1);
        expect_same(one, run(s, 70, 3));
        errors += one.errors;
    }
    EXPECT_GT(errors, 0U);
    EXPECT_LT(errors, 210U);
}

TEST(MonteCarlo, StopsEarlyAtTheSameFrameForAnyNumberOfThreads) {
    const Scenario s = scenario("qpsk-1/2", 0.0);
    const Tally one = run(s, 2000, 1, 10);
    EXPECT_GE(one.errors, 10U);
    EXPECT_LT(one.frames, 200U);
    expect_same(one, run(s, 2000, 4, 10));
}

TEST(MonteCarlo, AnotherSeedIsAnotherExperiment) {
    Scenario s = scenario("64qam-2/3", 13.0);
    const Tally a = run(s, 64);
    s.seed = 8;
    EXPECT_NE(a.iterations, run(s, 64).iterations);
}

// A preamble that is lost is counted as such, and a preamble that is there with an unreadable payload is neither.
TEST(MonteCarlo, SaysWhereFramesAreLost) {
    const Tally payload = run(scenario("256qam-5/6", 8.0), 40);
    EXPECT_EQ(payload.errors, 40U);
    EXPECT_EQ(payload.detect_miss + payload.header_miss, 0U);
    EXPECT_EQ(payload.blocks, 40U);
    EXPECT_EQ(payload.undetected, 0U);
}

TEST(MonteCarlo, OffsetIsDrawnUnlessItIsGiven) {
    Scenario s = scenario("qpsk-1/2", 10.0);
    double least = 1e9;
    double most = -1e9;
    for (std::uint64_t f = 0; f < 200; ++f) {
        const double cfo = channel_of_frame(s, f).cfo_hz;
        least = std::min(least, cfo);
        most = std::max(most, cfo);
    }
    EXPECT_LT(least, -0.9 * s.profile->max_cfo_hz);
    EXPECT_GT(most, 0.9 * s.profile->max_cfo_hz);
    EXPECT_LE(most, s.profile->max_cfo_hz);
    s.channel = "hackrf";
    EXPECT_EQ(channel_of_frame(s, 3).cfo_hz, 8e3);
    s.cfo_hz = -500.0;
    EXPECT_EQ(channel_of_frame(s, 3).cfo_hz, -500.0);
}

TEST(MonteCarlo, RefusesWhatCannotBe) {
    Scenario s = scenario("qpsk-1/2", 10.0);
    EXPECT_TRUE(check(s).ok());
    s.payload_bytes = 0;
    EXPECT_FALSE(check(s).ok());
    s = scenario("qpsk-1/2", 10.0);
    s.cfo_hz = 600e3;
    EXPECT_FALSE(check(s).ok());
    s = scenario("qpsk-1/2", 10.0);
    s.channel = "ether";
    EXPECT_FALSE(check(s).ok());
    s = scenario("qpsk-1/2", 1e9);
    EXPECT_FALSE(check(s).ok());
}

TEST(Liquid, IsHeardAboveItsThresholdAndNotBelow) {
    LiquidScenario s;
    s.mode = find_liquid_mode("qpsk-golay-1/2");
    ASSERT_NE(s.mode, nullptr);
    s.payload_bytes = 100;
    Effort effort;
    effort.frames = 64;
    s.snr_db = 20.0;
    const Tally good = run_liquid_point(s, effort);
    EXPECT_EQ(good.errors, 0U);
    effort.threads = 2;
    s.snr_db = 5.0;
    const Tally middle = run_liquid_point(s, effort);
    effort.threads = 1;
    expect_same(middle, run_liquid_point(s, effort));
    s.snr_db = -10.0;
    EXPECT_EQ(run_liquid_point(s, effort).errors, 64U);
    EXPECT_EQ(find_liquid_mode("nothing"), nullptr);
}

TEST(Detection, FindsAllWellAboveAndNoneFarBelow) {
    const auto& profile = *phy::find_profile("1M");
    const auto good = measure_detection(profile, phy::PreambleClass::kShort, 5.0, 60, 1, 2);
    EXPECT_EQ(good.found, 60U);
    EXPECT_LT(good.time_error_squared / 60.0, 0.05);
    const auto bad = measure_detection(profile, phy::PreambleClass::kShort, -25.0, 60, 1, 1);
    EXPECT_EQ(bad.found, 0U);
    const auto again = measure_detection(profile, phy::PreambleClass::kShort, 5.0, 60, 1, 1);
    EXPECT_EQ(good.time_error_squared, again.time_error_squared);
}

TEST(Genie, MoreAidLosesFewerFrames) {
    Scenario s = scenario("16qam-1/2", 11.0);
    s.payload_bytes = 200;
    s.channel = "rayleigh-100hz";
    Effort effort;
    effort.frames = 60;
    const auto errors = [&](const char* aid) {
        s.genie = parse_genie_aid(aid).value();
        return run_point(s, effort).errors;
    };
    const auto none = errors("none");
    s.genie.reset();
    const auto whole = run_point(s, effort).errors;
    EXPECT_GT(none, 0U);
    EXPECT_NEAR(static_cast<double>(none), static_cast<double>(whole), 6.0);  // nearly the same receiver
    EXPECT_LE(errors("csi"), none);
    EXPECT_LT(errors("all"), none);
}

}  // namespace
}  // namespace meshnet::lab
