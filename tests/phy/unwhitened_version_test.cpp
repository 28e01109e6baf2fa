// SPDX-License-Identifier: MIT
// Recordings of version 0 of the waveform, which had no whitening, are still read.
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "phy/profile.hpp"
#include "phy/receiver.hpp"

namespace meshnet::phy {
namespace {

TEST(UnwhitenedVersion, IsReceived) {
    // One frame of 252 bytes, QPSK 1/2, cs8, made by the last program that sent version 0.
    std::ifstream file(std::string(MESHNET_SOURCE_DIR) + "/tests/vectors/unwhitened_frame_250k.cs8", std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_GT(bytes.size(), 2'000U);
    std::vector<Sample> samples;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        samples.emplace_back(static_cast<float>(static_cast<signed char>(bytes[i])) / 128.0F,
                             static_cast<float>(static_cast<signed char>(bytes[i + 1])) / 128.0F);
    }
    Receiver::Config config;
    config.profile = find_profile("250k");
    Receiver receiver(config);
    receiver.push(samples);
    receiver.flush();
    const auto frame = receiver.poll_frame();
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->version, 0);
    EXPECT_TRUE(frame->ok());
    std::string sent;
    for (int i = 0; i < 12; ++i) {
        sent += "A frame of version 0.";
    }
    EXPECT_EQ(std::string(frame->payload.begin(), frame->payload.end()), sent);
}

}  // namespace
}  // namespace meshnet::phy
