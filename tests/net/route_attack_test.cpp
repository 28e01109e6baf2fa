// SPDX-License-Identifier: MIT
// Attacks on routing tables by neighbours with keys, and the absence of an honest station, played in virtual time.
#include <gtest/gtest.h>

#include <cstdio>

#include "net/master_key.hpp"
#include "tests/net/route_net.hpp"

namespace meshnet::net::test {
namespace {

/// A destination whose key the attacker holds.
struct Invented {
    explicit Invented(RandomSource& random) : identity(Identity::generate(random)) {}
    Identity identity;
    [[nodiscard]] RouteUpdate update(std::uint32_t seqno, bool proven = true) const {
        const Identity::Secrets& s = identity.secrets();
        RouteUpdate u;
        u.destination = short_id(s.id);
        u.seqno = seqno;
        u.metric = RouteMetric{1, 0, 0, 1};
        u.via = 0xFFFF;
        u.instance = {1, 1, 0, false};
        u.run = u.instance.tag();
        if (proven) {
            u.serial = s.certificate.serial;
            u.signature = s.device.sign(kRouteContext, RouteUpdate::signed_part(s.id, seqno, u.serial, u.instance));
            u.certificate = s.certificate;
        }
        return u;
    }
};

RouteNet::Options options(double rate_bps = 3'170e3) {
    RouteNet::Options o;
    o.seed = 9;
    o.rate_bps = rate_bps;
    return o;
}

struct RouteAttack : ::testing::Test {
    void line(RouteNet& net, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            net.add();
            if (i > 0) net.join(i - 1, i);
        }
    }
    /// A neighbour of `victim` that is no routing table but what the test says.
    static constexpr NeighborId kAttacker = 5'000;
    void attach(RouteNet& net, std::size_t victim) {
        net.table(victim).neighbor_up(net.now(), kAttacker, NodeId{0xEE, 1}, net.quality());
        net.pump(victim);
    }
    void say(RouteNet& net, std::size_t victim, const RouteUpdate& u) {
        net.table(victim).on_update(net.now(), kAttacker, u);
        net.pump(victim);
    }
};

// ---- absence, and requests for absurd seqnos ----

// 13 days of a seqno every 32 s turned 16 bits by half: the station that returned had no route for days.
TEST_F(RouteAttack, AStationThatWasOffForThirteenDaysIsFoundWithinAnInterval) {
    RouteNet net(options());
    line(net, 4);
    net.run(5s);
    ASSERT_EQ(net.missing_pairs(), 0U);
    net.kill(0);
    net.run(24h * 13);
    net.restart(0);
    net.run(4s);
    EXPECT_EQ(net.missing_pairs(), 0U);
}

TEST_F(RouteAttack, RequestsForFarSeqnosHideNobody) {
    RouteNet net(options());
    line(net, 4);
    net.run(5s);
    attach(net, 0);
    for (int i = 0; i < 33; ++i) {
        const std::uint32_t far = i % 2 == 0 ? net.table(0).own_seqno() + 1'000 : 0xFFFF'FFFF;
        net.table(0).on_seqno_request(net.now(), kAttacker, {short_id(net.id(0)), far, 3});
        net.pump(0);
        net.run(100ms);
    }
    EXPECT_LE(net.table(0).own_seqno(), 1U + 4 * 5);
    net.kill(3);  // forgets nothing but its tables: its ceilings are on disk
    net.run(1s);
    net.restart(3);
    net.run(4s);
    EXPECT_EQ(net.missing_pairs(), 0U);
}

TEST_F(RouteAttack, AStationWithoutItsLedgerIsFoundAgain) {
    RouteNet net(options());
    line(net, 5);
    net.run(3'000s);  // some seqnos to forget
    for (const std::size_t who : {0U, 2U}) {
        net.kill(who);
        net.node(who).disk.rows.clear();
        net.run(1s);
        net.restart(who);
        net.run(10s);
        EXPECT_EQ(net.missing_pairs(), 0U) << who;
    }
}

// ---- tables ----

TEST_F(RouteAttack, UnprovenDestinationsTakeNoRoom) {
    RouteNet net(options());
    line(net, 3);
    net.run(5s);
    attach(net, 1);
    const std::size_t before = net.table(1).destinations();
    Rng rng(4);
    for (int i = 0; i < 4'200; ++i) {
        RouteUpdate u;
        for (auto& byte : u.destination) byte = static_cast<std::uint8_t>(rng.below(256));
        u.seqno = 1;
        u.metric = RouteMetric{1, 0, 0, 1};
        say(net, 1, u);
    }
    EXPECT_EQ(net.table(1).destinations(), before);
    EXPECT_GT(net.table(1).counters().limited, 3'000U);
    const std::size_t newcomer = net.add();
    net.join(newcomer, 2);
    net.run(2s);
    EXPECT_EQ(net.missing_pairs(), 0U) << "others have their room";
    net.run(1'000s);
    EXPECT_EQ(net.table(1).destinations(), before + 1);
}

TEST_F(RouteAttack, ForgedSignaturesAreWorkForAFewOnly) {
    RouteNet net(options());
    line(net, 2);
    net.run(5s);
    attach(net, 1);
    Invented invented(net.rng());
    const std::uint64_t before = net.table(1).counters().verified;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        RouteUpdate u = invented.update(1);
        (*u.signature)[i % 64] ^= 1;
        net.table(1).on_update(net.now(), kAttacker, u);
        if (i % 100 == 0) net.run(100ms);
    }
    EXPECT_LE(net.table(1).counters().verified - before, 600U + 50U * 10U + 2U);
    const std::size_t newcomer = net.add();
    net.join(newcomer, 0);
    net.run(2s);
    EXPECT_EQ(net.missing_pairs(), 0U) << "the work for one neighbour is not taken from the others";
}

TEST_F(RouteAttack, AFullTableMakesRoomForTheOthers) {
    RouteNet net(options());
    const auto small = [](RouteTable::Config& c) { c.max_destinations = 64; };
    const std::size_t victim = net.add(small);
    attach(net, victim);
    std::vector<Invented> invented;
    for (int i = 0; i < 200; ++i) invented.emplace_back(net.rng());
    for (const Invented& d : invented) say(net, victim, d.update(1));
    EXPECT_EQ(net.table(victim).destinations(), 64U) << "as long as nobody else wants it";
    std::size_t last = victim;
    for (int i = 0; i < 20; ++i) {  // honest stations behind another neighbour
        const std::size_t next = net.add();
        net.join(last, next);
        last = next;
    }
    net.run(10s);
    for (std::size_t i = 1; i <= 20; ++i) {
        EXPECT_TRUE(net.table(victim).lookup(net.id(i))) << i;
    }
    for (const Invented& d : invented) say(net, victim, d.update(2));
    net.run(10s);
    for (std::size_t i = 1; i <= 20; ++i) {
        EXPECT_TRUE(net.table(victim).lookup(net.id(i))) << "and it is theirs: " << i;
    }
    EXPECT_LE(net.table(victim).destinations(), 64U);
}

// 300 destinations with keys of their own stopped every link of 100 kbit/s.
TEST_F(RouteAttack, InventedDestinationsNeitherFillSlowLinksNorHideHonestOnes) {
    RouteNet net(options(100e3));
    line(net, 3);
    net.run(10s);
    attach(net, 1);
    std::vector<Invented> invented;
    for (int i = 0; i < 300; ++i) invented.emplace_back(net.rng());
    net.clear_counters();
    const Instant start = net.now();
    for (const Invented& d : invented) say(net, 1, d.update(1));
    net.run(2s);
    const std::size_t newcomer = net.add();  // behind 2; 0 must hear of it by 1
    net.join(newcomer, 2);
    Duration took{};
    while (net.missing_pairs() != 0 && took < 120s) {
        net.run(500ms);
        took += 500ms;
    }
    EXPECT_LE(took, 10s);
    for (std::uint32_t round = 2; round < 12; ++round) {  // and never rests
        for (const Invented& d : invented) say(net, 1, d.update(round));
        net.run(60s);
    }
    const double seconds = std::chrono::duration<double>(net.now() - start).count();
    const double share = static_cast<double>(net.node(1).bytes) * 8.0 / 100e3 / seconds;
    std::printf("  newcomer found after %.1f s; control %.4f of a 100 kbit/s link\n",
                std::chrono::duration<double>(took).count(), share);
    EXPECT_LE(share, 0.03) << "2 %, the burst at the beginning, and the frames around it";
}

// What waited for a neighbour when its link went must not count against it when it is back.
TEST_F(RouteAttack, ANeighbourThatComesAndGoesGetsItsAnswers) {
    RouteNet net(options());
    line(net, 3);
    net.run(5s);
    for (int i = 0; i < 600; ++i) {
        attach(net, 1);
        net.table(1).on_route_request(net.now(), kAttacker, {true, {short_id(net.id(0)), short_id(net.id(2))}});
        net.table(1).neighbor_down(net.now(), kAttacker);
    }
    net.run(1s);
    const std::size_t newcomer = net.add();
    net.join(newcomer, 1);
    net.run(1s);
    net.part(newcomer, 1);
    net.join(newcomer, 1);
    net.run(2s);
    EXPECT_EQ(net.missing_pairs(), 0U);
}

// ---- what is chosen ----

struct RouteChoice : RouteAttack {
    RouteNet net{options()};
    std::size_t a, r1, r2, b;
    RouteChoice() : a(net.add()), r1(net.add()), r2(net.add()), b(net.add()) {
        for (const auto& [x, y] : {std::pair{a, r1}, {r1, b}, {a, r2}, {r2, b}}) net.join(x, y);
        price(r1, 1'000);
        price(r2, 1'000);
        net.run(5s);
    }
    void price(std::size_t who, std::uint32_t msat) {
        net.table(who).set_price(net.now(), msat);
        net.pump(who);
    }
    NeighborId next() { return net.table(a).lookup(net.id(b))->next_hop; }
    static NeighborId link(std::size_t i) { return RouteNet::link(i); }
    NeighborId other(NeighborId of) const { return of == link(r1) ? link(r2) : link(r1); }
    void delivers(NeighborId via, double ratio) {
        net.table(a).on_delivery(net.now(), net.id(b), via, ratio);
        net.pump(a);
    }
};

// A relay that takes packets and drops them was never left: 0 of 6000 arrived beside an honest route.
TEST_F(RouteChoice, ABlackHoleIsLeftAtOnceAndTriedAgainLater) {
    const NeighborId hole = next();
    delivers(hole, 0.0);
    EXPECT_EQ(next(), other(hole));
    EXPECT_EQ(net.table(a).successors(net.id(b)), (std::vector<NeighborId>{other(hole), hole}))
        << "it stays a last resort";
    net.run(30s);
    EXPECT_EQ(next(), other(hole));
    net.run(90s);
    price(hole - 1, 100);  // it lures
    net.run(40s);
    EXPECT_EQ(next(), hole) << "the measurement is old";
    delivers(hole, 0.1);
    EXPECT_EQ(next(), other(hole));
}

TEST_F(RouteChoice, TheOnlyWayIsNotLeft) {
    delivers(link(r1), 0.0);
    delivers(link(r2), 0.0);
    EXPECT_TRUE(net.table(a).lookup(net.id(b)));
    net.part(a, other(next()) - 1);
    EXPECT_TRUE(net.table(a).lookup(net.id(b)));
}

TEST_F(RouteChoice, PriceDecidesAmongEqualsButDoesNotFlap) {
    net.run(60s);
    int changes = 0;
    NeighborId last = next();
    net.check = [&] {
        changes += next() != last ? 1 : 0;
        last = next();
    };
    price(next() - 1, 1'100);
    net.run(1s);
    EXPECT_EQ(changes, 1) << "a tenth of a price, on equal links";
    for (int i = 0; i < 300; ++i) {  // each undercuts the other every second
        price(i % 2 == 0 ? r1 : r2, static_cast<std::uint32_t>(1'000 - i));
        net.run(1s);
    }
    EXPECT_LE(changes, 12) << "at most one in 30 s";
    EXPECT_GE(changes, 3);
}

TEST_F(RouteChoice, WhenALinkGoesTheNextSuccessorIsUsedInTheSameInstant) {
    const NeighborId first = next();
    ASSERT_EQ(net.table(a).successors(net.id(b)).size(), 2U);
    net.part(a, first - 1);
    EXPECT_EQ(next(), other(first));
}

// ---- what was signed once, and who may sign ----

TEST_F(RouteAttack, SignaturesOfAnEarlierEpochAreWorthNothing) {
    RouteNet net(options());
    line(net, 3);
    net.run(5s);
    const Identity::Secrets& s = net.node(0).identity->secrets();
    const Instance old = net.table(0).own_instance();
    net.kill(0);
    net.restart(0);
    net.run(2s);
    ASSERT_GT(net.table(0).own_instance().epoch, old.epoch);
    const auto before = net.table(1).lookup(net.id(0));
    attach(net, 1);
    RouteUpdate u;
    u.destination = short_id(s.id);
    u.seqno = net.table(0).own_seqno() + 5;
    u.metric = RouteMetric{1, 0, 0, 1};
    u.instance = old;
    u.run = old.tag();
    u.serial = s.certificate.serial;
    u.signature = s.device.sign(kRouteContext, RouteUpdate::signed_part(s.id, u.seqno, u.serial, old));
    const std::uint64_t refused = net.table(1).counters().refused;
    say(net, 1, u);
    EXPECT_EQ(net.table(1).counters().refused, refused + 1);
    EXPECT_EQ(net.table(1).lookup(net.id(0))->next_hop, before->next_hop);
    net.kill(1);  // what it knew of epochs is on its disk
    net.restart(1);
    attach(net, 1);
    say(net, 1, u);
    net.run(2s);
    EXPECT_EQ(net.table(1).lookup(net.id(0))->next_hop, RouteNet::link(0));
}

TEST_F(RouteAttack, ARevocationReachesEverybodyAndIsKept) {
    RouteNet net(options());
    line(net, 5);
    net.run(5s);
    const auto master = MasterKey::from_text(net.node(0).identity->to_text());
    ASSERT_TRUE(master.ok());
    EXPECT_FALSE(net.table(4).revoke(net.now(), net.node(0).identity->secrets().certificate)) << "nothing new";
    Certificate forged = *master->revoke(1);
    forged.serial = 2;
    EXPECT_FALSE(net.table(4).revoke(net.now(), forged));
    EXPECT_TRUE(net.table(4).revoke(net.now(), *master->revoke(1)));
    net.pump(4);
    net.run(3s);
    for (std::size_t i = 1; i < 5; ++i) {
        EXPECT_FALSE(net.table(i).lookup(net.id(0))) << i;
        EXPECT_TRUE(net.table(i).revoked(net.node(0).identity->secrets().certificate)) << i;
        EXPECT_EQ(net.table(i).certificate_of(net.id(0)), nullptr);
    }
    EXPECT_TRUE(net.table(0).superseded()) << "it hears of it itself";
    net.run(3'600s);
    net.kill(2);
    net.run(1s);
    net.restart(2);
    EXPECT_TRUE(net.table(2).revoked(net.node(0).identity->secrets().certificate)) << "from its disk";
    const std::size_t newcomer = net.add();
    net.join(newcomer, 4);
    net.run(3s);
    EXPECT_TRUE(net.table(newcomer).revoked(net.node(0).identity->secrets().certificate));
    EXPECT_FALSE(net.table(newcomer).lookup(net.id(0)));
}

TEST_F(RouteAttack, ANewDeviceReplacesTheOldOneEverywhere) {
    RouteNet net(options());
    line(net, 4);
    net.run(5s);
    const auto master = MasterKey::from_text(net.node(0).identity->to_text());
    const DeviceKey device = DeviceKey::generate(net.rng());
    auto replaced = device.certified(*master->certify(device.request(), 2));
    ASSERT_TRUE(replaced.ok());
    const Certificate old = net.node(0).identity->secrets().certificate;
    net.kill(0);
    net.node(0).disk.rows.clear();
    *net.node(0).identity = std::move(*replaced);
    net.run(1s);
    net.restart(0);
    net.run(5s);
    EXPECT_EQ(net.missing_pairs(), 0U) << "same node, same address";
    for (std::size_t i = 1; i < 4; ++i) {
        EXPECT_TRUE(net.table(i).revoked(old)) << i;
        EXPECT_EQ(net.table(i).certificate_of(net.id(0))->serial, 2U);
    }
}

}  // namespace
}  // namespace meshnet::net::test
