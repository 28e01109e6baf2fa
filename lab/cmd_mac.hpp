// SPDX-License-Identifier: MIT
// `meshnet-lab mac`: stations with the real MAC in virtual time (sim/mac_scenario.hpp), one run or a campaign over
// seeds.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/mac_scenario.hpp"

namespace meshnet::lab {

struct MacOptions {
    sim::MacScenario scenario;
    std::string orbit, regime = "auto";
    std::size_t seeds = 1;  ///< the scenario's and those after it
    std::string shard;      ///< of the seeds; empty: all
    unsigned threads = 0;
    bool json = false;
    bool quiet = false;
};
/// Adds the subcommand with its options; `result` gets the exit code: 0 done, 1 an invariant was violated, 2 an option
/// was wrong.
void add_mac(CLI::App& app, MacOptions& o, int& result);
int run_mac(const MacOptions& o);

/// One run as JSON: fraction, jain, delay_ms, delivered, regimes, air, hash and the rest of sim::MacReport.
[[nodiscard]] nlohmann::ordered_json mac_report_json(const sim::MacReport& r);
/// A whole campaign from the rows of its seeds; the exit code.
int print_mac_campaign(const nlohmann::ordered_json& options, const std::vector<nlohmann::ordered_json>& rows);

}  // namespace meshnet::lab
