// SPDX-License-Identifier: MIT
// Fault: at 2M the frame of these 20 028 bytes in 256QAM 5/6 was never received, with no noise at all. One of its
// symbols has a peak of 13.5 dB, as one in ten million has, and taking that off moved its points by -17 dB.
#include <gtest/gtest.h>

#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, ARarePeakDestroysItsSymbol) {
    const Profile& profile = *find_profile("2M");
    Rng rng(20'028);
    Bytes payload(20'028);
    for (auto& b : payload) {
        b = static_cast<std::uint8_t>(rng.below(256));
    }
    std::vector<Sample> samples;
    Transmitter(profile).modulate(*find_mode("256qam-5/6"), payload, samples);
    samples.resize(samples.size() + 40'000);
    Receiver::Config config;
    config.profile = &profile;
    Receiver receiver(config);
    receiver.push(samples);
    const auto frame = receiver.poll_frame();
    ASSERT_TRUE(frame.has_value());
    EXPECT_TRUE(frame->ok());
    EXPECT_EQ(frame->payload, payload);
}

}  // namespace
}  // namespace meshnet::phy
