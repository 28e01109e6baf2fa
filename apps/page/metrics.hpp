// SPDX-License-Identifier: GPL-3.0-or-later
// /metrics: every counter of the daemon, by station/control/counter_groups.hpp, and what its views show besides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/page/station_watch.hpp"

namespace meshnet::page {

/// What the page itself adds.
struct PageFacts {
    struct Disk {
        std::string folder;  ///< "history" or "ledger"
        std::uint64_t free_bytes = 0, size_bytes = 0;
    };
    std::vector<Disk> disks;
    bool history_ok = true;
    std::uint64_t history_bytes = 0;
    Json money;  ///< of money_json(); null: not known
};

/// The name of a counter's metric: meshnet_<group>_<key>_total, sums of times in seconds.
[[nodiscard]] std::string counter_metric(const std::string& group, const std::string& key, bool is_time);

/// The whole text. Of a daemon that does not answer only meshnet_up 0, its last answers' age and the page's own.
[[nodiscard]] std::string metrics_of(const StationState& state, const PageFacts& page,
                                     std::chrono::system_clock::time_point now);

}  // namespace meshnet::page
