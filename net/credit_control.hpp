// SPDX-License-Identifier: MIT
// Which packets may leave on credit: counts what was forwarded and not resolved by a receipt, against the window of the
// neighbour that pays, and probes the destination when a window fills.
// Spec: docs/spec/payment.md, "Window".
#pragma once

#include <map>

#include "net/credit_window.hpp"
#include "net/flow_table.hpp"
#include "net/key_alarms.hpp"
#include "net/link_table.hpp"

namespace meshnet::net {

class CreditControl final : public DataGate {
public:
    struct Config {
        std::uint64_t initial_window_bytes = 262'144;
        std::uint64_t max_window_bytes = 16'777'216;
    };

    /// References must outlive it.
    CreditControl(Config config, LinkTable& links, FlowTable& flows, const KeyAlarms& alarms, RouterCounters& counters)
        : config_(config), links_(links), flows_(flows), alarms_(alarms), counters_(counters) {}

    /// A neighbour appeared: it gets the initial window unless it has one.
    void on_link(NeighborId link) {
        windows_.try_emplace(link, config_.initial_window_bytes, config_.max_window_bytes);
    }
    [[nodiscard]] const CreditWindow* window(NeighborId link) const;

    // DataGate: of packets that leave.
    [[nodiscard]] bool may_send(NeighborId to, std::uint32_t label) const override;
    void on_sent(Instant now, NeighborId to, const FlowQueue::Packet& packet) override;
    /// A packet of this flow was queued, but the window is full.
    void on_held_back(Instant now, Flow& f) { consider_probe(now, f); }

    /// The destination has accounted for every packet up to `sequence`, arrived or lost.
    void resolve(Instant now, Flow& f, std::uint32_t sequence);
    /// Counts the flow's unresolved bytes anew.
    void recount(Instant now, Flow& f);
    /// Sends the probe that is due, if its answer still matters. Does not schedule.
    void probe_if_due(Instant now, Flow& f);
    /// The flow may be forgotten: frees what it holds of a window.
    void release(const Flow& f);
    /// How much the flow may forward before its row must be written again.
    [[nodiscard]] std::uint64_t limit_for(const Flow& f) const {
        return f.forwarded_bytes + 4 * config_.initial_window_bytes;
    }

    /// Once a second: gives up proofs of broken flows that can no longer come.
    void write_off_lost(Instant now);
    /// Once a second: the windows themselves.
    void sweep(Instant now);

    /// Two stations use the key that would pay for this flow, or that of the neighbour which would pass it on.
    [[nodiscard]] bool payer_alarmed(const Flow& f) const;

private:
    [[nodiscard]] CreditWindow* find(NeighborId link);
    void consider_probe(Instant now, Flow& f);
    void write_off(Instant now, Flow& f);

    Config config_;
    LinkTable& links_;
    FlowTable& flows_;
    const KeyAlarms& alarms_;
    RouterCounters& counters_;
    std::map<NeighborId, CreditWindow> windows_;
};

}  // namespace meshnet::net
