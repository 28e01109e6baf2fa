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
