// SPDX-License-Identifier: GPL-3.0-or-later
// The simulated air as a radio: `air:SOCKET#STATION`.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// Connects to the air listening at `path` as `station`.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_air_radio(const std::string& path, const std::string& station);

}  // namespace meshnet::station
