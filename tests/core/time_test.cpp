// SPDX-License-Identifier: MIT
#include "core/time.hpp"

#include <gtest/gtest.h>

namespace meshnet {
namespace {

TEST(Time, IsIntegerNanoseconds) {
    const Instant t = instant_from_ns(5);
    EXPECT_EQ(to_ns(t + 2us), 2005);
    EXPECT_EQ(from_seconds(1.5), 1500ms);
    EXPECT_EQ(from_seconds(-1e-9), -1ns);
    EXPECT_EQ(from_seconds(0.4e-9), 0ns);
    EXPECT_DOUBLE_EQ(to_seconds(250ms), 0.25);
    static_assert(!std::chrono::is_clock_v<NodeClock>, "there is no now(): time is always an argument");
}

}  // namespace
}  // namespace meshnet
