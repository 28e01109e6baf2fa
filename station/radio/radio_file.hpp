// SPDX-License-Identifier: GPL-3.0-or-later
// A recording as a radio: `file:RECORD`, paced to real time, receive only.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// Replays `path` (format by its ending: .cs8, .cs16, else cf32) at `rate`. Bursts handed to it are reported as not
/// sent.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_file_radio(const std::string& path, node::SampleRate rate);

}  // namespace meshnet::station
