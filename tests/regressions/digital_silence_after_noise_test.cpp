// SPDX-License-Identifier: MIT
// Fault: noise followed by exact zeros ended the receiver. A sender that stops, a padded recording and gaps filled with
// zeros all look like that; training and header of what the edge is detected as may be exact zeros, and the training
// divided by their energy.
#include <gtest/gtest.h>

#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, DigitalSilenceAfterNoise) {
    for (const Profile& profile : profiles()) {
        Rng rng(9);
        Receiver::Config config;
        config.profile = &profile;
        Receiver receiver(config);
        // Long enough that filters with a memory have forgotten the noise down to the last bit.
        for (int i = 0; i < 3; ++i) {
            std::vector<Sample> samples(300'000);
            for (std::size_t n = 0; n < 2'000; ++n) {
                samples[n] = 0.01F * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
            }
            receiver.push(samples);
        }
        EXPECT_FALSE(receiver.poll_frame().has_value()) << profile.name;
        std::vector<Sample> samples(5'000);
        const Bytes payload(100, 0x5a);
        Transmitter(profile).modulate(*find_mode("qpsk-1/2"), payload, samples);
        receiver.push(samples);
        receiver.flush();
        const auto frame = receiver.poll_frame();
        ASSERT_TRUE(frame.has_value()) << profile.name;
        EXPECT_EQ(frame->payload, payload) << profile.name;
    }
}

}  // namespace
}  // namespace meshnet::phy
