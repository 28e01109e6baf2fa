// SPDX-License-Identifier: MIT
// Fault: at 10M and 20M some lengths (512, 1024 and 4096 bytes among them) were never received, with no noise at all.
// The repeated copies of their headers made a peak of 20 dB, and taking it off destroyed the header.
#include <gtest/gtest.h>

#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, WideProfilesLoseFramesWithoutNoise) {
    Rng rng(20);
    for (const char* name : {"5M", "10M", "20M"}) {
        const Profile& profile = *find_profile(name);
        Transmitter transmitter(profile);
        Receiver::Config config;
        config.profile = &profile;
        Receiver receiver(config);
        std::vector<std::size_t> lengths{1, 16, 64, 128, 256, 512, 1'024, 2'048, 4'096, 24'576};
        for (int i = 0; i < 40; ++i) {
            lengths.push_back(1 + rng.below(1'500));
        }
        for (const std::size_t length : lengths) {
            Bytes payload(length);
            for (auto& b : payload) {
                b = static_cast<std::uint8_t>(rng.below(256));
            }
            std::vector<Sample> samples;
            transmitter.modulate(*find_mode("qpsk-1/2"), payload, samples);
            samples.resize(samples.size() + 20'000);
            receiver.push(samples);
            const auto frame = receiver.poll_frame();
            ASSERT_TRUE(frame.has_value()) << name << ", " << length << " bytes";
            EXPECT_TRUE(frame && frame->payload == payload) << name << ", " << length << " bytes";
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
