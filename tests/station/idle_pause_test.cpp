// SPDX-License-Identifier: MIT
#include "station/idle_pause.hpp"

#include <gtest/gtest.h>

#include "station/config.hpp"

namespace meshnet::station {
namespace {

TEST(IdlePause, WaitsOnlyOnceTheChannelHasBeenQuiet) {
    IdlePause pause(2ms);
    const Instant start{10s};
    EXPECT_FALSE(pause.may_wait(start, true, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 49ms, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(start + 50ms, false, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 60ms, true, std::nullopt));
    EXPECT_FALSE(pause.may_wait(start + 61ms, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(start + 110ms, false, std::nullopt));
}

TEST(IdlePause, NeverOverATimer) {
    IdlePause pause(2ms);
    const Instant now{10s};
    EXPECT_TRUE(pause.may_wait(now, false, now + 4ms));
    EXPECT_FALSE(pause.may_wait(now, false, now + 3'999us));
    EXPECT_FALSE(pause.may_wait(now, false, now - 1ms));
}

TEST(IdlePause, AClockThatWasSetBackBeginsAnew) {
    IdlePause pause(2ms);
    (void)pause.may_wait(Instant{10s}, true, std::nullopt);
    EXPECT_FALSE(pause.may_wait(Instant{5s}, false, std::nullopt));
    EXPECT_TRUE(pause.may_wait(Instant{5s} + 50ms, false, std::nullopt));
}

TEST(IdlePause, NotWhereTheTurnaroundIsShorter) {
    IdlePause pause(1'999us);
    EXPECT_FALSE(pause.may_wait(Instant{10s}, false, std::nullopt));
    EXPECT_GE(Config::default_mac().turnaround, IdlePause::kPause) << "the default lets it";
}

}  // namespace
}  // namespace meshnet::station
