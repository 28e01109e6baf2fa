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

namespace meshnet::net {

class Settlement {
public:
    /// References must outlive it.
    Settlement(const Identity::Secrets& self, LinkTable& links, FlowTable& flows, CreditControl& credit, Outbox& outbox,
               RouterCounters& counters)
        : self_(self), links_(links), flows_(flows), credit_(credit), outbox_(outbox), counters_(counters) {}

    /// A row of table kBalance of an earlier run; false if it cannot be read.
    [[nodiscard]] bool restore(const LedgerRow& row) { return book_.restore(row); }
    /// Moves the rows of new entries and changed balances to `rows`.
    void take_rows(std::vector<LedgerRow>& rows) { book_.take(rows); }

    // Messages of neighbours, any bytes at all.
    void on_payword(Instant now, NeighborId from, ByteView body);
    void on_statement(Instant now, NeighborId from, ByteView body);
    void on_receipt_ack(Instant now, NeighborId from, ByteView body);
    void on_probe(Instant now, NeighborId from, ByteView body);
    void on_balance(Instant now, NeighborId from, ByteView body);

    /// The session with this neighbour is up: receipts and balances that it lacks are sent.
    void on_session_up(Instant now, NeighborId link);
    /// Destination: a packet of this paid flow arrived.
    void on_delivered(Instant now, Flow& f);
    /// A deadline of this flow passed (FlowTable::pop_due).
    void on_flow_timeout(Instant now, Flow& f);
    /// Balances that are due are signed.
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    [[nodiscard]] const Book& book() const noexcept { return book_; }

private:
    void consider_payword(Instant now, Flow& f);
    void make_statement(Instant now, Flow& f, std::uint32_t sequence_at_least);
    void enter(Instant now, Flow& f, const Evidence& evidence);
    void on_stored(Instant now, Flow& f, const Evidence& evidence);
    void send_receipt(Instant now, Flow& f);
    void send_evidence(const Flow& f, const Evidence& evidence);
    void balance_changed(Instant now, const NodeId& peer);
    void sign_balance(const LinkTable::Neighbor& n);

    const Identity::Secrets& self_;
    LinkTable& links_;
    FlowTable& flows_;
    CreditControl& credit_;
    Outbox& outbox_;
    RouterCounters& counters_;
    Book book_;
    std::map<NeighborId, Instant> balance_at_;  // when to sign the balance with a neighbour
};

}  // namespace meshnet::net
