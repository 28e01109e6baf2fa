// SPDX-License-Identifier: MIT
#include "phy/waveform/constellation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

class EveryConstellation : public testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Sizes, EveryConstellation, testing::Values(2U, 4U, 6U, 8U));

std::array<std::uint8_t, 8> bits_of(unsigned value, unsigned count) {
    std::array<std::uint8_t, 8> bits{};
    for (unsigned b = 0; b < count; ++b) {
        bits[b] = static_cast<std::uint8_t>((value >> (count - 1 - b)) & 1U);
    }
    return bits;
}

TEST_P(EveryConstellation, HasUnitMeanPowerAndDistinctPoints) {
    const unsigned n = GetParam();
    const Constellation c(n);
    double power = 0.0;
    for (unsigned v = 0; v < (1U << n); ++v) {
        const Sample p = c.map(bits_of(v, n).data());
        power += static_cast<double>(std::norm(p));
        EXPECT_EQ(c.nearest(p), p);
    }
    EXPECT_NEAR(power / (1U << n), 1.0, 1e-6);
}

TEST_P(EveryConstellation, NeighboursDifferInOneBit) {
    const unsigned n = GetParam();
    const Constellation c(n);
    float step = 1e9F;
    for (unsigned a = 1; a < (1U << n); ++a) {
        step = std::min(step, std::abs(c.map(bits_of(a, n).data()) - c.map(bits_of(0, n).data())));
    }
    for (unsigned a = 0; a < (1U << n); ++a) {
        for (unsigned b = 0; b < (1U << n); ++b) {
            const float distance = std::abs(c.map(bits_of(a, n).data()) - c.map(bits_of(b, n).data()));
            if (distance > 0.5F * step && distance < 1.1F * step) {
                EXPECT_EQ(__builtin_popcount(a ^ b), 1) << a << " beside " << b;
            }
        }
    }
}

TEST_P(EveryConstellation, LlrsAreMaxLogOfBruteForce) {
    const unsigned n = GetParam();
    const Constellation c(n);
    Rng rng(n);
    for (int trial = 0; trial < 300; ++trial) {
        const Sample y(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        const float snr = static_cast<float>(std::pow(10.0, 3.0 * rng.uniform() - 0.5));
        std::array<float, 8> llr{};
        c.demap(y, snr, llr.data());
        for (unsigned b = 0; b < n; ++b) {
            double best[2] = {1e9, 1e9};
            for (unsigned v = 0; v < (1U << n); ++v) {
                const auto bits = bits_of(v, n);
                best[bits[b]] = std::min(best[bits[b]], static_cast<double>(std::norm(y - c.map(bits.data()))));
            }
            const double limit = n == 2 ? 1e9 : static_cast<double>(Constellation::kLargestLlr);
            const double exact = std::clamp((best[1] - best[0]) * static_cast<double>(snr), -limit, limit);
            // The table has 1024 steps to 1.6 times the outermost level; the slope of an LLR is at most 4 levels.
            const bool beyond_table = std::abs(y.real()) > 1.5F || std::abs(y.imag()) > 1.5F;
            if (n == 2 || !beyond_table) {
                EXPECT_NEAR(static_cast<double>(llr[b]), exact, 0.012 * static_cast<double>(snr)) << "bit " << b;
            } else if (std::abs(exact) > 0.05 * static_cast<double>(snr)) {
                EXPECT_EQ(llr[b] > 0, exact > 0) << "bit " << b;
            }
        }
    }
}

TEST_P(EveryConstellation, WritesNoMoreThanItsBitsAndKeepsLlrsWithinTheLimit) {
    const unsigned n = GetParam();
    const Constellation c(n);
    for (const float value : {0.0F, 0.3F, -1.1F, 50.0F}) {
        std::array<float, 10> llr{};
        llr.fill(777.0F);
        c.demap({value, -value}, 1e5F, llr.data());
        for (unsigned b = 0; b < llr.size(); ++b) {
            if (b >= n) {
                EXPECT_EQ(llr[b], 777.0F) << "beyond bit " << b;
            } else if (n > 2) {
                EXPECT_LE(std::abs(llr[b]), Constellation::kLargestLlr) << "bit " << b;
            }
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
