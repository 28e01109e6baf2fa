// SPDX-License-Identifier: MIT
// Scenarios of many routers: files are read or refused with one line, runs are reproducible, invariants hold.
#include <gtest/gtest.h>

#include "net/price_policy.hpp"
#include "sim/net_run.hpp"
#include "sim/price_trial.hpp"

namespace meshnet::sim {
namespace {

NetScenario small(NetScenario::Topology topology) {
    NetScenario s;
    s.topology = topology;
    s.nodes = 10;
    s.idle_s = 0.0;
    s.active_s = 30.0;
    s.calm_s = 30.0;
    return s;
}

TEST(NetScenario, EveryKeyIsWrittenAndReadBack) {
    NetScenario s;
    s.nodes = 77;
    s.hostile_share = 0.25;
    s.contacts = false;
    const std::string text = to_toml(s);
    const auto again = parse_net_scenario(text, "x");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(to_toml(*again), text);
}

TEST(NetScenario, WhatIsWrongGetsOneLine) {
    for (const char* text : {"nodes = 1", "nodes = 1001", "topology = \"torus\"", "[link]\nloss = 2.0", "speed = 3",
                             "[link]\nrate = 3", "pass_s = 700.0", "islands = 30", "[prices]\nprice_low = 20000",
                             "nodes = nan", "[[link", "[hostile]\nshare = nan"}) {
        const auto s = parse_net_scenario(text, "file.toml");
        ASSERT_FALSE(s.ok()) << text;
        EXPECT_EQ(s.error().message.find("file.toml"), 0U) << s.error().message;
        EXPECT_EQ(s.error().message.find('\n'), std::string::npos);
    }
}

TEST(NetRun, TheSameSeedGivesTheSameHash) {
    NetScenario s = small(NetScenario::Topology::kRandom);
    s.kills_per_min = 4.0;
    const NetResult a = run_net(s, 5), b = run_net(s, 5), c = run_net(s, 6);
    EXPECT_EQ(a.hash, b.hash);
    EXPECT_EQ(a.events, b.events);
    EXPECT_NE(a.hash, c.hash);
}

TEST(NetRun, InvariantsHoldWhateverGoesWrong) {
    using Topology = NetScenario::Topology;
    for (const Topology topology : {Topology::kRandom, Topology::kChain, Topology::kIslands, Topology::kRing}) {
        NetScenario s = small(topology);
        s.loss = 0.01;
        s.kills_per_min = 4.0;
        s.away_s = 3.0;
        s.fades_per_min = 6.0;
        s.fade_s = 5.0;
        s.partitions_per_min = 2.0;
        s.partition_s = 5.0;
        s.walks_per_min = 2.0;
        const NetResult r = run_net(s, 11 + static_cast<std::uint64_t>(topology));
        EXPECT_EQ(r.violations, std::vector<std::string>{}) << static_cast<int>(topology);
        EXPECT_GT(r.kills + r.fades + r.partitions, 0U);
        EXPECT_GT(r.delivered * 10, r.sent * 8) << r.delivered << " of " << r.sent;
    }
}

TEST(NetRun, PacketsCrossPassesOfSatellites) {
    NetScenario s = small(NetScenario::Topology::kSatellite);
    s.period_s = 120.0;
    s.pass_s = 30.0;
    s.warm_up_s = 1.0;
    s.active_s = 240.0;
    const NetResult r = run_net(s, 3);
    EXPECT_GT(r.passes, 4U);
    EXPECT_GT(r.delivered, 0U);
}

TEST(PricePolicy, StepsAreSmallAndRareAndWithinBounds) {
    net::PricePolicy::Config c;
    c.kind = net::PricePolicy::Kind::kUndercut;
    net::PricePolicy p(c);
    const Instant now = instant_from_ns(1'000'000'000);
    EXPECT_EQ(p.update(now, 0.0, 800), 680U);
    EXPECT_FALSE(p.update(now + 1s, 0.0, 500)) << "not so soon";
    EXPECT_FALSE(p.update(now + 40s, 0.0, 790)) << "below it already";
    EXPECT_EQ(p.update(now + 80s, 0.0, 50), c.floor);
    c.kind = net::PricePolicy::Kind::kLoad;
    net::PricePolicy q(c);
    EXPECT_FALSE(q.update(now, 0.65, {})) << "near its target";
    EXPECT_EQ(q.update(now, 0.9, {}), 1'100U);
    EXPECT_EQ(q.update(now + 60s, 0.1, {}), 990U);
    c.floor = 2'000;
    EXPECT_THROW(net::PricePolicy{c}, std::invalid_argument);
}

TEST(Prices, WhoUndercutsGetsTheTrafficAndNothingFlaps) {
    const PriceResult r = run_prices("undercut", 1);
    EXPECT_EQ(r.violations, std::vector<std::string>{});
    EXPECT_GT(r.delivered, 0.99);
    EXPECT_GT(r.relays[1].bytes, 3 * r.relays[0].bytes);
    EXPECT_LE(r.moves, 6U * 30U) << "a choice is held for 30 s";
}

TEST(Prices, ANewcomerBreaksACartel) {
    const PriceResult r = run_prices("cartel", 1);
    EXPECT_EQ(r.violations, std::vector<std::string>{});
    EXPECT_GT(r.delivered, 0.99);
    EXPECT_EQ(r.relays[2].share[40], 0.0);
    EXPECT_GT(r.relays[2].share[60], 0.9);
    EXPECT_LE(r.moves, 24U);
}

}  // namespace
}  // namespace meshnet::sim
