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

}  // namespace
}  // namespace meshnet::net::test
