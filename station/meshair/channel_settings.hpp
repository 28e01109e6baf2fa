// SPDX-License-Identifier: GPL-3.0-or-later
// How one direction of a device is set, and what part of the air's band that is.
#pragma once

#include <algorithm>
#include <cstdint>

#include "station/meshair/band_converter.hpp"
#include "station/meshair/device_model.hpp"

namespace meshnet::meshair {

/// What a device knows of the air it is on.
struct AirFacts {
    double rate_hz = 1e6, carrier_hz = 868e6;
    double noise_power = 0.0;         ///< mean |noise|^2 of a sample
    std::uint64_t shortest_lead = 0;  ///< samples, Air::shortest_lead()
};

struct ChannelSettings {
    RateRatio ratio;  ///< device rate / air rate
    double frequency_hz = 868e6;
    double bandwidth_hz = 1e6;
    double gain_db = 0.0;
    bool operator==(const ChannelSettings&) const = default;

    /// What the device passes, relative to its own frequency: ends inside the Nyquist limit of its rate and of the
    /// air's.
    [[nodiscard]] Span passed(const AirFacts& air) const noexcept {
        const double rate = ratio.rate_hz(air.rate_hz);
        const double guard = 0.5 * BandConverter::kSlope * std::min(rate, air.rate_hz);
        const double away = frequency_hz - air.carrier_hz;
        const bool same = away == 0.0 && ratio == RateRatio{};  // the air's samples as they are
        const double device_edge = std::min(0.5 * bandwidth_hz, same ? 0.5 * rate : 0.5 * rate - guard);
        const double air_edge = same ? 0.5 * air.rate_hz : 0.5 * air.rate_hz - guard;
        return {std::max(-device_edge, -air_edge - away), std::min(device_edge, air_edge - away)};
    }
    [[nodiscard]] BandConverter::Band band(Direction direction, const AirFacts& air) const noexcept {
        const Span kept = passed(air);
        const double away = frequency_hz - air.carrier_hz;
        if (direction == Direction::kReceive) {
            return {air.rate_hz, ratio, kept.low + away, kept.high + away, -away};
        }
        return {ratio.rate_hz(air.rate_hz), ratio.inverse(), kept.low, kept.high, away};
    }
};

}  // namespace meshnet::meshair
