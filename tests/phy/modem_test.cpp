// SPDX-License-Identifier: MIT
// The whole modem over simulated channels: every mode, every profile, the impairments of cheap radios and long paths.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy {
namespace {

using test::make_channel;
using test::mode_of;
using test::run_frames;
using test::Tally;

const Profile& one_megahertz() {
    return *find_profile("1M");
}

std::string parameter_name(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
    }
    return out;
}

class EveryMode : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, testing::ValuesIn(modes().begin(), modes().end()),
                         [](const auto& test) { return parameter_name(test.param.name); });

// 1.5 dB above the required SNR of the mode table, a clock 10 ppm off and a carrier 8 kHz off: all frames arrive. At
// PER 1e-2 + 1.5 dB the error rate of these codes is far below 1e-4, so one loss in 6 or 20 frames is a fault, not
// chance.
TEST_P(EveryMode, DecodesAboveItsStatedSnr) {
    const Mode& mode = GetParam();
    const int frames = mode.spread >= 8 ? 4 : 15;
    auto channel =
        make_channel(one_megahertz(), "cfo-8000hz+sfo-10ppm", static_cast<double>(mode.required_snr_db) + 1.5, 11);
    const Tally tally = run_frames(one_megahertz(), mode_of(mode.name), 1000, frames, std::move(channel), 5);
    EXPECT_EQ(tally.right, frames);
    EXPECT_EQ(tally.wrong, 0);
    EXPECT_NEAR(tally.cfo_hz, 8000.0, 5.0);
    EXPECT_NEAR(tally.sfo_ppm, 10.0, 6.0);
    EXPECT_NEAR(tally.snr_db, static_cast<double>(mode.required_snr_db) + 1.5, 0.7);
}

class EveryProfile : public testing::TestWithParam<Profile> {};
INSTANTIATE_TEST_SUITE_P(Profiles, EveryProfile, testing::ValuesIn(profiles().begin(), profiles().end()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(EveryProfile, CarriesShortAndFastFramesAtTheEdgeOfItsOffsetRange) {
    const Profile& profile = GetParam();
    for (const double sign : {-1.0, 1.0}) {
        const std::string offset = "cfo-" + std::to_string(static_cast<int>(profile.max_cfo_hz)) + "hz";
        for (const std::string_view name : {"qpsk-1/5", "qpsk-1/2", "64qam-3/4"}) {
            const ModeIndex mode = mode_of(name);
            sim::Channel::Config base;
            base.sample_rate_hz = profile.sample_rate_hz;
            base.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
            base.snr_db = static_cast<double>(modes()[mode].required_snr_db) + 2.0;
            base.cfo_hz = sign * profile.max_cfo_hz;
            const Tally tally = run_frames(profile, mode, 300, 4, sim::Channel(base), 6);
            EXPECT_EQ(tally.right, 4) << name << " at " << base.cfo_hz << " Hz";
            EXPECT_EQ(tally.wrong, 0);
        }
    }
}

TEST(Modem, SamplingClocksFiftyPpmApartWhateverTheCarrierDoes) {
    for (const double ppm : {-50.0, 50.0}) {
        for (const double cfo : {0.0, -100e3}) {
            sim::Channel::Config config;
            config.occupied_fraction = 0.8125;
            config.snr_db = 19.0;
            config.sfo_ppm = ppm;
            config.cfo_hz = cfo;
            const Tally tally = run_frames(one_megahertz(), mode_of("64qam-3/4"), 6000, 3, sim::Channel(config), 7);
            EXPECT_EQ(tally.right, 3) << ppm << " ppm, " << cfo << " Hz";
            EXPECT_NEAR(tally.sfo_ppm, ppm, 1.0);
        }
    }
}

struct ChannelCase {
    const char* channel;
    const char* mode;
    double snr_db;
    int least;  // of 15
};

class RealChannels : public testing::TestWithParam<ChannelCase> {};
INSTANTIATE_TEST_SUITE_P(
    Models, RealChannels,
    testing::Values(
        ChannelCase{"hackrf", "qpsk-1/2", 8.0, 15}, ChannelCase{"hackrf", "16qam-1/2", 14.0, 15},
        ChannelCase{"hackrf", "64qam-3/4", 19.0, 15}, ChannelCase{"two-ray", "qpsk-1/2", 16.0, 15},
        ChannelCase{"tdl-a", "qpsk-1/2", 12.0, 14}, ChannelCase{"tdl-b", "qpsk-1/2", 14.0, 14},
        ChannelCase{"tdl-c-2us", "16qam-1/2", 20.0, 14}, ChannelCase{"tdl-a-1us-20hz", "qpsk-1/2", 20.0, 15},
        ChannelCase{"tdl-c-5us-10hz", "qpsk-1/2", 20.0, 14}, ChannelCase{"two-ray-20us-6db", "16qam-1/2", 20.0, 14},
        ChannelCase{"rician-100hz", "64qam-3/4", 24.0, 15}, ChannelCase{"rayleigh-100hz", "qpsk-1/2", 20.0, 14},
        ChannelCase{"rayleigh-100hz", "64qam-3/4", 36.0, 14}, ChannelCase{"tdl-b-1us-100hz", "16qam-1/2", 24.0, 14},
        ChannelCase{"hackrf+rician-50hz", "16qam-1/2", 18.0, 14}, ChannelCase{"rician-20hz-10db", "qpsk-1/2", 10.0, 14},
        ChannelCase{"leo", "qpsk-1/2", 6.0, 15}, ChannelCase{"leo", "16qam-3/4", 16.0, 15},
        ChannelCase{"quantized-8bit", "64qam-3/4", 22.0, 15}),
    [](const auto& test) { return parameter_name(std::string(test.param.channel) + "_" + test.param.mode); });

TEST_P(RealChannels, CarryFrames) {
    const ChannelCase& c = GetParam();
    const Tally tally = run_frames(one_megahertz(), mode_of(c.mode), 500, 15,
                                   make_channel(one_megahertz(), c.channel, c.snr_db, 21), 8);
    EXPECT_GE(tally.right, c.least);
    EXPECT_EQ(tally.wrong, 0);
}

TEST(Modem, EveryPayloadLengthFromOneByteToTheLongest) {
    Transmitter transmitter(one_megahertz());
    Rng rng(3);
    for (const std::size_t bytes : {1UL, 2UL, 15UL, 16UL, 100UL, 1052UL, 1053UL, 1054UL, 4000UL, kMaxPayloadBytes}) {
        const ModeIndex mode = mode_of("64qam-5/6");
        const Bytes payload = test::random_bytes(rng, bytes);
        std::vector<Sample> samples(500);
        transmitter.modulate(mode, payload, samples);
        EXPECT_EQ(samples.size(), 500 + frame_samples(one_megahertz(), mode, bytes));
        Receiver receiver = test::make_receiver(one_megahertz());
        receiver.push(samples);
        receiver.flush();
        const auto frame = receiver.poll_frame();
        ASSERT_TRUE(frame.has_value()) << bytes;
        EXPECT_TRUE(frame->ok()) << bytes;
        EXPECT_EQ(frame->payload, payload);
        EXPECT_EQ(frame->length_samples, frame_samples(one_megahertz(), mode, bytes));
        EXPECT_NEAR(static_cast<double>(frame->sample_index) + static_cast<double>(frame->sample_fraction), 500.0,
                    0.05);
        EXPECT_EQ(frame->blocks.size(), (bytes + 1052) / 1053);
        EXPECT_FALSE(receiver.poll_frame().has_value());
    }
}

TEST(Modem, EveryRedundancyVersionDecodesAloneAtALowRate) {
    Transmitter transmitter(one_megahertz());
    Rng rng(3);
    const Bytes payload = test::random_bytes(rng, 200);
    for (unsigned version = 0; version < 4; ++version) {
        std::vector<Sample> samples(500);
        transmitter.modulate(mode_of("qpsk-1/3"), payload, samples, version);
        Receiver receiver = test::make_receiver(one_megahertz());
        receiver.push(samples);
        receiver.flush();
        const auto frame = receiver.poll_frame();
        ASSERT_TRUE(frame.has_value());
        EXPECT_EQ(frame->redundancy_version, version);
        EXPECT_EQ(frame->payload == payload, frame->ok());
        if (version == 0) {
            EXPECT_TRUE(frame->ok());
        }
    }
}

TEST(Modem, MeanPowerIsAsPromised) {
    Transmitter transmitter(one_megahertz());
    Rng rng(3);
    for (ModeIndex m = 0; m < modes().size(); ++m) {
        std::vector<Sample> samples;
        transmitter.modulate(m, test::random_bytes(rng, 1000), samples);
        double power = 0.0;
        for (const Sample s : samples) {
            power += static_cast<double>(std::norm(s));
        }
        EXPECT_NEAR(std::sqrt(power / static_cast<double>(samples.size())), static_cast<double>(kTransmitRms), 0.01)
            << modes()[m].name;
    }
}

}  // namespace
}  // namespace meshnet::phy
