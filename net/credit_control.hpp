// SPDX-License-Identifier: MIT
// Which packets may leave on credit. Two limits for the neighbour that pays: a window in bytes for what was forwarded
// and not resolved by a receipt, and an exposure in money for all it would owe us if it never paid.
//
//     exposure = booked balance + price of what is forwarded and unresolved       < limit of this neighbour
//     unsigned = what it owes us beyond its newest signature, unresolved included < a share of what it has signed for
//     sum of the exposures of all strangers                                       < limit of all strangers
//
// What we would owe the next hop is less than what the payer would owe us, so a payer that never pays costs us at most
// its limit, whatever prices are named. Spec: docs/spec/payment.md, "Window", "Exposure".
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "net/credit_limits.hpp"
#include "net/credit_window.hpp"
#include "net/flow_table.hpp"
#include "net/key_alarms.hpp"
#include "net/link_table.hpp"
#include "net/payment/book.hpp"

namespace meshnet::net {

class CreditControl final : public DataGate {
public:
    struct Config {
        std::uint64_t initial_window_bytes = 262'144;
        std::uint64_t max_window_bytes = 16'777'216;
        CreditLimits limits{};
    };
    /// Why nothing more is carried for a neighbour.
    enum class Hold : std::uint8_t { kNone, kWindow, kCredit, kUnsigned, kStrangers };
    struct Exposure {
        std::int64_t nsat = 0;  ///< what we would lose
        std::int64_t unsigned_nsat = 0;
        std::int64_t limit_nsat = 0;
        Hold hold = Hold::kNone;
    };

    /// References must outlive it.
    CreditControl(Config config, LinkTable& links, FlowTable& flows, const Book& book, const KeyAlarms& alarms,
                  RouterCounters& counters);

    /// A row of table kCredit of an earlier run; false if it cannot be read.
    [[nodiscard]] bool restore(const LedgerRow& row);
    void take_rows(std::vector<LedgerRow>& rows);

    [[nodiscard]] const CreditWindow* window(const NodeId& peer) const;
    [[nodiscard]] Exposure exposure(const NodeId& peer) const;
    [[nodiscard]] std::int64_t strangers_nsat() const noexcept { return strangers_nsat_; }
    /// Nothing that costs anything is carried for it now, but for what a receipt on its way resolves.
    [[nodiscard]] bool out_of_credit(const NodeId& peer) const;
    /// The balance with this neighbour changed, or what it signed.
    void balance_changed(const NodeId& peer);

    // DataGate: of packets that leave.
    [[nodiscard]] bool may_send(NeighborId to, std::uint32_t label) const override;
    void on_sent(Instant now, NeighborId to, const FlowQueue::Packet& packet) override;
    /// A packet of this flow was queued, but the window is full.
    void on_held_back(Instant now, Flow& f) { consider_probe(now, f); }

    /// The destination has accounted for every packet up to `sequence`, arrived or lost; `exact`: its count has every
    /// byte, not only whole units.
    void resolve(Instant now, Flow& f, std::uint32_t sequence, bool exact);
    /// Counts the flow's unresolved bytes anew.
    void recount(Instant now, Flow& f);
    /// Sends the probe that is due, if its answer still matters. Does not schedule.
    void probe_if_due(Instant now, Flow& f);
    /// The flow may be forgotten: frees what it holds of a window.
    void release(const Flow& f);
    /// How much the flow may forward before its row must be written again.
    [[nodiscard]] std::uint64_t limit_for(const Flow& f) const;

    /// Once a second: gives up proofs of broken flows that can no longer come.
    void write_off_lost(Instant now);
    /// Once a second: the windows themselves.
    void sweep(Instant now);

    /// Two stations use the key that would pay for this flow, or that of the neighbour which would pass it on.
    [[nodiscard]] bool payer_alarmed(const Flow& f) const;
    [[nodiscard]] const CreditLimits& limits() const noexcept { return config_.limits; }

private:
    struct Account {
        CreditWindow window;
        std::int64_t unresolved_nsat = 0;
        std::int64_t counted_nsat = 0;       // in strangers_nsat_
        std::uint64_t stored_allowance = 0;  // of the row on disk
    };
    [[nodiscard]] Account& account(const NodeId& peer);
    [[nodiscard]] const Account* find(const NodeId& peer) const;
    [[nodiscard]] const TrustedNode* trusted(const NodeId& peer) const;
    void forfeit(Flow& f, Account& payer, std::uint64_t bytes);
    void give_back(Flow& f, Account& payer, std::uint64_t bytes);
    void recount_strangers(const NodeId& peer, Account& a);
    void consider_probe(Instant now, Flow& f);
    void write_off(Instant now, Flow& f);

    Config config_;
    LinkTable& links_;
    FlowTable& flows_;
    const Book& book_;
    const KeyAlarms& alarms_;
    RouterCounters& counters_;
    std::map<NodeId, Account> accounts_;
    std::int64_t strangers_nsat_ = 0;
    std::uint64_t strangers_unproven_ = 0;  // bytes, of gifts
    Instant gifts_at_{};
};

}  // namespace meshnet::net
