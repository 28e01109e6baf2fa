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
    std::vector<Sample> heard;
    channel.process(samples, heard);
    return heard;
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

TEST(DopplerOscillator, TurnsThereAndBack) {
    DopplerOscillator there(1e6);
    DopplerOscillator back(1e6);
    there.set({-123'456.0, 7890.0});
    back.set({-123'456.0, 7890.0});
    std::vector<Sample> samples(100'000, Sample(0.5F, -0.25F));
    there.rotate(samples, 1.0);
    // Half way the phase is what the formula says.
    const double t = 50'000.0;
    const double turns = -0.123456 * t + 0.5 * 7.89e-9 * t * t;
    const auto expected =
        Sample(0.5F, -0.25F) *
        Sample(std::polar(1.0F, static_cast<float>(2.0 * std::numbers::pi * (turns - std::floor(turns)))));
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
        const auto heard = through(samples, sign * 240e3, sign * 2000.0, 0.0);
        EXPECT_TRUE(receive(heard, std::nullopt).empty());
        // The prediction is 1.5 kHz and 50 Hz/s off.
        const DopplerShift hint{sign * 240e3 + 1500.0, sign * 2000.0 - 50.0};
        const auto frames = receive(heard, hint);
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_TRUE(frames[0].ok());
        EXPECT_EQ(frames[0].payload, payload);
        EXPECT_NEAR(static_cast<double>(frames[0].cfo_hz), sign * (240e3 + 2000.0 * seconds), 10.0);
        const auto cut = receive(heard, hint, 777);
        ASSERT_EQ(cut.size(), 1U);
        EXPECT_EQ(cut[0].cfo_hz, frames[0].cfo_hz);
        EXPECT_EQ(cut[0].snr_db, frames[0].snr_db);
    }
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
    const auto heard = through(samples, 200e3, 3000.0, 8.0);
    Receiver::Config config;
    config.profile = &one_megahertz();
    Receiver receiver(config);
    constexpr std::size_t kRenewed = 12'800;
    for (std::size_t at = 0; at < heard.size(); at += kRenewed) {
        receiver.set_doppler_hint({200e3 + 3e-3 * static_cast<double>(at), 3000.0});
        receiver.push(std::span(heard).subspan(at, std::min(kRenewed, heard.size() - at)));
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
