// SPDX-License-Identifier: MIT
// Fault: a frame between exact zeros was lost. The rounding of the transforms stood against a window energy of exactly
// zero, so that every silent lag scored above the true peak of the preamble detector.
#include <gtest/gtest.h>

#include <vector>

#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, NoiseFreeRecording) {
    const Profile& profile = *find_profile("1M");
    for (const char* mode : {"qpsk-1/5x8", "qpsk-1/5x2", "qpsk-1/2"}) {  // one of each preamble class
        for (const float amplitude : {1.0F, 1e-3F}) {
            for (const std::size_t lead : {1U, 64U, 4'999U, 50'000U}) {
                const Bytes payload(300, 0x5a);
                std::vector<Sample> samples(lead);
                Transmitter(profile).modulate(*find_mode(mode), payload, samples);
                samples.resize(samples.size() + 20'000);
                for (Sample& s : samples) {
                    s *= amplitude;
                }
                Receiver::Config config;
                config.profile = &profile;
                Receiver receiver(config);
                receiver.push(samples);
                receiver.flush();
                const auto frame = receiver.poll_frame();
                ASSERT_TRUE(frame.has_value())
                    << mode << ", amplitude " << amplitude << ", " << lead << " zeros before";
                EXPECT_TRUE(frame && frame->payload == payload);
            }
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
