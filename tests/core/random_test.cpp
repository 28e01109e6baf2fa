// SPDX-License-Identifier: MIT
#include "core/random.hpp"

#include <gtest/gtest.h>

#include <array>

namespace meshnet {
namespace {

TEST(Rng, SameSeedSameStream) {
    Rng a(7);
    Rng b(7);
    Rng c(8);
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const auto v = a.next_u64();
        EXPECT_EQ(v, b.next_u64());
        differs = differs || v != c.next_u64();
    }
    EXPECT_TRUE(differs);
}

// Reference: xoshiro256++ from the state {1, 2, 3, 4} starts 41943041, 58720359, 3588806011781223 (its authors' C
// code). Our seeding cannot produce that state, so the vector fixed here is of the whole generator, seed 0:
// splitmix64(0) starts 0xe220a8397b1dcdaf.
TEST(Rng, StreamIsFixedForever) {
    Rng rng(0);
    EXPECT_EQ(rng.next_u64(), 5987356902031041503ULL);
    EXPECT_EQ(rng.next_u64(), 7051070477665621255ULL);
}

TEST(Rng, BelowIsUniform) {
    Rng rng(1);
    std::array<int, 6> count{};
    constexpr int kDraws = 60'000;
    for (int i = 0; i < kDraws; ++i) {
        ++count[rng.below(6)];
    }
    for (const int c : count) {
        EXPECT_NEAR(c, kDraws / 6, 5 * 92);  // five standard deviations: sqrt(60000 * 1/6 * 5/6) = 91.3
    }
}

TEST(Rng, NormalHasUnitVarianceAndTails) {
    Rng rng(2);
    double sum = 0.0;
    double squares = 0.0;
    int beyond3 = 0;
    constexpr int kDraws = 200'000;
    for (int i = 0; i < kDraws; ++i) {
        const double x = rng.normal();
        sum += x;
        squares += x * x;
        beyond3 += std::abs(x) > 3.0 ? 1 : 0;
    }
    EXPECT_NEAR(sum / kDraws, 0.0, 5.0 / std::sqrt(kDraws));
    EXPECT_NEAR(squares / kDraws, 1.0, 5.0 * std::sqrt(2.0 / kDraws));
    EXPECT_NEAR(beyond3, 0.0026998 * kDraws, 5.0 * std::sqrt(0.0027 * kDraws));
}

TEST(Rng, FillCoversEveryByte) {
    Rng rng(3);
    std::array<std::uint8_t, 13> bytes{};
    std::array<bool, 13> seen{};
    for (int i = 0; i < 50; ++i) {
        rng.fill(bytes);
        for (std::size_t b = 0; b < bytes.size(); ++b) {
            seen[b] = seen[b] || bytes[b] != 0;
        }
    }
    for (const bool s : seen) {
        EXPECT_TRUE(s);
    }
}

}  // namespace
}  // namespace meshnet
