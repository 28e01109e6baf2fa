// SPDX-License-Identifier: MIT
#include "phy/fec/tbcc.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "fec_reference.hpp"
#include "phy/fec/crc.hpp"

namespace meshnet::phy {
namespace {

bool crc_ok(std::span<const std::uint8_t> bits, const void*) {
    std::uint32_t sent = 0;
    for (std::size_t i = bits.size() - 16; i < bits.size(); ++i) sent = (sent << 1) | bits[i];
    return Crc16::of_bits(bits.first(bits.size() - 16)) == sent;
}

std::vector<std::uint8_t> header(Rng& rng) {
    auto bits = reference::random_bits(rng, 64);
    const std::uint32_t crc = Crc16::of_bits(std::span(bits).first(48));
    for (std::size_t i = 0; i < 16; ++i) bits[48 + i] = static_cast<std::uint8_t>((crc >> (15 - i)) & 1U);
    return bits;
}

// An encoder written the other way: output o at time t is the sum of the bits t - d (around the circle) for which bit 8
// - d of the generator is set.
TEST(TailBitingCode, EncoderIsACircularConvolution) {
    constexpr std::array<unsigned, 4> kGenerators = {0463, 0535, 0733, 0745};
    Rng rng(1);
    for (std::size_t n = TailBitingCode::kMinBits; n <= 80; ++n) {
        const auto bits = reference::random_bits(rng, n);
        std::vector<std::uint8_t> coded(4 * n);
        TailBitingCode::encode(bits, coded);
        for (std::size_t t = 0; t < n; ++t) {
            for (std::size_t o = 0; o < 4; ++o) {
                unsigned sum = 0;
                for (std::size_t d = 0; d <= 8; ++d)
                    sum += ((kGenerators[o] >> (8 - d)) & 1U) * bits[(t + 2 * n - d) % n];
                ASSERT_EQ(coded[4 * t + o], sum % 2) << "n " << n << " t " << t;
            }
        }
    }
}

// Free distance of the code by Larsen's table; tried: all words whose ones lie within twelve neighbouring bits,
// which is where the lightest are.
TEST(TailBitingCode, LightestWordHasTheFreeDistance) {
    std::size_t least = 256;
    std::vector<std::uint8_t> bits(64, 0);
    std::vector<std::uint8_t> coded(256);
    for (unsigned pattern = 1; pattern < 4096; pattern += 2) {
        for (std::size_t i = 0; i < 12; ++i) bits[i] = static_cast<std::uint8_t>((pattern >> i) & 1U);
        TailBitingCode::encode(bits, coded);
        least = std::min(least, static_cast<std::size_t>(std::count(coded.begin(), coded.end(), 1)));
    }
    EXPECT_EQ(least, 24U);
}

TEST(TailBitingCode, EveryPatternOfElevenErrorsIsCorrected) {
    Rng rng(3);
    TailBitingCode code;
    for (int trial = 0; trial < 300; ++trial) {
        const std::size_t n = 32 + rng.below(64);
        const auto bits = reference::random_bits(rng, n);
        std::vector<std::uint8_t> coded(4 * n);
        TailBitingCode::encode(bits, coded);
        std::vector<float> llr(4 * n);
        for (std::size_t i = 0; i < llr.size(); ++i) llr[i] = coded[i] != 0 ? -1.0F : 1.0F;
        for (int e = 0; e < 11; ++e) {  // fewer than half the minimum distance
            const std::size_t at = rng.below(llr.size());
            llr[at] = coded[at] != 0 ? 1.0F : -1.0F;
        }
        std::vector<std::uint8_t> got(n);
        const auto outcome = code.decode(llr, got, {});
        ASSERT_TRUE(outcome.accepted);
        ASSERT_EQ(got, bits);
    }
}

// docs/notes/ldpc.md: 5e-3 at -1 dB per symbol, so 3 of 600 are expected; more than 12 would have a probability below
// 1e-4.
TEST(TailBitingCode, BlockErrorRateOverAwgn) {
    Rng rng(4);
    TailBitingCode code;
    int failed = 0;
    int wrong = 0;
    for (int block = 0; block < 600; ++block) {
        const auto bits = header(rng);
        std::vector<std::uint8_t> coded(256);
        TailBitingCode::encode(bits, coded);
        const auto llr = reference::noisy(coded, -1.0, rng);
        std::vector<std::uint8_t> got(64);
        const auto outcome = code.decode(llr, got, {.check = &crc_ok});
        failed += outcome.accepted ? 0 : 1;
        wrong += outcome.accepted && got != bits ? 1 : 0;
    }
    EXPECT_LE(failed, 12);
    EXPECT_EQ(wrong, 0);
}

// Trial by trial against the best of 256 Viterbi decoders, one for each state the circle may start in, written plainly.
TEST(TailBitingCode, FindsTheMostLikelyWord) {
    constexpr std::array<unsigned, 4> kGenerators = {0463, 0535, 0733, 0745};
    const auto output = [&](std::size_t reg, std::size_t o) {
        unsigned sum = 0;
        for (std::size_t d = 0; d <= 8; ++d) sum ^= static_cast<unsigned>(reg >> d) & (kGenerators[o] >> (8 - d)) & 1U;
        return sum;
    };
    std::vector<std::array<unsigned, 4>> outputs(512);
    for (std::size_t reg = 0; reg < 512; ++reg) {
        for (std::size_t o = 0; o < 4; ++o) outputs[reg][o] = output(reg, o);
    }
    Rng rng(7);
    TailBitingCode code;
    int as_good = 0;
    constexpr int kTrials = 25;
    constexpr std::size_t kBits = 40;
    for (int trial = 0; trial < kTrials; ++trial) {
        const auto bits = reference::random_bits(rng, kBits);
        std::vector<std::uint8_t> coded(4 * kBits);
        TailBitingCode::encode(bits, coded);
        const auto llr = reference::noisy(coded, -2.0, rng);
        std::vector<std::uint8_t> got(kBits);
        const auto outcome = code.decode(llr, got, {});
        float most_likely = -1e9F;
        for (std::size_t start = 0; start < 256; ++start) {
            std::vector<float> metric(256, -1e9F);
            metric[start] = 0.0F;
            for (std::size_t t = 0; t < kBits; ++t) {
                std::vector<float> next(256, -1e9F);
                for (std::size_t reg = 0; reg < 512; ++reg) {
                    float m = metric[reg >> 1];
                    for (std::size_t o = 0; o < 4; ++o) m += outputs[reg][o] != 0 ? -llr[4 * t + o] : llr[4 * t + o];
                    next[reg & 255] = std::max(next[reg & 255], m);
                }
                metric = next;
            }
            most_likely = std::max(most_likely, metric[start]);
        }
        EXPECT_LE(outcome.metric, most_likely + 1e-2F);
        as_good += outcome.metric > most_likely - 1e-2F ? 1 : 0;
    }
    EXPECT_GE(as_good, kTrials - 1);
}

TEST(TailBitingCode, NoiseIsAcceptedNoMoreOftenThanTheCandidatesAllow) {
    Rng rng(5);
    TailBitingCode code;
    int accepted = 0;
    unsigned candidates = 0;
    for (int block = 0; block < 1500; ++block) {
        std::vector<float> llr(256);
        for (auto& x : llr) x = static_cast<float>(rng.normal());
        std::vector<std::uint8_t> got(64);
        const auto outcome = code.decode(llr, got, {.check = &crc_ok});
        accepted += outcome.accepted ? 1 : 0;
        candidates += outcome.candidates;
        ASSERT_LE(outcome.candidates, 4U);
    }
    // Expectation candidates / 65536 < 0.1.
    EXPECT_LE(accepted, 2);
    EXPECT_GE(candidates, 1500U);
}

TEST(TailBitingCode, AnyFloatIsSafeAndScaleDoesNotMatter) {
    Rng rng(6);
    TailBitingCode code;
    const auto bits = header(rng);
    std::vector<std::uint8_t> coded(256);
    TailBitingCode::encode(bits, coded);
    for (const float scale : {1e-30F, 1.0F, 1e30F, 3e38F}) {
        std::vector<float> llr(256);
        for (std::size_t i = 0; i < llr.size(); ++i) llr[i] = coded[i] != 0 ? -scale : scale;
        llr[7] = std::numeric_limits<float>::quiet_NaN();
        llr[8] = std::numeric_limits<float>::infinity();
        llr[9] = -std::numeric_limits<float>::infinity();
        std::vector<std::uint8_t> got(64);
        EXPECT_TRUE(code.decode(llr, got, {.check = &crc_ok}).accepted) << scale;
        EXPECT_EQ(got, bits);
    }
    std::vector<float> nothing(256, std::numeric_limits<float>::quiet_NaN());
    std::vector<std::uint8_t> got(64);
    const auto outcome =
        code.decode(nothing, got, {.check = [](std::span<const std::uint8_t>, const void*) { return false; }});
    EXPECT_FALSE(outcome.accepted);
    EXPECT_EQ(outcome.metric, 0.0F);
}

TEST(TailBitingCodeDeathTest, RefusesWrongSizes) {
    TailBitingCode code;
    std::vector<std::uint8_t> bits(7);
    std::vector<std::uint8_t> coded(28);
    EXPECT_DEATH(TailBitingCode::encode(bits, coded), "");
    bits.resize(257);
    std::vector<float> llr(4 * 257);
    EXPECT_DEATH(code.decode(llr, bits, {}), "");
    bits.resize(64);
    EXPECT_DEATH(code.decode(llr, bits, {}), "");
}

}  // namespace
}  // namespace meshnet::phy
