// SPDX-License-Identifier: MIT
// When a station may begin without a grant.
#include <gtest/gtest.h>

#include "mac/contention.hpp"

namespace meshnet::mac {
namespace {

constexpr Instant at(Duration d) {
    return instant_from_ns(0) + d;
}

struct Fixture {
    Rng random{5};
    Contention c{{10ms, 6ms, 8ms, 2s, 4, 32}, random};
};

TEST(MacContention, AnIdleChannelIsTakenAtOnce) {
    Fixture f;
    f.c.request(at(1s), 0);
    EXPECT_EQ(f.c.ready_at(), at(1s));
    f.c.request(at(2s), 5);  // repeated: nothing changes
    EXPECT_EQ(f.c.ready_at(), at(1s));
}

TEST(MacContention, ABusyChannelIsAVeto) {
    Fixture f;
    f.c.on_carrier(at(1s), true);
    f.c.request(at(1s), 0);
    EXPECT_GE(*f.c.ready_at(), at(3s));
    f.c.on_carrier(at(1'100ms), false);
    ASSERT_TRUE(f.c.ready_at());
    // No header was read: idle time, room for an unknown answer, then 0..3 slots.
    EXPECT_GE(*f.c.ready_at(), at(1'114ms));
    EXPECT_LE(*f.c.ready_at(), at(1'144ms));
}

// A jammer or a wrong noise floor must not silence a station for ever, nor let it send as if the channel were free.
TEST(MacContention, ACarrierWithoutEndAllowsOneBurstAtATime) {
    Fixture f;
    f.c.on_carrier(at(1s), true);
    f.c.request(at(1s), 0);
    const Instant first = *f.c.ready_at();
    EXPECT_GE(first, at(3s));
    EXPECT_LE(first, at(3'040ms));
    f.c.on_own_burst(first, first + 100ms);
    f.c.request(first + 100ms, 0);
    EXPECT_GE(*f.c.ready_at(), first + 2'100ms);
    // Headers that are read show that the carrier is a network at work.
    f.c.on_header(first + 2s, 7, 0, first + 2s);
    EXPECT_GE(*f.c.ready_at(), first + 4s);
}

TEST(MacContention, AReadHeaderReplacesTheUnknownAnswerByItsReservation) {
    Fixture f;
    f.c.on_carrier(at(1s), true);
    f.c.on_carrier(at(1'100ms), false);
    f.c.on_header(at(1'104ms), 7, 8, at(1'300ms));
    f.c.request(at(1'104ms), 0);
    EXPECT_GE(*f.c.ready_at(), at(1'306ms));
    EXPECT_LE(*f.c.ready_at(), at(1'336ms));
    // The grantee answers and needs less: its header replaces the reservation.
    f.c.on_header(at(1'150ms), 8, 0, at(1'150ms));
    EXPECT_LE(*f.c.ready_at(), at(1'186ms));
}

TEST(MacContention, AStrangerCannotShortenAReservation) {
    Fixture f;
    f.c.on_header(at(1s), 7, 8, at(1'300ms));
    f.c.on_header(at(1'010ms), 9, 0, at(1'010ms));
    EXPECT_EQ(f.c.reserved_until(), at(1'300ms));
}

TEST(MacContention, TheBackoffIsFrozenNotForgotten) {
    Fixture f;
    f.c.on_header(at(1s), 7, 0, at(1s));
    f.c.request(at(1s), 20);  // extra slots make the count long enough to watch
    const Instant before = *f.c.ready_at();
    f.c.on_carrier(at(1'106ms), true);  // 6 ms idle, then ten slots counted
    f.c.on_carrier(at(1'206ms), false);
    f.c.on_header(at(1'206ms), 7, 0, at(1'206ms));
    EXPECT_EQ(*f.c.ready_at() - before, 106ms);
}

TEST(MacContention, WindowsGrowAndAreBounded) {
    Fixture f;
    Instant t = at(1s);
    Duration longest{};
    for (int k = 0; k < 200; ++k) {
        f.c.on_header(t, 7, 0, t);
        f.c.request(t, 0);
        longest = std::max(longest, *f.c.ready_at() - t);
        f.c.on_own_burst(t, t);
        f.c.failed();
        EXPECT_TRUE(f.c.contended());
        t += 1s;
    }
    EXPECT_GT(longest, 6ms + 20 * 10ms);
    EXPECT_LE(longest, 6ms + 31 * 10ms);
    f.c.succeeded();
    EXPECT_FALSE(f.c.contended());
    for (int k = 0; k < 50; ++k) {
        f.c.on_header(t, 7, 0, t);
        f.c.request(t, 0);
        EXPECT_LE(*f.c.ready_at() - t, 6ms + 3 * 10ms);
        f.c.on_own_burst(t, t);
        t += 1s;
    }
}

}  // namespace
}  // namespace meshnet::mac
