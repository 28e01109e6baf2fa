// SPDX-License-Identifier: GPL-3.0-or-later
// A recording as a radio: `file:RECORD`, paced to real time, receive only.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// REST is the path of the recording, with `,format=NAME`, `,rate=HZ` and `,channel=N` behind it where the recording
/// does not tell them itself.
[[nodiscard]] Status check_file_radio(const std::string& rest);
/// Replays the recording at the profile's rate; one of another rate is resampled. Lost samples are a jump of the index
/// that takes no time. Bursts are reported as not sent.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_file_radio(const std::string& rest, const phy::Profile& profile,
                                                             const RadioSettings& settings);

inline constexpr RadioDriver kFileDriver{
    "file",
    "file:RECORD.cf32",
    "replays a recording (SigMF, WAV, or raw samples by their ending) at the profile's rate; receives only.\n"
    "What a recording does not tell stands behind its name: file:RECORD.iq,format=cs8,rate=2400000,channel=1",
    false,
    check_file_radio,
    open_file_radio};

}  // namespace meshnet::station
