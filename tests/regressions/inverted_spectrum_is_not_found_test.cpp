// SPDX-License-Identifier: MIT
// Fault: behind an inverting converter, or with I and Q swapped, preambles were found and no header: the falling chirp
// was looked for after the rising one only.
#include <gtest/gtest.h>

#include <vector>

#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy {
namespace {

void conjugate(std::span<Sample> samples) {
    for (Sample& s : samples) {
        s = std::conj(s);
    }
}

std::vector<Sample> through(const Profile& profile, std::vector<Sample> samples, double cfo_hz, double snr_db,
                            std::uint64_t seed) {
    samples.resize(samples.size() + 3'000);
    sim::Channel::Config config;
    config.sample_rate_hz = profile.sample_rate_hz;
    config.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
    config.snr_db = snr_db;
    config.cfo_hz = cfo_hz;
    config.sfo_ppm = 20.0;
    config.seed = seed;
    std::vector<Sample> received;
    sim::Channel(config).process(samples, received);
    return received;
}

std::vector<Frame> receive(Receiver& receiver, std::span<const Sample> samples) {
    receiver.push(samples);
    receiver.flush();
    std::vector<Frame> out;
    while (auto frame = receiver.poll_frame()) {
        out.push_back(std::move(*frame));
    }
    return out;
}

// Every class, to the ends of the carrier offsets acquired, 2.5 dB above what the mode needs with 1000 bytes; the
// offset is the one that was on the air.
TEST(Regressions, InvertedSpectrumIsNotFound) {
    Rng rng(14);
    for (const char* name : {"125k", "1M", "5M", "20M"}) {
        const Profile& profile = *find_profile(name);
        Transmitter transmitter(profile);
        for (const char* mode_name : {"qpsk-1/5x8", "qpsk-1/5x2", "qpsk-1/2", "64qam-3/4"}) {
            const ModeIndex mode = test::mode_of(mode_name);
            for (const double share : {-0.98, 0.3, 0.98}) {
                const Bytes payload = test::random_bytes(rng, 200);
                std::vector<Sample> samples(4'000);
                transmitter.modulate(mode, payload, samples);
                const double cfo_hz = share * profile.max_cfo_hz;
                const double snr_db = static_cast<double>(modes()[mode].required_snr_db) + 2.5;
                auto received = through(profile, samples, cfo_hz, snr_db, rng.below(1U << 30));
                conjugate(received);
                Receiver receiver = test::make_receiver(profile);
                const auto frames = receive(receiver, received);
                ASSERT_EQ(frames.size(), 1U) << name << ' ' << mode_name << ' ' << cfo_hz;
                EXPECT_TRUE(frames[0].ok()) << name << ' ' << mode_name << ' ' << cfo_hz;
                EXPECT_EQ(frames[0].payload, payload) << name << ' ' << mode_name << ' ' << cfo_hz;
                EXPECT_TRUE(frames[0].inverted);
                EXPECT_NEAR(static_cast<double>(frames[0].cfo_hz), cfo_hz, 0.02 * profile.subcarrier_spacing_hz());
                EXPECT_NEAR(static_cast<double>(frames[0].sample_index), 4'000.0, 2.0 * 20e-6 * 4'000.0 + 2.0);
                EXPECT_EQ(receiver.counters().frames_inverted, 1U);
            }
        }
    }
}

// Frames back to back, of either spectrum: each says what it is.
TEST(Regressions, InvertedAndUprightFramesFollowEachOther) {
    Rng rng(15);
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    std::vector<Sample> samples(2'000);
    std::vector<Bytes> payloads;
    std::vector<bool> inverted;
    for (std::size_t i = 0; i < 24; ++i) {
        constexpr std::array<const char*, 5> kModes{"qpsk-1/2", "qpsk-1/5x2", "16qam-1/2", "qpsk-1/5", "qpsk-3/4"};
        payloads.push_back(test::random_bytes(rng, 100 + rng.below(300)));
        inverted.push_back(rng.below(2) == 0);
        const std::size_t first = samples.size();
        transmitter.modulate(test::mode_of(kModes[i % kModes.size()]), payloads.back(), samples);
        if (inverted.back()) {
            conjugate(std::span(samples).subspan(first));
        }
    }
    Receiver receiver = test::make_receiver(profile);
    const auto frames = receive(receiver, through(profile, samples, 5e3, 14.0, 3));
    ASSERT_EQ(frames.size(), payloads.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        EXPECT_TRUE(frames[i].ok()) << i;
        EXPECT_EQ(frames[i].payload, payloads[i]) << i;
        EXPECT_EQ(frames[i].inverted, inverted[i]) << i;
        EXPECT_NEAR(static_cast<double>(frames[i].cfo_hz), inverted[i] ? -5e3 : 5e3, 100.0);
        count += inverted[i] ? 1 : 0;
    }
    EXPECT_EQ(receiver.counters().frames_inverted, count);
}

// The stronger of two overlapping frames is inverted: it is subtracted, the other one found.
TEST(Regressions, AnInvertedFrameIsCancelled) {
    Rng rng(16);
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    const Bytes strong = test::random_bytes(rng, 600);
    const Bytes weak = test::random_bytes(rng, 300);
    std::vector<Sample> samples(2'000);
    transmitter.modulate(test::mode_of("qpsk-1/2"), strong, samples);
    conjugate(samples);
    std::vector<Sample> other(2'900);
    transmitter.modulate(test::mode_of("qpsk-1/3"), weak, other);
    samples.resize(std::max(samples.size(), other.size()));
    for (std::size_t i = 0; i < other.size(); ++i) {
        samples[i] += 0.3F * other[i];
    }
    Receiver receiver = test::make_receiver(profile);
    const auto frames = receive(receiver, through(profile, samples, 1e3, 18.0, 5));
    ASSERT_EQ(frames.size(), 2U);
    for (const Frame& frame : frames) {
        EXPECT_TRUE(frame.ok());
        EXPECT_EQ(frame.payload, frame.inverted ? strong : weak);
        EXPECT_EQ(frame.recovered, !frame.inverted);
    }
    EXPECT_EQ(receiver.counters().frames_recovered, 1U);
}

// A Doppler hint counts on the samples as they are.
TEST(Regressions, AHintOfAnInvertedSpectrum) {
    Rng rng(17);
    const Profile& profile = *find_profile("1M");
    const Bytes payload = test::random_bytes(rng, 300);
    std::vector<Sample> samples(2'000);
    Transmitter(profile).modulate(test::mode_of("qpsk-1/2"), payload, samples);
    auto received = through(profile, samples, 200e3, 10.0, 7);
    conjugate(received);
    Receiver receiver = test::make_receiver(profile);
    receiver.set_doppler_hint({-199e3, 0.0});
    const auto frames = receive(receiver, received);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].payload, payload);
    EXPECT_TRUE(frames[0].inverted);
    EXPECT_NEAR(static_cast<double>(frames[0].cfo_hz), 200e3, 50.0);
}

}  // namespace
}  // namespace meshnet::phy
