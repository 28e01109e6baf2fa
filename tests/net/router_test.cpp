// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

TEST(Router, TwoNeighboursExchangePackets) {
    World w;
    const auto a = w.add();
    const auto b = w.add();
    w.join(a, b);
    w.run(1s);
    ASSERT_TRUE(w.router(a).neighbors().at(0).session_up);
    ASSERT_TRUE(w.router(b).neighbors().at(0).session_up);
    ASSERT_TRUE(w.route(a, b).has_value());
    w.send(a, b, Bytes(100, 7));
    w.run(1s);
    ASSERT_EQ(w.node(b).received.size(), 1U);
    EXPECT_EQ(w.node(b).received[0], w.packet(a, b, Bytes(100, 7)));
    EXPECT_EQ(w.disk_balance(a, b), 0);
}

TEST(Router, ARelayIsPaidAndTheBooksAgree) {
    World w;
    const auto coast = w.add();
    const auto beacon = w.add();
    const auto ship = w.add();
    w.join(coast, beacon);
    w.join(beacon, ship);
    w.run(3s);
    ASSERT_TRUE(w.route(coast, ship).has_value());
    for (int i = 0; i < 200; ++i) {
        w.after(i * 20ms, [&] { w.send(coast, ship, Bytes(1'200, 1)); });
    }
    w.run(10s);
    EXPECT_EQ(w.node(ship).received.size(), 200U);
    EXPECT_EQ(w.find_disagreement(), "");
    EXPECT_GT(w.disk_balance(beacon, coast), 0);
    EXPECT_EQ(w.disk_balance(beacon, ship), 0);
}

// Every packet of our own host that is given up is reported, with the reason and as the host sent it.
TEST(Router, WhatCannotBeDeliveredIsReported) {
    World w;
    const auto a = w.add();
    const auto b = w.add();
    w.join(a, b);
    w.run(3s);
    Router& r = w.router(a);
    const auto report = [&](Undeliverable reason, const Bytes& packet) {
        const auto p = r.poll_undeliverable();
        ASSERT_TRUE(p);
        EXPECT_EQ(p->reason, reason);
        EXPECT_EQ(p->packet, packet);
        EXPECT_FALSE(r.poll_undeliverable());
    };
    const Bytes good = w.packet(a, b, Bytes(100, 7));
    Bytes unknown = good;
    unknown[30] ^= 0x40;
    r.on_packet(w.now(), unknown);
    report(Undeliverable::kNoRoute, unknown);
    const Bytes big = w.packet(a, b, Bytes(1'400, 7));
    r.on_packet(w.now(), big);
    report(Undeliverable::kTooBig, Bytes(big.begin(), big.begin() + kUndeliverableBytes));
    Bytes spent = good;
    spent[7] = 0;
    r.on_packet(w.now(), spent);
    report(Undeliverable::kHopLimit, spent);
    const Bytes foreign = w.packet(b, a, Bytes(100, 7));
    r.on_packet(w.now(), foreign);
    report(Undeliverable::kSource, foreign);
    Bytes multicast = good;
    multicast[24] = 0xff;
    r.on_packet(w.now(), multicast);
    r.on_packet(w.now(), Bytes(60, 0x45));
    EXPECT_FALSE(r.poll_undeliverable());
    const RouterCounters& c = r.counters();
    EXPECT_EQ(c.dropped_no_route + c.dropped_too_big + c.dropped_hop_limit + c.dropped_source, 4U);
    EXPECT_EQ(c.dropped_multicast, 1U);
    EXPECT_EQ(c.dropped_malformed, 1U);
}

TEST(Router, AWayLostUnderAnOpenFlowIsReported) {
    World w;
    const auto a = w.add();
    const auto b = w.add();
    w.join(a, b);
    w.run(3s);
    w.send(a, b, Bytes(100, 7));
    w.run(2s);
    ASSERT_EQ(w.node(b).received.size(), 1U);
    w.link_down(a, b);
    w.run(2s);
    w.send(a, b, Bytes(50, 8));
    w.run(1s);
    EXPECT_FALSE(w.router(a).poll_undeliverable()) << "the way may come back";
    w.run(4s);
    const auto p = w.router(a).poll_undeliverable();
    ASSERT_TRUE(p);
    EXPECT_EQ(p->reason, Undeliverable::kRouteLost);
    EXPECT_EQ(p->packet, w.packet(a, b, Bytes(50, 8)));
    EXPECT_EQ(w.router(a).counters().unreachable_route_lost, 1U);
}

TEST(Router, APriceAboveOurLimitIsReportedAtOnce) {
    World w;
    const auto a = w.add([](Router::Config& c) { c.max_price_msat_per_mib = 10; });
    const auto relay = w.add();
    const auto b = w.add();
    w.join(a, relay);
    w.join(relay, b);
    w.run(5s);
    ASSERT_TRUE(w.route(a, b).has_value());
    w.send(a, b, Bytes(50, 8));
    w.run(1s);
    const auto p = w.router(a).poll_undeliverable();
    ASSERT_TRUE(p);
    EXPECT_EQ(p->reason, Undeliverable::kPrice);
    EXPECT_EQ(p->packet, w.packet(a, b, Bytes(50, 8)));
    EXPECT_EQ(w.router(a).counters().unreachable_price, 1U);
}

}  // namespace
}  // namespace meshnet::net::test
