// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "mac/duty_cycle.hpp"

namespace meshnet::mac::test {
namespace {

Instant at(Duration d) {
    return instant_from_ns(0) + d;
}

TEST(MacDutyCycle, EveryWindowHolds) {
    DutyCycle d(0.01);
    EXPECT_EQ(d.depth(), 600ms);
    std::vector<Instant> sent;
    Instant t = at(0s);
    for (int k = 0; k < 3'000; ++k) {
        t = std::max(t, d.when(t, 10ms));
        ASSERT_GE(d.available(t), 10ms);
        d.spend(t, 10ms);
        sent.push_back(t);
        t += 10ms;
    }
    for (std::size_t i = 600; i < sent.size(); ++i) {
        EXPECT_GE(sent[i] - sent[i - 600], 600s - 10ms);
    }
    DutyCycle free(1.0);
    free.spend(at(0s), 3600s);
    EXPECT_GT(free.available(at(0s)), 1s);
}

}  // namespace
}  // namespace meshnet::mac::test
