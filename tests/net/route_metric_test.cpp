// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "core/random.hpp"
#include "net/route_metric.hpp"

namespace meshnet::net {
namespace {

TEST(RouteMetric, GrowsOverEveryLink) {
    const LinkMetric slow{20'000, 250}, fast{1'000, 1};
    const RouteMetric m = RouteMetric::origin().over(fast).charging(700).over(slow);
    EXPECT_EQ(m, (RouteMetric{21'000, 700, 251, 2}));
    EXPECT_TRUE(m.reachable());
}

TEST(RouteMetric, AirtimeAlwaysGrowsAndSaturatesAtUnreachable) {
    Rng rng(1);
    for (int i = 0; i < 10'000; ++i) {
        RouteMetric m{static_cast<std::uint32_t>(rng.next_u64()), 0, 0, 0};
        const LinkMetric link{1 + static_cast<std::uint32_t>(rng.below(0xFFFF'FFFF)), 0};
        if (m.reachable()) {
            EXPECT_GT(m.over(link).airtime_us_per_kib, m.airtime_us_per_kib);
        }
    }
    const RouteMetric last{kUnreachable - 1, 0, 0, 0};
    EXPECT_FALSE(last.over({1, 0}).reachable());
    EXPECT_FALSE(last.over({kUnreachable, 0}).reachable());
    EXPECT_FALSE(RouteMetric{}.over({1, 0}).reachable()) << "no link makes a retraction a route";
}

TEST(RouteMetric, PriceAndHopsSaturate) {
    EXPECT_EQ((RouteMetric{1, 0xFFFF'FFF0, 0, 0}).charging(0xFF).price_msat_per_mib, 0xFFFF'FFFFU);
    EXPECT_EQ((RouteMetric{1, 0, 0, 255}).over({1, 0}).hops, 255);
}

TEST(RouteMetric, CostWeighsTheComponents) {
    const MetricWeights weights{2, 10};
    EXPECT_EQ((RouteMetric{1'000, 50, 7, 3}).cost(weights), 1'000U + 100U + 70U);
    EXPECT_EQ((RouteMetric{kUnreachable, kUnreachable, 131'070, 0}).cost({1, 10}),
              2 * std::uint64_t{kUnreachable} + 1'310'700U);  // no wrapping
}

TEST(RouteMetric, IsWrittenToMessagesInTheOrderOfTheSpecification) {
    Bytes bytes;
    ByteWriter w(bytes);
    const RouteMetric m{0x01020304, 0x05060708, 0x090A, 0x0B};
    m.encode(w);
    ASSERT_GE(bytes.size(), 11U);
    EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 11), (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
    ByteReader r(bytes);
    EXPECT_EQ(RouteMetric::decode(r), m);
    EXPECT_TRUE(r.complete());
    Bytes saturated;
    ByteWriter s(saturated);
    RouteMetric{0, 0, 70'000, 0}.encode(s);
    ByteReader back(saturated);
    EXPECT_EQ(RouteMetric::decode(back).delay_ms, 0xFFFFU);
}

TEST(RouteMetric, EveryComponentTravelsInMessages) {
    Bytes bytes;
    ByteWriter w(bytes);
    RouteMetric::origin().encode(w);
    std::fill(bytes.begin(), bytes.end(), std::uint8_t{1});
    ByteReader r(bytes);
    const RouteMetric m = RouteMetric::decode(r);
    visit_components(m, [](const char* name, auto value) { EXPECT_GT(value, 0U) << name << " is not read"; });
    Bytes again;
    ByteWriter back(again);
    m.encode(back);
    EXPECT_EQ(again, bytes);
}

TEST(RouteMetric, OnlyNotableChangesAreAdvertisedAtOnce) {
    const RouteMetric advertised{1'000, 10, 5, 2};
    RouteMetric m = advertised;
    EXPECT_FALSE(m.differs_notably(advertised));
    m.airtime_us_per_kib = 1'250;
    m.delay_ms = 900;
    m.hops = 7;
    EXPECT_FALSE(m.differs_notably(advertised));
    m.airtime_us_per_kib = 1'251;
    EXPECT_TRUE(m.differs_notably(advertised));
    m = advertised;
    m.price_msat_per_mib = 11;
    EXPECT_TRUE(m.differs_notably(advertised));
    EXPECT_TRUE(m.differs_notably(RouteMetric{})) << "it was never advertised";
}

TEST(LinkMetric, IsMeasuredInWholeMicrosecondsAtLeastOne) {
    LinkQuality q;
    EXPECT_EQ(LinkMetric::measured(q).airtime_us_per_kib, 1U) << "nothing is known";
    q.rate_bps = 819'200.0;
    EXPECT_EQ(LinkMetric::measured(q).airtime_us_per_kib, 10'000U) << "from the rate";
    q.airtime_us_per_kib = 12'345.6;
    q.round_trip = std::chrono::milliseconds(501);
    EXPECT_EQ(LinkMetric::measured(q).airtime_us_per_kib, 12'345U);
    EXPECT_EQ(LinkMetric::measured(q).delay_ms, 250);
    q.airtime_us_per_kib = std::numeric_limits<double>::infinity();
    EXPECT_EQ(LinkMetric::measured(q).airtime_us_per_kib, 1U);
}

TEST(LinkMetric, FollowsNotableChangesOnly) {
    LinkMetric known{1'000, 5};
    EXPECT_FALSE(known.follow({1'200, 5}));
    EXPECT_EQ(known.airtime_us_per_kib, 1'000U) << "small steps must not add up unseen";
    EXPECT_TRUE(known.follow({1'201, 5}));
    EXPECT_EQ(known.airtime_us_per_kib, 1'201U);
    EXPECT_FALSE(known.follow({1'210, 10})) << "5 ms are noise";
    EXPECT_TRUE(known.follow({1'210, 11}));
    EXPECT_EQ(known.airtime_us_per_kib, 1'201U);
    EXPECT_EQ(known.delay_ms, 11);
}

LinkQuality quality(double airtime, double loss) {
    LinkQuality q;
    q.loss = loss;
    q.airtime_us_per_kib = airtime / (1.0 - loss);  // as the MAC reports it
    return q;
}

// The MAC's loss on idle links is collisions of control traffic: clean links of one mode read 7 to 29 ms/KiB.
TEST(LinkEstimate, CollisionsDoNotTellEqualLinksApart) {
    Instant now = instant_from_ns(1'000'000'000);
    LinkEstimate e(now, quality(7'000, 0.6));
    EXPECT_NEAR(e.metric().airtime_us_per_kib, 7'000, 1);
    Rng rng(3);
    for (int i = 0; i < 200; ++i) {
        now += std::chrono::seconds(1);
        EXPECT_FALSE(e.update(now, quality(7'000, i % 4 == 0 ? 0.5 * rng.uniform() : 0.0))) << i;
    }
    EXPECT_NEAR(e.metric().airtime_us_per_kib, 7'000, 1);
}

TEST(LinkEstimate, LossThatLastsCountsWithoutFurtherReports) {
    Instant now = instant_from_ns(1'000'000'000);
    LinkEstimate e(now, quality(7'000, 0.0));
    (void)e.update(now, quality(7'000, 0.7));
    int seconds = 0;
    while (e.next_settle() && seconds < 60) {
        ASSERT_GT(*e.next_settle(), now);
        now = *e.next_settle();
        (void)e.settle(now);
        ++seconds;
    }
    EXPECT_LE(seconds, 15) << "and then it is at rest";
    EXPECT_GT(e.metric().airtime_us_per_kib, 15'000U);
    EXPECT_TRUE(e.update(now + std::chrono::seconds(1), quality(30'000, 0.0))) << "another mode counts at once";
}

TEST(RouteMetric, DiffersByIsRelativeToTheSmaller) {
    EXPECT_FALSE(differs_by(100, 120, 20));
    EXPECT_TRUE(differs_by(100, 121, 20));
    EXPECT_TRUE(differs_by(121, 100, 20));
    EXPECT_TRUE(differs_by(0, 1, 20));
    EXPECT_FALSE(differs_by(0, 0, 20));
    EXPECT_TRUE(differs_by(1, kUnreachable, 20));
}

}  // namespace
}  // namespace meshnet::net
