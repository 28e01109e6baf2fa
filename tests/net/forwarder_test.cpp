// SPDX-License-Identifier: MIT
// The data path of one node: end 0 is the node, end 1 its neighbour on both sides.
#include <gtest/gtest.h>

#include "net/forwarder.hpp"
#include "net/ip_header.hpp"
#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {
namespace {

struct ForwarderTest : ::testing::Test {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    RouterCounters& counters = w.ends[0].counters;
    NeighborId other = w.ends[1].link;
    FlowTable flows{w.random, [](const Flow&) {}};
    KeyAlarms alarms{NodeId{}};
    Book book{1};
    CreditControl credit{{}, links, flows, book, alarms, counters};
    Outbox outbox;
    SpendBudget spend{{}};
    ReturnTraffic returns;
    Settlement settlement{{w.ends[0].identity.secrets(), links, flows, book, credit, spend, returns, outbox, counters}};
    PaymentOffers offers;
    Address own_address = w.ends[0].identity.address();
    Forwarder forwarder{{own_address, links, flows, credit, settlement, spend, returns, offers, counters}};
    Key32 key{};

    ForwarderTest() {
        w.join();
        w.ends[1].received.clear();
        key.fill(9);
    }
    Flow& add(FlowRole role) {
        Flow f;
        f.id = {static_cast<std::uint8_t>(1 + static_cast<int>(role))};
        f.role = role;
        f.prev = f.next = other;
        f.label_in = 11;
        f.label_out = 22;
        f.unit_bytes = 16'384;
        f.max_units = 10;
        f.source = w.ends[1].identity.id();
        f.key = key;
        return flows.add(w.now, std::move(f));
    }
    void data(std::uint32_t label, std::uint32_t sequence, std::uint8_t hops, const Bytes& sealed) {
        forwarder.on_data(w.now, other, {label, sequence, hops, sealed});
    }
    [[nodiscard]] Bytes packet() const {
        Bytes out;
        ByteWriter h(out);
        h.u32(6U << 28);
        h.u16(3);
        h.u8(17);
        h.u8(64);
        h.bytes(w.ends[1].identity.address());
        h.bytes(w.ends[0].identity.address());
        h.u8(1);
        h.u8(2);
        h.u8(3);
        return out;
    }
    [[nodiscard]] Bytes sealed(std::uint32_t sequence) const {
        Bytes out;
        aead_seal(key, sequence, {}, compress_ip(*parse_ip(packet())), out);
        return out;
    }
};

TEST_F(ForwarderTest, ARelaySwapsTheLabelAndCountsTheHop) {
    add(FlowRole::kRelay);
    data(11, 7, 3, Bytes(50, 4));
    w.carry();
    ASSERT_EQ(w.ends[1].received.size(), 1U);
    MessageReader reader(w.ends[1].received[0]);
    const auto m = reader.next();
    ASSERT_TRUE(m);
    const auto& d = std::get<DataMessage>(*m);
    EXPECT_EQ(d.label, 22U);
    EXPECT_EQ(d.sequence, 7U);
    EXPECT_EQ(d.hops_left, 2);
    EXPECT_EQ(Bytes(d.sealed.begin(), d.sealed.end()), Bytes(50, 4)) << "the ciphertext is untouched";
    EXPECT_EQ(counters.packets_forwarded, 1U);
    data(11, 8, 0, Bytes(50, 4));
    EXPECT_EQ(counters.dropped_hop_limit, 1U);
}

TEST_F(ForwarderTest, TheDestinationDeliversAPacketOnce) {
    add(FlowRole::kDestination);
    data(11, 1, 3, sealed(1));
    EXPECT_EQ(forwarder.poll_packet(), packet());
    EXPECT_FALSE(forwarder.poll_packet());
    data(11, 1, 3, sealed(1));
    EXPECT_EQ(counters.dropped_replay, 1U);
    Bytes changed = sealed(2);
    changed[0] ^= 1;
    data(11, 2, 3, changed);
    EXPECT_EQ(counters.dropped_auth, 1U);
    data(11, 2, 3, sealed(2));  // the forged one did not use up the number
    EXPECT_TRUE(forwarder.poll_packet());
}

TEST_F(ForwarderTest, AnUnknownOrBrokenLabelIsAnsweredWithAnError) {
    data(99, 1, 3, Bytes(50, 4));
    w.carry();
    auto messages = w.messages(1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].first, MessageType::kFlowError);
    EXPECT_EQ(FlowError::decode(messages[0].second)->label, 99U);
    Flow& f = add(FlowRole::kRelay);
    f.installing = true;
    data(11, 1, 3, Bytes(50, 4));
    w.carry();
    EXPECT_EQ(w.messages(1).size(), 1U) << "not on disk yet";
    for (int i = 0; i < 1'000; ++i) {
        data(99, 1, 3, Bytes(50, 4));
    }
    w.carry();
    EXPECT_LE(w.messages(1).size(), 20U) << "errors are limited";
}

TEST_F(ForwarderTest, BreakingAFlowDropsItsQueueAndReportsItOnce) {
    Flow& f = add(FlowRole::kRelay);
    data(11, 1, 3, Bytes(50, 4));
    forwarder.break_flow(f);
    forwarder.break_flow(f);
    w.carry();
    const auto messages = w.messages(1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].first, MessageType::kFlowError);
    EXPECT_EQ(FlowError::decode(messages[0].second)->label, 11U) << "upstream, by its label";
    EXPECT_EQ(counters.flow_errors, 1U);
}

TEST_F(ForwarderTest, ARelayWaitsASecondForItsNextHop) {
    Flow& f = add(FlowRole::kRelay);
    ASSERT_TRUE(links.down(w.now, other));
    data(11, 1, 3, Bytes(50, 4));
    EXPECT_FALSE(f.broken);
    w.now += 1s;
    data(11, 2, 3, Bytes(50, 4));
    EXPECT_TRUE(f.broken);
}

TEST_F(ForwarderTest, TheSourceNumbersItsPackets) {
    Flow& f = add(FlowRole::kSource);
    for (int i = 0; i < 3; ++i) {
        forwarder.send(w.now, f, as_bytes("payload"));
    }
    EXPECT_EQ(f.next_sequence, 3U);
    w.carry();
    ASSERT_EQ(w.ends[1].received.size(), 1U) << "bundled";
    MessageReader reader(w.ends[1].received[0]);
    for (std::uint32_t sequence = 0; sequence < 3; ++sequence) {
        const auto m = reader.next();
        ASSERT_TRUE(m);
        EXPECT_EQ(std::get<DataMessage>(*m).sequence, sequence);
        EXPECT_TRUE(aead_open(key, sequence, {}, std::get<DataMessage>(*m).sealed));
    }
}

}  // namespace
}  // namespace meshnet::net::test
