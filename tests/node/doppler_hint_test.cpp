// SPDX-License-Identifier: MIT
// Where the oscillator of a receiver with several neighbours goes.
#include <gtest/gtest.h>

#include <vector>

#include "node/doppler_hint.hpp"

namespace meshnet::node {
namespace {

using mac::DopplerEstimate;

DopplerEstimate neighbour(double cfo_hz, double rate_hz_s) {
    return {cfo_hz, rate_hz_s, 1.0, 1.0};
}

TEST(DopplerHint, StaysAtRestWhileNobodyMoves) {
    EXPECT_EQ(doppler_hint({}, 15e3), phy::DopplerShift{});
    EXPECT_EQ(doppler_hint(std::vector{neighbour(9e3, 0.0), neighbour(-3e3, 20.0)}, 15e3), phy::DopplerShift{});
    EXPECT_EQ(doppler_hint(std::vector{DopplerEstimate{9e3, 500.0, 1.0, 300.0}}, 15e3), phy::DopplerShift{})
        << "a rate that is not known";
}

TEST(DopplerHint, FollowsTheOneThatMoves) {
    const auto far = doppler_hint(std::vector{neighbour(40e3, -800.0)}, 15e3);
    EXPECT_EQ(far, (phy::DopplerShift{40e3, -800.0}));
    // Unknown stations stay within reach where that costs nothing.
    const auto near = doppler_hint(std::vector{neighbour(10e3, -800.0)}, 15e3);
    EXPECT_EQ(near, (phy::DopplerShift{5e3, -400.0}));
}

TEST(DopplerHint, KeepsAsManyWithinReachAsItCan) {
    const auto hint =
        doppler_hint(std::vector{neighbour(40e3, -800.0), neighbour(2e3, 0.0), neighbour(-6e3, 0.0)}, 15e3);
    EXPECT_EQ(hint, (phy::DopplerShift{-2e3, 0.0}));
    const auto two =
        doppler_hint(std::vector{neighbour(40e3, -800.0), neighbour(30e3, -600.0), neighbour(-6e3, 0.0)}, 15e3);
    EXPECT_EQ(two, (phy::DopplerShift{35e3, -700.0}));
}

}  // namespace
}  // namespace meshnet::node
