// SPDX-License-Identifier: MIT
// A satellite's pass in virtual time: frames through the simulated channel into a receiver that is told what their
// offsets so far let expect, and into one that is not.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "mac/doppler_tracker.hpp"
#include "node/doppler_hint.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::node {
namespace {

struct PassResult {
    int sent = 0, received = 0;
    int beyond = 0, received_beyond = 0;  // offsets farther than the receiver acquires by itself
    double worst_hz = 0.0;                // prediction one frame ahead
};

/// A frame every half a second from a satellite that passes overhead at 2.4 GHz, seen from `from_s` to `to_s` around
/// the nearest point.
PassResult fly(bool predict, double from_s, double to_s) {
    const phy::Profile& profile = *phy::find_profile("125k");
    constexpr double kEvery = 0.5;
    const auto doppler = [](double t) {
        const double along = 7'600.0 * t;
        return -2.4e9 / 299'792'458.0 * 7'600.0 * along / std::sqrt(along * along + 550e3 * 550e3);
    };
    phy::Receiver::Config config;
    config.profile = &profile;
    config.search_medium = config.search_long = false;
    phy::Receiver receiver(config);
    phy::Transmitter transmitter(profile);
    mac::DopplerTracker tracker;
    Rng rng(5);
    PassResult out;
    const auto samples = static_cast<std::size_t>(kEvery * profile.sample_rate_hz);
    std::uint64_t pushed = 0;
    const auto time_of = [&](double index) {
        return Instant{} + Duration{static_cast<std::int64_t>(index / profile.sample_rate_hz * 1e9)};
    };
    for (double t = from_s; t < to_s; t += kEvery) {
        Bytes payload(100);
        rng.fill(payload);
        std::vector<phy::Sample> sent(samples / 4);
        transmitter.modulate(*phy::find_mode("qpsk-1/2"), payload, sent);
        sent.resize(samples);
        sim::Channel::Config air;
        air.sample_rate_hz = profile.sample_rate_hz;
        air.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
        air.snr_db = 6.0;
        air.seed = out.sent + 1;
        air.cfo_hz = doppler(t);
        air.doppler_rate_hz_per_s = (doppler(t + 0.01) - doppler(t)) / 0.01;
        std::vector<phy::Sample> received;
        sim::Channel(air).process(sent, received);
        if (predict) {
            if (const auto now = tracker.at(time_of(static_cast<double>(pushed)))) {
                const std::vector neighbours{*now};
                receiver.set_doppler_hint(doppler_hint(neighbours, profile.max_cfo_hz));
                out.worst_hz = std::max(out.worst_hz, std::abs(now->cfo_hz - doppler(t)));
            }
        }
        receiver.push(received);
        pushed += received.size();
        const bool beyond = std::abs(doppler(t)) > 1.3 * profile.max_cfo_hz;
        ++out.sent;
        out.beyond += beyond ? 1 : 0;
        while (const auto frame = receiver.poll_frame()) {
            tracker.hear(time_of(static_cast<double>(frame->sample_index + frame->length_samples)),
                         static_cast<double>(frame->cfo_hz), static_cast<double>(frame->cfo_deviation_hz));
            const bool right = frame->ok() && frame->payload == payload;
            out.received += right ? 1 : 0;
            out.received_beyond += right && beyond ? 1 : 0;
        }
    }
    return out;
}

/// Doppler of a satellite at 550 km that is overhead at time 0, 2.4 GHz.
double doppler_hz(double t) {
    const double along = 7'600.0 * t;
    return -2.4e9 / 299'792'458.0 * 7'600.0 * along / std::sqrt(along * along + 550e3 * 550e3);
}

/// Samples through a link with 6 dB of SNR, an offset and its growth.
std::vector<phy::Sample> through_air(const phy::Profile& profile, std::span<const phy::Sample> sent, double cfo_hz,
                                     double rate_hz_s, std::uint64_t seed) {
    sim::Channel::Config air;
    air.sample_rate_hz = profile.sample_rate_hz;
    air.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
    air.snr_db = 6.0;
    air.seed = seed;
    air.cfo_hz = cfo_hz;
    air.doppler_rate_hz_per_s = rate_hz_s;
    std::vector<phy::Sample> received;
    sim::Channel(air).process(sent, received);
    return received;
}

/// A station on the ground, whose oscillator is `clock_hz` above the satellite's, and that has it overhead at
/// `overhead_s`.
struct Ground {
    double clock_hz, overhead_s;
    mac::DopplerTracker tracker;
    int sent = 0, received = 0;
};

/// Every half a second the satellite sends a frame to each station and each sends one back. Frames of stations that
/// arrive at the satellite, whose receiver stays where it is, of those sent after the first ten.
void exchange(std::vector<Ground>& stations, bool compensate) {
    const phy::Profile& profile = *phy::find_profile("125k");
    phy::Receiver::Config config;
    config.profile = &profile;
    config.search_medium = config.search_long = false;
    phy::Receiver satellite(config);
    phy::Transmitter transmitter(profile);
    Rng rng(8);
    std::uint64_t seed = 1;
    for (int turn = 0; turn < 60; ++turn) {
        const double t = 0.5 * turn;
        const Instant now = Instant{} + Duration{static_cast<std::int64_t>(t * 1e9)};
        for (Ground& g : stations) {
            const double doppler = doppler_hz(t - g.overhead_s);
            const double rate = (doppler_hz(t + 0.01 - g.overhead_s) - doppler) / 0.01;
            // The way down: the ground follows it by whatever means, here with the accuracy of a frame.
            g.tracker.hear(now, doppler - g.clock_hz + 5.0 * rng.normal(), 5.0);
            const auto estimate = g.tracker.at(now);
            const auto shift = compensate && estimate ? transmit_shift(std::vector{*estimate}) : phy::DopplerShift{};
            Bytes payload(100);
            rng.fill(payload);
            std::vector<phy::Sample> sent(4'000);
            transmitter.modulate(*phy::find_mode("qpsk-1/2"), payload, sent, 0, shift);
            sent.resize(sent.size() + 8'000);
            // A shift by more than half the sample rate wraps in complex baseband; a radio would retune.
            satellite.push(through_air(profile, sent, doppler + g.clock_hz, rate, seed++));
            int good = 0;
            while (const auto frame = satellite.poll_frame()) {
                good += frame->ok() && frame->payload == payload ? 1 : 0;
            }
            if (turn >= 10) {
                ++g.sent;
                g.received += good;
            }
        }
    }
}

TEST(DopplerPass, StationsThatCompensateReachOneReceiverOfASatellite) {
    // One it flies towards, one it leaves: 60 kHz apart at the satellite, which acquires 15 kHz to either side.
    const std::vector<Ground> two{{1'200.0, 60.0, {}}, {-900.0, -45.0, {}}};
    auto with = two;
    auto without = two;
    exchange(with, true);
    exchange(without, false);
    for (std::size_t i = 0; i < two.size(); ++i) {
        EXPECT_EQ(with[i].received, with[i].sent) << i;
        EXPECT_EQ(without[i].received, 0) << i;
    }
}

TEST(DopplerPass, NobodyCompensatesWhatOthersHearToo) {
    const mac::DopplerEstimate satellite{30'000.0, -400.0, 3.0, 10.0};
    const mac::DopplerEstimate still{200.0, 0.0, 3.0, 1.0};
    ASSERT_TRUE(satellite.moves());
    EXPECT_EQ(transmit_shift(std::vector{satellite}), (phy::DopplerShift{-30'000.0, 400.0}));
    EXPECT_EQ(transmit_shift(std::vector{still}), phy::DopplerShift{});
    EXPECT_EQ(transmit_shift(std::vector{satellite, still}), phy::DopplerShift{});
    EXPECT_EQ(transmit_shift({}), phy::DopplerShift{});
}

TEST(DopplerPass, FramesBeyondTheReachOfTheSearchArriveByPrediction) {
    const PassResult with = fly(true, -10.0, 60.0);
    const PassResult without = fly(false, -10.0, 60.0);
    EXPECT_EQ(with.received, with.sent);
    EXPECT_GT(without.beyond, 50);
    EXPECT_EQ(without.received_beyond, 0);
    EXPECT_LT(with.worst_hz, 15.0);
    std::printf("with prediction %d of %d, without %d; worst prediction half a second ahead %.1f Hz\n", with.received,
                with.sent, without.received, with.worst_hz);
}

}  // namespace
}  // namespace meshnet::node
