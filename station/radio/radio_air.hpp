// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated air as a radio: `air:SOCKET#STATION`.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// REST is SOCKET#STATION: the path of the air's socket and the name of a station of its configuration.
[[nodiscard]] Status check_air_radio(const std::string& rest);
[[nodiscard]] Result<std::unique_ptr<Radio>> open_air_radio(const std::string& rest, const phy::Profile& profile,
                                                            const RadioSettings& settings);

inline constexpr RadioDriver kAirDriver{
    "air", "air:SOCKET#STATION", "the simulated air (meshnet-air), as the station of that name",
    false, check_air_radio,      open_air_radio};

}  // namespace meshnet::station
