// SPDX-License-Identifier: MIT
// The balances with all neighbours, and the rows that make them durable.
//
// Two totals per neighbour, which only grow: what it owes us and what we owe it, over all flows ever. Rows of table
// kEntry explain them; the sum of a neighbour's entries is its balance (fsck checks it). Both ends of a link compute
// the same amounts from the same evidence, so once receipts have crossed, one side's claim is the other side's debt.
//
// Entries are folded: all receipts of a flow are one row that grows, and a neighbour that opens more flows than
// kRowsAtOnce and one each kRowEvery gets one row a period for the rest. So the ledger grows by time, not by what
// others send. Rows are named by the run of this node and a number, so nobody outside can make one collide with
// another. Spec: docs/spec/payment.md, "Balances".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/time.hpp"
#include "net/packet_format.hpp"
#include "net/payment/ledger.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

class Book {
public:
    static constexpr std::int64_t kRowsAtOnce = 200;
    static constexpr Duration kRowEvery = 43s;  ///< 2000 rows a day, of about 400 bytes on disk each
    static constexpr Duration kPeriod = 600s;   ///< of the rows for all other flows

    struct Balance {
        std::int64_t claimed_nsat = 0;                               ///< the neighbour owes us
        std::int64_t owed_nsat = 0;                                  ///< we owe the neighbour
        std::uint64_t bytes = 0;                                     ///< payload delivered in all flows these are for
        std::uint32_t generation = 0;                                ///< of our signed BALANCEs
        std::uint64_t sequence = 0;                                  ///< of our last signed BALANCE
        std::int64_t signed_claimed_nsat = 0, signed_owed_nsat = 0;  ///< our totals in it
        std::uint64_t signed_bytes = 0;
        BalanceMessage theirs;  ///< the newest the neighbour signed; sequence 0: none
        [[nodiscard]] std::int64_t net_nsat() const noexcept { return claimed_nsat - owed_nsat; }
        /// Our last BALANCE, without its signature; sequence 0: none.
        [[nodiscard]] BalanceMessage last_signed() const;
    };
    /// What the entries of one row have in common beside the peer.
    struct EntryRange {
        FlowId flow{};  ///< zero: of several flows
        std::uint64_t from = 0, to = 0;
    };

    /// `run` names this run of the node: random, never the same twice.
    explicit Book(std::uint64_t run) noexcept : run_(run) {}

    /// Takes rows of table kBalance; false if the row cannot be read.
    bool restore(const LedgerRow& row);

    /// `nsat` > 0: the peer owes us more; < 0: we owe it more. For bytes (from, to] of the flow. `kind`: "relay", "pay"
    /// or "own".
    void enter(Instant now, const NodeId& peer, const FlowId& flow, std::uint64_t from, std::uint64_t to,
               std::int64_t nsat, std::string_view kind);
    /// We are about to sign our totals: gives them the next sequence.
    const Balance& next_to_sign(const NodeId& peer);
    /// The neighbour signed newer totals (signature already verified).
    void received(const NodeId& peer, const BalanceMessage& message);
    /// Our book lost what it held, as `echo`, signed by ourselves, proves: totals rise to these at least, and we sign
    /// in a new generation.
    void adopt(Instant now, const NodeId& peer, const BalanceMessage& echo, std::int64_t claimed_nsat,
               std::int64_t owed_nsat);

    [[nodiscard]] const Balance* find(const NodeId& peer) const;
    [[nodiscard]] const std::map<NodeId, Balance>& balances() const noexcept { return balances_; }

    [[nodiscard]] bool dirty() const noexcept { return !changed_entries_.empty() || !changed_.empty(); }
    /// Moves all changed rows to `rows`.
    void take(std::vector<LedgerRow>& rows);

    /// Flow and bytes of a row of table kEntry; nothing if it is not one.
    [[nodiscard]] static std::optional<EntryRange> range_of(const LedgerRow& row);

private:
    using EntryKey = std::tuple<NodeId, FlowId, std::string>;
    struct Entry {
        std::uint64_t number = 0;
        std::int64_t nsat = 0;
        std::uint64_t bytes = 0;
        std::uint64_t from = 0, to = 0;
        Instant since{};
    };
    static constexpr std::size_t kOpenEntries = 4'096;  // that may still grow

    [[nodiscard]] Entry& entry(Instant now, const NodeId& peer, const FlowId& flow, std::uint64_t from,
                               std::string_view kind);
    [[nodiscard]] LedgerRow row_of(const EntryKey& key, const Entry& entry) const;

    std::uint64_t run_;
    std::uint64_t next_number_ = 1;
    std::map<NodeId, Balance> balances_;
    std::set<NodeId> changed_;
    std::map<EntryKey, Entry> entries_;
    std::set<EntryKey> changed_entries_;
    std::map<NodeId, TokenBucket> rows_left_;
};

}  // namespace meshnet::net
