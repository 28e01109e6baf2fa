// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <deque>

#include "net/identity_secrets.hpp"
#include "net/link_peer.hpp"

namespace meshnet::net {
namespace {

/// Two ends and a wire that loses what the test chooses.
struct Wire {
    explicit Wire(std::uint64_t seed = 1) : rng(seed) {
        ids.push_back(Identity::generate(rng));
        ids.push_back(Identity::generate(rng));
        if (ids[1].station_id() < ids[0].station_id()) std::swap(ids[0], ids[1]);  // 0 has the lower number
        reborn(0);
        reborn(1);
    }
    void reborn(std::size_t i) {
        const auto& s = ids[i].secrets();
        peer[i] =
            std::make_unique<LinkPeer>(s.certificate, s.exchange_secret, ids[i].station_id(), ids[1 - i].station_id(),
                                       rng, shared[i], [this, i](const NodeId& id) { return admit[i](id); });
    }
    /// Carries all frames there are and all they cause; what arrives in a session is answered by `confirm`.
    void carry() {
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < 2; ++i) {
                while (auto frame = peer[i]->poll_handshake()) {
                    any = true;
                    sent.push_back({i, frame->frame});
                    if (rng.uniform() < loss) continue;
                    give(1 - i, frame->frame);
                }
            }
        }
    }
    LinkPeer::Event give(std::size_t to, const Bytes& frame) {
        const auto outcome = peer[to]->on_frame(now, frame);
        if (outcome.event == LinkPeer::Event::kUp || outcome.event == LinkPeer::Event::kUpAndData) ++ups[to];
        if (outcome.event == LinkPeer::Event::kUp || outcome.event == LinkPeer::Event::kConfirm) {
            if (peer[to]->unheard()) greet(to);
            send_data(to);
        }
        return outcome.event;
    }
    void greet(std::size_t from) {
        const auto frame = peer[from]->greeting();
        sent.push_back({from, *frame});
        if (rng.uniform() >= loss) give(1 - from, *frame);
    }
    bool send_data(std::size_t from) {
        const auto frame = peer[from]->seal(as_bytes("hello"));
        sent.push_back({from, *frame});
        if (rng.uniform() < loss) return false;
        const auto event = give(1 - from, *frame);
        return event == LinkPeer::Event::kData || event == LinkPeer::Event::kUpAndData;
    }
    void wait(Duration d) {
        const Instant end = now + d;
        for (;;) {
            std::optional<Instant> next;
            for (const auto& p : peer) {
                if (const auto t = p->next_timeout(); t && (!next || *t < *next)) next = t;
            }
            if (!next || *next > end) break;
            now = std::max(now, *next);
            for (const auto& p : peer) p->on_timeout(now);
            carry();
        }
        now = end;
    }
    [[nodiscard]] bool both_ways() {
        const double keep = loss;
        loss = 0;
        const bool ok = peer[0]->up() && peer[1]->up() && send_data(0) && send_data(1);
        loss = keep;
        return ok;
    }

    Rng rng;
    std::vector<Identity> ids;
    HandshakeShared shared[2] = {HandshakeShared(rng), HandshakeShared(rng)};
    std::unique_ptr<LinkPeer> peer[2];
    std::function<bool(const NodeId&)> admit[2] = {[](const NodeId&) { return true; },
                                                   [](const NodeId&) { return true; }};
    Instant now = instant_from_ns(1'000'000'000);
    double loss = 0;
    int ups[2] = {};
    std::vector<std::pair<std::size_t, Bytes>> sent;
};

TEST(Link, ThreeFramesAndBothKnowEachOther) {
    Wire w;
    w.peer[0]->start(w.now);
    w.carry();
    ASSERT_TRUE(w.peer[0]->up() && w.peer[1]->up());
    EXPECT_EQ(w.peer[0]->id(), w.ids[1].id());
    EXPECT_EQ(w.peer[1]->id(), w.ids[0].id());
    EXPECT_EQ(w.sent.size(), 6U);  // three, the certificate of who answered, and the first data of each
    EXPECT_EQ(w.sent[0].second.size(), LinkPeer::kFirstBytes);
    EXPECT_EQ(w.sent[1].second.size(), LinkPeer::kSecondBytes);
    EXPECT_EQ(w.sent[2].second.size(), LinkPeer::kThirdBytes);
    EXPECT_TRUE(w.both_ways());
}

TEST(Link, BothAtOnceMakeOneSession) {
    Wire w;
    w.peer[0]->start(w.now);
    w.peer[1]->start(w.now);
    w.carry();
    EXPECT_TRUE(w.both_ways());
    w.wait(10s);
    EXPECT_EQ(w.ups[0], 1);
    EXPECT_EQ(w.ups[1], 1);
}

TEST(Link, HalfTheFramesLostIsOnlySlower) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        Wire w(seed);
        w.loss = 0.5;
        w.peer[seed % 2]->start(w.now);
        if (seed % 3 == 0) w.peer[1 - seed % 2]->start(w.now);
        w.carry();
        w.wait(90s);
        EXPECT_TRUE(w.both_ways()) << seed;
    }
}

TEST(Link, AReborNeighbourIsBackAtOnceAndTheOldSessionStaysUntilThen) {
    Wire w;
    w.peer[0]->start(w.now);
    w.carry();
    for (const std::size_t victim : {std::size_t{0}, std::size_t{1}}) {
        w.reborn(victim);
        EXPECT_FALSE(w.send_data(1 - victim));  // it cannot read us yet
        EXPECT_TRUE(w.peer[1 - victim]->up());
        w.peer[victim]->start(w.now);
        w.carry();
        EXPECT_TRUE(w.both_ways());
    }
}

TEST(Link, AHandshakeThatIsNotFinishedDoesNotDisturb) {
    Wire w;
    w.peer[0]->start(w.now);
    w.carry();
    // An attacker sends first messages in the neighbour's name and never a third.
    Wire other(2);
    for (int i = 0; i < 100; ++i) {
        other.reborn(0);
        other.peer[0]->start(w.now);
        const auto forged = other.peer[0]->poll_handshake();
        (void)w.peer[1]->on_frame(w.now, forged->frame);
        ASSERT_TRUE(w.both_ways());
    }
    int answers = 0;
    while (w.peer[1]->poll_handshake()) ++answers;
    EXPECT_LE(answers, 8);
}

TEST(Link, ReplayedHandshakesChangeNothing) {
    Wire w;
    w.peer[0]->start(w.now);
    w.carry();
    const auto recorded = w.sent;
    w.wait(20s);
    for (int round = 0; round < 3; ++round) {
        for (const auto& [from, frame] : recorded) {
            w.give(1 - from, frame);
            w.carry();
        }
        w.wait(5s);
    }
    EXPECT_TRUE(w.both_ways());
    EXPECT_EQ(w.ups[0], 1);
    EXPECT_EQ(w.ups[1], 1);
}

TEST(Link, RekeyingLosesNoFrame) {
    Wire w;
    w.peer[0]->start(w.now);
    w.carry();
    for (int i = 0; i < 6; ++i) {
        const auto late = w.peer[0]->seal(as_bytes("sealed before the change"));
        w.peer[static_cast<std::size_t>(i % 2)]->start(w.now);
        w.carry();
        EXPECT_EQ(w.ups[0], 2 + i);
        EXPECT_EQ(w.peer[1]->on_frame(w.now, *late).event, LinkPeer::Event::kData);
        EXPECT_TRUE(w.both_ways());
        w.wait(1s);
    }
}

TEST(Link, OnlyTheAdmitted) {
    Wire w;
    w.admit[1] = [](const NodeId&) { return false; };
    w.peer[0]->start(w.now);
    w.carry();
    w.wait(3s);
    EXPECT_FALSE(w.peer[1]->up());
    EXPECT_FALSE(w.peer[0]->up());
}

// Row 14 of the list of attacks: a key that goes by the number of a live neighbour.
TEST(Link, ASecondIdentityUnderALiveNumberIsRefused) {
    Wire v;
    v.peer[0]->start(v.now);
    v.carry();
    Rng rng(99);
    HandshakeShared shared(rng);
    const Identity thief = Identity::generate(rng);
    LinkPeer caller(thief.secrets().certificate, thief.secrets().exchange_secret, v.ids[0].station_id(),
                    v.ids[1].station_id(), rng, shared, [](const NodeId&) { return true; });
    const auto call = [&] {
        caller.stop();
        caller.start(v.now);
        (void)v.peer[1]->on_frame(v.now, caller.poll_handshake()->frame);
        (void)caller.on_frame(v.now, v.peer[1]->poll_handshake()->frame);
        return v.peer[1]->on_frame(v.now, caller.poll_handshake()->frame).event;
    };
    v.now += 1s;
    EXPECT_EQ(call(), LinkPeer::Event::kRefused);
    EXPECT_EQ(v.peer[1]->id(), v.ids[0].id());
    EXPECT_TRUE(v.both_ways());
    // Nobody has used the session for long: the number is free again.
    v.now += 20s;
    EXPECT_EQ(call(), LinkPeer::Event::kUp);
}

TEST(Link, AnyChangedByteOfAnyMessageIsRefused) {
    Wire w;
    w.peer[0]->start(w.now);
    const Bytes first = w.peer[0]->poll_handshake()->frame;
    (void)w.peer[1]->on_frame(w.now, first);
    const Bytes second = w.peer[1]->poll_handshake()->frame;
    for (std::size_t i = 1; i < second.size(); i += 3) {
        Bytes forged = second;
        forged[i] ^= 0x20;
        w.now += 100ms;  // within the limit of what nobody has proven
        EXPECT_EQ(w.peer[0]->on_frame(w.now, forged).event, LinkPeer::Event::kForged) << i;
    }
    (void)w.peer[0]->on_frame(w.now, second);
    const Bytes third = w.peer[0]->poll_handshake()->frame;
    for (std::size_t i = 1; i < third.size(); i += 3) {
        Bytes forged = third;
        forged[i] ^= 0x20;
        w.now += 100ms;  // within the limit of what nobody has proven
        EXPECT_EQ(w.peer[1]->on_frame(w.now, forged).event, LinkPeer::Event::kForged) << i;
    }
    EXPECT_EQ(w.peer[1]->on_frame(w.now, third).event, LinkPeer::Event::kUp);
}

}  // namespace
}  // namespace meshnet::net
