// SPDX-License-Identifier: GPL-3.0-or-later
// A recording as a radio: `file:RECORD`, paced to real time, receive only.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// REST is the path of the recording.
[[nodiscard]] Status check_file_radio(const std::string& rest);
/// Replays the recording (format by its ending: .cs8, .cs16, else cf32) at the profile's rate. Bursts are reported as
/// not sent.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_file_radio(const std::string& rest, const phy::Profile& profile);

inline constexpr RadioDriver kFileDriver{
    "file", "file:RECORD.cf32", "replays a recording of complex float samples at the profile's rate; receives only",
    check_file_radio, open_file_radio};

}  // namespace meshnet::station
