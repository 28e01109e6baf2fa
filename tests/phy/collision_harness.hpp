// SPDX-License-Identifier: MIT
// Two frames on top of each other, each with its own level, carrier and channel.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"
#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy::test {

/// One of the two senders. Its level is set by its SNR alone.
struct Sender {
    ModeIndex mode = 0;
    std::size_t bytes = 500;
    double snr_db = 20.0;  ///< without the other
    double cfo_hz = 0.0;
    double sfo_ppm = 0.0;
    std::vector<sim::PathSpec> paths;
    std::size_t start = 0;  ///< sample of its first preamble sample
};

inline constexpr double kNoisePower = 1e-4;  ///< per sample
inline constexpr std::size_t kLead = 4000;   ///< samples of noise before and after

/// `sender`'s frame through its channel, added to `air`.
inline void send(const Profile& profile, const Sender& sender, const Bytes& payload, std::vector<Sample>& air) {
    static const auto gain = [](const Profile& p, double snr_db) {
        const double occupied = p.occupied_bandwidth_hz() / p.sample_rate_hz;
        return static_cast<float>(std::sqrt(kNoisePower * occupied * std::pow(10.0, snr_db / 10.0)) /
                                  static_cast<double>(kTransmitRms));
    };
    Transmitter transmitter(profile);
    std::vector<Sample> sent(sender.start);
    transmitter.modulate(sender.mode, payload, sent);
    sent.resize(sent.size() + 400);
    sim::Channel::Config config;
    config.sample_rate_hz = profile.sample_rate_hz;
    config.occupied_fraction = profile.occupied_bandwidth_hz() / profile.sample_rate_hz;
    config.snr_db = std::numeric_limits<double>::infinity();
    config.cfo_hz = sender.cfo_hz;
    config.sfo_ppm = sender.sfo_ppm;
    config.paths = sender.paths;
    sim::Channel channel(config);
    std::vector<Sample> received;
    channel.process(sent, received);
    air.resize(std::max(air.size(), received.size() + kLead));
    const float g = gain(profile, sender.snr_db);
    for (std::size_t i = 0; i < received.size(); ++i) {
        air[i] += g * received[i];
    }
}

inline void add_noise(Rng& rng, std::vector<Sample>& air) {
    const double deviation = std::sqrt(kNoisePower / 2.0);
    for (auto& s : air) {
        s += Sample(static_cast<float>(deviation * rng.normal()), static_cast<float>(deviation * rng.normal()));
    }
}

struct Outcome {
    std::vector<int> error_free;  ///< how often each payload arrived error-free
    int wrong = 0;                ///< delivered as error-free, and nobody sent it
    ReceiverCounters counters;
};

inline Outcome receive(const Profile& profile, const std::vector<Sample>& air, const std::vector<Bytes>& payloads,
                       bool cancel) {
    Receiver::Config config;
    config.profile = &profile;
    config.cancel_interference = cancel;
    Receiver receiver(config);
    receiver.push(air);
    receiver.flush();
    Outcome out;
    out.error_free.resize(payloads.size());
    while (const auto frame = receiver.poll_frame()) {
        if (!frame->ok()) {
            continue;
        }
        const auto at = std::find(payloads.begin(), payloads.end(), frame->payload);
        if (at == payloads.end()) {
            ++out.wrong;
        } else {
            ++out.error_free[static_cast<std::size_t>(at - payloads.begin())];
        }
    }
    out.counters = receiver.counters();
    return out;
}

}  // namespace meshnet::phy::test
