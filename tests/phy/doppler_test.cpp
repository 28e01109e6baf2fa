// SPDX-License-Identifier: MIT
// Offsets and ramps that are known beforehand: taken out before the search, or put in before the antenna.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "phy/dsp/doppler_oscillator.hpp"
#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy {
namespace {

using test::mode_of;
using test::random_bytes;

const Profile& one_megahertz() {
    return *find_profile("1M");
}

constexpr std::size_t kLead = 4000;

// Through a channel whose offset is `hz` at the first sample and grows.
std::vector<Sample> through(std::vector<Sample> samples, double hz, double hz_per_s, double snr_db) {
    samples.resize(samples.size() + 3000);
    sim::Channel::Config config;
    config.occupied_fraction = 0.8125;
    config.snr_db = snr_db;
    config.cfo_hz = hz;
    config.doppler_rate_hz_per_s = hz_per_s;
    config.seed = 9;
    sim::Channel channel(config);
    std::vector<Sample> received;
    channel.process(samples, received);
    return received;
}

std::vector<Frame> receive(const std::vector<Sample>& samples, std::optional<DopplerShift> hint,
                           std::size_t chunk = std::numeric_limits<std::size_t>::max()) {
    Receiver::Config config;
    config.profile = &one_megahertz();
    Receiver receiver(config);
    if (hint) {
        receiver.set_doppler_hint(*hint);
    }
    std::span<const Sample> rest(samples);
    while (!rest.empty()) {
        const std::size_t n = std::min(chunk, rest.size());
        receiver.push(rest.first(n));
        rest = rest.subspan(n);
    }
    receiver.flush();
    std::vector<Frame> out;
    while (auto frame = receiver.poll_frame()) {
        out.push_back(std::move(*frame));
    }
    return out;
}

TEST(DopplerOscillator, RotatesAndDerotates) {
    DopplerOscillator there(1e6);
    DopplerOscillator back(1e6);
    there.set({-123'456.0, 7890.0});
    back.set({-123'456.0, 7890.0});
    std::vector<Sample> samples(100'000, Sample(0.5F, -0.25F));
    there.rotate(samples, 1.0);
    // Half way the phase is that of the formula.
    const double t = 50'000.0;
    const double cycles = -0.123456 * t + 0.5 * 7.89e-9 * t * t;
    const auto expected =
        Sample(0.5F, -0.25F) *
        Sample(std::polar(1.0F, static_cast<float>(2.0 * std::numbers::pi * (cycles - std::floor(cycles)))));
    EXPECT_LT(std::abs(samples[50'000] - expected), 1e-4F);
    std::span<Sample> rest(samples);
    while (!rest.empty()) {
        const std::size_t n = std::min<std::size_t>(rest.size(), 3 * DopplerOscillator::kBlock);
        back.rotate(rest.first(n), -1.0);
        rest = rest.subspan(n);
    }
    for (const Sample s : samples) {
        ASSERT_LT(std::abs(s - Sample(0.5F, -0.25F)), 1e-5F);
    }
}

// 200 ms, 2 kHz/s, twice as far off as can be acquired: with the hint it arrives, and reports the whole offset.
TEST(Doppler, AHintCarriesAFrameBeyondTheAcquisitionRange) {
    Rng rng(71);
    Transmitter transmitter(one_megahertz());
    const Bytes payload = random_bytes(rng, 3200);
    std::vector<Sample> samples(kLead);
    transmitter.modulate(mode_of("qpsk-1/5x2"), payload, samples);
    const double seconds = static_cast<double>(samples.size()) / 1e6;
    ASSERT_GT(seconds, 0.2);
    for (const double sign : {-1.0, 1.0}) {
        const auto received = through(samples, sign * 240e3, sign * 2000.0, 0.0);
        EXPECT_TRUE(receive(received, std::nullopt).empty());
        // The prediction is 1.5 kHz and 50 Hz/s off.
        const DopplerShift hint{sign * 240e3 + 1500.0, sign * 2000.0 - 50.0};
        const auto frames = receive(received, hint);
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_TRUE(frames[0].ok());
        EXPECT_EQ(frames[0].payload, payload);
        EXPECT_NEAR(static_cast<double>(frames[0].cfo_hz), sign * (240e3 + 2000.0 * seconds), 10.0);
        const auto cut = receive(received, hint, 777);
        ASSERT_EQ(cut.size(), 1U);
        EXPECT_EQ(cut[0].cfo_hz, frames[0].cfo_hz);
        EXPECT_EQ(cut[0].snr_db, frames[0].snr_db);
    }
}

// A satellite in slow modes, without a hint: the rate moves preamble, training and header apart, turns the phase by
// many radians within what the tracking averages over, and takes the carriers of a long frame a subcarrier further.
struct Pass {
    const char* profile;
    const char* mode;
    std::size_t bytes;
    double hz_per_s;
};

void expect_received(const Pass& pass) {
    const Profile& profile = *find_profile(pass.profile);
    const ModeIndex mode = mode_of(pass.mode);
    Rng rng(74);
    Transmitter transmitter(profile);
    std::vector<Sample> samples(kLead);
    const Bytes payload = random_bytes(rng, pass.bytes);
    transmitter.modulate(mode, payload, samples);
    const double seconds = static_cast<double>(samples.size()) / profile.sample_rate_hz;
    samples.resize(samples.size() + 3000);
    sim::Channel::Config config;
    config.sample_rate_hz = profile.sample_rate_hz;
    config.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
    config.snr_db = static_cast<double>(modes()[mode].required_snr_db) + 1.0;
    config.cfo_hz = 5e3;
    config.doppler_rate_hz_per_s = pass.hz_per_s;
    config.seed = 75;
    std::vector<Sample> received;
    sim::Channel(config).process(samples, received);
    Receiver receiver = test::make_receiver(profile);
    receiver.push(received);
    receiver.flush();
    const auto frame = receiver.poll_frame();
    ASSERT_TRUE(frame.has_value()) << pass.profile << ' ' << pass.mode << ' ' << pass.hz_per_s;
    EXPECT_TRUE(frame->ok()) << pass.profile << ' ' << pass.mode << ' ' << pass.hz_per_s;
    EXPECT_EQ(frame->payload, payload);
    EXPECT_NEAR(static_cast<double>(frame->cfo_hz), 5e3 + pass.hz_per_s * seconds, 40.0) << "as at its end";
}

TEST(Doppler, SlowModesFollowARateTheyWereNotTold) {
    for (const char* mode : {"qpsk-1/5x2", "qpsk-1/5x4", "qpsk-1/5x8", "qpsk-1/5x16"}) {
        for (const double hz_per_s : {-800.0, 1900.0}) {
            expect_received({"1M", mode, 700, hz_per_s});
        }
    }
    for (const char* profile : {"125k", "250k", "5M"}) {
        expect_received({profile, "qpsk-1/5x16", 60, -1900.0});
        expect_received({profile, "qpsk-1/5x4", 150, 1900.0});
    }
}

TEST(Doppler, ALongFrameIsFollowedOverASubcarrier) {
    // 4 s: 7.8 kHz are one subcarrier.
    expect_received({"1M", "qpsk-1/5x16", 8'200, -1900.0});
}

TEST(Doppler, AHintMayBeRenewedDuringAPass) {
    Rng rng(72);
    Transmitter transmitter(one_megahertz());
    std::vector<Sample> samples(kLead);
    std::vector<Bytes> payloads;
    for (int i = 0; i < 6; ++i) {
        payloads.push_back(random_bytes(rng, 400));
        transmitter.modulate(mode_of("qpsk-1/2"), payloads.back(), samples);
        samples.resize(samples.size() + 2000);
    }
    const auto received = through(samples, 200e3, 3000.0, 8.0);
    Receiver::Config config;
    config.profile = &one_megahertz();
    Receiver receiver(config);
    constexpr std::size_t kRenewed = 12'800;
    for (std::size_t at = 0; at < received.size(); at += kRenewed) {
        receiver.set_doppler_hint({200e3 + 3e-3 * static_cast<double>(at), 3000.0});
        receiver.push(std::span(received).subspan(at, std::min(kRenewed, received.size() - at)));
    }
    receiver.flush();
    for (const auto& payload : payloads) {
        const auto frame = receiver.poll_frame();
        ASSERT_TRUE(frame.has_value());
        EXPECT_EQ(frame->payload, payload);
        const double end = static_cast<double>(frame->sample_index + frame->length_samples);
        EXPECT_NEAR(static_cast<double>(frame->cfo_hz), 200e3 + 3e-3 * end, 10.0);
    }
}

TEST(Doppler, PreCompensationUndoesThePath) {
    Rng rng(73);
    Transmitter transmitter(one_megahertz());
    const Bytes payload = random_bytes(rng, 2000);
    std::vector<Sample> samples(kLead);
    transmitter.modulate(mode_of("qpsk-1/2"), payload, samples, 0,
                         {-(300e3 + 2000.0 * static_cast<double>(kLead) / 1e6), -2000.0});
    const auto frames = receive(through(samples, 300e3, 2000.0, 6.0), std::nullopt);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].payload, payload);
    EXPECT_NEAR(static_cast<double>(frames[0].cfo_hz), 0.0, 10.0);
}

TEST(Doppler, AnImpossibleHintIsRefused) {
    Receiver receiver = test::make_receiver(one_megahertz());
    EXPECT_THROW(receiver.set_doppler_hint({600e3, 0.0}), std::invalid_argument);
    EXPECT_THROW(receiver.set_doppler_hint({std::numeric_limits<double>::quiet_NaN(), 0.0}), std::invalid_argument);
    EXPECT_THROW(receiver.set_doppler_hint({0.0, std::numeric_limits<double>::infinity()}), std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::phy
