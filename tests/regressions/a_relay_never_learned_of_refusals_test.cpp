// SPDX-License-Identifier: MIT
// Faults found by networks with hostile nodes (seeds 566, 1291 and 1740 of the campaign: .60, .78 and .79 of the clean
// delivery): a next hop that advertised a price and refused flows at it was left by sources only, never by relays, so a
// source two hops away asked for ever; and a route that costs more than anybody pays was chosen when the cheap one had
// failed once.
#include <gtest/gtest.h>

#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

// source - relay - cheat - destination, and relay - a - b - destination: longer and more expensive, but honest.
struct Refusals : ::testing::Test {
    World w;
    std::size_t source = w.add(), relay = 0, cheat = 0, a = 0, b = 0, destination = 0;

    void build(std::uint64_t price_of_cheat) {
        const auto at = [this](std::uint64_t price) {
            return w.add([price](Router::Config& c) { c.price_msat_per_mib = price; });
        };
        relay = at(1'000), cheat = at(price_of_cheat), a = at(1'000), b = at(1'000);
        destination = w.add();
        const LinkOptions good{2ms, 3e6, 0.0, 2'700.0};
        for (const auto& [from, to] :
             {std::pair{source, relay}, {relay, cheat}, {cheat, destination}, {relay, a}, {a, b}, {b, destination}}) {
            w.join(from, to, good);
        }
        w.run(5s);
    }
    std::size_t send(Duration time) {
        const std::size_t before = w.node(destination).received.size();
        for (Duration t{}; t < time; t += 20ms) {
            w.after(t, [this] { w.send(source, destination, Bytes(500, 1)); });
        }
        w.run(time);
        return w.node(destination).received.size() - before;
    }
};

TEST_F(Refusals, WhoeverRefusesWhatItAdvertisedIsLeftByRelaysToo) {
    build(1'000);
    RouterTestAccess::charge(w.router(cheat), 500'000);
    send(3s);
    EXPECT_GT(send(10s), 490U) << "of 500";
}

TEST_F(Refusals, APriceThatIsPaidIsNoReasonToLeave) {
    build(1'000);
    send(3s);
    EXPECT_GT(send(10s), 490U);
    EXPECT_EQ(w.route(relay, destination)->next_hop, w.node(cheat).link);
}

// The source offers less than the way costs: that says nothing of the way.
TEST_F(Refusals, APoorSourceSpoilsNoRoute) {
    build(1'000);
    w.kill(source);
    w.node(source).configure = [](Router::Config& c) { c.max_price_msat_per_mib = 1'500; };
    w.restart(source);
    w.run(3s);
    EXPECT_EQ(send(5s), 0U);
    EXPECT_EQ(w.route(relay, destination)->next_hop, w.node(cheat).link);
}

// Above what a station pays itself (100 sat per MiB by default), a route is the last choice however bad the others are.
TEST_F(Refusals, WhatNobodyPaysIsTheLastChoice) {
    build(900'000);
    EXPECT_EQ(w.route(relay, destination)->next_hop, w.node(a).link);
    w.set_loss(b, destination, 0.9);  // the honest way delivers almost nothing for a time
    send(5s);
    w.set_loss(b, destination, 0.0);
    send(3s);
    EXPECT_EQ(w.route(relay, destination)->next_hop, w.node(a).link);
    EXPECT_GT(send(10s), 490U);
}

}  // namespace
}  // namespace meshnet::net::test
