// SPDX-License-Identifier: MIT
// Random networks of which a part is hostile: attacks by nodes that hold keys, and by a radio that holds none, drawn by
// a seed; what honest nodes lose is checked after every event, what they deliver beside the same network without
// attack.
//
// A hostile node runs an honest router whose settings and messages its owner controls. Its means: prices without bound,
// a receiver that counts nothing, a relay that drops data, claims beyond what was carried, balances signed over zero,
// higher totals, floods of opens, junk, forged receipts, keys thrown away and made anew. Two may work together: a
// payer and a relay behind the victim, a destination and the relay before it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace meshnet::sim {

struct HostileOptions {
    std::uint64_t seed = 1;
    std::size_t nodes = 10;      ///< 4..64
    double hostile_share = 0.3;  ///< 0..1
    unsigned seconds = 60;       ///< of traffic, virtual
};

struct HostileResult {
    std::uint64_t seed = 0;
    std::uint64_t events = 0;
    std::size_t honest = 0, hostile = 0;
    std::vector<std::string> attacks;     ///< names of those played
    std::size_t pairs = 0;                ///< honest pairs with an honest route between them
    double clean = 0.0, attacked = 0.0;   ///< share of their packets delivered
    std::int64_t most_lost_nsat = 0;      ///< by one honest node
    std::int64_t may_lose_nsat = 0;       ///< its stated exposure
    std::vector<std::string> violations;  ///< empty: all invariants held
};

/// One network, without attack and then with; throws std::invalid_argument if an option is out of range.
[[nodiscard]] HostileResult run_hostile(const HostileOptions& options);

}  // namespace meshnet::sim
