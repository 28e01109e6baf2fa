// SPDX-License-Identifier: MIT
// The plan of a superframe: at every receiver the bursts it must hear are whole, for random places and for a satellite.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/random.hpp"
#include "mac/superframe.hpp"

namespace meshnet::mac {
namespace {

struct Ground {
    std::vector<double> x, y;
    [[nodiscard]] Duration delay(std::size_t a, std::size_t b) const {
        return from_seconds(std::hypot(x[a] - x[b], y[a] - y[b]) / 299'792.458);
    }
};

Ground random_ground(Rng& random, std::size_t n, double km) {
    Ground g;
    for (std::size_t i = 0; i < n; ++i) {
        g.x.push_back(random.uniform() * km);
        g.y.push_back(random.uniform() * km);
    }
    return g;
}

PlanLimits limits() {
    PlanLimits out;
    out.beacon = 3ms;
    out.guard = 150us;
    out.max_propagation = 1ms;
    return out;
}

TEST(MacSuperframe, NobodyHearsTwoBurstsAtOnce) {
    Rng random(1);
    for (int round = 0; round < 50; ++round) {
        const std::size_t n = 2 + random.below(19);
        const Ground g = random_ground(random, n, 300.0);
        std::vector<Member> members(n);
        for (Member& m : members) {
            m.length = Duration{static_cast<std::int64_t>(random.below(70'000'000))};
            m.gap = 7ms;
        }
        members[0].length = std::max<Duration>(members[0].length, 3ms);
        const auto plan = plan_superframe(
            members, [&](std::size_t a, std::size_t b) { return std::optional(g.delay(a, b)); }, limits());
        EXPECT_EQ(plan.entries.front().member, 0U);
        for (std::size_t i = 0; i < plan.entries.size(); ++i) {
            for (std::size_t k = i + 1; k < plan.entries.size(); ++k) {
                const auto& first = plan.entries[i];
                const auto& second = plan.entries[k];
                for (std::size_t r = 0; r < n; ++r) {
                    EXPECT_LE(first.start + first.length + g.delay(first.member, r),
                              second.start + g.delay(second.member, r));
                }
            }
            const auto& e = plan.entries[i];
            EXPECT_LE(e.start + e.length + g.delay(e.member, 0), plan.end);
            if (e.member != 0) {
                EXPECT_GE(e.start, 3ms + g.delay(0, e.member) + 7ms);  // the beacon is read before
            }
        }
    }
}

TEST(MacSuperframe, AnUnknownDelayCountsAsTheLongest) {
    std::vector<Member> members(3);
    for (Member& m : members) m.length = 60ms;
    const auto plan = plan_superframe(
        members, [](std::size_t, std::size_t) { return std::optional<Duration>(); }, limits());
    EXPECT_GE(plan.entries[1].start, 62ms);
    EXPECT_GE(plan.entries[2].start, plan.entries[1].start + 61ms);
}

// All through one satellite, each to the next: no burst waits for another's way, and each hears what is for it.
TEST(MacSuperframe, BurstsThroughASatelliteFollowEachOther) {
    constexpr std::size_t n = 5;
    std::vector<Member> members(n);
    for (std::size_t i = 0; i < n; ++i) {
        members[i].length = 250ms;
        members[i].gap = 7ms;
        members[i].targets = {(i + 1) % n};
    }
    PlanLimits with = limits();
    with.max_propagation = 125ms;
    const auto plan = plan_superframe(
        members, [](std::size_t, std::size_t) { return std::optional<Duration>(125ms); }, with);
    EXPECT_LE(plan.end, 5 * 250ms + 5ms);
    for (const auto& e : plan.entries) {
        const std::size_t to = (e.member + 1) % n;
        for (const auto& own : plan.entries) {
            if (own.member == to) {
                EXPECT_TRUE(e.start + 125ms >= own.start + own.length || e.start + e.length + 125ms <= own.start)
                    << e.member << " is not heard by " << to;
            }
        }
    }
}

// A radio that is blind around its own burst hears the beacon and what is for it.
TEST(MacSuperframe, ASlowRadioIsWaitedFor) {
    std::vector<Member> members(3);
    for (Member& m : members) m.length = 60ms;
    members[1].recovery = 61ms;
    members[2].targets = {1};
    const auto plan = plan_superframe(
        members, [](std::size_t, std::size_t) { return std::optional<Duration>(1us); }, limits());
    for (const auto& e : plan.entries) {
        if (e.member == 1) {
            EXPECT_GE(e.start, 3ms + 61ms);
            EXPECT_GE(plan.end, e.start + e.length + 61ms);
            for (const auto& other : plan.entries) {
                if (other.member == 2) {
                    EXPECT_TRUE(other.start + other.length + 61ms <= e.start ||
                                other.start >= e.start + e.length + 61ms);
                }
            }
        }
    }
}

TEST(MacSuperframe, APairSendsAtOnceAndHearsEverything) {
    const auto plan = plan_pair(125ms, 200ms, 4, limits());
    Duration sent{};
    ASSERT_EQ(plan.entries.size(), 8U);
    for (const auto& e : plan.entries) {
        sent += e.length;
        for (const auto& other : plan.entries) {
            if (other.member != e.member) {
                const bool before = e.start + e.length + 125ms <= other.start;
                const bool after = e.start + 125ms >= other.start + other.length;
                EXPECT_TRUE(before || after);
            }
        }
    }
    EXPECT_GE(sent, plan.end * 99 / 100);  // both together all the time
}

}  // namespace
}  // namespace meshnet::mac
