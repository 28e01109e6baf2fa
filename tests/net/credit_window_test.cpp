// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "net/credit_window.hpp"

namespace meshnet::net {
namespace {

constexpr std::uint64_t kInitial = 65'536;
constexpr std::uint64_t kMax = 1'048'576;

TEST(CreditWindow, IsOpenUntilAWindowIsUnresolved) {
    const Instant now = instant_from_ns(1);
    CreditWindow w(kInitial, kMax);
    EXPECT_TRUE(w.open());
    EXPECT_FALSE(w.half_used());
    w.recount(now, 0, kInitial / 2);
    EXPECT_TRUE(w.half_used());
    EXPECT_TRUE(w.open());
    w.recount(now, 0, kInitial / 2);  // a second flow
    EXPECT_FALSE(w.open());
    EXPECT_EQ(w.unresolved(), kInitial);
    w.recount(now, kInitial / 2, 0);
    EXPECT_TRUE(w.open());
    w.release(kInitial);  // more than there is: stops at zero
    EXPECT_EQ(w.unresolved(), 0U);
}

TEST(CreditWindow, DoublesWhenAWindowWasSettledUpToTwiceWhatIsInFlight) {
    CreditWindow w(kInitial, kMax, kMax);
    w.settle(kInitial - 1, 10);
    EXPECT_EQ(w.bytes(), kInitial);
    w.settle(1, 100'000);
    EXPECT_EQ(w.bytes(), 2 * kInitial);
    w.settle(2 * kInitial, 100'000);
    EXPECT_EQ(w.bytes(), 200'000U);
    w.settle(200'000, 50 * kMax);
    w.settle(400'000, 50 * kMax);
    w.settle(800'000, 50 * kMax);
    EXPECT_EQ(w.bytes(), kMax);
}

TEST(CreditWindow, AnyNeighbourThatSettlesReachesTheFloor) {
    CreditWindow w(CreditWindow::kLeast, kMax, kMax);
    for (int i = 0; i < 10; ++i) {
        w.settle(w.bytes(), 1);
    }
    EXPECT_EQ(w.bytes(), CreditWindow::kFloor);
}

TEST(CreditWindow, HalvesWhenItStaysFull) {
    Instant now = instant_from_ns(1'000'000'000);
    CreditWindow w(kInitial, kMax);
    w.recount(now, 0, 4 * kInitial);
    w.sweep(now + CreditWindow::kPatience - 1ns);
    EXPECT_EQ(w.bytes(), kInitial);
    for (int i = 1; i <= 5; ++i) {
        w.sweep(now += CreditWindow::kPatience);
    }
    EXPECT_EQ(w.bytes(), CreditWindow::kLeast);
    w.recount(now, 4 * kInitial, 0);
    w.sweep(now + 10 * CreditWindow::kPatience);
    EXPECT_EQ(w.bytes(), CreditWindow::kLeast) << "open again: no longer punished";
}

TEST(CreditWindow, WhatIsNeverProvenIsAGiftAndAShareOfWhatIsProven) {
    CreditWindow w(kInitial, kMax);
    w.forfeit(kInitial - 1'000);
    EXPECT_EQ(w.bytes(), 1'000U);
    w.earn(2);
    EXPECT_EQ(w.allowance(), 1'000U);
    w.earn(29'998);
    EXPECT_EQ(w.allowance(), 11'000U) << "a third";
    w.give_back(500);
    EXPECT_EQ(w.allowance(), 11'500U);
    EXPECT_EQ(w.unproven(), kInitial - 1'500);
    w.forfeit(2 * kMax);
    EXPECT_EQ(w.bytes(), 0U);
    EXPECT_FALSE(w.open());
    w.earn(100 * kMax);
    EXPECT_EQ(w.allowance(), kMax);
    w.forfeit(kMax);
    const Instant start = instant_from_ns(1'000'000'000);
    for (int second = 0; second <= 3'600; ++second) {
        w.sweep(start + second * 1s);
    }
    EXPECT_NEAR(static_cast<double>(w.allowance()), CreditWindow::kHourlyGift, 100.0);
}

TEST(CreditWindow, OnlyALargeLossHalvesIt) {
    CreditWindow w(kInitial, kMax, 10 * kMax);
    w.write_off(kInitial / 4 - 1);
    EXPECT_EQ(w.bytes(), kInitial);
    w.write_off(kInitial / 4);
    EXPECT_EQ(w.bytes(), kInitial / 2);
    for (int i = 0; i < 5; ++i) {
        w.write_off(kInitial);
    }
    EXPECT_EQ(w.bytes(), CreditWindow::kLeast);
}

}  // namespace
}  // namespace meshnet::net
