// SPDX-License-Identifier: MIT
// The modem where users of others lost packets: state split over calls, frames on top of each other, samples that are
// not numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy {
namespace {

using test::make_channel;
using test::make_receiver;
using test::mode_of;
using test::random_bytes;

const Profile& one_megahertz() {
    return *find_profile("1M");
}

// A recording with short, medium and long preambles, noise and an offset.
std::vector<Sample> recording() {
    Transmitter transmitter(one_megahertz());
    Rng rng(1);
    std::vector<Sample> samples(1234);
    for (const std::string_view name : {"qpsk-1/2", "qpsk-1/5x2", "64qam-3/4", "qpsk-1/5x8", "qpsk-3/4"}) {
        transmitter.modulate(mode_of(name), random_bytes(rng, name == "qpsk-1/5x8" ? 20 : 700), samples);
        samples.resize(samples.size() + rng.below(1000));
    }
    samples.resize(samples.size() + 3000);
    auto channel = make_channel(one_megahertz(), "cfo-20000hz+sfo-20ppm", 20.0, 2);
    std::vector<Sample> out;
    channel.process(samples, out);
    return out;
}

struct Received {
    std::uint64_t index;
    float fraction, snr, cfo;
    Bytes payload;
    friend bool operator==(const Received&, const Received&) = default;
};

template <class NextChunk>
std::vector<Received> receive_in_chunks(const std::vector<Sample>& samples, NextChunk next) {
    Receiver receiver = make_receiver(one_megahertz());
    std::vector<Received> out;
    std::span<const Sample> rest(samples);
    while (!rest.empty()) {
        const std::size_t n = std::min<std::size_t>(next(), rest.size());
        receiver.push(rest.first(n));
        rest = rest.subspan(n);
        while (auto frame = receiver.poll_frame()) {
            out.push_back({frame->sample_index, frame->sample_fraction, frame->snr_db, frame->cfo_hz, frame->payload});
        }
    }
    receiver.flush();
    while (auto frame = receiver.poll_frame()) {
        out.push_back({frame->sample_index, frame->sample_fraction, frame->snr_db, frame->cfo_hz, frame->payload});
    }
    return out;
}

TEST(Modem, ChunkingNeverChangesTheResult) {
    const auto samples = recording();
    const auto at_once = receive_in_chunks(samples, [&] { return samples.size(); });
    ASSERT_EQ(at_once.size(), 5U);
    EXPECT_EQ(receive_in_chunks(samples, [] { return 1; }), at_once);
    EXPECT_EQ(receive_in_chunks(samples, [] { return 4096; }), at_once);
    Rng rng(5);
    EXPECT_EQ(receive_in_chunks(samples, [&] { return 1 + rng.below(700); }), at_once);
}

TEST(Modem, BackToBackFramesAllArrive) {
    Transmitter transmitter(one_megahertz());
    Rng rng(2);
    std::vector<Bytes> payloads;
    std::vector<Sample> samples(300);
    for (int i = 0; i < 12; ++i) {
        payloads.push_back(random_bytes(rng, 1 + rng.below(1400)));
        transmitter.modulate(mode_of(i % 3 == 2 ? "qpsk-1/5" : "16qam-3/4"), payloads.back(), samples);
    }
    auto channel = make_channel(one_megahertz(), "awgn", 18.0, 3);
    std::vector<Sample> received;
    channel.process(samples, received);
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(received);
    receiver.flush();
    for (const auto& payload : payloads) {
        const auto frame = receiver.poll_frame();
        ASSERT_TRUE(frame.has_value());
        EXPECT_TRUE(frame->ok());
        EXPECT_EQ(frame->payload, payload);
    }
}

// A frame 15 dB stronger begins in the middle of a weak one: it is captured, though the receiver was busy.
TEST(Modem, CapturesAStrongerLaterFrame) {
    Transmitter transmitter(one_megahertz());
    Rng rng(4);
    const Bytes weak = random_bytes(rng, 1400);
    const Bytes strong = random_bytes(rng, 200);
    std::vector<Sample> first(1000);
    transmitter.modulate(mode_of("qpsk-1/2"), weak, first);
    std::vector<Sample> second(6000);
    transmitter.modulate(mode_of("qpsk-1/2"), strong, second);
    std::vector<Sample> sum(std::max(first.size(), second.size()) + 4000);
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const Sample a = i < first.size() ? first[i] : Sample{};
        const Sample b = i < second.size() ? second[i] : Sample{};
        sum[i] = 0.178F * a + b;
    }
    auto channel = make_channel(one_megahertz(), "awgn", 25.0, 3);
    std::vector<Sample> received;
    channel.process(sum, received);
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(received);
    receiver.flush();
    bool captured = false;
    while (const auto frame = receiver.poll_frame()) {
        captured = captured || (frame->ok() && frame->payload == strong);
    }
    EXPECT_TRUE(captured);
}

TEST(Modem, NotANumberCostsAFrameAtMost) {
    Transmitter transmitter(one_megahertz());
    Rng rng(6);
    std::vector<Bytes> payloads;
    std::vector<Sample> samples(500);
    std::vector<std::size_t> starts;
    for (int i = 0; i < 3; ++i) {
        payloads.push_back(random_bytes(rng, 400));
        starts.push_back(samples.size());
        transmitter.modulate(mode_of("qpsk-1/2"), payloads.back(), samples);
        samples.resize(samples.size() + 400);
    }
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < 600; ++i) {
        samples[starts[1] + i] = i % 3 == 0 ? Sample(nan, nan) : i % 3 == 1 ? Sample(inf, -inf) : Sample(1e30F, -1e30F);
    }
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(samples);
    receiver.flush();
    EXPECT_EQ(receiver.counters().samples_not_finite, 400U);
    EXPECT_EQ(receiver.counters().samples_clipped, 200U);
    int right = 0;
    while (const auto frame = receiver.poll_frame()) {
        if (frame->ok()) {
            EXPECT_TRUE(frame->payload == payloads[0] || frame->payload == payloads[2]);
            ++right;
        }
    }
    EXPECT_EQ(right, 2);
}

// A sender that stops, a padded recording, gaps filled with zeros: training and header of what the edge is taken for
// may be exact zeros.
TEST(Modem, DigitalSilenceAfterNoiseIsNoFrameAndNoEnd) {
    for (const Profile& profile : profiles()) {
        Rng rng(9);
        Receiver receiver = make_receiver(profile);
        // Long enough that filters with a memory have forgotten the noise down to the last bit.
        for (int i = 0; i < 3; ++i) {
            std::vector<Sample> samples(300'000);
            for (std::size_t n = 0; n < 2000; ++n) {
                samples[n] = 0.01F * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
            }
            receiver.push(samples);
        }
        receiver.flush();
        EXPECT_FALSE(receiver.poll_frame().has_value()) << profile.name;
        Transmitter transmitter(profile);
        const Bytes payload = random_bytes(rng, 100);
        std::vector<Sample> samples(5000);
        transmitter.modulate(mode_of("qpsk-1/2"), payload, samples);
        Receiver next = make_receiver(profile);
        next.push(samples);
        next.flush();
        const auto frame = next.poll_frame();
        ASSERT_TRUE(frame.has_value()) << profile.name;
        EXPECT_EQ(frame->payload, payload);
    }
}

TEST(Modem, ALostStretchOfSamplesCostsItsBlocksOnly) {
    Transmitter transmitter(one_megahertz());
    Rng rng(6);
    const Bytes payload = random_bytes(rng, 6000);
    std::vector<Sample> samples(500);
    transmitter.modulate(mode_of("qpsk-1/2"), payload, samples);
    std::fill_n(samples.begin() + 20'000, 17'000, Sample{});
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(samples);
    receiver.flush();
    const auto frame = receiver.poll_frame();
    ASSERT_TRUE(frame.has_value());
    EXPECT_FALSE(frame->ok());
    int bad = 0;
    for (const auto& block : frame->blocks) {
        bad += block.crc_ok ? 0 : 1;
        if (block.crc_ok) {
            EXPECT_TRUE(std::equal(payload.begin() + static_cast<std::ptrdiff_t>(block.offset),
                                   payload.begin() + static_cast<std::ptrdiff_t>(block.offset + block.length),
                                   frame->payload.begin() + static_cast<std::ptrdiff_t>(block.offset)));
        }
    }
    EXPECT_GE(bad, 1);
    EXPECT_LE(bad, 3);
    EXPECT_EQ(receiver.counters().frames_partial, 1U);
    EXPECT_EQ(receiver.counters().blocks_bad, static_cast<std::uint64_t>(bad));
}

TEST(Modem, ATruncatedFrameIsLostAndTheNextOneIsNot) {
    Transmitter transmitter(one_megahertz());
    Rng rng(6);
    std::vector<Sample> samples(500);
    transmitter.modulate(mode_of("qpsk-1/2"), random_bytes(rng, 1000), samples);
    samples.resize(samples.size() / 2);
    const Bytes payload = random_bytes(rng, 100);
    transmitter.modulate(mode_of("qpsk-1/2"), payload, samples);
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(samples);
    receiver.flush();
    bool found = false;
    while (const auto frame = receiver.poll_frame()) {
        found = found || (frame->ok() && frame->payload == payload);
    }
    EXPECT_TRUE(found);
}

TEST(Modem, CarrierSenseSeesAFrameAndKnowsItsEnd) {
    Transmitter transmitter(one_megahertz());
    Rng rng(6);
    std::vector<Sample> samples(30'000);
    transmitter.modulate(mode_of("qpsk-1/2"), random_bytes(rng, 3000), samples);
    const std::size_t end = samples.size();
    samples.resize(end + 20'000);
    auto channel = make_channel(one_megahertz(), "awgn", 15.0, 3);
    std::vector<Sample> received;
    channel.process(samples, received);
    Receiver receiver = make_receiver(one_megahertz());
    receiver.push(std::span(received).first(29'000));
    EXPECT_FALSE(receiver.carrier_busy());
    EXPECT_FALSE(receiver.reception_ends().has_value());
    receiver.push(std::span(received).subspan(29'000, 11'000));
    EXPECT_TRUE(receiver.carrier_busy());
    ASSERT_TRUE(receiver.reception_ends().has_value());
    EXPECT_NEAR(static_cast<double>(*receiver.reception_ends()), static_cast<double>(end), 2.0);
    receiver.push(std::span(received).subspan(40'000));
    EXPECT_FALSE(receiver.carrier_busy());
    EXPECT_NEAR(receiver.noise_floor_dbfs(), 10.0 * std::log10(channel.noise_power()), 0.5);
}

TEST(Modem, RefusesAConfigurationThatCannotBe) {
    Receiver::Config config;
    EXPECT_THROW(Receiver{config}, std::invalid_argument);
    config.profile = &one_megahertz();
    config.max_iterations = 0;
    EXPECT_THROW(Receiver{config}, std::invalid_argument);
    config.max_iterations = 25;
    config.search_short = config.search_medium = config.search_long = false;
    EXPECT_THROW(Receiver{config}, std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::phy
