// SPDX-License-Identifier: MIT
// The signals that bench_phy_realtime and bench_phy_stages receive: frames back to back, as users send them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::bench {

struct Case {
    const phy::Profile* profile;
    std::string mode;
    std::size_t bytes;
    std::string channel;
};

struct Signal {
    std::vector<phy::Sample> samples;
    std::size_t frames = 0;
};

/// A carrier offset of 3 kHz and a sampling clock error of 5 ppm, and what `c` names.
inline sim::Channel make_channel(const Case& c, double snr_db) {
    sim::Channel::Config base;
    base.sample_rate_hz = c.profile->sample_rate_hz;
    base.occupied_fraction = static_cast<double>(c.profile->carriers) / static_cast<double>(c.profile->fft_size);
    base.snr_db = snr_db;
    base.cfo_hz = 3e3;
    base.sfo_ppm = 5.0;
    return sim::Channel(sim::Channel::configure(c.channel, base).value());
}

inline Signal make_signal(const Case& c) {
    constexpr std::size_t kLeast = 300'000;  // samples
    constexpr std::size_t kFewest = 3;       // frames
    // As for users with a link that carries the mode; the reflection takes up to 10 dB of the narrow profiles.
    const double snr_db = (c.mode.starts_with("256qam") ? 30.0 : 20.0) + (c.channel == "two-ray" ? 12.0 : 0.0);
    phy::Transmitter transmitter(*c.profile);
    Rng rng(c.bytes);
    std::vector<phy::Sample> sent(2'000);
    Signal out;
    while (sent.size() < kLeast || out.frames < kFewest) {
        Bytes payload(c.bytes);
        for (auto& b : payload) {
            b = static_cast<std::uint8_t>(rng.below(256));
        }
        transmitter.modulate(*phy::find_mode(c.mode.c_str()), payload, sent);
        ++out.frames;
    }
    sent.resize(sent.size() + 30'000);
    make_channel(c, snr_db).process(sent, out.samples);
    return out;
}

}  // namespace meshnet::bench
