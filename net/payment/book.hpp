// SPDX-License-Identifier: MIT
// The balances with all neighbours, and the rows that make them durable.
//
// Two totals per neighbour, which only grow: what it owes us and what we owe it, over all flows ever. A row of table
// kEntry explains every change; the sum of a neighbour's entries is its balance (fsck checks it). Both ends of a link
// compute the same amounts from the same evidence, so once receipts have crossed, one side's claim is the other side's
// debt. Spec: docs/spec/payment.md, "Balances".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "net/packet_format.hpp"
#include "net/payment/ledger.hpp"

namespace meshnet::net {

class Book {
public:
    struct Balance {
        std::int64_t claimed_nsat = 0;                               ///< the neighbour owes us
        std::int64_t owed_nsat = 0;                                  ///< we owe the neighbour
        std::uint64_t bytes = 0;                                     ///< payload delivered in all flows these are for
        std::uint64_t sequence = 0;                                  ///< of our last signed BALANCE
        std::int64_t signed_claimed_nsat = 0, signed_owed_nsat = 0;  ///< our totals in it
        std::uint64_t signed_bytes = 0;
        BalanceMessage theirs;  ///< the newest the neighbour signed; sequence 0: none
        [[nodiscard]] std::int64_t net_nsat() const noexcept { return claimed_nsat - owed_nsat; }
    };

    /// Takes rows of table kBalance; false if the row cannot be read.
    bool restore(const LedgerRow& row);

    /// `nsat` > 0: the peer owes us more; < 0: we owe it more. For bytes (from, to] of the flow. Unique: (peer, flow,
    /// from, to).
    void enter(const NodeId& peer, const FlowId& flow, std::uint64_t from, std::uint64_t to, std::int64_t nsat,
               std::string_view kind);
    /// We are about to sign our totals: gives them the next sequence.
    const Balance& next_to_sign(const NodeId& peer);
    /// The neighbour signed newer totals (signature already verified).
    void received(const NodeId& peer, const BalanceMessage& message);

    [[nodiscard]] const Balance* find(const NodeId& peer) const;
    [[nodiscard]] const std::map<NodeId, Balance>& balances() const noexcept { return balances_; }

    [[nodiscard]] bool dirty() const noexcept { return !entries_.empty() || !changed_.empty(); }
    /// Moves all changed rows to `rows`.
    void take(std::vector<LedgerRow>& rows);

private:
    std::map<NodeId, Balance> balances_;
    std::set<NodeId> changed_;
    std::vector<LedgerRow> entries_;
};

}  // namespace meshnet::net
