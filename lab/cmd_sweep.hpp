// SPDX-License-Identifier: MIT
// What `meshnet-lab sweep` and `merge` share.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace meshnet::lab {

/// The points of a whole sweep from its parts, each a list of tallies by SNR: one JSON object a line. The exit code.
int print_sweep_campaign(const nlohmann::ordered_json& options, const std::vector<nlohmann::ordered_json>& parts);

}  // namespace meshnet::lab
