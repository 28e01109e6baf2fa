// SPDX-License-Identifier: MIT
// A scenario played in virtual time: routers from cold, idle, with traffic and faults, and calm again. After every
// event: no loop, no exposure or window beyond its limit, no packet twice, no table beyond its cap. At the end: routes
// complete, books equal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/net_scenario.hpp"

namespace meshnet::sim {

struct NetResult {
    std::uint64_t seed = 0, hash = 0, events = 0;
    std::size_t nodes = 0, links = 0, hostile = 0;
    double converged_s = 0.0;     ///< until everybody had a route to everybody it hangs together with; < 0: never
    double idle_share = 0.0;      ///< of the air around a node, all control, bursts of 2 ms and bytes at the link rate
    double idle_bytes_s = 0.0;    ///< of control that a node sends
    double idle_frames_s = 0.0;   ///< the same in frames
    std::uint64_t sent = 0;       ///< packets whose ends hung together, by honest nodes, when they were sent
    std::uint64_t delivered = 0;  ///< of those
    double p50_ms = 0.0, p95_ms = 0.0, p99_ms = 0.0;  ///< of delivered packets
    std::uint64_t kills = 0, fades = 0, partitions = 0, price_changes = 0, passes = 0;
    double earned_msat = 0.0;  ///< by all honest nodes together, as their books have it
    double virtual_s = 0.0, cpu_s = 0.0;
    double speed = 0.0;                   ///< virtual seconds a second of one core
    double memory_mib = 0.0;              ///< of the process, resident, at the end
    std::vector<std::string> violations;  ///< empty: all invariants held; at most eight are kept
};

/// `check`: invariants after every event.
[[nodiscard]] NetResult run_net(const NetScenario& scenario, std::uint64_t seed, bool check = true);

}  // namespace meshnet::sim
