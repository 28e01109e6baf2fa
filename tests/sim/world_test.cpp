// SPDX-License-Identifier: MIT
// Whole nodes in virtual time: hidden stations carry packets and the relay is paid; the same seed gives the same run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <set>
#include <stdexcept>

#include "phy/modes.hpp"
#include "sim/table_phy.hpp"
#include "sim/world.hpp"

namespace meshnet::sim {
namespace {

node::Node::Config node_config() {
    node::Node::Config config;
    config.mac.max_burst = 400ms;  // 400 bytes fit in the most robust mode of the 1M profile
    return config;
}

World::Config config_of(std::uint64_t seed) {
    World::Config config;
    config.profile = phy::find_profile("1M");
    config.seed = seed;
    return config;
}

/// Packet number `n` of a test: its number and filler.
Bytes packet(const World& world, std::size_t from, std::size_t to, std::uint32_t n, std::size_t bytes = 1'000) {
    Bytes payload(bytes, static_cast<std::uint8_t>(n));
    for (int i = 0; i < 4; ++i) {
        payload[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(n >> (8 * i));
    }
    return make_ipv6_packet(world.address(from), world.address(to), payload);
}
std::uint32_t number_of(const Bytes& packet) {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4 && packet.size() > 43; ++i) {
        n |= static_cast<std::uint32_t>(packet[40 + i]) << (8 * i);
    }
    return n;
}

/// What a node's ledger says it earned (> 0) or owes (< 0), in the unit of LedgerRow, by kind of entry.
std::map<std::string, std::int64_t> sums(const World& world, std::size_t node) {
    std::map<std::string, std::int64_t> out;
    for (const net::LedgerRow& row : world.ledger(node).entries()) {
        out[row.kind] += row.amount_nsat;
    }
    return out;
}

/// Coast, beacon, ship: the ends do not hear each other.
void make_chain(World& world) {
    for (int i = 0; i < 3; ++i) {
        world.add_node(node_config);
    }
    world.connect(0, 1, 16.0, 200us);
    world.connect(1, 2, 17.0, 183us);
}

struct Received {
    std::set<std::uint32_t> numbers;
    int twice = 0, elsewhere = 0, altered = 0;
};
void collect(World& world, std::size_t from, std::size_t to, Received& received) {
    while (const auto delivery = world.poll_delivery()) {
        const std::uint32_t n = number_of(delivery->packet);
        received.elsewhere += delivery->node != to ? 1 : 0;
        received.twice += received.numbers.insert(n).second ? 0 : 1;
        received.altered += delivery->packet != packet(world, from, to, n) ? 1 : 0;
    }
}

TEST(TablePhy, TheCurveGoesThroughItsPoint) {
    const TablePhy phy(*phy::find_profile("1M"), 0.5);
    const auto mode = *phy::find_mode("qpsk-1/2");
    const double required = static_cast<double>(phy.required_snr_db(mode));
    EXPECT_NEAR(phy.failure(mode, 1'000, required), 1e-2, 1e-9);
    EXPECT_NEAR(phy.failure(mode, 1'000, required + 0.5), 1e-3, 1e-9);
    EXPECT_NEAR(phy.failure(mode, 100, required), 1e-3, 1e-5);
    EXPECT_DOUBLE_EQ(phy.failure(mode, 1'000, required - 3.0), 1.0);
    EXPECT_LT(phy.miss(mode, required), 1e-7);
    EXPECT_GT(phy.airtime(mode, 2'000), phy.airtime(mode, 1'000));
    EXPECT_THROW(TablePhy(*phy::find_profile("1M"), 0.0), std::invalid_argument);
}

TEST(World, AHiddenChainCarriesPacketsAndTheRelayIsPaid) {
    World world(config_of(1));
    make_chain(world);
    world.run_for(15s);
    Received received;
    constexpr std::uint32_t kPackets = 300;
    for (std::uint32_t n = 0; n < kPackets; ++n) {
        world.inject(0, packet(world, 0, 2, n));
        world.run_for(50ms);
        collect(world, 0, 2, received);
    }
    world.run_for(20s);
    collect(world, 0, 2, received);
    EXPECT_EQ(received.numbers.size(), kPackets);
    EXPECT_EQ(received.twice, 0);
    EXPECT_EQ(received.elsewhere, 0);
    EXPECT_EQ(received.altered, 0);
    const std::int64_t earned = sums(world, 1)["relay"];
    EXPECT_GT(earned, 0);
    EXPECT_EQ(sums(world, 0)["own"], -earned);
    EXPECT_EQ(world.node(1).router().counters().packets_forwarded, kPackets);
}

TEST(World, TheSameSeedGivesTheSameRun) {
    const auto run_hash = [](std::uint64_t seed, Duration step) {
        World world(config_of(seed));
        make_chain(world);
        world.run_for(5s);
        for (std::uint32_t n = 0; n < 20; ++n) {
            world.inject(2, packet(world, 2, 0, n, 400));
            for (Duration t{}; t < 100ms; t += step) {
                world.run_for(step);
            }
        }
        world.run_for(5s);
        return world.hash();
    };
    const std::uint64_t first = run_hash(7, 100ms);
    EXPECT_EQ(run_hash(7, 100ms), first);
    EXPECT_EQ(run_hash(7, 1ms), first);
    EXPECT_NE(run_hash(8, 100ms), first);
}

TEST(World, AKilledRelayComesBackAndLosesNoAcknowledgedCredit) {
    World world(config_of(3));
    make_chain(world);
    world.run_for(15s);
    Received received;
    std::uint32_t n = 0;
    std::int64_t earned = 0;
    for (int epoch = 0; epoch < 3; ++epoch) {
        for (int i = 0; i < 150; ++i) {
            world.inject(0, packet(world, 0, 2, n++));
            world.run_for(50ms);
            collect(world, 0, 2, received);
            const std::int64_t now_earned = sums(world, 1)["relay"];
            EXPECT_GE(now_earned, earned);
            earned = now_earned;
        }
        world.kill(1);
        EXPECT_FALSE(world.alive(1));
        world.run_for(2s);
        EXPECT_EQ(sums(world, 1)["relay"], earned);
        world.restart(1);
        world.run_for(15s);
        collect(world, 0, 2, received);
        earned = sums(world, 1)["relay"];
    }
    world.run_for(10s);
    collect(world, 0, 2, received);
    // A new boot epoch begins with new sessions: what was under way may be lost, nothing may be carried twice or owed
    // to nobody.
    EXPECT_GE(received.numbers.size(), n * 95 / 100);
    EXPECT_EQ(received.twice, 0);
    EXPECT_EQ(received.altered, 0);
    EXPECT_GT(earned, 0);
    EXPECT_EQ(sums(world, 1)["relay"], -sums(world, 0)["own"]);
}

TEST(World, TenNodesAtRandomPlacesReachEachOther) {
    World world(config_of(11));
    Rng rng(5);
    constexpr std::size_t kNodes = 10;
    std::vector<std::pair<double, double>> places;
    for (std::size_t i = 0; i < kNodes; ++i) {
        world.add_node(node_config);
        places.emplace_back(rng.uniform() * 120e3, rng.uniform() * 120e3);
        if (i > 0) {  // within sight of somebody before it, so that the network is whole
            const auto& [x, y] = places[rng.below(i)];
            const double angle = 6.283 * rng.uniform();
            places[i] = {x + 40e3 * std::cos(angle), y + 40e3 * std::sin(angle)};
        }
    }
    int links = 0;
    for (std::size_t a = 0; a < kNodes; ++a) {
        for (std::size_t b = a + 1; b < kNodes; ++b) {
            const double d = std::hypot(places[a].first - places[b].first, places[a].second - places[b].second);
            if (d < 60e3) {  // the horizon; 16 dB at 60 km, free space
                world.connect(a, b, 16.0 - 20.0 * std::log10(d / 60e3), from_seconds(d / 299'792'458.0));
                ++links;
            }
        }
    }
    EXPECT_GE(links, 9);
    EXPECT_LT(links, 45);
    const std::clock_t start = std::clock();
    world.run_for(60s);
    std::map<std::uint32_t, std::size_t> wanted;
    std::map<std::uint32_t, int> got;
    const auto poll = [&] {
        while (const auto delivery = world.poll_delivery()) {
            const std::uint32_t n = number_of(delivery->packet);
            ++got[n];
            EXPECT_EQ(wanted.at(n), delivery->node);
        }
    };
    constexpr std::uint32_t kPackets = 200;
    for (std::uint32_t n = 0; n < kPackets; ++n) {
        const std::size_t from = rng.below(kNodes);
        const std::size_t to = (from + 1 + rng.below(kNodes - 1)) % kNodes;
        wanted[n] = to;
        world.inject(from, packet(world, from, to, n, 300));
        world.run_for(200ms);
        poll();
    }
    world.run_for(60s);
    poll();
    const double spent = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    for (const auto& [n, times] : got) {
        EXPECT_EQ(times, 1) << "packet " << n;
    }
    EXPECT_GE(got.size(), kPackets * 95 / 100);
    const double simulated = to_seconds(world.now().time_since_epoch());
    std::printf(
        "world: 10 nodes, %d links, %zu of %u packets, %.0f s in %.2f s of CPU: %.0f x real time, %llu events\n", links,
        got.size(), kPackets, simulated, spent, simulated / spent, static_cast<unsigned long long>(world.events()));
}

TEST(World, ARadioThatIsAlwaysTooLateSendsNothing) {
    World::Config config = config_of(2);
    config.shortest_lead = 1s;
    World world(config);
    make_chain(world);
    world.run_for(10s);
    EXPECT_GT(world.counters().late, 0U);
    EXPECT_EQ(world.counters().error_free, 0U);
}

TEST(World, CollidingAndWeakFramesAreLost) {
    World world(config_of(4));
    make_chain(world);
    world.connect(0, 1, -30.0, 200us);  // below every mode
    world.run_for(20s);
    EXPECT_TRUE(world.node(0).router().neighbors().empty());
    EXPECT_FALSE(world.node(2).router().neighbors().empty());
    EXPECT_GT(world.counters().missed, 0U);
    world.disconnect(1, 2);
    const std::uint64_t before = world.counters().arrivals;
    world.disconnect(0, 1);
    world.run_for(10s);
    EXPECT_LE(world.counters().arrivals, before + 1);
}

TEST(World, ImpossibleConfigurationsAreRefused) {
    EXPECT_THROW(World{World::Config{}}, std::invalid_argument);  // no profile
    World::Config config = config_of(1);
    config.latency = -1ns;
    EXPECT_THROW(World{config}, std::invalid_argument);
    config = config_of(1);
    config.clock_error_ppm = 1e6;
    EXPECT_THROW(World{config}, std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::sim
