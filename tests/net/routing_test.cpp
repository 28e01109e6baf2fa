// SPDX-License-Identifier: MIT
// Routes in networks: no loop after any event, up in seconds, repaired when something dies.
#include <gtest/gtest.h>

#include "net/master_key.hpp"
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

void watch(World& w) {
    w.check = [&w] { ASSERT_EQ(w.find_loop(), ""); };
}

int reachable_pairs(World& w) {
    int n = 0;
    for (std::size_t a = 0; a < w.size(); ++a) {
        for (std::size_t b = 0; b < w.size(); ++b) {
            n += a != b && w.route(a, b).has_value() ? 1 : 0;
        }
    }
    return n;
}

TEST(Routing, ALineIsUpInThreeSeconds) {
    World w;
    LinkOptions radio;
    radio.delay = 5ms;
    radio.rate_bps = 100e3;
    for (int i = 0; i < 5; ++i) w.add();
    for (std::size_t i = 0; i + 1 < 5; ++i) w.join(i, i + 1, radio);
    watch(w);
    w.run(3s);
    EXPECT_EQ(reachable_pairs(w), 20);
    const auto far = w.route(0, 4);
    ASSERT_TRUE(far);
    EXPECT_EQ(far->metric.hops, 4);
    EXPECT_EQ(far->metric.price_msat_per_mib, 3'000U);
    EXPECT_EQ(far->metric.airtime_us_per_kib, 4U * 8'192U);
    EXPECT_EQ(far->next_hop, w.node(1).link);
}

TEST(Routing, ARingHealsWhenANodeDies) {
    World w;
    for (int i = 0; i < 6; ++i) w.add();
    for (std::size_t i = 0; i < 6; ++i) w.join(i, (i + 1) % 6);
    watch(w);
    w.run(4s);
    EXPECT_EQ(reachable_pairs(w), 30);
    w.kill(2);
    w.link_down(1, 2);
    w.link_down(2, 3);
    w.run(3s);
    for (const std::size_t a : {0U, 1U, 3U, 4U, 5U}) {
        for (const std::size_t b : {0U, 1U, 3U, 4U, 5U}) {
            EXPECT_TRUE(a == b || w.route(a, b)) << a << " " << b;
        }
        EXPECT_FALSE(w.route(a, 2)) << a;
    }
    EXPECT_EQ(w.route(1, 3)->metric.hops, 4);
    w.restart(2);
    w.link_up(1, 2);
    w.link_up(2, 3);
    w.run(3s);
    EXPECT_EQ(reachable_pairs(w), 30);
}

TEST(Routing, PacketsFindTheOtherWayWhenTheRelayDies) {
    World w;
    const auto a = w.add(), r1 = w.add(), r2 = w.add(), b = w.add();
    LinkOptions slower;
    slower.airtime_us_per_kib = 20'000;
    w.join(a, r1);
    w.join(r1, b);
    w.join(a, r2, slower);
    w.join(r2, b, slower);
    watch(w);
    w.run(3s);
    ASSERT_EQ(w.route(a, b)->next_hop, w.node(r1).link);
    for (int i = 0; i < 500; ++i) w.after(i * 20ms, [&] { w.send(a, b, Bytes(600, 1)); });
    w.run(3s);
    EXPECT_GT(w.disk_balance(r1, a), 0);
    EXPECT_EQ(w.disk_balance(r2, a), 0);
    w.kill(r1);
    w.link_down(a, r1);
    w.link_down(r1, b);
    const std::size_t had = w.node(b).received.size();
    w.run(2s);
    EXPECT_GT(w.node(b).received.size(), had + 20);
    w.run(10s);
    EXPECT_GT(w.disk_balance(r2, a), 0);
    EXPECT_GT(w.node(b).received.size(), 430U);
}

TEST(Routing, AnExpensiveRelayIsAvoidedAndAPriceChangeMakesNoLoop) {
    World w;
    const auto a = w.add(), r1 = w.add(), r2 = w.add(), b = w.add();
    for (const auto& [x, y] : {std::pair{a, r1}, {r1, b}, {a, r2}, {r2, b}, {r1, r2}}) w.join(x, y);
    watch(w);
    w.run(4s);
    const NeighborId first = w.route(a, b)->next_hop;
    const std::size_t used = first == w.node(r1).link ? r1 : r2;
    std::uint64_t handshakes = 0;
    for (std::size_t i = 0; i < 4; ++i) handshakes += w.router(i).counters().handshakes;
    w.router(used).set_price(w.now(), 3'000'000);
    w.pump(used);
    w.run(40s);
    EXPECT_NE(w.route(a, b)->next_hop, first);
    for (int i = 0; i < 50; ++i) {
        w.router(i % 2 == 0 ? r1 : r2).set_price(w.now(), static_cast<std::uint64_t>(i) * 10'000);
        w.pump(r1);
        w.pump(r2);
        w.run(300ms);
        ASSERT_TRUE(w.route(a, b));
    }
}

TEST(Routing, ARouteThatGetsWorseIsNotLost) {
    World w;
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r);
    w.join(r, b);
    watch(w);
    w.run(4s);
    LinkQuality worse;
    worse.airtime_us_per_kib = 200'000;
    worse.rate_bps = 50e3;
    w.router(r).on_link_changed(w.now(), w.node(b).link, worse);
    w.pump(r);
    for (int i = 0; i < 60; ++i) {
        w.run(100ms);
        ASSERT_TRUE(w.route(a, b)) << i;
    }
    EXPECT_GT(w.route(a, b)->metric.airtime_us_per_kib, 200'000U);
}

// 300 destinations with keys of their own, told to a relay again and again, stopped every link of 100 kbit/s.
TEST(Routing, PacketsPassWhileANeighbourInventsDestinations) {
    World w;
    LinkOptions slow;
    slow.rate_bps = 100e3;
    slow.airtime_us_per_kib = 81'920;
    const auto a = w.add(), r = w.add(), b = w.add(), x = w.add();
    for (const std::size_t other : {a, b, x}) w.join(r, other, slow);
    w.run(10s);
    Rng rng(8);
    std::vector<Identity> invented;
    for (int i = 0; i < 300; ++i) invented.push_back(Identity::generate(rng));
    for (std::uint32_t round = 1; round <= 30; ++round) {
        for (const Identity& identity : invented) {
            const Identity::Secrets& s = identity.secrets();
            RouteUpdate u;
            u.destination = short_id(s.id);
            u.seqno = round;
            u.metric = RouteMetric{1, 0, 0, 1};
            u.serial = s.certificate.serial;
            u.certificate = s.certificate;
            u.signature = s.device.sign(kRouteContext, RouteUpdate::signed_part(s.id, round, u.serial));
            RouterTestAccess::feed(w.router(r), w.now(), w.node(x).link, u.encode());
        }
        w.pump(r);
        w.send(a, b, Bytes(400, 1));
        w.run(1s);
    }
    w.run(2s);
    EXPECT_EQ(w.node(b).received.size(), 30U);
    EXPECT_GT(RouterTestAccess::routes(w.router(r)).destinations(), 290U);
}

TEST(Routing, ARevokedNeighbourIsNoNeighbour) {
    World w;
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r);
    w.join(r, b);
    w.run(3s);
    ASSERT_TRUE(w.route(b, a));
    const auto master = MasterKey::from_text(w.node(a).key);
    RouteUpdate u;
    u.destination = short_id(w.node(a).id);
    u.certificate = *master->revoke(1);
    RouterTestAccess::feed(w.router(r), w.now(), w.node(b).link, u.encode());
    w.pump(r);
    w.run(2s);
    EXPECT_FALSE(w.route(r, a));
    EXPECT_FALSE(w.route(b, a));
    w.kill(a);
    w.restart(a);
    w.kill(r);  // which has it on its disk
    w.restart(r);
    w.run(10s);
    EXPECT_FALSE(w.route(r, a));
    EXPECT_FALSE(w.route(b, a));
    EXPECT_TRUE(w.route(b, r));
}

struct RandomNetworks : ::testing::TestWithParam<std::uint64_t> {};

// Links come, go and change, nodes die and return; after every event there is no loop, and when it is quiet every
// destination that can be reached is.
TEST_P(RandomNetworks, NeverLoopAndAlwaysSettle) {
    WorldOptions options;
    options.seed = GetParam();
    World w(options);
    const std::size_t nodes = 8;
    for (std::size_t i = 0; i < nodes; ++i) {
        w.add([&w](Router::Config& c) { c.price_msat_per_mib = w.rng().below(5'000); });
    }
    std::vector<std::pair<std::size_t, std::size_t>> links;
    for (std::size_t a = 0; a < nodes; ++a) {
        for (std::size_t b = a + 1; b < nodes; ++b) {
            if (b == a + 1 || w.rng().below(4) == 0) {
                LinkOptions o;
                o.loss = 0.02;
                o.delay = Duration{static_cast<std::int64_t>(w.rng().below(20'000'000))};
                o.airtime_us_per_kib = 1'000 + static_cast<double>(w.rng().below(50'000));
                w.join(a, b, o);
                links.emplace_back(a, b);
            }
        }
    }
    std::uint64_t events = 0;
    w.check = [&] {
        if (++events % 3 == 0) {
            ASSERT_EQ(w.find_loop(), "");
        }
    };
    w.run(4s);
    std::vector<bool> up(links.size(), true);
    for (int i = 0; i < 40; ++i) {
        const std::size_t l = w.rng().below(links.size());
        const auto [a, b] = links[l];
        switch (w.rng().below(4)) {
            case 0:
                if (up[l]) {
                    w.link_down(a, b);
                } else {
                    w.link_up(a, b);
                }
                up[l] = !up[l];
                break;
            case 1:
                w.kill(a);
                w.restart(a);
                break;
            case 2: {
                LinkQuality q;
                q.airtime_us_per_kib = 1'000 + static_cast<double>(w.rng().below(100'000));
                w.router(a).on_link_changed(w.now(), w.node(b).link, q);
                w.pump(a);
                break;
            }
            default:
                w.router(a).set_price(w.now(), w.rng().below(50'000));
                w.pump(a);
                break;
        }
        w.run(Duration{static_cast<std::int64_t>(w.rng().below(600'000'000))});
    }
    for (std::size_t l = 0; l < links.size(); ++l) {
        if (!up[l]) w.link_up(links[l].first, links[l].second);
    }
    w.run(20s);
    EXPECT_EQ(reachable_pairs(w), static_cast<int>(nodes * (nodes - 1)));
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetworks, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace meshnet::net::test
