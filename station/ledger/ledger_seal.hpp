// SPDX-License-Identifier: GPL-3.0-or-later
// What was found sound in a ledger up to an entry, so that a start need not read years of history again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/bytes.hpp"
#include "net/node_id.hpp"

namespace meshnet::station {

/// The entries up to one, added up. Kept in the ledger as `version 1 (1) | last 8 | count 4 | count x (peer 32, sum
/// 8)`.
struct LedgerSeal {
    std::int64_t last = 0;                            ///< id of the newest entry in it
    std::map<net::NodeId, std::int64_t> sums_nsat{};  ///< by neighbour, all entries up to `last`

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<LedgerSeal> decode(ByteView value);
    /// Adds to a neighbour's sum. False if that leaves the range of money.
    [[nodiscard]] bool add(const net::NodeId& peer, std::int64_t amount_nsat);
};

}  // namespace meshnet::station
