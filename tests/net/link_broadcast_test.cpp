// SPDX-License-Identifier: MIT
// Frames to everybody, and links that the link layer cannot get anything through.
#include <gtest/gtest.h>

#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {
namespace {

std::optional<OutFrame> poll_broadcast(JoinedLinks& w, std::size_t from) {
    return w.ends[from].links->poll_transmit(w.now, kBroadcast, 1'500, w.ends[from].gate);
}

/// The keys that each end gives the other go through what JoinedLinks keeps of the plaintexts.
void exchange_keys(JoinedLinks& w) {
    for (std::size_t i = 0; i < 2; ++i) {
        for (const auto& [type, body] : w.messages(i)) {
            if (type == MessageType::kBroadcastKey) {
                EXPECT_TRUE(w.ends[i].links->on_broadcast_key(w.ends[1 - i].link, body));
            }
        }
    }
}

TEST(LinkBroadcast, ReachesANeighbourOnceAndUnchanged) {
    JoinedLinks w;
    w.join();
    exchange_keys(w);
    w.ends[0].links->broadcast_control(ReceiptAck{7, 8}.encode());
    w.ends[0].links->broadcast_control(ReceiptAck{9, 10}.encode());
    EXPECT_EQ(w.ends[0].links->pending(w.ends[0].gate), std::vector<NeighborId>{kBroadcast});
    const auto frame = poll_broadcast(w, 0);
    ASSERT_TRUE(frame);
    EXPECT_TRUE(frame->open);
    EXPECT_FALSE(poll_broadcast(w, 0)) << "both went in one";
    const auto heard = w.ends[1].links->on_frame(w.now, w.ends[0].link, frame->bytes);
    ASSERT_TRUE(heard.plain);
    EXPECT_TRUE(heard.broadcast);
    MessageReader reader(*heard.plain);
    const auto first = reader.next();
    const auto second = reader.next();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(std::get<ControlMessage>(*first).type, MessageType::kReceiptAck);
    EXPECT_FALSE(w.ends[1].links->on_frame(w.now, w.ends[0].link, frame->bytes).plain);
    EXPECT_EQ(w.ends[1].counters.dropped_replay, 1U);
}

TEST(LinkBroadcast, AnyChangedByteIsRefused) {
    JoinedLinks w;
    w.join();
    exchange_keys(w);
    w.ends[0].links->broadcast_control(ReceiptAck{7, 8}.encode());
    const auto frame = poll_broadcast(w, 0);
    ASSERT_TRUE(frame);
    for (std::size_t i = 0; i < frame->bytes.size(); ++i) {
        Bytes changed = frame->bytes;
        changed[i] ^= 0x10;
        EXPECT_FALSE(w.ends[1].links->on_frame(w.now, w.ends[0].link, changed).plain) << i;
    }
    EXPECT_TRUE(w.ends[1].links->on_frame(w.now, w.ends[0].link, frame->bytes).plain);
}

// Another neighbour has the same key: it can seal, but not sign.
TEST(LinkBroadcast, WhoHoldsTheKeyCannotWriteForTheSender) {
    Rng rng(5);
    const Identity sender = Identity::generate(rng);
    const Identity other = Identity::generate(rng);
    LinkBroadcast genuine(sender.secrets().device, rng);
    BroadcastReceiver receiver;
    const Bytes key = genuine.key_message();
    ASSERT_TRUE(LinkBroadcast::on_key(ByteView(key).subspan(1), receiver));
    Key32 stolen = *receiver.key;
    Bytes frame{LinkBroadcast::kType, 0, 0, 0, 9};
    const Signature signature = other.secrets().device.sign("meshnet broadcast v2", key);
    Bytes plain(signature.begin(), signature.end());
    plain.push_back(1);
    aead_seal(stolen, 9, Bytes(frame), plain, frame);
    const Instant now = instant_from_ns(1'000'000'000);
    const auto opened = LinkBroadcast::open(now, frame, sender.secrets().certificate.signing, receiver);
    EXPECT_EQ(opened.refusal, LinkBroadcast::Refusal::kForged);
    ASSERT_TRUE(genuine.push({1}));
    const auto real = genuine.poll(1'500);
    ASSERT_TRUE(real);
    EXPECT_EQ(LinkBroadcast::open(now, *real, sender.secrets().certificate.signing, receiver).refusal,
              LinkBroadcast::Refusal::kNone);
}

TEST(LinkTable, FramesGivenUpMakeANewSessionThenTakeTheLinkDown) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId other = w.ends[1].link;
    EXPECT_FALSE(links.on_frame_done(w.now, other, false));
    EXPECT_FALSE(links.on_frame_done(w.now, other, true));
    EXPECT_FALSE(links.on_frame_done(w.now, other, false));
    EXPECT_FALSE(links.find(other)->peer->handshake_pending());
    EXPECT_FALSE(links.on_frame_done(w.now, other, false));
    EXPECT_TRUE(links.find(other)->peer->handshake_pending()) << "two in a row";
    EXPECT_TRUE(links.on_frame_done(w.now, other, false)) << "three";
    EXPECT_FALSE(links.reachable(other));
    w.carry();
    EXPECT_TRUE(links.reachable(other)) << "the new session repairs it";
    EXPECT_EQ(w.ends[0].sessions, 2);
}

TEST(LinkTable, ANodeUnderANewNumberLeavesItsOldOne) {
    JoinedLinks w;
    w.join();
    LinkTable& links = *w.ends[0].links;
    const NeighborId old = w.ends[1].link;
    EXPECT_EQ(links.link_of(w.ends[1].identity.id()), old);
    EXPECT_TRUE(links.down(w.now, old));
    EXPECT_NE(links.find(old), nullptr) << "it may come back";
    w.now += 1s;
    w.ends[1].link = old + 1;
    w.ends[1].links = std::make_unique<LinkTable>(LinkTable::Config{}, w.ends[1].identity.secrets(), old + 1, w.random,
                                                  w.ends[1].counters);
    w.join();
    EXPECT_EQ(links.link_of(w.ends[1].identity.id()), old + 1);
    EXPECT_EQ(links.find(old), nullptr);
    bool forgotten = false;
    while (const auto change = links.poll_link_key()) {
        forgotten = forgotten || (change->link == old && !change->keys);
    }
    EXPECT_TRUE(forgotten) << "the link layer forgets its keys";
}

}  // namespace
}  // namespace meshnet::net::test
