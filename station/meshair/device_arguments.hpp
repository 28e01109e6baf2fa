// SPDX-License-Identifier: GPL-3.0-or-later
// What `driver=meshair,air=/path/to/socket,station=NAME,model=usrp,seed=1` says.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/result.hpp"
#include "station/meshair/device_model.hpp"

namespace meshnet::meshair {

struct DeviceArguments {
    std::string air;      ///< path of the socket of a meshnet-air
    std::string station;  ///< which of its stations this radio is
    const DeviceModel* model = nullptr;
    std::uint64_t seed = 1;  ///< of what the model draws: noise outside the air's band, switch times
    /// Transfers that a device without time keeps on its bus while it transmits, 0..kMostInFlight: zeros at first.
    std::size_t in_flight = 0;
    static constexpr std::size_t kMostInFlight = 8;

    /// Keys of others (driver, label, type) are left alone, as every SoapySDR driver does. Error: one line.
    [[nodiscard]] static Result<DeviceArguments> parse(const std::map<std::string, std::string>& arguments);
};

}  // namespace meshnet::meshair
