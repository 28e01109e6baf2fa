// SPDX-License-Identifier: MIT
// What the modem tests share: frames with silence around them, through a simulated channel, into a receiver.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::phy::test {

inline Bytes random_bytes(Rng& rng, std::size_t n) {
    Bytes out(n);
    rng.fill(out);
    return out;
}

inline ModeIndex mode_of(std::string_view name) {
    const auto m = find_mode(name);
    EXPECT_TRUE(m.has_value()) << name;
    return m.value_or(0);
}

inline Receiver make_receiver(const Profile& profile) {
    Receiver::Config config;
    config.profile = &profile;
    return Receiver(config);
}

/// The channel of that name for `profile` at `snr_db` in the occupied band.
inline sim::Channel make_channel(const Profile& profile, const std::string& name, double snr_db, std::uint64_t seed) {
    sim::Channel::Config base;
    base.sample_rate_hz = profile.sample_rate_hz;
    base.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
    base.snr_db = snr_db;
    base.seed = seed;
    const auto config = sim::Channel::configure(name, base);
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.error().message);
    return sim::Channel(*config);
}

struct Tally {
    int sent = 0;
    int right = 0;  ///< error-free and equal to what was sent
    int wrong = 0;  ///< delivered as error-free, and not what was sent: must never happen
    double snr_db = 0.0, cfo_hz = 0.0, sfo_ppm = 0.0;  ///< means over the right ones
};

/// Sends `frames` frames of `bytes` random bytes with random gaps through `channel`.
inline Tally run_frames(const Profile& profile, ModeIndex mode, std::size_t bytes, int frames, sim::Channel channel,
                        std::uint64_t seed) {
    Rng rng(seed);
    Transmitter transmitter(profile);
    Receiver receiver = make_receiver(profile);
    Tally tally;
    std::vector<Bytes> payloads;
    std::vector<Sample> samples;
    std::vector<Sample> received;
    for (int f = 0; f < frames; ++f) {
        payloads.push_back(random_bytes(rng, bytes));
        samples.resize(100 + rng.below(2000));
        std::fill(samples.begin(), samples.end(), Sample{});
        transmitter.modulate(mode, payloads.back(), samples);
        received.clear();
        channel.process(samples, received);
        receiver.push(received);
        ++tally.sent;
    }
    received.clear();
    channel.process(std::vector<Sample>(channel.latency() + 64), received);
    receiver.push(received);
    receiver.flush();
    std::size_t next = 0;
    while (const auto frame = receiver.poll_frame()) {
        if (!frame->ok()) {
            continue;
        }
        std::size_t match = next;
        while (match < payloads.size() && payloads[match] != frame->payload) {
            ++match;
        }
        if (match == payloads.size()) {
            ++tally.wrong;
            continue;
        }
        next = match + 1;
        ++tally.right;
        tally.snr_db += static_cast<double>(frame->snr_db);
        tally.cfo_hz += static_cast<double>(frame->cfo_hz);
        tally.sfo_ppm += static_cast<double>(frame->sfo_ppm);
    }
    if (tally.right > 0) {
        tally.snr_db /= tally.right;
        tally.cfo_hz /= tally.right;
        tally.sfo_ppm /= tally.right;
    }
    return tally;
}

}  // namespace meshnet::phy::test
