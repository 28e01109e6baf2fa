// SPDX-License-Identifier: MIT
#include "station/idle_pause.hpp"

#include <gtest/gtest.h>

#include "station/config.hpp"

namespace meshnet::station {
namespace {

TEST(IdlePause, WaitsOnlyOnceTheChannelHasBeenQuiet) {
    IdlePause pause(2ms, 4ms);
    const Instant start{10s};
    EXPECT_FALSE(pause.may_wait(start, true, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 49ms, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(start + 50ms, false, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 60ms, true, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 61ms, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(start + 110ms, false, std::nullopt));
}

TEST(IdlePause, NeverOverATimer) {
    IdlePause pause(2ms, 4ms);
    const Instant now{10s};
    EXPECT_TRUE(pause.may_wait(now, false, now + 10ms));
    EXPECT_FALSE(pause.may_wait(now, false, now + 9'999us));
    EXPECT_FALSE(pause.may_wait(now, false, now - 1ms));
}

TEST(IdlePause, AClockThatWasSetBackBeginsAnew) {
    IdlePause pause(2ms, 4ms);
    (void)pause.may_wait(Instant{10s}, true, std::nullopt);
    EXPECT_FALSE(pause.may_wait(Instant{5s}, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(Instant{5s} + 50ms, false, std::nullopt));
}

TEST(IdlePause, TheShortestFrameIsTakenWithinTheTurnaround) {
    for (const Duration frame : {1ms, 3ms, 4ms, 10ms}) {
        for (const Duration turnaround : {2ms, 3ms, 10ms}) {
            const IdlePause pause(turnaround, frame);
            // It began just after the station had looked, and has ended when it looks again.
            EXPECT_LE(pause.length() - frame, turnaround);
            EXPECT_GE(pause.length(), IdlePause::kShortest);
            EXPECT_LE(pause.length(), IdlePause::kLongest);
        }
    }
}

TEST(IdlePause, NotWhereTheTurnaroundIsShorter) {
    IdlePause pause(1'999us, 4ms);
    EXPECT_FALSE(pause.may_wait(Instant{10s}, false, std::nullopt));
    EXPECT_GE(Config::default_mac().turnaround, IdlePause::kShortest) << "the default lets it";
}

}  // namespace
}  // namespace meshnet::station
