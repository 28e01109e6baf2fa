// SPDX-License-Identifier: MIT
// What `meshnet-lab hostile` and `merge` share.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

namespace meshnet::lab {

/// A whole campaign from the rows of its networks; the exit code.
int print_hostile_campaign(const nlohmann::ordered_json& options, const std::vector<nlohmann::ordered_json>& rows,
                           bool json);

}  // namespace meshnet::lab
