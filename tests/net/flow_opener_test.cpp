// SPDX-License-Identifier: MIT
// Opening flows at one node, message by message: end 0 is the node, end 1 its neighbour, played by the test.
#include <gtest/gtest.h>

#include "net/flow_opener.hpp"
#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {
namespace {

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

TEST_F(FlowOpenerTest, AFlowToUsIsAcceptedAndALostAnswerRepeated) {
    const FlowOpen open = open_by_peer(self.id);
    receive(open);
    const auto first = sent();
    ASSERT_EQ(first.size(), 1U);
    ASSERT_EQ(first[0].first, MessageType::kFlowAccept);
    const auto accept = FlowAccept::decode(first[0].second);
    ASSERT_TRUE(accept);
    EXPECT_TRUE(verify(self.device.public_key(), kAcceptContext, accept->signed_part(), accept->signature));
    EXPECT_NE(flows.by_label_in(other, accept->label), nullptr);
    receive(open);
    const auto second = sent();
    ASSERT_EQ(second.size(), 1U);
    EXPECT_EQ(second[0].second, first[0].second);
    EXPECT_EQ(flows.size(), 1U);
    EXPECT_EQ(counters.flows_opened, 1U);
}

TEST_F(FlowOpenerTest, EveryRefusalHasItsReason) {
    FlowOpen forged = open_by_peer(self.id);
    forged.signature[3] ^= 1;
    receive(forged);
    EXPECT_EQ(rejection(), RejectReason::kRefused);

    FlowOpen expensive = open_by_peer(self.id);
    expensive.price_so_far = 101;  // not signed: relays add to it
    receive(expensive);
    EXPECT_EQ(rejection(), RejectReason::kPrice);

    receive(open_by_peer(self.id, true));
    EXPECT_EQ(rejection(), RejectReason::kNotOffered);

    receive(open_by_peer(NodeId{7}));
    EXPECT_EQ(rejection(), RejectReason::kPrice) << "our own price is above its limit";
    opener.set_price(0);
    receive(open_by_peer(NodeId{7}));
    EXPECT_EQ(rejection(), RejectReason::kNoRoute);
    announce_peer();
    receive(open_by_peer(peer.id));
    EXPECT_EQ(rejection(), RejectReason::kNoRoute) << "the only way is where it came from";
    EXPECT_EQ(counters.flows_refused, 6U);
    EXPECT_TRUE(flows.empty());
    opener.on_open(w.now, other, {});
    EXPECT_EQ(counters.dropped_malformed, 1U);
}

TEST_F(FlowOpenerTest, PacketsWaitForTheFlowAndThenLeaveInOrder) {
    announce_peer();
    for (int i = 0; i < 3; ++i) {
        send(static_cast<std::uint8_t>(i));
    }
    const FlowOpen open = own_open();  // one open for all
    EXPECT_EQ(open.destination, peer.id);
    const Bytes accept = accept_by_peer(open, 0).encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    const Flow* f = flows.find(open.id());
    ASSERT_NE(f, nullptr);
    EXPECT_FALSE(f->installing) << "nothing to pay, nothing to store";
    EXPECT_EQ(f->next_sequence, 3U);
    EXPECT_FALSE(opener.idle());
}

TEST_F(FlowOpenerTest, APaidFlowIsUsedOnceItIsOnDisk) {
    const Identity far = Identity::generate(w.random);
    announce(far.secrets(), {1'000, 500, 1, 1});
    send(far.id(), 1);
    const FlowOpen open = own_open();
    EXPECT_EQ(open.max_price, 700U) << "what was advertised, a fifth, and 100 msat";
    const Bytes accept = accept_by(far.secrets(), open, 500).encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    const Flow* f = flows.find(open.id());
    ASSERT_NE(f, nullptr);
    EXPECT_TRUE(f->installing);
    EXPECT_EQ(f->next_sequence, 0U);
    const auto batch = outbox.poll();
    ASSERT_TRUE(batch);
    EXPECT_EQ(f->next_sequence, 0U);
    outbox.persisted(w.now, batch->number);
    EXPECT_FALSE(f->installing);
    EXPECT_EQ(f->next_sequence, 1U);
}

TEST_F(FlowOpenerTest, ADestinationThatChargesForReceivingIsRefused) {
    announce_peer();
    send(1);
    const Bytes accept = accept_by_peer(own_open(), 1).encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    EXPECT_TRUE(flows.empty()) << "there is no relay between, so nothing to pay";
    EXPECT_EQ(counters.flows_refused_total, 1U);
}

TEST_F(FlowOpenerTest, AnAcceptAboveTheLimitOrForgedIsRefused) {
    announce_peer();
    send(1);
    const FlowOpen open = own_open();
    Bytes accept = accept_by_peer(open, open.max_price + 1).encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    FlowAccept forged = accept_by_peer(open, 0);
    forged.total_price = 1;
    accept = forged.encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    EXPECT_TRUE(flows.empty());
    EXPECT_EQ(counters.flows_refused, 2U);
}

TEST_F(FlowOpenerTest, AnUnansweredOpenIsRepeatedFourTimesAndPacketsGrowOld) {
    announce_peer();
    send(1);
    FlowId first = own_open().id();
    int repeats = 0;
    for (int i = 0; i < 27; ++i) {
        w.now += 100ms;
        opener.on_timeout(w.now);
        for (const auto& [type, body] : sent()) {
            repeats += type == MessageType::kFlowOpen && FlowOpen::decode(body)->id() == first ? 1 : 0;
        }
    }
    EXPECT_EQ(repeats, 3);
    EXPECT_EQ(counters.flows_refused, 0U);
    w.now += 1s;
    opener.on_timeout(w.now);
    EXPECT_EQ(counters.flows_refused, 1U);
    EXPECT_EQ(counters.dropped_old, 1U);
    EXPECT_EQ(opener.openings(), 0U);
    opener.sweep(w.now + 600s);
    EXPECT_TRUE(opener.idle());
}

TEST_F(FlowOpenerTest, AFlowErrorOpensItAgain) {
    announce_peer();
    send(1);
    const FlowOpen open = own_open();
    const Bytes accept = accept_by_peer(open, 0).encode();
    opener.on_accept(w.now, other, ByteView(accept).subspan(1));
    (void)sent();
    w.now += 1s;
    const Bytes error = FlowError{77}.encode();
    opener.on_flow_error(w.now, other, ByteView(error).subspan(1));
    EXPECT_TRUE(flows.find(open.id())->broken);
    EXPECT_NE(own_open().id(), open.id());
}

}  // namespace
}  // namespace meshnet::net::test
