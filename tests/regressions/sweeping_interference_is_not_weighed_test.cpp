// SPDX-License-Identifier: MIT
// Faults: one decibel above what the carriers lost to a LoRa chirp cost in theory, one frame in eleven was lost,
// because the pilots seldom met it, and of 16QAM every frame, because the sweep was taken out as several tones, each of
// which cost a carrier; beside a neighbouring channel 30 dB stronger one in five, because eight samples
// were blanked where the edges of its symbols hit two.
#include <gtest/gtest.h>

#include <string>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::phy {
namespace {

constexpr int kFrames = 40;

/// Frames of 1000 bytes lost of kFrames.
int lost_frames(const std::string& channel, double snr_db, unsigned decode_threads, const char* mode = "qpsk-1/2") {
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    Rng rng(12);
    Receiver::Config config;
    config.profile = &profile;
    config.decode_threads = decode_threads;
    Receiver receiver(config);
    int whole = 0;
    for (int f = 0; f < kFrames; ++f) {
        Bytes payload(1'000);
        rng.fill(payload);
        std::vector<Sample> sent(3'000);
        transmitter.modulate(*find_mode(mode), payload, sent);
        sent.resize(sent.size() + 4'000);
        sim::Channel::Config base;
        base.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
        base.snr_db = snr_db;
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
    return kFrames - whole;
}

TEST(Regressions, SweepingInterferenceIsNotWeighed) {
    EXPECT_LE(lost_frames("lora-0db", 2.42, 0), 1);
    const int lost = lost_frames("lora-10db", 2.64, 0);
    EXPECT_LE(lost, 1);
    EXPECT_EQ(lost_frames("lora-10db", 2.64, 2), lost) << "threads change nothing";
}

TEST(Regressions, ASweepIsTakenOutAsSeveralTones) {
    EXPECT_LE(lost_frames("lora-0db", 7.62, 0, "16qam-1/2"), 1);
    EXPECT_LE(lost_frames("lora-10db", 7.94, 0, "16qam-1/2"), 3);
    EXPECT_LE(lost_frames("fsk-20db", 7.93, 0, "16qam-1/2"), 3);
}

TEST(Regressions, TheEdgesOfANeighboursSymbolsCostEightSamples) {
    EXPECT_LE(lost_frames("neighbour-30db", 2.31, 0), 1);
}

}  // namespace
}  // namespace meshnet::phy
