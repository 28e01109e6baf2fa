// SPDX-License-Identifier: MIT
// An air described in a TOML file. Strict: an unknown key or an impossible value is an error with file, line, key and
// what would be right. Every key with its unit: tools/examples/air-coast-beacon-ship.toml.
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"
#include "sim/air.hpp"

namespace meshnet::sim {

struct AirFile {
    Air::Config air;     ///< checked: an Air can be made of it
    std::string socket;  ///< where to listen; empty if the file does not say
};

/// `file` names the text in errors. Any bytes at all.
[[nodiscard]] Result<AirFile> parse_air_config(std::string_view text, const std::string& file);

/// Reads and parses the file; at most 1 MiB.
[[nodiscard]] Result<AirFile> load_air_config(const std::string& path);

}  // namespace meshnet::sim
