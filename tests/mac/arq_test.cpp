// SPDX-License-Identifier: MIT
// Selective repeat: one sender, one receiver, a lossy road between, in order, once each, and honest about what was
// given up.
#include <gtest/gtest.h>

#include <map>

#include "mac/arq_receiver.hpp"
#include "mac/arq_sender.hpp"

namespace meshnet::mac {
namespace {

constexpr Instant kNow = instant_from_ns(1'000'000'000);

struct Road {
    explicit Road(std::uint64_t seed, std::uint16_t session = 1) : random(seed), sender(session, 1s) {}

    void push(std::uint64_t tag, std::size_t size, Priority priority = Priority::kBulk) {
        Sdu sdu;
        sdu.tag = tag;
        sdu.priority = priority;
        sdu.bytes.assign(size, static_cast<std::uint8_t>(tag * 7 + 1));
        sdu.bytes[0] = static_cast<std::uint8_t>(tag);
        sender.push(kNow, std::move(sdu));
    }
    /// One burst and its acknowledgement. True if anything was sent.
    bool turn(std::size_t budget, double fragment_loss, double ack_loss) {
        std::vector<FragmentView> views;
        ++burst;
        sender.take(kNow, budget, 500, 0, burst, 3, views);
        if (views.empty()) {
            return false;
        }
        receiver.on_target({9, sender.session(), sender.floor()}, got);
        for (const FragmentView& v : views) {
            if (random.uniform() >= fragment_loss) {
                receiver.on_fragment(v, got);
            }
        }
        BlockAck ack;
        ack.burst = burst;
        receiver.fill(ack);
        if (random.uniform() >= ack_loss) {
            sender.on_ack(kNow, ack);
        } else {
            sender.on_silence(burst);
        }
        while (const auto done = sender.poll_done()) {
            fates[done->tag] += 1;
            delivered += done->delivered ? 1 : 0;
        }
        return true;
    }

    Rng random;
    ArqSender sender;
    ArqReceiver receiver;
    std::uint8_t burst = 0;
    std::vector<Sdu> got;
    std::map<std::uint64_t, int> fates;
    std::size_t delivered = 0;
};

TEST(MacArq, InOrderOnceEachThroughLosses) {
    for (const double loss : {0.0, 0.1, 0.3, 0.5}) {
        Road r(11);
        for (std::uint64_t tag = 0; tag < 200; ++tag) {
            r.push(tag, 1 + (tag * 397) % 4'000, tag % 5 == 0 ? Priority::kInteractive : Priority::kBulk);
        }
        int turns = 0;
        while (r.turn(6'000, loss, loss / 2) && ++turns < 5'000) {
        }
        EXPECT_EQ(r.fates.size(), 200U);
        for (const auto& [tag, count] : r.fates) {
            EXPECT_EQ(count, 1) << tag;
        }
        EXPECT_EQ(r.sender.held_bytes(), 0U);
        EXPECT_FALSE(r.sender.ready());
        std::array<int, 3> last{-1, -1, -1};
        for (const Sdu& s : r.got) {
            int& before = last[static_cast<std::size_t>(s.priority)];
            EXPECT_GT(static_cast<int>(s.bytes[0]), before);
            before = s.bytes[0];
            EXPECT_EQ(s.bytes.size(), 1 + (std::size_t{s.bytes[0]} * 397) % 4'000);
        }
        EXPECT_GE(r.got.size(), r.delivered);
        if (loss <= 0.3) {
            EXPECT_EQ(r.delivered, 200U) << loss;
        }
    }
}

TEST(MacArq, NumbersWrapWithoutHarm) {
    Road r(12);
    std::uint64_t tag = 0;
    std::size_t received = 0;
    for (int round = 0; round < 700; ++round) {  // 140 000 fragments: the 16 bits wrap twice
        for (int k = 0; k < 20; ++k) {
            r.push(tag++, 5'000);
        }
        while (r.turn(60'000, 0.02, 0.02)) {
        }
        received += r.got.size();
        r.got.clear();
        r.fates.clear();
    }
    EXPECT_EQ(received, tag);
    EXPECT_EQ(r.delivered, tag);
}

TEST(MacArq, WhatIsGivenUpLetsTheRestGo) {
    Road r(13);
    r.push(1, 400);
    r.push(2, 400);
    // The first fragment never arrives; the second does at once, and waits.
    for (unsigned k = 0; k < ArqSender::kMaxTries; ++k) {
        std::vector<FragmentView> views;
        ++r.burst;
        r.sender.take(kNow, 10'000, 500, 0, r.burst, 0, views);
        r.receiver.on_target({9, r.sender.session(), r.sender.floor()}, r.got);
        for (const auto& v : views) {
            if (v.sdu != 0) {
                r.receiver.on_fragment(v, r.got);
            }
        }
        EXPECT_TRUE(r.got.empty());
        BlockAck ack;
        ack.burst = r.burst;
        r.receiver.fill(ack);
        r.sender.on_ack(kNow, ack);
    }
    std::map<std::uint64_t, bool> fate;
    while (const auto done = r.sender.poll_done()) {
        fate[done->tag] = done->delivered;
    }
    EXPECT_FALSE(fate.at(1));
    EXPECT_TRUE(fate.at(2));
    r.push(3, 100);
    EXPECT_TRUE(r.turn(10'000, 0.0, 0.0));
    ASSERT_EQ(r.got.size(), 2U);
    EXPECT_EQ(r.got[0].bytes[0], 2);
    EXPECT_EQ(r.got[1].bytes[0], 3);
}

TEST(MacArq, ALostAcknowledgementCostsDuplicatesNotDeliveries) {
    Road r(14);
    r.push(1, 2'000);
    EXPECT_TRUE(r.turn(10'000, 0.0, 1.1));
    EXPECT_EQ(r.got.size(), 1U);
    EXPECT_TRUE(r.turn(10'000, 0.0, 0.0));
    EXPECT_EQ(r.got.size(), 1U);
    EXPECT_EQ(r.receiver.duplicates(), 4U);
    EXPECT_EQ(r.sender.retransmissions(), 4U);
    EXPECT_EQ(r.delivered, 1U);
}

TEST(MacArq, ARestartSendsAllAgainInANewSession) {
    Road r(15, 0xFFFF);
    for (std::uint64_t tag = 0; tag < 5; ++tag) {
        r.push(tag, 1'200);
    }
    EXPECT_TRUE(r.turn(2'000, 0.0, 0.0));
    r.receiver.reset();
    r.got.clear();
    const std::size_t before = r.delivered;
    r.sender.restart();
    EXPECT_EQ(r.sender.session(), 0);
    while (r.turn(4'000, 0.1, 0.0)) {
    }
    EXPECT_EQ(r.delivered, 5U);
    EXPECT_EQ(r.got.size(), 5 - before);
    for (std::size_t i = 1; i < r.got.size(); ++i) {
        EXPECT_GT(r.got[i].bytes[0], r.got[i - 1].bytes[0]);
    }
    r.push(77, 100);
    r.sender.flush();
    const auto done = r.sender.poll_done();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->tag, 77U);
    EXPECT_FALSE(done->delivered);
    EXPECT_EQ(r.sender.held_bytes(), 0U);
}

TEST(MacArq, BurstsThatWereLateAreNotCountedAsTries) {
    Road r(16);
    r.push(1, 400);
    for (int k = 0; k < 100; ++k) {
        std::vector<FragmentView> views;
        r.sender.take(kNow, 1'000, 500, 0, 1, 0, views);
        ASSERT_EQ(views.size(), 1U);
        r.sender.on_not_sent(1);
    }
    EXPECT_FALSE(r.sender.poll_done());
    EXPECT_TRUE(r.turn(1'000, 0.0, 0.0));
    EXPECT_EQ(r.delivered, 1U);
}

TEST(MacArq, UnansweredFragmentsComeBackAfterTheTimer) {
    Road r(17);
    r.push(1, 400);
    std::vector<FragmentView> views;
    r.sender.take(kNow, 1'000, 500, 0, 1, 0, views);
    EXPECT_FALSE(r.sender.ready());
    EXPECT_EQ(r.sender.next_timeout(), kNow + 1s);
    r.sender.on_timeout(kNow + 999ms);
    EXPECT_FALSE(r.sender.ready());
    r.sender.on_timeout(kNow + 1s);
    EXPECT_TRUE(r.sender.ready());
}

TEST(MacArq, ForgedAcknowledgementsResolveNothing) {
    Road r(18);
    r.push(1, 400);
    std::vector<FragmentView> views;
    r.sender.take(kNow, 1'000, 500, 0, 1, 0, views);
    BlockAck ack;
    ack.session = static_cast<std::uint16_t>(r.sender.session() + 1);
    ack.base = 100;
    ack.burst = 1;
    r.sender.on_ack(kNow, ack);
    ack.session = r.sender.session();
    ack.base = 30'000;  // beyond all that was ever sent
    r.sender.on_ack(kNow, ack);
    EXPECT_FALSE(r.sender.poll_done());
}

TEST(MacArq, MemoryOfTheReceiverIsBounded) {
    ArqReceiver receiver;
    std::vector<Sdu> out;
    receiver.on_target({9, 1, 0}, out);
    const Bytes data(8'000, 1);
    for (std::uint32_t n = 0; n < 70'000; ++n) {
        FragmentView f;
        f.sequence = static_cast<std::uint16_t>(n * 2 + 1);
        f.sdu = static_cast<std::uint16_t>(n);
        f.count = 2;
        f.index = static_cast<std::uint8_t>(n % 2);
        f.data = data;
        receiver.on_fragment(f, out);
        ASSERT_LE(receiver.held_bytes(), ArqReceiver::kMaxHeldBytes);
    }
    receiver.on_target({9, 1, 2'000}, out);
    EXPECT_EQ(receiver.held_bytes(), 0U);
}

TEST(MacArq, ContradictingFragmentsAreRefused) {
    ArqReceiver receiver;
    std::vector<Sdu> out;
    receiver.on_target({9, 1, 0}, out);
    const Bytes data(100, 1);
    receiver.on_fragment({0, Priority::kBulk, 0, 0, 0, 2, data}, out);
    receiver.on_fragment({0, Priority::kBulk, 1, 0, 1, 3, data}, out);     // another count
    receiver.on_fragment({0, Priority::kControl, 1, 0, 1, 2, data}, out);  // another priority
    EXPECT_TRUE(out.empty());
    receiver.on_fragment({0, Priority::kBulk, 1, 0, 1, 2, data}, out);
    ASSERT_EQ(out.size(), 1U);
    EXPECT_EQ(out[0].bytes.size(), 200U);
    const Bytes large(5'000, 2);
    receiver.on_fragment({0, Priority::kBulk, 2, 1, 0, 2, large}, out);
    receiver.on_fragment({0, Priority::kBulk, 3, 1, 1, 2, large}, out);  // more than an SDU may have
    EXPECT_EQ(out.size(), 1U);
}

}  // namespace
}  // namespace meshnet::mac
