// SPDX-License-Identifier: MIT
// Fault: a frame came out of the receiver only when samples beyond it were pushed, up to a whole step of them. Where a
// source gives samples only while it sends, that is when the next frame is sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, FrameWaitsForTheNextOne) {
    for (const char* name : {"125k", "1M", "5M"}) {
        const Profile& profile = *find_profile(name);
        for (const char* mode : {"qpsk-1/5x16", "qpsk-1/5", "qpsk-1/3", "16qam-1/2"}) {
            for (const std::size_t lead : {0U, 1U, 300U, 3'333U}) {
                const Bytes payload(437, 0x5a);
                std::vector<Sample> samples(lead);
                Transmitter(profile).modulate(*find_mode(mode), payload, samples);
                Receiver::Config config;
                config.profile = &profile;
                Receiver receiver(config);
                receiver.push(samples);
                const auto frame = receiver.poll_frame();
                ASSERT_TRUE(frame.has_value()) << name << ", " << mode << ", " << lead << " zeros before";
                EXPECT_TRUE(frame && frame->payload == payload);
            }
        }
    }
}

// Who pushes as much as samples_wanted() says sees each frame at its last sample, whatever came before.
TEST(Regressions, FrameWaitsForNothingInTheMiddleOfAStream) {
    const Profile& profile = *find_profile("1M");
    const Bytes payload(200, 0x33);
    std::vector<Sample> samples(777);
    std::vector<std::size_t> ends;
    for (int i = 0; i < 4; ++i) {
        Transmitter(profile).modulate(*find_mode("qpsk-1/2"), payload, samples);
        ends.push_back(samples.size());
        samples.resize(samples.size() + static_cast<std::size_t>(i) * 411);
    }
    samples.resize(samples.size() + 5'000);
    Receiver::Config config;
    config.profile = &profile;
    Receiver receiver(config);
    std::vector<std::size_t> seen;
    for (std::size_t at = 0; at < samples.size();) {
        const std::size_t n = std::min(receiver.samples_wanted(), samples.size() - at);
        ASSERT_GT(n, 0U);
        receiver.push(std::span(samples).subspan(at, n));
        at += n;
        while (receiver.poll_frame()) {
            seen.push_back(at);
        }
    }
    ASSERT_EQ(seen.size(), ends.size());
    for (std::size_t i = 0; i < seen.size(); ++i) {
        EXPECT_LE(seen[i], ends[i] + 1);  // a sample: the preamble's place is rounded
    }
}

}  // namespace
}  // namespace meshnet::phy
