// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "net/payment_offers.hpp"

namespace meshnet::net {
namespace {

const NodeId kNode{1};
const Instant kNow = instant_from_ns(1'000'000'000);

TEST(PaymentOffers, LastSixtySecondsBeyondTheLastPacket) {
    PaymentOffers offers;
    EXPECT_FALSE(offers.find(kNow, kNode));
    offers.put(kNow, kNode, 500);
    EXPECT_EQ(offers.find(kNow + 59s, kNode), 500U);
    EXPECT_FALSE(offers.find(kNow + 60s, kNode));
    offers.renew(kNow + 50s, kNode);
    EXPECT_EQ(offers.find(kNow + 100s, kNode), 500U);
    EXPECT_FALSE(offers.find(kNow, NodeId{2}));
}

TEST(PaymentOffers, ARenewalMakesNoOffer) {
    PaymentOffers offers;
    offers.renew(kNow, kNode);
    EXPECT_FALSE(offers.find(kNow, kNode));
}

TEST(PaymentOffers, ANewOfferReplacesTheOld) {
    PaymentOffers offers;
    offers.put(kNow, kNode, 500);
    offers.put(kNow, kNode, 300);
    EXPECT_EQ(offers.find(kNow, kNode), 300U);
}

TEST(PaymentOffers, ARefusedOneRestsForAPauseThatDoubles) {
    PaymentOffers offers;
    offers.put(kNow, kNode, 500);
    Instant now = kNow;
    for (const Duration pause : {250ms, 500ms, 1'000ms, 2'000ms, 4'000ms, 8'000ms, 16'000ms, 16'000ms}) {
        offers.renew(now, kNode);
        offers.refused(now, kNode);
        EXPECT_FALSE(offers.find(now + pause - 1ns, kNode));
        EXPECT_EQ(offers.find(now + pause, kNode), 500U);
        now += pause;
    }
    offers.refused(now, kNode);
    offers.put(now, kNode, 300);
    EXPECT_EQ(offers.find(now, kNode), 300U) << "a new offer ends the pause";
    offers.refused(now, NodeId{2});
    EXPECT_FALSE(offers.find(now, NodeId{2})) << "a refusal makes no offer";
}

TEST(PaymentOffers, SweepForgetsWhatRanOut) {
    PaymentOffers offers;
    offers.put(kNow, kNode, 500);
    offers.sweep(kNow + 59s);
    EXPECT_TRUE(offers.find(kNow + 59s, kNode));
    offers.sweep(kNow + 60s);
    offers.renew(kNow + 60s, kNode);
    EXPECT_FALSE(offers.find(kNow + 60s, kNode));
}

}  // namespace
}  // namespace meshnet::net
