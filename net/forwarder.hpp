// SPDX-License-Identifier: MIT
// The data path: packets of flows are sealed at the source, forwarded by label at relays, opened and delivered at the
// destination. Spec: docs/spec/net.md, "Data".
#pragma once

#include <deque>
#include <optional>

#include "core/bytes.hpp"
#include "net/credit_control.hpp"
#include "net/flow_table.hpp"
#include "net/link_table.hpp"
#include "net/payment_offers.hpp"
#include "net/settlement.hpp"

namespace meshnet::net {

class Forwarder {
public:
    /// The other parts of the router that the data path needs. They must outlive it.
    struct Parts {
        const Address& own_address;
        LinkTable& links;
        FlowTable& flows;
        CreditControl& credit;
        Settlement& settlement;
        SpendBudget& spend;
        ReturnTraffic& returns;
        PaymentOffers& offers;
        RouterCounters& counters;
    };
    explicit Forwarder(const Parts& parts)
        : own_address_(parts.own_address),
          links_(parts.links),
          flows_(parts.flows),
          credit_(parts.credit),
          settlement_(parts.settlement),
          spend_(parts.spend),
          returns_(parts.returns),
          offers_(parts.offers),
          counters_(parts.counters) {}

    /// A packet that a neighbour sent. An unknown label, or one whose flow is broken, is answered with FLOW_ERROR.
    void on_data(Instant now, NeighborId from, const DataMessage& data);
    /// Seals a compressed packet of our own host and queues it. Precondition: we are the source of `f`, and numbers are
    /// left (kLastSequence).
    void send(Instant now, Flow& f, ByteView plain);
    /// No more packets for this flow: its queue is dropped, and a relay reports it upstream. Receipts are still
    /// settled.
    void break_flow(Flow& f);

    /// A flow never uses a number twice: its nonces would repeat.
    static constexpr std::uint32_t kLastSequence = 0xFFFF'FFFE;

    [[nodiscard]] std::optional<Bytes> poll_packet();  ///< an IP packet for our own host

private:
    void deliver(Instant now, Flow& f, const DataMessage& data);
    void queue(Instant now, Flow& f, FlowQueue::Packet packet);

    Address own_address_;
    LinkTable& links_;
    FlowTable& flows_;
    CreditControl& credit_;
    Settlement& settlement_;
    SpendBudget& spend_;
    ReturnTraffic& returns_;
    PaymentOffers& offers_;
    RouterCounters& counters_;
    std::deque<Bytes> to_host_;
};

}  // namespace meshnet::net
