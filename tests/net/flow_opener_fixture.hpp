// SPDX-License-Identifier: MIT
// One node with all that opens flows, and a neighbour played by the test.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include "net/flow_opener.hpp"
#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {

struct FlowOpenerTest : ::testing::Test {
    JoinedLinks w;
    const Identity::Secrets& self = w.ends[0].identity.secrets();
    const Identity::Secrets& peer = w.ends[1].identity.secrets();
    LinkTable& links = *w.ends[0].links;
    RouterCounters& counters = w.ends[0].counters;
    NeighborId other = w.ends[1].link;
    RouteTable routes{{}, self.certificate, self.device, 0};
    ContactBook contacts;
    FlowTable flows{w.random, [](const Flow&) {}};
    Book book{1};
    CreditControl credit{{}, links, flows, book, routes.alarms(), counters};
    Outbox outbox;
    SpendBudget spend{{}};
    ReturnTraffic returns;
    Settlement settlement{{self, links, flows, book, credit, spend, returns, outbox, counters}};
    PaymentOffers offers;
    Address own_address = w.ends[0].identity.address();
    Forwarder forwarder{{own_address, links, flows, credit, settlement, spend, returns, offers, counters}};
    UndeliverableQueue undeliverable{w.ends[0].identity.address()};
    FlowOpener opener{{},
                      {self, w.random, routes, contacts, links, flows, credit, forwarder, spend, returns, offers,
                       outbox, undeliverable, counters}};

    FlowOpenerTest() {
        w.join();
        w.ends[1].received.clear();
        outbox.add_source([this](Outbox::Rows& rows) { flows.take_rows(rows); });
    }
    /// The neighbour announces itself, so that there is a route to it.
    void announce_peer() { announce(peer, RouteMetric::origin()); }
    void announce(const Identity::Secrets& who, const RouteMetric& metric) {
        routes.neighbor_up(w.now, other, peer.id, {});
        RouteUpdate u;
        u.destination = short_id(who.id);
        u.seqno = 1;
        u.metric = metric;
        u.serial = who.certificate.serial;
        u.signature = who.device.sign(kRouteContext, RouteUpdate::signed_part(who.id, 1, u.serial));
        u.certificate = who.certificate;
        routes.on_update(w.now, other, u);
    }
    static Bytes prologue(const FlowOpen& open) {
        Bytes out;
        out.reserve(512);
        ByteWriter p(out);
        p.bytes(as_bytes("meshnet flow v1"));
        p.bytes(open.source.id());
        p.bytes(open.destination);
        p.bytes(open.nonce);
        return out;
    }
    /// An open by the neighbour for a flow to `destination`.
    FlowOpen open_by_peer(const NodeId& destination, bool payer_is_destination = false) {
        FlowOpen m;
        m.payer_is_destination = payer_is_destination;
        m.destination = destination;
        w.random.fill(m.nonce);
        m.unit_bytes = 16'384;
        m.max_units = 4;
        m.max_price = 100;
        m.source = peer.certificate;
        NoiseHandshake noise(NoisePattern::kIK, true, prologue(m), peer.exchange_secret, random_key(w.random),
                             self.certificate.exchange);
        Bytes payload(5, 0);
        EXPECT_TRUE(noise.write(payload, m.noise));
        m.signature = peer.device.sign(kOpenContext, m.signed_part());
        return m;
    }
    /// A datagram of our host to the neighbour.
    void send(std::uint8_t content) { send(peer.id, content); }
    void send(const NodeId& to, std::uint8_t content) {
        const Bytes payload(10, content);
        IpView packet;
        packet.next_header = 17;
        packet.hop_limit = 64;
        packet.payload = payload;
        opener.send(w.now, to, packet);
    }
    void receive(const FlowOpen& open) {
        const Bytes message = open.encode();
        opener.on_open(w.now, other, ByteView(message).subspan(1));
    }
    /// The answer of the neighbour, as the destination of a flow of ours.
    FlowAccept accept_by_peer(const FlowOpen& open, std::uint32_t total_price) {
        return accept_by(peer, open, total_price);
    }
    FlowAccept accept_by(const Identity::Secrets& who, const FlowOpen& open, std::uint32_t total_price) {
        NoiseHandshake noise(NoisePattern::kIK, false, prologue(open), who.exchange_secret, random_key(w.random));
        EXPECT_TRUE(noise.read(open.noise));
        FlowAccept m;
        m.label = 77;
        m.flow = open.id();
        m.total_price = total_price;
        EXPECT_TRUE(noise.write({}, m.noise));
        m.signature = who.device.sign(kAcceptContext, m.signed_part());
        return m;
    }
    std::vector<std::pair<MessageType, Bytes>> sent() {
        w.carry();
        return w.messages(1);
    }
    RejectReason rejection() {
        const auto messages = sent();
        EXPECT_EQ(messages.size(), 1U);
        const auto m = messages.empty() || messages[0].first != MessageType::kFlowReject
                           ? std::nullopt
                           : FlowReject::decode(messages[0].second);
        EXPECT_TRUE(m);
        return m ? m->reason : RejectReason{};
    }
    FlowOpen own_open() {
        const auto messages = sent();
        EXPECT_EQ(messages.size(), 1U);
        return FlowOpen::decode(messages.at(0).second).value();
    }
};

}  // namespace meshnet::net::test
