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

TEST(PaymentOffers, ANewOfferReplacesTheOldAndAWithdrawnOneIsGone) {
    PaymentOffers offers;
    offers.put(kNow, kNode, 500);
    offers.put(kNow, kNode, 300);
    EXPECT_EQ(offers.find(kNow, kNode), 300U);
    offers.withdraw(kNode);
    EXPECT_FALSE(offers.find(kNow, kNode));
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
