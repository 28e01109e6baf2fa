// SPDX-License-Identifier: MIT
// Fault: two stations with a copied key ruined each other's links and routes, neighbours booked for one what the other
// had promised, and nobody said a word.
#include <gtest/gtest.h>

#include "net/identity_secrets.hpp"
#include "sim/router_access.hpp"
#include "sim/world.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

constexpr Duration kSoon = 90s;  // an alarm stands after so long

/// Who has an alarm, by node.
std::string alarmed(World& w) {
    std::string out;
    for (std::size_t i = 0; i < w.size(); ++i) {
        if (w.node(i).router && !w.router(i).alarms().empty()) {
            out += (out.empty() ? "" : " ") + std::to_string(i);
        }
    }
    return out;
}

/// No node has seen anything that would speak of a second station.
void expect_peace(World& w) {
    EXPECT_EQ(alarmed(w), "");
    for (std::size_t i = 0; i < w.size(); ++i) {
        if (w.node(i).router) {
            EXPECT_EQ(w.router(i).route_counters().key_evidence, 0U) << "node " << i;
        }
    }
}

TEST(SameKeyTwice, BothAndTheNeighbourAlarm) {
    World w;
    const auto a = w.add(), n = w.add(), far = w.add();
    w.join(a, n);
    w.join(n, far);
    w.run(30s);
    expect_peace(w);
    w.join(w.add_twin(a), n);
    w.run(kSoon);
    EXPECT_EQ(alarmed(w), "0 1 2 3");
    ASSERT_EQ(w.router(a).alarms().size(), 1U);
    EXPECT_TRUE(w.router(a).alarms()[0].own);
    EXPECT_FALSE(w.router(n).alarms()[0].own);
    EXPECT_EQ(w.router(n).alarms()[0].id, w.node(a).id);
    for (const NeighborView& v : w.router(n).neighbors()) {
        EXPECT_EQ(v.alarm, v.id == w.node(a).id);
    }
}

TEST(SameKeyTwice, BothAndTheirNeighboursAlarmFourHopsApart) {
    World w;
    const auto a = w.add(), n = w.add(), middle = w.add(), m = w.add();
    w.join(a, n);
    w.join(n, middle);
    w.join(middle, m);
    w.run(20s);
    w.join(m, w.add_twin(a));
    w.run(2 * kSoon);
    EXPECT_EQ(alarmed(w), "0 1 2 3 4");
}

TEST(SameKeyTwice, TheyDoNotRaceForTheNewestSeqno) {
    World w;
    const auto a = w.add(), n = w.add();
    w.join(a, n);
    const auto b = w.add_twin(a);
    w.join(b, n);
    w.run(kSoon);
    const std::uint32_t before = RouterTestAccess::routes(w.router(a)).own_seqno();
    const std::uint64_t notices = w.router(n).route_counters().key_notices;
    w.run(320s);
    const int raised = static_cast<int>(RouterTestAccess::routes(w.router(a)).own_seqno() - before);
    EXPECT_GE(raised, 10);  // once in 32 s as ever
    EXPECT_LE(raised, 45) << "twice for each of the two";
    EXPECT_LE(w.router(n).route_counters().key_notices - notices, 320U);
}

struct Payments : ::testing::Test {
    World w;
    std::size_t a = w.add(), n = w.add(), d = w.add(), b = 0;
    Payments() {
        w.join(a, n);
        w.join(n, d);
        w.run(3s);
    }
    void traffic(std::size_t from, int packets) {
        for (int i = 0; i < packets; ++i) w.after(i * 20ms, [this, from] { w.send(from, d, Bytes(1'000, 1)); });
        w.run(20ms * packets);
    }
    /// What the neighbour has booked for the key, and what both stations with it have.
    [[nodiscard]] std::int64_t difference() {
        return w.disk_balance(n, a) + w.disk_balance(a, n) + (b == 0 ? 0 : w.disk_balance(b, n) - restored());
    }
    /// What the second station learned from the neighbour that its key had signed before: the same debt, not another.
    [[nodiscard]] std::int64_t restored() {
        std::int64_t sum = 0;
        for (const auto& [key, row] : w.node(b).disk) sum += row.kind == "restored" ? row.amount_nsat : 0;
        return sum;
    }
};

TEST_F(Payments, StopWhileTheAlarmStandsAndNothingOwedIsLost) {
    traffic(a, 100);
    w.run(10s);
    EXPECT_EQ(w.node(d).received.size(), 100U);
    ASSERT_GT(w.disk_balance(n, a), 0);
    EXPECT_EQ(w.find_disagreement(), "");
    b = w.add_twin(a);
    w.join(b, n);
    w.run(1s);
    traffic(a, 200);  // as the second station appears: some of it is carried, all of that is owed
    w.run(kSoon);
    ASSERT_EQ(alarmed(w), "0 1 2 3");
    const std::int64_t owed = w.disk_balance(n, a);
    const std::size_t carried = w.node(d).received.size();
    traffic(a, 100);
    traffic(b, 100);
    w.run(30s);
    EXPECT_EQ(w.node(d).received.size(), carried) << "nothing new is carried for the key";
    EXPECT_EQ(w.disk_balance(n, a), owed);
    EXPECT_TRUE(w.router(a).poll_undeliverable() && w.router(b).poll_undeliverable()) << "its hosts hear of it";

    w.kill(b);  // one is stopped: after ten quiet minutes everything is as before
    w.link_down(b, n);
    w.link_up(a, n);  // which has the same number
    w.run(300s);
    EXPECT_NE(alarmed(w), "");
    w.run(500s);
    EXPECT_EQ(alarmed(w), "");
    EXPECT_LT(restored(), 0);
    EXPECT_EQ(difference(), 0) << "what was owed is owed, once";
    EXPECT_GE(w.disk_balance(n, a), owed);
    traffic(a, 100);
    w.run(10s);
    EXPECT_EQ(w.node(d).received.size(), carried + 100);
    EXPECT_GT(w.disk_balance(n, a), owed);
    EXPECT_EQ(difference(), 0);
}

TEST_F(Payments, OfANeighbourForOthersStopToo) {
    const auto client = w.add();  // behind a: a would owe n for it
    w.join(client, a);
    w.run(3s);
    traffic(client, 50);
    w.run(5s);
    EXPECT_EQ(w.node(d).received.size(), 50U);
    b = w.add_twin(a);
    w.join(b, n);
    w.run(kSoon);
    ASSERT_EQ(alarmed(w), "0 1 2 3 4");
    const std::int64_t owed = w.disk_balance(n, a);
    traffic(client, 50);
    w.run(10s);
    EXPECT_EQ(w.node(d).received.size(), 50U);
    EXPECT_EQ(w.disk_balance(n, a), owed);
    // What nobody pays for goes on: to a neighbour.
    const std::size_t before = w.node(n).received.size();
    for (int i = 0; i < 20; ++i) w.after(i * 20ms, [this] { w.send(d, n, Bytes(100, 1)); });
    w.run(5s);
    EXPECT_EQ(w.node(n).received.size(), before + 20);
}

// ---- what must not raise it ----

struct OneStation : ::testing::Test {
    World w;
    std::size_t s = w.add(), n = w.add(), far = w.add(), other = w.add();
    OneStation() {
        w.join(s, n);
        w.join(n, far);
        w.join(s, other);  // a ring: echoes come back from two sides
        w.join(other, far);
        w.run(10s);
    }
    void restart(Duration away, bool with_disk = true) {
        w.kill(s);
        w.run(away);
        if (!with_disk) w.node(s).disk.clear();
        w.restart(s);
    }
};

TEST_F(OneStation, RestartsAtAnyPace) {
    for (const auto up : std::initializer_list<Duration>{100ms, 700ms, 1s, 2s, 3s, 5s, 8s, 15s, 30s, 60s}) {
        for (const auto away : std::initializer_list<Duration>{10ms, 500ms, 20s}) {
            restart(away);
            for (int i = 0; i < 20; ++i) w.after(i * 20ms, [this] { w.send(s, far, Bytes(1'000, 1)); });
            w.run(up);
            expect_peace(w);
        }
    }
}

TEST_F(OneStation, RestartsThatForgetEverything) {
    w.run(200s);  // some seqnos to forget
    for (const auto up : std::initializer_list<Duration>{500ms, 3s, 10s, 40s, 100s}) {
        for (const auto away : std::initializer_list<Duration>{10ms, 5s}) {
            restart(away, false);
            w.run(up);
            expect_peace(w);
        }
    }
    EXPECT_TRUE(w.route(far, s)) << "and it is found again";
}

TEST_F(OneStation, PartitionsThatHealAfterARestart) {
    w.link_down(s, other);
    w.link_down(n, far);
    w.run(40s);
    restart(1s, false);
    w.run(5s);
    w.link_up(s, other);
    w.link_up(n, far);
    w.run(60s);
    expect_peace(w);
}

// Frames that a queue, or somebody with a recorder and a jammer, held up: sent before a restart, received after it.
TEST_F(OneStation, FramesFromBeforeTheRestart) {
    std::vector<std::pair<std::size_t, Bytes>> held;
    for (int round = 0; round < 6; ++round) {
        int count = 0;
        w.tamper = [&](std::size_t from, std::size_t to, Bytes& frame) {
            if (from == s && ++count % 3 == 0) {
                held.emplace_back(to, std::exchange(frame, {}));
            }
        };
        for (int i = 0; i < 200; ++i) w.after(i * 20ms, [this] { w.send(s, far, Bytes(500, 1)); });
        w.run(5s);
        w.tamper = nullptr;
        restart(50ms);
        w.run(2s);
        for (const auto& [to, frame] : held) w.inject(to, w.node(s).link, frame);
        w.run(4s);
        for (const auto& [to, frame] : held) w.inject(to, w.node(s).link, frame);
        w.run(1s);
        expect_peace(w);
    }
}

// A neighbour with keys of its own keeps every signature it was given, and plays them to everybody, in any order.
TEST_F(OneStation, SignaturesOfItsPastPlayedByAnother) {
    std::vector<RouteUpdate> kept;
    const auto keep = [&] {
        const auto& secrets = RouterTestAccess::secrets(w.router(s));
        const auto& routes = RouterTestAccess::routes(w.router(s));
        RouteUpdate u;
        u.destination = short_id(w.node(s).id);
        u.seqno = routes.own_seqno();
        u.metric = RouteMetric::origin();
        u.serial = secrets.certificate.serial;
        u.instance = routes.own_instance();
        u.signature =
            secrets.device.sign(kRouteContext, RouteUpdate::signed_part(w.node(s).id, u.seqno, u.serial, u.instance));
        kept.push_back(u);
    };
    for (int i = 0; i < 12; ++i) {
        keep();
        w.run(33s);
        keep();
        restart(1s, i % 4 != 3);
        w.run(5s);
    }
    for (int round = 0; round < 40; ++round) {
        RouteUpdate u = kept[w.rng().below(kept.size())];
        u.notice = round % 2 == 0;
        u.metric.airtime_us_per_kib = 1 + static_cast<std::uint32_t>(w.rng().below(1'000));
        for (const std::size_t to : {s, n, far}) {
            RouterTestAccess::feed(w.router(to), w.now(), w.node(other).link, u.encode());
            w.pump(to);
        }
        w.run(700ms);
    }
    expect_peace(w);
}

// A neighbour that requests one seqno after the other turned the 16 bits of version 1 by half, and a signature of this
// very run looked newer again.
TEST_F(OneStation, ItsOwnSignatureAfterManyRequests) {
    const auto& routes = RouterTestAccess::routes(w.router(s));
    const auto& secrets = RouterTestAccess::secrets(w.router(s));
    RouteUpdate u;
    u.destination = short_id(w.node(s).id);
    u.seqno = routes.own_seqno();
    u.metric = RouteMetric::origin();
    u.serial = secrets.certificate.serial;
    u.instance = routes.own_instance();
    u.signature =
        secrets.device.sign(kRouteContext, RouteUpdate::signed_part(w.node(s).id, u.seqno, u.serial, u.instance));
    for (int i = 0; i < 40; ++i) {
        const SeqnoRequest request{short_id(w.node(s).id), routes.own_seqno() + 1'000, 3};
        RouterTestAccess::feed(w.router(s), w.now(), w.node(other).link, Bytes(request.encode()));
        w.run(100ms);
    }
    ASSERT_GT(routes.own_seqno(), u.seqno);
    u.metric.airtime_us_per_kib = 5;
    RouterTestAccess::feed(w.router(s), w.now(), w.node(other).link, u.encode());
    w.run(10s);
    expect_peace(w);
}

TEST_F(OneStation, EverythingReplayedAndForged) {
    std::vector<std::tuple<std::size_t, std::size_t, Bytes>> recorded;
    w.tamper = [&](std::size_t from, std::size_t to, Bytes& frame) { recorded.emplace_back(from, to, frame); };
    w.run(20s);
    restart(1s);
    w.run(20s);
    w.tamper = nullptr;
    for (const auto& [from, to, frame] : recorded) {
        w.inject(to, w.node(from).link, frame);
        w.inject(from, w.node(to).link, frame);
        w.inject(to, w.node(s).link, frame);
        w.run(20ms);
    }
    RouteUpdate forged;
    forged.destination = short_id(w.node(s).id);
    forged.serial = RouterTestAccess::secrets(w.router(s)).certificate.serial;
    forged.instance = {1, 77, RouterTestAccess::routes(w.router(s)).own_instance().boot, true};
    forged.signature = Signature{1, 2, 3};
    for (int i = 0; i < 200; ++i) {
        forged.seqno = static_cast<std::uint32_t>(i * 300);
        forged.notice = i % 2 == 0;
        for (const std::size_t to : {s, n, far}) {
            RouterTestAccess::feed(w.router(to), w.now(), w.node(other).link, forged.encode());
            w.pump(to);
        }
    }
    w.run(30s);
    expect_peace(w);
    EXPECT_TRUE(w.route(far, s));
}

}  // namespace
}  // namespace meshnet::net::test

namespace meshnet::sim {
namespace {

std::string alarmed(World& w) {
    std::string out;
    for (std::size_t i = 0; i < w.size(); ++i) {
        if (w.alive(i) && !w.node(i).router().alarms().empty()) {
            out += (out.empty() ? "" : " ") + std::to_string(i);
        }
    }
    return out;
}

// With a MAC, for which one station number that starts anew with every burst is no link at all.
struct OverTheAir : ::testing::TestWithParam<std::uint64_t> {
    World w{[] {
        World::Config c;
        c.profile = phy::find_profile("1M");
        c.seed = GetParam();
        return c;
    }()};
    static node::Node::Config config() {
        node::Node::Config c;
        c.mac.max_burst = 400ms;  // 400 bytes fit in the most robust mode of the profile
        return c;
    }
    std::size_t a = w.add_node(config), n = w.add_node(config);
};

TEST_P(OverTheAir, TwoAtOneNeighbour) {
    w.connect(a, n, 20.0, 200us);
    w.run_for(10s);
    EXPECT_EQ(alarmed(w), "");
    w.connect(w.add_copy(a), n, 18.0, 180us);
    w.run_for(300s);
    EXPECT_EQ(alarmed(w), "0 1 2");
}

TEST_P(OverTheAir, TwoThatHearEachOther) {
    const auto b = w.add_copy(a);
    w.connect(a, n, 20.0, 200us);
    w.connect(b, n, 18.0, 180us);
    w.connect(a, b, 15.0, 100us);
    w.run_for(300s);
    EXPECT_EQ(alarmed(w), "0 1 2");
}

TEST_P(OverTheAir, TwoWithARelayBetweenTheirNeighbours) {
    const auto middle = w.add_node(config), m = w.add_node(config), b = w.add_copy(a);
    w.connect(a, n, 20.0, 200us);
    w.connect(n, middle, 20.0, 200us);
    w.connect(middle, m, 20.0, 200us);
    w.connect(m, b, 20.0, 200us);
    w.run_for(300s);
    EXPECT_EQ(alarmed(w), "0 1 2 3 4");
}

TEST_P(OverTheAir, RestartsRaiseNothing) {
    w.connect(a, n, 20.0, 200us);
    for (const auto up : std::initializer_list<Duration>{300ms, 2s, 5s, 20s, 60s}) {
        w.kill(a);
        w.run_for(400ms);
        w.restart(a);
        w.run_for(up);
        EXPECT_EQ(alarmed(w), "");
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, OverTheAir, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace meshnet::sim
