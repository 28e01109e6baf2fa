// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "mac/neighbor.hpp"
#include "tests/support/table_phy.hpp"

namespace meshnet::mac::test {
namespace {

Instant at(Duration d) {
    return instant_from_ns(0) + d;
}

TEST(MacNeighbors, TheTableIsBoundedAndKeepsWhoIsUp) {
    const meshnet::test::TablePhy phy;
    NeighborTable table;
    const auto make = [&](StationId id) { return Neighbor(id, 0, 1s, Ranging(), RateControl(phy, 1.5, std::nullopt)); };
    for (StationId id = 1; id <= NeighborTable::kCapacity; ++id) {
        ASSERT_TRUE(table.make_room(at(1s), 3s));
        Neighbor& n = table.add(make(id));
        n.heard_at = at(1s + id * 1ms);
        n.up = id % 2 == 1;
    }
    EXPECT_FALSE(table.make_room(at(2s), 3s));
    EXPECT_TRUE(table.make_room(at(10s), 3s));
    EXPECT_EQ(table.find(2), nullptr);  // longest unheard of those not up
    EXPECT_NE(table.find(1), nullptr);
    EXPECT_EQ(table.size(), NeighborTable::kCapacity - 1);
}

}  // namespace
}  // namespace meshnet::mac::test
