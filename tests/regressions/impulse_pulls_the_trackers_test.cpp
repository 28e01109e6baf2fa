// SPDX-License-Identifier: MIT
// Fault: a noise burst of 300 us, 10 to 60 dB above the frame, in a frame of 22 symbols made all of the frame fail: it
// pulled phase, time and channel, while the same 300 us of zeros were repaired by the code.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

struct Case {
    const char* mode;
    std::size_t bytes;
    std::size_t burst;  // samples
    float above_db;     // over the frame's power
};

/// Of 10 frames at 25 dB SNR, each with a burst somewhere in its payload, those without an error.
int whole_frames(const Case& c) {
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    Rng rng(7);
    int whole = 0;
    for (int f = 0; f < 10; ++f) {
        Bytes payload(c.bytes);
        for (auto& b : payload) {
            b = static_cast<std::uint8_t>(rng.next_u64());
        }
        std::vector<Sample> samples(2'000);
        transmitter.modulate(*find_mode(c.mode), payload, samples);
        const std::size_t end = samples.size();
        samples.resize(end + 12'000);
        const std::size_t room = end - c.burst - 200 - (2'000 + 2'600);
        const std::size_t from = 2'000 + 2'600 + rng.next_u64() % room;
        const float noise = kTransmitRms * std::pow(10.0F, -25.0F / 20.0F);
        const float burst = kTransmitRms * std::pow(10.0F, c.above_db / 20.0F);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const float rms = i >= from && i < from + c.burst ? burst : noise;
            samples[i] +=
                rms * std::sqrt(0.5F) * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        }
        Receiver::Config config;
        config.profile = &profile;
        Receiver receiver(config);
        receiver.push(samples);
        receiver.flush();
        const auto frame = receiver.poll_frame();
        whole += frame && frame->ok() && frame->payload == payload ? 1 : 0;
    }
    return whole;
}

TEST(Regressions, ImpulsePullsTheTrackers) {
    for (const float above : {3.0F, 6.0F, 10.0F, 20.0F, 30.0F, 60.0F}) {
        for (const Case& c : {Case{"qpsk-1/2", 260, 300, above}, Case{"qpsk-1/2", 260, 20, above},
                              Case{"16qam-1/2", 520, 300, above}, Case{"qpsk-1/5", 104, 300, above}}) {
            EXPECT_GE(whole_frames(c), 9) << c.mode << ", " << c.burst << " samples, " << c.above_db << " dB";
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
