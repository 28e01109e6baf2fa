// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace meshnet::lab {

/// Prints the rows of a campaign of scenarios; 1 if an invariant broke.
int print_net_campaign(const std::vector<nlohmann::ordered_json>& rows, bool json);

}  // namespace meshnet::lab
