// SPDX-License-Identifier: MIT
// Which bursts may follow each other how closely: the coordinator's plan of one superframe.
//
//     members, what each wants to send, delays between them -> [plan_superframe] -> starts, and when the next beacon
//     may go
//
// All starts are on one clock, that of the coordinator, at the antenna of whoever sends. The burst of j may follow that
// of i as soon as no receiver hears both, and each hears what is for it: where delays are short everybody hears
// everybody; where they are long, a station hears the bursts that are for it and may be sending while others pass.
// Spec: docs/spec/mac.md, 10 "Superframes".
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

#include "core/time.hpp"

namespace meshnet::mac {

/// One station of the superframe. The first is the coordinator: its slot begins with the beacon.
struct Member {
    Duration length{};                 ///< of its slot, jitter included; 0: none
    Duration gap{};                    ///< L + lead: from the end of a beacon heard to its own burst
    Duration recovery{};               ///< blind so long before and after its slot
    std::vector<std::size_t> targets;  ///< members that its data is for
};

struct PlanLimits {
    Duration beacon{};           ///< air time of the beacon's own frame, at the start of the coordinator's slot
    Duration guard{};            ///< between bursts, of clocks and sample grids
    Duration max_propagation{};  ///< of a pair whose delay is unknown
    Duration near = std::chrono::milliseconds(5);  ///< delays up to this: everybody hears everybody
};

/// Delay between two members, nothing while unknown. Symmetric.
using DelayOf = std::function<std::optional<Duration>(std::size_t a, std::size_t b)>;

struct SuperframePlan {
    struct Entry {
        std::size_t member = 0;
        Duration start{};
        Duration length{};
    };
    std::vector<Entry> entries;  ///< in the order of their starts, the coordinator's first
    Duration end{};              ///< the next beacon may start then
};

/// `members` has at least one. Work grows with the third power of their number.
[[nodiscard]] SuperframePlan plan_superframe(const std::vector<Member>& members, const DelayOf& delay,
                                             const PlanLimits& limits);

/// Two stations with `delay` between them send at once and then receive at once: `rounds` bursts each, as long as fits
/// into the delay. The far one's bursts are half of the rounds late of nothing: its first answers the beacon heard one
/// round before.
[[nodiscard]] SuperframePlan plan_pair(Duration delay, Duration longest, std::size_t rounds, const PlanLimits& limits);

}  // namespace meshnet::mac
