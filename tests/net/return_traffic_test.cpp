// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "net/return_traffic.hpp"
#include "net/spend_budget.hpp"

namespace meshnet::net {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp6 = 58;

struct ReturnTrafficTest : ::testing::Test {
    ReturnTraffic returns;
    Instant now = instant_from_ns(1'000'000'000);
    NodeId node{7};
    Bytes payload;

    IpView packet(std::uint8_t protocol, std::initializer_list<std::uint8_t> bytes) {
        payload.assign(bytes);
        payload.resize(20);
        IpView p;
        p.next_header = protocol;
        p.payload = payload;
        return p;
    }
    static constexpr std::uint8_t kSyn = 2, kRst = 4, kAck = 16;
    IpView tcp(std::uint8_t source, std::uint8_t destination, std::uint8_t flags) {
        IpView p = packet(kTcp, {0, source, 0, destination});
        payload[13] = flags;
        return p;
    }
};

TEST_F(ReturnTrafficTest, WhoSpeaksFirstBegins) {
    EXPECT_FALSE(returns.answers(now, node, packet(kUdp, {0, 1, 0, 2})));
    returns.heard(now, node, packet(kUdp, {0, 2, 0, 1}));
    EXPECT_FALSE(returns.answers(now, node, packet(kUdp, {0, 1, 0, 2}))) << "still ours";
    returns.heard(now, node, packet(kUdp, {0, 9, 0, 8}));
    EXPECT_TRUE(returns.answers(now, node, packet(kUdp, {0, 8, 0, 9})));
    EXPECT_FALSE(returns.answers(now, NodeId{8}, packet(kUdp, {0, 8, 0, 9}))) << "another node";
    EXPECT_FALSE(returns.answers(now + 601s, node, packet(kUdp, {0, 8, 0, 9}))) << "long over";
}

TEST_F(ReturnTrafficTest, EchoRepliesErrorsAndResetsAlwaysAnswer) {
    EXPECT_TRUE(returns.answers(now, node, packet(kIcmp6, {129, 0, 0, 0, 0, 1})));
    EXPECT_TRUE(returns.answers(now, node, packet(kIcmp6, {1})));
    EXPECT_TRUE(returns.answers(now, node, tcp(80, 1, kRst | kAck)));
    EXPECT_TRUE(returns.answers(now, node, tcp(80, 1, kSyn | kAck)));
    EXPECT_FALSE(returns.answers(now, node, packet(kIcmp6, {128, 0, 0, 0, 0, 1})));
}

TEST_F(ReturnTrafficTest, ASynBeginsWhateverWasBefore) {
    returns.heard(now, node, tcp(5, 6, kSyn));
    EXPECT_TRUE(returns.answers(now, node, tcp(6, 5, kAck)));
    EXPECT_FALSE(returns.answers(now, node, tcp(6, 5, kSyn)));
    EXPECT_FALSE(returns.answers(now, node, tcp(6, 5, kAck)));
    returns.heard(now, node, tcp(5, 6, kSyn));
    EXPECT_TRUE(returns.answers(now, node, tcp(6, 5, kAck)));
}

TEST_F(ReturnTrafficTest, AFloodOfBeginningsKeepsTheNewest) {
    for (unsigned port = 0; port < 1'000; ++port) {
        const auto high = static_cast<std::uint8_t>(port >> 8);
        const auto low = static_cast<std::uint8_t>(port);
        returns.heard(now + port * 1ms, node, packet(kUdp, {high, low, 0, 1}));
        EXPECT_TRUE(returns.answers(now + port * 1ms, node, packet(kUdp, {0, 1, high, low})));
    }
    for (unsigned n = 0; n < 1'000; ++n) {
        returns.heard(now + 2s, NodeId{static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n >> 8)},
                      packet(kUdp, {0, 1, 0, 1}));
    }
}

TEST_F(ReturnTrafficTest, IsPaidUpToAShareOfWhatWeSent) {
    EXPECT_FALSE(returns.may_pay(node, 1)) << "we never sent anything";
    returns.sent(node, 1'000);
    EXPECT_FALSE(returns.may_pay(node, 1)) << "and did not begin";
    (void)returns.answers(now, node, packet(kUdp, {0, 1, 0, 2}));
    returns.sent(node, 1'000);
    const std::uint64_t all = ReturnTraffic::kFirst + ReturnTraffic::kShare * 1'000;
    EXPECT_TRUE(returns.may_pay(node, all));
    EXPECT_FALSE(returns.may_pay(node, all + 1));
    returns.paid(node, all);
    EXPECT_FALSE(returns.may_pay(node, 1));
    returns.sent(node, 1);
    EXPECT_TRUE(returns.may_pay(node, ReturnTraffic::kShare));
    returns.sweep(now + 700s);
    EXPECT_FALSE(returns.may_pay(node, 1));
}

TEST(SpendBudget, EndsAtADaysMoneyAndLeaksBack) {
    const Instant start = instant_from_ns(1'000'000'000);
    SpendBudget budget({1'000, 600});
    const NodeId a{1}, b{2};
    EXPECT_TRUE(budget.allows(start, a));
    budget.spend(start, a, 600 * kNsatPerMsat);
    EXPECT_FALSE(budget.allows(start, a)) << "its own share";
    EXPECT_TRUE(budget.allows(start, b));
    budget.spend(start, b, 400 * kNsatPerMsat);
    EXPECT_FALSE(budget.allows(start, b));
    EXPECT_EQ(budget.spent_nsat(start), 1'000 * kNsatPerMsat);
    EXPECT_TRUE(budget.allows(start + 3'600s, b));
    EXPECT_NEAR(static_cast<double>(budget.spent_nsat(start + 43'200s)), 500.0 * kNsatPerMsat, kNsatPerMsat);
    EXPECT_EQ(budget.spent_nsat(start + 86'400s * 2), 0);
    SpendBudget again({1'000, 600});
    again.restore(1'000 * kNsatPerMsat);
    EXPECT_FALSE(again.allows(Instant{}, a)) << "a restart does not refill it";
}

}  // namespace
}  // namespace meshnet::net
