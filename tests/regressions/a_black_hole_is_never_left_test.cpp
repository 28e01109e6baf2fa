// SPDX-License-Identifier: MIT
// A relay with a good metric that drops what it should carry: traffic leaves it by what arrives, not by what it says.
// Before, 0 of 6000 packets arrived in ten minutes beside an honest relay.
#include <gtest/gtest.h>

#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

struct BlackHole : ::testing::Test {
    World w;
    std::size_t source = w.add(), hole = 0, honest = 0, destination = 0;

    void build(std::uint64_t price, std::size_t dropped_from = 700) {
        hole = w.add([price](Router::Config& c) { c.price_msat_per_mib = price; });
        honest = w.add([](Router::Config& c) { c.price_msat_per_mib = 1'000; });
        destination = w.add();
        LinkOptions good{2ms, 3e6, 0.0, 2'700.0};
        LinkOptions poor{2ms, 3e6, 0.0, 5'400.0};
        w.join(source, hole, good);
        w.join(hole, destination, good);
        w.join(source, honest, poor);
        w.join(honest, destination, poor);
        w.run(5s);
        ASSERT_EQ(w.route(source, destination)->next_hop, w.node(hole).link) << "the better metric";
        w.tamper = [this, dropped_from](std::size_t from, std::size_t to, Bytes& frame) {
            if (from == hole && to == destination && frame.size() > dropped_from) frame.clear();
        };
    }
    std::size_t send(Duration time, Duration spacing) {
        const std::size_t before = w.node(destination).received.size();
        for (Duration t{}; t < time; t += spacing) {
            w.after(t, [this] { w.send(source, destination, Bytes(1'000, 1)); });
        }
        w.run(time);
        return w.node(destination).received.size() - before;
    }
};

TEST_F(BlackHole, BulkLeavesWithinThreeSeconds) {
    build(1'000);
    send(3s, 5ms);
    EXPECT_GT(send(10s, 5ms), 1'800U) << "of 2000";
    EXPECT_GT(send(120s, 20ms), 5'400U) << "of 6000: it may be tried again, and is left again";
}

TEST_F(BlackHole, OneThatCostsNothingIsLeftToo) {
    build(0);
    send(4s, 5ms);
    EXPECT_GT(send(10s, 5ms), 1'800U);
}

TEST_F(BlackHole, OneThatDropsFlowOpensToo) {
    build(1'000, 400);
    send(3s, 5ms);
    EXPECT_GT(send(10s, 5ms), 1'800U);
}

TEST_F(BlackHole, ASlowFlowLeavesItAsWell) {
    build(1'000);
    send(10s, 100ms);
    EXPECT_GT(send(20s, 100ms), 180U) << "of 200";
}

TEST_F(BlackHole, AnHonestRelayIsNotLeft) {
    build(1'000);
    w.tamper = nullptr;
    send(30s, 20ms);
    EXPECT_EQ(w.router(source).counters().flows_left, 0U);
    EXPECT_EQ(w.route(source, destination)->next_hop, w.node(hole).link);
}

}  // namespace
}  // namespace meshnet::net::test
