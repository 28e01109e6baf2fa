// SPDX-License-Identifier: MIT
// The money of one node: evidence of delivery is checked, booked, stored, and only then shown to others; balances with
// neighbours are signed.
// Spec: docs/spec/payment.md, "Receipts" and "Balances".
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "net/credit_control.hpp"
#include "net/flow_table.hpp"
#include "net/identity_secrets.hpp"
#include "net/link_table.hpp"
#include "net/outbox.hpp"
#include "net/payment/book.hpp"
#include "net/return_traffic.hpp"
#include "net/spend_budget.hpp"

namespace meshnet::net {

class Settlement {
public:
    /// The other parts of the router that settling needs. They must outlive it.
    struct Parts {
        const Identity::Secrets& self;
        LinkTable& links;
        FlowTable& flows;
        Book& book;
        CreditControl& credit;
        SpendBudget& spend;
        ReturnTraffic& returns;
        Outbox& outbox;
        RouterCounters& counters;
    };
    explicit Settlement(const Parts& parts)
        : self_(parts.self),
          links_(parts.links),
          flows_(parts.flows),
          book_(parts.book),
          credit_(parts.credit),
          spend_(parts.spend),
          returns_(parts.returns),
          outbox_(parts.outbox),
          counters_(parts.counters) {}

    // Messages of neighbours, any bytes at all.
    void on_payword(Instant now, NeighborId from, ByteView body);
    void on_statement(Instant now, NeighborId from, ByteView body);
    void on_receipt_ack(Instant now, NeighborId from, ByteView body);
    void on_probe(Instant now, NeighborId from, ByteView body);
    /// True if it is a newer one, and genuine.
    bool on_balance(Instant now, NeighborId from, ByteView body);
    void on_balance_echo(Instant now, NeighborId from, ByteView body);

    /// The session with this neighbour is up: receipts and balances that it lacks are sent.
    void on_session_up(Instant now, NeighborId link);
    /// Destination: a packet of this flow arrived.
    void on_delivered(Instant now, Flow& f);
    /// Destination: true if we pay for `bytes` more of this flow, or another does.
    [[nodiscard]] bool pays_for(Instant now, const Flow& f, std::uint64_t bytes) const;
    /// A deadline of this flow passed (FlowTable::pop_due).
    void on_flow_timeout(Instant now, Flow& f);
    /// Entries with this neighbour are booked: a balance is signed soon if we owe more, else later.
    void balance_changed(Instant now, const NodeId& peer);
    /// Balances that are due are signed.
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

private:
    void consider_payword(Instant now, Flow& f);
    void make_statement(Instant now, Flow& f, std::uint32_t sequence_at_least);
    void enter(Instant now, Flow& f, const Evidence& evidence);
    void on_stored(Instant now, Flow& f, const Evidence& evidence);
    void send_receipt(Instant now, Flow& f);
    void send_evidence(const Flow& f, const Evidence& evidence);
    void sign_balance(const NodeId& peer);
    void send_balance(NeighborId link, const NodeId& peer);
    [[nodiscard]] bool follows(Instant now, NeighborId from, const Flow& f, const PaywordReceipt& m);
    void accept(Instant now, Flow& f, const Evidence& evidence);
    void restore_from(Instant now, NeighborId from, const BalanceMessage& theirs, const BalanceMessage& echo);

    const Identity::Secrets& self_;
    LinkTable& links_;
    FlowTable& flows_;
    Book& book_;
    CreditControl& credit_;
    SpendBudget& spend_;
    ReturnTraffic& returns_;
    Outbox& outbox_;
    RouterCounters& counters_;
    std::map<NodeId, Instant> balance_at_;   // when to sign the balance with a neighbour
    std::map<NodeId, BalanceMessage> lost_;  // of those who have proof that we lost what we had signed: that proof
};

}  // namespace meshnet::net
