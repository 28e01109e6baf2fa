// SPDX-License-Identifier: MIT
#include "node/sample_clock.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "core/random.hpp"

namespace meshnet::node {
namespace {

TEST(SampleRate, IsExactForDyadicRatesAndBoundedForTheRest) {
    EXPECT_EQ(SampleRate::from_hz(1e6), (SampleRate{1'000'000, 1}));
    EXPECT_EQ(SampleRate::from_hz(0.5e6 + 0.25), (SampleRate{2'000'001, 4}));
    EXPECT_NEAR(SampleRate::from_hz(1'000'010.1).hz(), 1'000'010.1, 1e-6);
    EXPECT_EQ(SampleRate::from_hz(std::numeric_limits<double>::quiet_NaN()), (SampleRate{1, 1}));
    EXPECT_EQ(SampleRate::from_hz(-3), (SampleRate{1, 1}));
    EXPECT_EQ(SampleRate::from_hz(std::numeric_limits<double>::infinity()), (SampleRate{1'000'000'000, 1}));
}

TEST(SampleClock, OneMillionSamplesASecondIsAMicrosecondEach) {
    const SampleClock clock(SampleRate{1'000'000, 1});
    EXPECT_EQ(clock.to_instant(0), Instant{});
    EXPECT_EQ(clock.to_instant(7), Instant{7us});
    EXPECT_EQ(clock.to_index(Instant{7us}), 7U);
    EXPECT_EQ(clock.to_index(Instant{7us + 1ns}), 8U) << "the first sample at or after";
    EXPECT_EQ(clock.to_index(Instant{6us + 1ns}), 7U);
    EXPECT_EQ(clock.duration_of(1'500'000), 1500ms);
}

TEST(SampleClock, IndexSurvivesTheWayThroughTimeAtAnyRate) {
    Rng rng(1);
    for (const double hz : {1.0, 44'100.0, 999'990.3, 1e6, 2.4e6, 20e6 / 3.0, 61.44e6, 1e9}) {
        const SampleClock clock(SampleRate::from_hz(hz), instant_from_ns(-12'345), 1'000);
        for (int i = 0; i < 2'000; ++i) {
            const std::uint64_t index = rng.next_u64() >> (24 + rng.below(40));
            const auto seconds = static_cast<double>(index) / hz;
            if (seconds > 9e9) {
                continue;  // beyond the range of an Instant
            }
            ASSERT_EQ(clock.to_index(clock.to_instant(index)), index) << hz;
        }
    }
}

TEST(SampleClock, TimeSurvivesTheWayThroughIndexToWithinASample) {
    Rng rng(2);
    for (const double hz : {44'100.0, 999'990.3, 1e6, 20e6 / 3.0}) {
        const SampleClock clock(SampleRate::from_hz(hz));
        const auto period = static_cast<std::int64_t>(1e9 / hz) + 1;
        for (int i = 0; i < 2'000; ++i) {
            const Instant t = instant_from_ns(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 61)));
            const Instant back = clock.to_instant(clock.to_index(t));
            ASSERT_GE(back + 1ns, t);
            ASSERT_LE((back - t).count(), period);
        }
    }
}

TEST(SampleClock, DoesNotDriftInAYear) {
    // 1 000 010 samples/s for a year: the index is the exact product, no rounding has added up.
    const SampleClock clock(SampleRate{1'000'010, 1});
    const std::uint64_t year_s = 31'557'600;
    EXPECT_EQ(clock.to_instant(1'000'010 * year_s), Instant{std::chrono::seconds(year_s)});
    EXPECT_EQ(clock.to_index(Instant{std::chrono::seconds(year_s)}), 1'000'010 * year_s);
}

TEST(SampleClock, BeforeTheOrigin) {
    const SampleClock clock(SampleRate{3, 1}, Instant{10s}, 100);
    EXPECT_EQ(clock.to_instant(97), Instant{9s});
    EXPECT_EQ(clock.to_instant(99), instant_from_ns(9'666'666'666));
    EXPECT_EQ(clock.to_index(Instant{9s}), 97U);
    EXPECT_EQ(clock.to_index(Instant{-1'000s}), 0U) << "there is no index below 0";
}

}  // namespace
}  // namespace meshnet::node
