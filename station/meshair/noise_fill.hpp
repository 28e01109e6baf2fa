// SPDX-License-Identifier: GPL-3.0-or-later
// Receiver noise in that part of a device's band which the air has no samples of: a receiver tuned beside the air hears
// noise of the same density, not silence.
//
// One period of 65536 samples is made when the device is tuned; each block of 4096 samples reads it from another place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "station/meshair/channel_settings.hpp"

namespace meshnet::meshair {

class NoiseFill {
public:
    NoiseFill(const ChannelSettings& settings, const AirFacts& air, std::uint64_t seed);
    /// Adds noise to the device's samples from `tick` on.
    void add(std::span<phy::Sample> samples, std::uint64_t tick) const noexcept;

private:
    std::vector<phy::Sample> period_;  // empty: the air fills the band
    std::uint64_t seed_;
};

}  // namespace meshnet::meshair
