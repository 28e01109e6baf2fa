// SPDX-License-Identifier: MIT
#include "phy/dsp/sample_gate.hpp"
#include "core/random.hpp"

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
        blocker.learn(block);
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

class PowerMeterTest : public testing::Test {
protected:
    /// `times` blocks of white noise of `rms` and a tone of `tone` between two bins.
    void feed(float rms, int times, float tone = 0.0F) {
        std::vector<Sample> block(1024);
        for (int i = 0; i < times; ++i) {
            for (Sample& s : block) {
                s = rms * std::sqrt(0.5F) *
                    Sample(static_cast<float>(rng_.normal()), static_cast<float>(rng_.normal()));
                s += std::polar(tone, 0.4567F * static_cast<float>(n_++ % 1'000'000));
            }
            meter_.add(block);
            busy_ += meter_.busy() ? 1 : 0;
        }
    }
    /// Blocks that were busy since the last call.
    int busy() { return std::exchange(busy_, 0); }

    PowerMeter meter_;
    Rng rng_{4};
    std::uint64_t n_ = 0;
    int busy_ = 0;
};

TEST_F(PowerMeterTest, HearsSixDecibelsAboveItsFloor) {
    feed(0.01F, 300);
    EXPECT_EQ(busy(), 0);
    EXPECT_NEAR(meter_.floor_dbfs(), -40.0F, 0.5F);
    feed(0.01F * std::pow(10.0F, 4.0F / 20.0F), 50);
    EXPECT_LE(busy(), 2) << "4 dB";
    feed(0.01F * std::pow(10.0F, 8.0F / 20.0F), 50);
    EXPECT_GE(busy(), 48) << "8 dB";
    feed(0.0F, 3);
    EXPECT_EQ(busy(), 0) << "a muted receiver hears nothing";
    EXPECT_NEAR(meter_.floor_dbfs(), -40.0F, 0.5F) << "and learns nothing";
    feed(0.1F, 1200);
    EXPECT_GE(busy(), 500);
    feed(0.1F, 100);
    EXPECT_EQ(busy(), 0) << "what stays is the new floor";
}

TEST_F(PowerMeterTest, IsNotHeldBusyByAToneNorDeafBesideIt) {
    feed(0.01F, 300);
    for (const float tone : {0.1F, 1.0F}) {  // 20 and 40 dB above the noise
        busy();
        feed(0.01F, 200, tone);
        EXPECT_EQ(busy(), 0) << "a carrier that comes on is no frame";
        feed(0.03F, 50, tone);
        EXPECT_GE(busy(), 48) << "a signal 9.5 dB above the noise, far below the tone";
        feed(0.01F, 1200, tone);
        EXPECT_EQ(busy(), 0);
        feed(0.03F, 50, tone);
        EXPECT_GE(busy(), 48) << "the tone long known";
    }
}

}  // namespace
}  // namespace meshnet::phy
