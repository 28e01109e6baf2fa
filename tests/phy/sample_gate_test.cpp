// SPDX-License-Identifier: MIT
#include "phy/sample_gate.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "phy/power_meter.hpp"

namespace meshnet::phy {
namespace {

TEST(SampleGate, LetsNothingThroughThatIsNotANumber) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<Sample> in{{nan, 0}, {0, nan}, {inf, 1}, {1, -inf}, {0.5F, -0.25F}, {9, -9}, {1e30F, 0}};
    std::vector<Sample> out(in.size());
    SampleGate gate;
    gate.pass(in, out);
    EXPECT_EQ(out, (std::vector<Sample>{{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0.5F, -0.25F}, {4, -4}, {4, 0}}));
    EXPECT_EQ(gate.not_finite(), 4U);
    EXPECT_EQ(gate.clipped(), 2U);
}

TEST(PowerMeter, HearsSixDecibelsAboveItsFloor) {
    PowerMeter meter;
    const auto feed = [&](float amplitude, int times) {
        const std::vector<Sample> block(1024, Sample(amplitude, 0));
        for (int i = 0; i < times; ++i) {
            meter.add(block);
        }
    };
    feed(0.01F, 20);
    EXPECT_FALSE(meter.busy());
    EXPECT_NEAR(meter.floor_dbfs(), -40.0F, 0.1F);
    feed(0.019F, 1);
    EXPECT_FALSE(meter.busy()) << "5.6 dB";
    feed(0.021F, 1);
    EXPECT_TRUE(meter.busy()) << "6.4 dB";
    feed(0.0F, 3);
    EXPECT_FALSE(meter.busy()) << "a muted receiver hears nothing";
    EXPECT_NEAR(meter.floor_dbfs(), -40.0F, 0.1F) << "and learns nothing";
    feed(0.1F, 1200);
    EXPECT_FALSE(meter.busy()) << "what stays is the new floor";
}

}  // namespace
}  // namespace meshnet::phy
