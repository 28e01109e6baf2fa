// SPDX-License-Identifier: MIT
#include "phy/fec/ldpc_decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "fec_reference.hpp"
#include "phy/fec/crc.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/fec/rate_matching.hpp"

namespace meshnet::phy {
namespace {

std::vector<std::uint8_t> encoded(const LdpcCode& code, std::span<const std::uint8_t> info, std::size_t coded) {
    std::vector<std::uint8_t> mother(std::min(coded, code.mother_bits()));
    LdpcEncoder().encode(code, info, mother);
    return mother;
}

std::vector<std::uint8_t> info_bits(const LdpcDecoder& decoder, std::size_t k) {
    std::vector<std::uint8_t> out(k);
    decoder.info_bits(out);
    return out;
}

TEST(LdpcDecoder, EveryLiftingDecodesFromTheFewestBitsWithoutNoise) {
    Rng rng(1);
    LdpcDecoder decoder;
    for (std::size_t z = 8; z <= LdpcCode::kMaxZ; z += 8) {
        for (const std::size_t filler : {std::size_t{0}, std::size_t{1}, std::size_t{127}}) {
            const std::size_t k = 16 * z - filler;
            const LdpcCode code = LdpcCode::for_info_bits(k);
            const auto info = reference::random_bits(rng, k);
            std::vector<float> llr;
            for (const auto b : encoded(code, info, code.min_coded_bits())) llr.push_back(b != 0 ? -3.0F : 3.0F);
            const auto outcome = decoder.decode(code, llr);
            EXPECT_TRUE(outcome.accepted) << "k " << k;
            ASSERT_EQ(info_bits(decoder, k), info) << "k " << k;
        }
    }
}

TEST(LdpcDecoder, EveryShortLengthDecodesWithoutNoise) {
    Rng rng(2);
    LdpcDecoder decoder;
    for (std::size_t k = 1; k <= 400; ++k) {
        const LdpcCode code = LdpcCode::for_info_bits(k);
        const auto info = reference::random_bits(rng, k);
        for (const std::size_t coded : {std::max(code.min_coded_bits(), 2 * k), 5 * k + code.min_coded_bits()}) {
            std::vector<float> llr;
            for (const auto b : encoded(code, info, coded)) llr.push_back(b != 0 ? -3.0F : 3.0F);
            decoder.decode(code, llr);
            ASSERT_EQ(info_bits(decoder, k), info) << "k " << k << " coded " << coded;
        }
    }
}

TEST(LdpcDecoder, InformationBytesAreTheBitsMostSignificantFirst) {
    Rng rng(3);
    LdpcDecoder decoder;
    for (const std::size_t k : {std::size_t{13}, std::size_t{64}, std::size_t{1001}, std::size_t{4224}}) {
        const LdpcCode code = LdpcCode::for_info_bits(k);
        const auto info = reference::random_bits(rng, k);
        std::vector<float> llr;
        for (const auto b : encoded(code, info, 3 * k + 64)) llr.push_back(b != 0 ? -3.0F : 3.0F);
        decoder.decode(code, llr);
        std::vector<std::uint8_t> bytes((k + 7) / 8, 0);
        for (std::size_t i = 0; i < k; ++i)
            bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (info[i] << (7 - i % 8)));
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), decoder.info_bytes().begin(), decoder.info_bytes().end()));
    }
}

// The generic version is the reference of the others: same outcome and bits on decodable blocks, hopeless ones and
// rubbish.
TEST(LdpcDecoder, AllInstructionSetsGiveTheSameBits) {
    Rng rng(4);
    LdpcDecoder generic(LdpcDecoder::Isa::kGeneric);
    LdpcDecoder avx2(LdpcDecoder::Isa::kAvx2);
    LdpcDecoder avx512(LdpcDecoder::Isa::kAvx512);
    ASSERT_EQ(generic.isa(), LdpcDecoder::Isa::kGeneric);
    int successes = 0;
    for (int trial = 0; trial < 150; ++trial) {
        const std::size_t k = trial % 3 == 0 ? 1 + rng.below(200) : 1 + rng.below(3000);
        const LdpcCode code = LdpcCode::for_info_bits(k);
        const std::size_t coded = std::min(code.mother_bits(), code.min_coded_bits() + rng.below(code.mother_bits()));
        const auto info = reference::random_bits(rng, k);
        const double snr = -4.0 + 10.0 * rng.uniform();
        const auto llr = reference::noisy(encoded(code, info, coded), snr, rng);
        const LdpcDecoder::Options options{.max_iterations = static_cast<unsigned>(1 + rng.below(12))};
        const auto expected = generic.decode(code, llr, options);
        for (LdpcDecoder* other : {&avx2, &avx512}) {
            const auto got = other->decode(code, llr, options);
            ASSERT_EQ(got.accepted, expected.accepted);
            ASSERT_EQ(got.parity_ok, expected.parity_ok);
            ASSERT_EQ(got.iterations, expected.iterations);
            ASSERT_EQ(info_bits(*other, k), info_bits(generic, k)) << "k " << k << " trial " << trial;
        }
        successes += expected.accepted ? 1 : 0;
        // Extreme integers.
        std::vector<std::int8_t> wild(coded);
        for (auto& v : wild) v = static_cast<std::int8_t>(rng.next_u64());
        for (const float steps : {0.0F, 1.0F, 2.8F, 4.0F, 1e9F}) {
            const auto wild_expected = generic.decode_int8(code, wild, steps, {.max_iterations = 3});
            for (LdpcDecoder* other : {&avx2, &avx512}) {
                const auto got = other->decode_int8(code, wild, steps, {.max_iterations = 3});
                ASSERT_EQ(got.parity_ok, wild_expected.parity_ok);
                ASSERT_EQ(info_bits(*other, k), info_bits(generic, k)) << "k " << k << " steps " << steps;
            }
        }
    }
    EXPECT_GT(successes, 15);  // the comparison met both kinds
    EXPECT_LT(successes, 135);
}

TEST(LdpcDecoder, AnyFloatIsSafeAndNanSaysNothing) {
    Rng rng(5);
    LdpcDecoder decoder;
    const LdpcCode code = LdpcCode::for_info_bits(1000);
    const auto info = reference::random_bits(rng, 1000);
    auto llr = reference::noisy(encoded(code, info, 3000), 6.0, rng);
    auto zeroed = llr;
    for (std::size_t i = 0; i < llr.size(); i += 10) {
        llr[i] = std::numeric_limits<float>::quiet_NaN();
        zeroed[i] = 0.0F;
    }
    EXPECT_TRUE(decoder.decode(code, llr).accepted);
    EXPECT_EQ(info_bits(decoder, 1000), info);
    const auto with_nan = decoder.decode(code, llr);
    const auto with_zero = decoder.decode(code, zeroed);
    EXPECT_EQ(with_nan.iterations, with_zero.iterations);

    const std::array<float, 8> wild = {std::numeric_limits<float>::quiet_NaN(),
                                       std::numeric_limits<float>::infinity(),
                                       -std::numeric_limits<float>::infinity(),
                                       std::numeric_limits<float>::denorm_min(),
                                       std::numeric_limits<float>::max(),
                                       std::numeric_limits<float>::lowest(),
                                       -0.0F,
                                       1e-38F};
    for (int trial = 0; trial < 200; ++trial) {
        const LdpcCode any = LdpcCode::for_info_bits(1 + rng.below(2000));
        std::vector<float> rubbish(rng.below(any.mother_bits() + 1));
        for (auto& x : rubbish) x = wild[rng.below(trial % 2 == 0 ? wild.size() : 4)];
        const auto outcome = decoder.decode(any, rubbish, {.max_iterations = 4});
        EXPECT_GE(outcome.iterations, 1U);
        EXPECT_LE(outcome.iterations, 4U);
        for (const auto b : info_bits(decoder, any.info_bits())) ASSERT_LE(b, 1);
    }
}

TEST(LdpcDecoder, TheCheckDecidesWhenParityHolds) {
    Rng rng(6);
    LdpcDecoder decoder;
    const LdpcCode code = LdpcCode::for_info_bits(800);
    const auto info = reference::random_bits(rng, 800);
    const auto llr = reference::noisy(encoded(code, info, 1600), 4.0, rng);
    struct Calls {
        int refuse = 0;
        mutable int seen = 0;
    };
    const auto check = [](std::span<const std::uint8_t> bytes, const void* context) {
        const auto* calls = static_cast<const Calls*>(context);
        EXPECT_EQ(bytes.size(), 100U);
        return ++calls->seen > calls->refuse;
    };
    Calls once{.refuse = 0};
    const auto first = decoder.decode(code, llr, {.check = check, .check_context = &once});
    EXPECT_TRUE(first.accepted);
    EXPECT_EQ(once.seen, 1);
    Calls later{.refuse = 3};
    const auto fourth = decoder.decode(code, llr, {.check = check, .check_context = &later});
    EXPECT_TRUE(fourth.accepted);
    EXPECT_EQ(fourth.iterations, first.iterations + 3);
    Calls never{.refuse = 1000};
    const auto none = decoder.decode(code, llr, {.max_iterations = 9, .check = check, .check_context = &never});
    EXPECT_FALSE(none.accepted);
    EXPECT_TRUE(none.parity_ok);
    EXPECT_EQ(none.iterations, 9U);
}

TEST(LdpcDecoder, RedundancyVersionsAddUp) {
    Rng rng(7);
    LdpcDecoder decoder;
    const std::size_t k = 1040;
    const LdpcCode code = LdpcCode::for_info_bits(k);
    const std::size_t coded = 2 * k;
    int alone = 0;
    int together = 0;
    for (int block = 0; block < 30; ++block) {
        const auto info = reference::random_bits(rng, k);
        const auto mother = encoded(code, info, code.mother_bits());
        std::vector<float> soft(code.mother_bits(), 0.0F);
        for (unsigned rv = 0; rv < 2; ++rv) {  // rate 1/2, then 1/4, at -2.0 dB: 2.7 dB below the bound of the
                                               // first, 1.3 above that of the second
            std::vector<std::uint8_t> sent(coded);
            select(code, mother, rv, sent);
            accumulate(code, rv, reference::noisy(sent, -2.0, rng), soft);
            decoder.decode(code, soft);
            (rv == 0 ? alone : together) += info_bits(decoder, k) == info ? 1 : 0;
        }
    }
    EXPECT_EQ(alone, 0);
    EXPECT_GE(together, 29);
}

TEST(LdpcDecoder, SpreadingByRepetitionReachesDown) {
    Rng rng(8);
    LdpcDecoder decoder;
    const std::size_t k = 400;
    const LdpcCode code = LdpcCode::for_info_bits(k);
    int good = 0;
    for (int block = 0; block < 20; ++block) {
        const auto info = reference::random_bits(rng, k);
        const auto mother = encoded(code, info, code.mother_bits());
        std::vector<std::uint8_t> sent(16 * 5 * k);
        select(code, mother, 0, sent);
        std::vector<float> soft(code.mother_bits(), 0.0F);
        accumulate(code, 0, reference::noisy(sent, -14.5, rng), soft);
        decoder.decode(code, soft);
        good += info_bits(decoder, k) == info ? 1 : 0;
    }
    EXPECT_GE(good, 19);
}

TEST(LdpcDecoderDeathTest, RefusesMoreThanTheMotherWord) {
    const LdpcCode code = LdpcCode::for_info_bits(100);
    LdpcDecoder decoder;
    std::vector<float> llr(code.mother_bits() + 1);
    EXPECT_DEATH(decoder.decode(code, llr), "");
    std::vector<std::uint8_t> out(1);
    decoder.decode(code, std::span(llr).first(100));
    EXPECT_DEATH(decoder.info_bits(out), "");
}

}  // namespace
}  // namespace meshnet::phy
