// SPDX-License-Identifier: MIT
// What the operator is ready to lose, in money, and to whom. Spec: docs/spec/payment.md, "Exposure".
#pragma once

#include <cstdint>
#include <vector>

#include "net/node_id.hpp"

namespace meshnet::net {

struct TrustedNode {
    NodeId id{};
    std::uint64_t credit_msat = 0;  ///< what it may owe us, in place of a stranger's limit
};

/// Defaults are for a station that nobody watches: at the default price a stranger gets 200 MiB carried on credit, and
/// all strangers together, whatever number of keys they make, 2 GiB.
struct CreditLimits {
    std::uint64_t stranger_msat = 200'000;     ///< what any other neighbour may owe us, receipts on their way included
    std::uint64_t strangers_msat = 2'000'000;  ///< all of them together
    std::uint64_t unsigned_msat = 4'000;  ///< of that, what the debtor has not acknowledged by its signature, at first
    std::uint64_t highest_price_msat_per_mib = 1'000'000;  ///< carried through us, ours and all others' together
    std::vector<TrustedNode> trusted;
    std::vector<NodeId> refused;  ///< never neighbours
};

}  // namespace meshnet::net
