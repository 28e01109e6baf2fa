// SPDX-License-Identifier: MIT
#include "phy/waveform/constellation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

// 0 .. 16: of the mode; then evenly spaced ones of 2, 4, 6 and 8 bits, as version 0 had them.
class EveryConstellation : public testing::TestWithParam<unsigned> {
protected:
    [[nodiscard]] static Constellation get() {
        const std::size_t i = GetParam();
        const std::size_t n = modes().size();
        return Constellation(i < n ? modes()[i].amplitudes : even_amplitudes(static_cast<unsigned>(2 * (i - n) + 2)));
    }
};
INSTANTIATE_TEST_SUITE_P(All, EveryConstellation, testing::Range(0U, 21U));

std::array<std::uint8_t, 8> bits_of(unsigned value, unsigned count) {
    std::array<std::uint8_t, 8> bits{};
    for (unsigned b = 0; b < count; ++b) {
        bits[b] = static_cast<std::uint8_t>((value >> (count - 1 - b)) & 1U);
    }
    return bits;
}

TEST_P(EveryConstellation, HasUnitMeanPowerAndDistinctPoints) {
    const Constellation c = get();
    const unsigned n = c.bits_per_symbol();
    double power = 0.0;
    for (unsigned v = 0; v < (1U << n); ++v) {
        const Sample p = c.map(bits_of(v, n).data());
        power += static_cast<double>(std::norm(p));
        EXPECT_EQ(c.nearest(p), p);
    }
    EXPECT_NEAR(power / (1U << n), 1.0, 1e-6);
}

TEST_P(EveryConstellation, NeighboursDifferInOneBit) {
    const Constellation c = get();
    const unsigned n = c.bits_per_symbol();
    const auto levels = c.levels();
    ASSERT_EQ(levels.size(), 1U << (n / 2));
    std::vector<unsigned> order(levels.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](unsigned a, unsigned b) { return levels[a] < levels[b]; });
    for (std::size_t i = 1; i < order.size(); ++i) {
        EXPECT_EQ(__builtin_popcount(order[i - 1] ^ order[i]), 1) << order[i - 1] << " beside " << order[i];
    }
}

// The formula of version 0, and the first of the payload of every mode then.
TEST(EvenConstellation, HasTheLevelsOfVersion0) {
    for (std::size_t m = 0; m < modes().size(); ++m) {
        const Constellation& c = payload_constellation(static_cast<ModeIndex>(m), 0);
        const unsigned axis_bits = c.bits_per_symbol() / 2;
        const double scale = std::sqrt(1.5 / (std::pow(4.0, axis_bits) - 1.0));
        for (std::size_t v = 0; v < c.levels().size(); ++v) {
            double amplitude = 0.0;
            for (unsigned b = 0; b < axis_bits; ++b) {  // the last bit of the axis is the innermost
                amplitude = (((v >> b) & 1U) != 0 ? -1.0 : 1.0) * (static_cast<double>(1U << b) - amplitude);
            }
            EXPECT_NEAR(static_cast<double>(c.levels()[v]), amplitude * scale, 1e-6) << modes()[m].name << ' ' << v;
        }
    }
}

TEST_P(EveryConstellation, LlrsAreMaxLogOfBruteForce) {
    const Constellation c = get();
    const unsigned n = c.bits_per_symbol();
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
    const Constellation c = get();
    const unsigned n = c.bits_per_symbol();
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
