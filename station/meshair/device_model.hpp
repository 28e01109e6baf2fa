// SPDX-License-Identifier: GPL-3.0-or-later
// What a kind of radio can do, as data.
//
// Sources: usrp: Ettus B200/B210 (AD9361: rates, gains, bandwidths, 12 bits; UHD manual). hackrf: Great Scott Gadgets,
// HackRF One documentation (rates, gains, filters), libhackrf's transfers of 262144 bytes, and the switch times and
// underflows measured on one (docs/operating.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.hpp"

namespace meshnet::meshair {

enum class Direction : std::uint8_t { kReceive, kTransmit };

struct GainElement {
    std::string name;
    double low_db = 0.0, high_db = 0.0, step_db = 1.0;
    double start_db = 0.0;  ///< when the device is opened
};

struct Span {
    double low = 0.0, high = 0.0;
};

/// What differs between the directions.
struct DirectionModel {
    std::vector<GainElement> gains;
    double nominal_gain_db = 0.0;  ///< all elements; samples of the air pass unscaled
    std::vector<std::string> antennas;
    unsigned converter_bits = 12;
};

struct DeviceModel {
    std::string name;
    DirectionModel receive, transmit;
    Span rates_hz, tuning_hz, bandwidths_hz;
    std::vector<double> filters_hz;               ///< the only bandwidths; empty: any in bandwidths_hz
    std::vector<std::string> frequency_elements;  ///< their sum is the frequency
    std::vector<std::string> sources;             ///< of clock and time
    std::vector<std::string> sensors;
    bool has_time = false;  ///< stamps samples, sends at times, hears while it sends as far as the air lets it
    std::size_t mtu = 0;    ///< samples a call
    // Without time: samples travel in USB transfers of `mtu`.
    std::size_t receive_transfers = 0;  ///< kept for a reader; then the oldest is lost
    std::size_t transmit_transfers = 0;
    Duration shortest_switch{}, longest_switch{};  ///< between receiving and transmitting
    double image_gain_db = 0.0, image_phase_deg = 0.0, dc_offset = 0.0;

    [[nodiscard]] const DirectionModel& of(Direction direction) const noexcept {
        return direction == Direction::kReceive ? receive : transmit;
    }
    /// The bandwidth the device makes of the one asked for.
    [[nodiscard]] double bandwidth_for(double wanted_hz) const noexcept;
    /// The bandwidth a new rate brings with it, or 0 if the device leaves it alone.
    [[nodiscard]] double bandwidth_of_rate(double rate_hz) const noexcept;
};

/// Null: no such model.
[[nodiscard]] const DeviceModel* find_model(std::string_view name) noexcept;
[[nodiscard]] std::string known_models();

}  // namespace meshnet::meshair
