// SPDX-License-Identifier: MIT
// Opening flows at one node, message by message: end 0 is the node, end 1 its neighbour, played by the test.
#include <gtest/gtest.h>

#include "tests/net/flow_opener_fixture.hpp"

namespace meshnet::net::test {
namespace {

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
