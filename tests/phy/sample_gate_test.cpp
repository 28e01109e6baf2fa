// SPDX-License-Identifier: MIT
#include "phy/dsp/sample_gate.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "phy/dsp/dc_blocker.hpp"
#include "phy/estimation/power_meter.hpp"

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

TEST(DcBlocker, RemovesDcAndNothingElse) {
    DcBlocker blocker;
    float dc = 0.0F;
    float tone = 0.0F;
    for (int b = 0; b < 1000; ++b) {
        std::vector<Sample> block(128);
        for (std::size_t i = 0; i < block.size(); ++i) {
            block[i] = Sample(0.3F, -0.1F) + (i % 4 < 2 ? 0.5F : -0.5F);
        }
        blocker.apply(block);
        blocker.learn();
        dc = 0.0F;
        tone = 0.0F;
        for (std::size_t i = 0; i < block.size(); ++i) {
            dc += block[i].real() / 128.0F;
            tone += (i % 4 < 2 ? 1.0F : -1.0F) * block[i].real() / 128.0F;
        }
    }
    EXPECT_NEAR(dc, 0.0F, 1e-4F);
    EXPECT_NEAR(tone, 0.5F, 1e-4F);
    EXPECT_NEAR(std::abs(blocker.mean() - Sample(0.3F, -0.1F)), 0.0F, 1e-4F);
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
