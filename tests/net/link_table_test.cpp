// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <variant>

#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {
namespace {

FlowQueue::Packet packet(const JoinedLinks& w, std::uint32_t label, std::uint32_t sequence, std::size_t size = 100) {
    FlowQueue::Packet p;
    p.label = label;
    p.sequence = sequence;
    p.hops_left = 5;
    p.sealed.assign(size, 0x11);
    p.queued = w.now;
    return p;
}

TEST(LinkTable, ALinkIsReachableOnceItsSessionIsUp) {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    EXPECT_EQ(links.find(other), nullptr);
    EXPECT_EQ(links.up(w.now, other, {}), LinkTable::Up::kStarting);
    EXPECT_FALSE(links.reachable(other));
    EXPECT_EQ(links.up(w.now, other, {}), LinkTable::Up::kWasUp);
    w.join();
    EXPECT_TRUE(links.reachable(other));
    EXPECT_EQ(links.find(other)->id, w.ends[1].identity.id());
    EXPECT_EQ(w.ends[0].sessions, 1);
    EXPECT_EQ(w.ends[1].sessions, 1);
    EXPECT_EQ(w.ends[0].counters.handshakes, 1U);
}

TEST(LinkTable, NobodyIsItsOwnNeighbour) {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    for (const NeighborId id : {NeighborId{0}, kBroadcast, w.ends[0].link}) {
        EXPECT_EQ(links.up(w.now, id, {}), LinkTable::Up::kIgnored);
    }
    EXPECT_TRUE(links.neighbors().empty());
}

TEST(LinkTable, TheTableIsBounded) {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    for (NeighborId id = 1; id < 1'000; ++id) {
        (void)links.up(w.now, id, {});
    }
    EXPECT_EQ(links.neighbors().size(), LinkTable::kMaxStrangers) << "who has not proven anything";
}

TEST(LinkTable, TheSessionOutlivesAShortGap) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    EXPECT_TRUE(links.down(w.now, other));
    EXPECT_FALSE(links.down(w.now, other));
    EXPECT_FALSE(links.reachable(other));
    EXPECT_FALSE(links.lost(w.now, other)) << "a next hop may be gone for a second";
    EXPECT_TRUE(links.lost(w.now + 1s, other));
    EXPECT_TRUE(links.lost(w.now, 12'345)) << "never seen";
    EXPECT_EQ(links.up(w.now, other, {}), LinkTable::Up::kSession);
    EXPECT_TRUE(links.reachable(other));
}

TEST(LinkTable, ControlIsDroppedWithoutASession) {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    links.send_control(other, {1, 2, 3});  // unknown neighbour
    (void)links.up(w.now, other, {});
    links.send_control(other, {1, 2, 3});  // no session
    w.join();
    w.ends[1].received.clear();
    links.send_control(other, ReceiptAck{7, 8}.encode());
    w.carry();
    const auto messages = w.messages(1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].first, MessageType::kReceiptAck);
}

TEST(LinkTable, AFrameHoldsOneClassAndControlGoesFirst) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    ASSERT_TRUE(links.push(other, FlowClass::kBulk, packet(w, 1, 10)));
    ASSERT_TRUE(links.push(other, FlowClass::kBulk, packet(w, 1, 11)));
    ASSERT_TRUE(links.push(other, FlowClass::kInteractive, packet(w, 2, 20)));
    links.send_control(other, ReceiptAck{7, 8}.encode());
    EXPECT_EQ(links.pending(w.ends[0].gate), std::vector<NeighborId>{other});
    for (const Priority expected : {Priority::kControl, Priority::kInteractive, Priority::kBulk}) {
        const auto frame = w.poll(0);
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->priority, expected);
    }
    EXPECT_EQ(w.ends[0].gate.sent, (std::vector<std::uint32_t>{20, 10, 11})) << "the gate learns of every packet";
    EXPECT_FALSE(w.poll(0));
    EXPECT_TRUE(links.pending(w.ends[0].gate).empty());
}

LinkTable::Config padded() {
    LinkTable::Config config;
    config.pad_frames = true;
    return config;
}

// What a listener sees of a packet is one of few sizes, and what arrives is the packet.
TEST(LinkTable, PaddedFramesHaveFewSizes) {
    JoinedLinks w(padded());
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    std::set<std::size_t> sizes;
    std::size_t sent = 0, needed = 0;
    for (std::size_t size = 60; size <= 1'450; ++size) {
        w.ends[1].received.clear();
        const std::uint64_t before = w.ends[0].counters.padding_bytes_sent;
        ASSERT_TRUE(links.push(other, FlowClass::kBulk, packet(w, 1, static_cast<std::uint32_t>(2 * size), size)));
        const auto frame = w.poll(0);
        ASSERT_TRUE(frame);
        sizes.insert(frame->bytes.size());
        sent += frame->bytes.size();
        needed += frame->bytes.size() - (w.ends[0].counters.padding_bytes_sent - before);
        w.deliver(1, frame->bytes);
        ASSERT_EQ(w.ends[1].received.size(), 1U);
        MessageReader reader(w.ends[1].received[0]);
        const auto message = reader.next();
        ASSERT_TRUE(message);
        const auto* data = std::get_if<DataMessage>(&*message);
        ASSERT_NE(data, nullptr);
        EXPECT_EQ(data->sealed.size(), size);
        while (const auto more = reader.next()) {
            const auto* control = std::get_if<ControlMessage>(&*more);
            ASSERT_NE(control, nullptr);
            EXPECT_EQ(control->type, MessageType::kKeepalive);
        }
        EXPECT_FALSE(reader.malformed());
    }
    EXPECT_EQ(sizes, (std::set<std::size_t>{128, 192, 256, 384, 512, 768, 1024, 1536}));
    EXPECT_LT(static_cast<double>(sent) / static_cast<double>(needed), 1.25) << "what docs/spec/net.md says it costs";
}

TEST(LinkTable, PaddingKeepsWithinTheRoomOfTheLinkLayer) {
    JoinedLinks w(padded());
    w.join();
    LinkTable& links = *w.ends[0].links;
    for (std::size_t room = 140; room < 300; ++room) {
        ASSERT_TRUE(links.push(w.ends[1].link, FlowClass::kBulk, packet(w, 1, static_cast<std::uint32_t>(2 * room))));
        const auto frame = w.poll(0, room);
        ASSERT_TRUE(frame);
        EXPECT_LE(frame->bytes.size(), room);
        EXPECT_GE(frame->bytes.size(), std::min<std::size_t>(room, 192) - 3);
    }
    EXPECT_EQ(padded_frame_bytes(1), 128U);
    EXPECT_EQ(padded_frame_bytes(128), 128U);
    EXPECT_EQ(padded_frame_bytes(129), 192U);
    EXPECT_EQ(padded_frame_bytes(6'145), kMaxFrameBytes);
    EXPECT_EQ(padded_frame_bytes(8'000), 8'000U);
    EXPECT_EQ(padded_frame_bytes(9'000), 9'000U) << "never shorter than what is needed";
}

TEST(LinkTable, PacketsOfAClosedGateWait) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    w.ends[0].gate.open = false;
    ASSERT_TRUE(links.push(w.ends[1].link, FlowClass::kBulk, packet(w, 1, 10)));
    EXPECT_TRUE(links.pending(w.ends[0].gate).empty());
    EXPECT_FALSE(w.poll(0));
    w.ends[0].gate.open = true;
    EXPECT_TRUE(w.poll(0));
    ASSERT_TRUE(links.push(w.ends[1].link, FlowClass::kBulk, packet(w, 1, 11)));
    links.drop_flow(w.ends[1].link, 1);
    EXPECT_FALSE(w.poll(0));
}

TEST(LinkTable, RefusedFramesAreCountedByReason) {
    JoinedLinks w;
    w.join();
    w.ends[0].links->send_control(w.ends[1].link, ReceiptAck{1, 2}.encode());
    const auto frame = w.poll(0);
    ASSERT_TRUE(frame);
    w.deliver(1, frame->bytes);
    w.deliver(1, frame->bytes);
    EXPECT_EQ(w.ends[1].counters.dropped_replay, 1U);
    Bytes changed = frame->bytes;
    changed.back() ^= 1;
    w.deliver(1, changed);
    EXPECT_EQ(w.ends[1].counters.dropped_auth, 1U);
    w.deliver(1, {});
    EXPECT_EQ(w.ends[1].counters.dropped_malformed, 1U);
    EXPECT_FALSE(w.ends[1].links->on_frame(w.now, 999, frame->bytes).plain) << "from somebody who is no neighbour";
    EXPECT_EQ(w.ends[1].counters.dropped_auth, 2U);
}

TEST(LinkTable, AClosedFleetAdmitsItsListOnly) {
    LinkTable::Config config;
    config.closed_fleet = {NodeId{1, 2, 3}};
    JoinedLinks w(config);
    w.join();
    EXPECT_FALSE(w.ends[0].links->reachable(w.ends[1].link));
    EXPECT_GT(w.ends[0].counters.handshakes_refused + w.ends[1].counters.handshakes_refused, 0U);
}

TEST(LinkTable, KeysChangeByCountAndAfterSilence) {
    LinkTable::Config config;
    config.rekey_after_frames = 16;
    JoinedLinks w(config);
    w.join();
    for (int i = 0; i < 40; ++i) {
        w.ends[0].links->send_control(w.ends[1].link, ReceiptAck{1, 2}.encode());
        w.advance(10ms);
    }
    EXPECT_GT(w.ends[0].counters.handshakes, 1U);
    const auto before = w.ends[1].counters.handshakes;
    w.advance(41s);
    EXPECT_GT(w.ends[1].counters.handshakes, before);
    ASSERT_TRUE(w.ends[0].links->next_timeout());
}

TEST(LinkTable, EachKindOfUnverifiedWorkHasItsOwnLimit) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    const auto burst = [&](LinkTable::Effort effort) {
        int n = 0;
        while (links.within_limit(w.now, other, effort)) {
            ++n;
        }
        return n;
    };
    EXPECT_EQ(burst(LinkTable::Effort::kOpen), 40);
    EXPECT_EQ(burst(LinkTable::Effort::kAnswer), 20);
    EXPECT_EQ(burst(LinkTable::Effort::kBalance), 10);
    EXPECT_EQ(burst(LinkTable::Effort::kHash), 8'192) << "about 2.5 ms";
    EXPECT_FALSE(links.within_limit(w.now + 100ms, other, LinkTable::Effort::kHash, 8'192)) << "only as a whole";
    w.now += 1s;
    EXPECT_EQ(burst(LinkTable::Effort::kOpen), 4);
    EXPECT_EQ(burst(LinkTable::Effort::kAnswer), 20);
    EXPECT_EQ(burst(LinkTable::Effort::kBalance), 5);
    EXPECT_FALSE(links.within_limit(w.now, 999, LinkTable::Effort::kOpen));
}

}  // namespace
}  // namespace meshnet::net::test
