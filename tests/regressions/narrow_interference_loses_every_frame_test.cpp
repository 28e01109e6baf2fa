// SPDX-License-Identifier: MIT
// Fault: beside a foreign carrier or a narrow data signal of the frame's own power every frame was lost, 14 dB above
// its threshold; ten times stronger ones hid even the preambles.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::phy {
namespace {

constexpr int kFrames = 20;
constexpr std::size_t kBytes = 300;

/// Frames received error-free of kFrames at 15 dB SNR, each in an interferer of its own that lasts from before its
/// preamble to after its end.
int whole_frames(const char* mode, const std::string& channel) {
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    Rng rng(11);
    Receiver::Config config;
    config.profile = &profile;
    Receiver receiver(config);
    int whole = 0;
    for (int f = 0; f < kFrames; ++f) {
        Bytes payload(kBytes);
        rng.fill(payload);
        std::vector<Sample> sent(3'000);
        transmitter.modulate(*find_mode(mode), payload, sent);
        sent.resize(sent.size() + 8'000);
        sim::Channel::Config base;
        base.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
        base.snr_db = 15.0;
        base.seed = static_cast<std::uint64_t>(f) + 1;
        base.delay_samples = rng.uniform();
        base.cfo_hz = 200e3 * (rng.uniform() - 0.5);
        sim::Channel path(sim::Channel::configure(channel, base).value());
        std::vector<Sample> received;
        path.process(sent, received);
        receiver.push(received);
        while (const auto frame = receiver.poll_frame()) {
            whole += frame->ok() && frame->payload == payload ? 1 : 0;
        }
    }
    return whole;
}

TEST(Regressions, NarrowInterferenceLosesEveryFrame) {
    for (const char* channel :
         {"tone-0db", "tone-20db", "tone-20db-128.9khz", "tone-20db--277khz", "tone-20db-3.9khz", "two-tones-10db",
          "two-tones-10db-97khz", "fsk-0db", "fsk-20db", "fsk-20db--331khz", "lora-10db", "lora-10db--250khz",
          "pulses-20db", "pulses-20db-5us-10000hz", "neighbour-30db", "neighbour-30db--1015khz",
          "tone-20db-60khz+tdl-a-1us", "fsk-10db+two-ray"}) {
        EXPECT_GE(whole_frames("qpsk-1/2", channel), kFrames - 1) << channel;
    }
    for (const char* channel : {"tone-20db-128.9khz", "fsk-20db", "two-tones-10db", "pulses-20db"}) {
        EXPECT_GE(whole_frames("qpsk-1/5", channel), kFrames - 1) << "qpsk-1/5, " << channel;
    }
}

/// A frame in silence, then with an interferer that begins in the middle of it.
TEST(Regressions, InterferenceThatBeginsWithinAFrameLosesIt) {
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    Rng rng(12);
    for (const char* channel :
         {"tone-20db-128.9khz", "fsk-20db", "two-tones-10db", "lora-10db", "fsk--3db", "tone-3db"}) {
        Receiver::Config config;
        config.profile = &profile;
        Receiver receiver(config);
        int whole = 0;
        for (int f = 0; f < kFrames; ++f) {
            Bytes payload(1000);
            rng.fill(payload);
            std::vector<Sample> samples(3'000);
            transmitter.modulate(*find_mode("qpsk-1/2"), payload, samples);
            const std::size_t from = 3'000 + 2'600 + rng.below(samples.size() - 3'000 - 2'600);
            samples.resize(samples.size() + 8'000);
            sim::Channel::Config base;
            base.snr_db = 300.0;
            base.seed = static_cast<std::uint64_t>(f) + 1;
            sim::Channel foreign(sim::Channel::configure(channel, base).value());
            std::vector<Sample> interference;
            foreign.process(std::vector<Sample>(samples.size()), interference);
            const float noise = kTransmitRms * std::pow(10.0F, -15.0F / 20.0F) * std::sqrt(0.5F);
            for (std::size_t i = 0; i < samples.size(); ++i) {
                samples[i] += noise * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
                samples[i] += i >= from ? interference[i] : Sample{};
            }
            receiver.push(samples);
            const auto frame = receiver.poll_frame();
            whole += frame && frame->ok() && frame->payload == payload ? 1 : 0;
        }
        EXPECT_GE(whole, kFrames - 1) << channel;
    }
}

}  // namespace
}  // namespace meshnet::phy
