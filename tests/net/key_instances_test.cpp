// SPDX-License-Identifier: MIT
// What a node remembers of the runs of a key, and its alarms.
#include "net/key_instances.hpp"

#include <gtest/gtest.h>

#include "net/key_alarms.hpp"

namespace meshnet::net {
namespace {

constexpr Instant kStart{1'000s};

KeyInstances::Statement statement(std::uint64_t boot, std::uint32_t seqno, std::uint64_t other = 0) {
    return {seqno, {1, boot, other, false}, {}, {}};
}

TEST(KeyInstances, TheNewestOfEachInstanceIsKept) {
    KeyInstances k;
    EXPECT_TRUE(k.add(kStart, statement(1, 10)));
    EXPECT_TRUE(k.others(kStart, 1).empty());
    EXPECT_TRUE(k.add(kStart, statement(2, 11)));
    EXPECT_TRUE(k.add(kStart + 1s, statement(1, 12, 2)));
    ASSERT_EQ(k.others(kStart, 2).size(), 1U);
    EXPECT_EQ(k.others(kStart, 2)[0].seqno, 12);
    EXPECT_EQ(k.others(kStart, 2)[0].instance.other, 2U);
    EXPECT_EQ(k.others(kStart, 0).size(), 2U);
    EXPECT_EQ(k.others(kStart + KeyInstances::kRemembered, 0).size(), 1U) << "the older one is forgotten";
}

TEST(KeyInstances, AnOldStatementSaysNothing) {
    KeyInstances k;
    EXPECT_TRUE(k.add(kStart, statement(1, 1'000)));
    EXPECT_FALSE(k.add(kStart, statement(1, 1'000)));
    EXPECT_FALSE(k.add(kStart, statement(1, 999)));
    EXPECT_FALSE(k.add(kStart, statement(2, 935)));
    EXPECT_TRUE(k.add(kStart, statement(2, 936)));
}

TEST(KeyInstances, ManyInstancesTakeNoMoreRoom) {
    KeyInstances k;
    for (std::uint16_t i = 1; i < 100; ++i) {
        EXPECT_TRUE(k.add(kStart, statement(i, i)));
        EXPECT_FALSE(k.back_again(i));
    }
    EXPECT_EQ(k.others(kStart, 0).size(), KeyInstances::kMost);
}

TEST(KeyInstances, OnlyWhoWasReplacedCanBeBack) {
    KeyInstances k;
    EXPECT_FALSE(k.back_again(1));
    EXPECT_FALSE(k.back_again(1)) << "the same run in its next session";
    EXPECT_FALSE(k.back_again(2));
    EXPECT_FALSE(k.back_again(3));
    EXPECT_TRUE(k.back_again(2));
    EXPECT_FALSE(k.back_again(2));
    EXPECT_TRUE(k.back_again(3));
    EXPECT_TRUE(k.back_again(1));
}

TEST(KeyAlarms, StandUntilItWasQuietForTenMinutes) {
    KeyAlarms alarms(NodeId{9});
    const NodeId other{1};
    EXPECT_TRUE(alarms.evidence(kStart, other));
    EXPECT_FALSE(alarms.evidence(kStart + 100s, other)) << "it stands already";
    EXPECT_TRUE(alarms.standing(other));
    EXPECT_FALSE(alarms.own_standing());
    alarms.sweep(kStart + 100s + KeyAlarms::kQuiet - 1ns);
    ASSERT_TRUE(alarms.standing(other));
    EXPECT_EQ(alarms.alarms().at(other).since, kStart);
    EXPECT_EQ(alarms.alarms().at(other).evidence, 2U);
    alarms.sweep(kStart + 100s + KeyAlarms::kQuiet);
    EXPECT_FALSE(alarms.standing(other));
}

TEST(KeyAlarms, OursAlwaysHasRoom) {
    KeyAlarms alarms(NodeId{});
    for (std::size_t i = 1; i <= 2 * KeyAlarms::kMost; ++i) {
        alarms.evidence(kStart, NodeId{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8U)});
    }
    EXPECT_EQ(alarms.alarms().size(), KeyAlarms::kMost);
    EXPECT_TRUE(alarms.evidence(kStart, NodeId{}));
    EXPECT_TRUE(alarms.own_standing());
}

}  // namespace
}  // namespace meshnet::net
