// SPDX-License-Identifier: MIT
// Flows that move: two ways at once, a lost next hop, silent relays, passes of a satellite. What is paid stays paid.
#include <gtest/gtest.h>

#include "sim/net_invariants.hpp"
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

WorldOptions with_fate() {
    WorldOptions o;
    o.report_fate = true;
    o.death_after = 300ms;
    return o;
}

/// A, two relays, B: nothing else.
struct Diamond {
    explicit Diamond(double rate_bps) : w(with_fate()), a(w.add()), r1(w.add()), r2(w.add()), b(w.add()) {
        LinkOptions link;
        link.rate_bps = rate_bps;
        link.airtime_us_per_kib = 8'192e6 / rate_bps;
        for (const auto& [x, y] : {std::pair{a, r1}, {r1, b}, {a, r2}, {r2, b}}) w.join(x, y, link);
        w.run(3s);
    }
    void send_every(Duration interval, Duration time, std::size_t bytes) {
        for (Duration t{}; t < time; t += interval) w.after(t, [this, bytes] { w.send(a, b, Bytes(bytes, 1)); });
    }
    World w;
    std::size_t a, r1, r2, b;
};

TEST(FlowMoving, TwoWaysCarryWhatOneCannotAndBothArePaid) {
    Diamond d(1e6);
    sim::NetInvariants invariants(d.w, std::vector<bool>(4, false));
    d.w.check = [&] { invariants.after_event(); };
    constexpr int kPackets = 20 * 1'000 / 5;  // 1000 bytes each 5 ms: 1.6 Mbit/s where one way carries less than 1
    d.send_every(5ms, 20s, 1'000);
    d.w.run(40s);
    EXPECT_GT(d.w.node(d.b).received.size(), std::size_t{kPackets} * 9 / 10);
    EXPECT_GT(d.w.disk_balance(d.r1, d.a), 0);
    EXPECT_GT(d.w.disk_balance(d.r2, d.a), 0);
    EXPECT_GT(std::min(d.w.disk_balance(d.r1, d.a), d.w.disk_balance(d.r2, d.a)) * 3,
              std::max(d.w.disk_balance(d.r1, d.a), d.w.disk_balance(d.r2, d.a)));
    invariants.at_rest();
    EXPECT_EQ(invariants.violations(), std::vector<std::string>{});
}

TEST(FlowMoving, AFlowThatOneWayCarriesStaysOnIt) {
    Diamond d(1e6);
    d.send_every(20ms, 10s, 1'000);
    d.w.run(20s);
    EXPECT_EQ(d.w.node(d.b).received.size(), 500U);
    EXPECT_EQ(std::min(d.w.disk_balance(d.r1, d.a), d.w.disk_balance(d.r2, d.a)), 0);
}

TEST(FlowMoving, PacketsGoOnAtOnceWhenTheLinkLayerMissesTheRelay) {
    Diamond d(3e6);
    d.send_every(10ms, 10s, 200);
    d.w.run(4s);
    const std::size_t used = d.w.route(d.a, d.b)->next_hop == d.w.node(d.r1).link ? d.r1 : d.r2;
    d.w.kill(used);
    d.w.run(300ms);  // the link layer needs them
    const std::size_t had = d.w.node(d.b).received.size();
    d.w.run(300ms);  // an open, an accept, two commits
    EXPECT_GT(d.w.node(d.b).received.size(), had + 10);
}

TEST(FlowMoving, ThreeFramesGivenUpInARowAreALostLink) {
    WorldOptions o;
    o.report_fate = true;  // and the link layer itself never misses anybody
    World w(o);
    const auto a = w.add(), r1 = w.add(), r2 = w.add(), b = w.add();
    LinkOptions worse;
    worse.airtime_us_per_kib = 12'000;
    w.join(a, r1);
    w.join(r1, b);
    w.join(a, r2, worse);
    w.join(r2, b, worse);
    w.run(3s);
    for (int i = 0; i < 1'000; ++i) w.after(i * 10ms, [&] { w.send(a, b, Bytes(200, 1)); });
    w.run(4s);
    ASSERT_EQ(w.route(a, b)->next_hop, w.node(r1).link);
    w.kill(r1);
    const std::size_t had = w.node(b).received.size();
    w.run(600ms);
    EXPECT_GT(w.node(b).received.size(), had + 20);
}

// Opens that a relay swallows go another way, found by the relay before it.
TEST(FlowMoving, ASilentRelayIsPassedBy) {
    World w(with_fate());
    const auto a = w.add(), r = w.add(), hole = w.add(), way = w.add(), b = w.add();
    LinkOptions worse;
    worse.airtime_us_per_kib = 12'000;
    w.join(a, r);
    w.join(r, hole);
    w.join(hole, b);
    w.join(r, way, worse);
    w.join(way, b, worse);
    w.run(3s);
    w.tamper = [&](std::size_t from, std::size_t, Bytes& frame) {
        if (from == hole && frame.size() > 150) frame.clear();
    };
    for (int i = 0; i < 50; ++i) w.after(i * 100ms, [&] { w.send(a, b, Bytes(200, 1)); });
    w.run(2s);
    EXPECT_GT(w.node(b).received.size(), 10U);
    w.run(5s);
    EXPECT_EQ(w.node(b).received.size(), 50U);
}

// An island hears a satellite at times only. What its host sends between passes is kept for the next one.
struct Passes : ::testing::Test {
    Passes() : w(with_fate()), host(w.add()), gate(w.add()), satellite(w.add()), far(w.add()) {
        w.join(host, gate);
        w.join(gate, satellite);
        w.join(satellite, far);
        start = w.now();
        for (const auto& [from, until] : {std::pair{0s, 20s}, {400s, 420s}}) {
            plan.push_back({w.node(satellite).id, start + from, start + until, 1e6});
            w.at(start + from, [this] { w.link_up(gate, satellite); });
            w.at(start + until, [this] { w.link_down(gate, satellite); });
        }
        w.link_down(gate, satellite);
    }
    World w;
    std::size_t host, gate, satellite, far;
    Instant start;
    ContactPlan plan;
};

TEST_F(Passes, PacketsWaitForTheNextPassIfItIsKnown) {
    w.router(gate).set_contacts(w.now(), plan);
    w.pump(gate);
    w.run(15s);
    ASSERT_TRUE(w.route(host, far));
    w.run(15s);  // the pass is over
    EXPECT_FALSE(w.route(host, far));
    const auto expected = w.router(host).next_contact(w.now(), w.node(far).id);
    ASSERT_TRUE(expected) << "the gate said so";
    EXPECT_LE(std::chrono::abs(expected->from - (start + 400s)), 3s);
    w.send(host, far, Bytes(300, 9));
    w.run(350s);  // longer than a station stays known without a contact
    EXPECT_EQ(w.node(far).received.size(), 0U);
    w.run(40s);
    EXPECT_EQ(w.node(far).received.size(), 1U);
}

TEST_F(Passes, WithoutAPlanTheyAreGivenUp) {
    w.run(30s);
    w.send(host, far, Bytes(300, 9));
    w.run(400s);
    EXPECT_EQ(w.node(far).received.size(), 0U);
}

TEST_F(Passes, WhatAFlowSendsAfterTheEndWaitsInTheQueueOfTheLink) {
    w.router(gate).set_contacts(w.now(), plan);
    w.pump(gate);
    for (int i = 0; i < 250; ++i) w.after(10s + i * 50ms, [&] { w.send(host, far, Bytes(100, 9)); });
    w.run(30s);
    const std::size_t first = w.node(far).received.size();
    EXPECT_LT(first, 250U);
    w.run(400s);
    EXPECT_EQ(w.node(far).received.size(), 250U);
}

TEST_F(Passes, RoutesLeaveBeforeThePassEnds) {
    w.router(gate).set_contacts(w.now(), plan);
    w.pump(gate);
    w.run(19s);
    EXPECT_TRUE(w.route(gate, far));
    w.run(700ms);
    EXPECT_FALSE(w.route(gate, far));
}

TEST(ContactBook, RefusesWhatIsMalformedAndForgetsWhatIsOver) {
    EXPECT_FALSE(RouteContacts::decode(Bytes(20, 0)));
    EXPECT_FALSE(RouteContacts::decode(Bytes(19 * RouteContacts::kEntryBytes, 0)));
    EXPECT_FALSE(RouteContacts::decode(Bytes(RouteContacts::kEntryBytes, 0xff)));
    EXPECT_TRUE(RouteContacts::decode(Bytes{}));
    ContactBook book;
    const Instant now = instant_from_ns(1'000'000'000);
    NodeId peer{};
    peer[0] = 1;
    book.set_plan(now,
                  {{peer, now + 10s, now + 20s, 1e6}, {peer, now + 5s, now + 5s, 1e6}, {peer, now - 9s, now, 1e6}});
    EXPECT_EQ(book.plan().size(), 1U);
    EXPECT_EQ(book.next(now, peer)->from, now + 10s);
    RouteContacts said;
    said.entries.push_back({short_id(peer), 2, 3, 100, 7});
    said.entries.push_back({short_id(peer), 1, 3, 100, ContactBook::kMostHops});
    book.on_message(now, 77, said);
    EXPECT_EQ(book.next(now, peer)->from, now + 2s) << "one that has come too far does not count";
    EXPECT_TRUE(book.message_for(now, 77).entries.size() == 1 && book.message_for(now, 77).entries[0].begins_s == 10)
        << "not back to who said it";
    EXPECT_EQ(book.next(now + 6s, peer)->from, now + 10s);
    EXPECT_FALSE(book.next(now + 21s, peer));
}

}  // namespace
}  // namespace meshnet::net::test
