// SPDX-License-Identifier: MIT
// What the commands that look for thresholds share: options into plans, results into JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"
#include "lab/threshold_search.hpp"

namespace meshnet::lab {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json rounded(double value);  ///< to 1e-4
/// snr_db, low_db, high_db, fit; or snr_db null.
void add_threshold(Json& out, const Threshold& t);
[[nodiscard]] Json points_json(const Scenario& s, const Threshold& t);
[[nodiscard]] Status check_plan(const ThresholdOptions& o);
[[nodiscard]] SearchPlan plan_of(const ThresholdOptions& o, double start_db);
[[nodiscard]] std::function<void(std::uint64_t, std::uint64_t)> show(Progress& progress);
/// mode, profile, payload, channel, seed, target_per.
[[nodiscard]] Json heading(const ThresholdOptions& o);

}  // namespace meshnet::lab
