// SPDX-License-Identifier: MIT
#include "phy/fec/rate_matching.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "fec_reference.hpp"
#include "phy/fec/ldpc_encoder.hpp"

namespace meshnet::phy {
namespace {

TEST(RateMatching, VersionZeroStartsWithTheInformationBitsThatAreSent) {
    Rng rng(1);
    const LdpcCode code = LdpcCode::for_info_bits(1000);
    const auto info = reference::random_bits(rng, 1000);
    std::vector<std::uint8_t> mother(code.mother_bits());
    LdpcEncoder().encode(code, info, mother);
    std::vector<std::uint8_t> out(2000);
    select(code, mother, 0, out);
    for (std::size_t i = 0; i < code.sent_info_bits(); ++i) ASSERT_EQ(out[i], info[2 * code.z() + i]);
}

TEST(RateMatching, VersionsOfOneLengthGoOnWhereTheLastStopped) {
    const LdpcCode code = LdpcCode::for_info_bits(1040);
    const std::size_t coded = code.mother_bits() / 4;
    std::vector<int> sent(code.mother_bits(), 0);
    for (unsigned rv = 0; rv < 4; ++rv) {
        const std::size_t start = rate_matching_start(code, rv, coded);
        EXPECT_EQ(start, rv * coded);
        EXPECT_EQ(mother_bits_needed(code, rv, coded), start + coded);
        for (std::size_t i = 0; i < coded; ++i) ++sent[(start + i) % sent.size()];
    }
    for (std::size_t i = 0; i < 4 * coded; ++i) ASSERT_EQ(sent[i], 1);
}

TEST(RateMatching, AccumulateIsTheInverseOfSelectForEveryLengthAndVersion) {
    Rng rng(2);
    for (const std::size_t k : {std::size_t{1}, std::size_t{40}, std::size_t{1040}}) {
        const LdpcCode code = LdpcCode::for_info_bits(k);
        const std::size_t n = code.mother_bits();
        const auto mother = reference::random_bits(rng, n);
        for (const std::size_t coded : {std::size_t{0}, std::size_t{1}, n / 3, n - 1, n, n + 1, 16 * n + n / 2}) {
            for (unsigned rv = 0; rv < kRedundancyVersions; ++rv) {
                std::vector<std::uint8_t> out(coded);
                select(code, mother, rv, out);
                std::vector<float> llr(coded);
                for (std::size_t i = 0; i < coded; ++i) llr[i] = out[i] != 0 ? -1.0F : 1.0F;
                std::vector<float> soft(n, 0.0F);
                accumulate(code, rv, llr, soft);
                double total = 0.0;
                for (std::size_t i = 0; i < n; ++i) {
                    total += static_cast<double>(std::fabs(soft[i]));
                    if (soft[i] != 0.0F) {
                        ASSERT_EQ(soft[i] < 0.0F, mother[i] != 0) << i;
                    }
                    // Every bit as often as any other, give or take one.
                    ASSERT_NEAR(static_cast<double>(std::fabs(soft[i])), static_cast<double>(coded / n), 1.0);
                }
                ASSERT_EQ(total, static_cast<double>(coded));
            }
        }
    }
}

TEST(RateMatching, ValuesThatAreNotFiniteCountAsNothing) {
    const LdpcCode code = LdpcCode::for_info_bits(100);
    std::vector<float> llr(200, 1.0F);
    llr[3] = std::numeric_limits<float>::quiet_NaN();
    llr[4] = std::numeric_limits<float>::infinity();
    llr[5] = -std::numeric_limits<float>::infinity();
    std::vector<float> soft(code.mother_bits(), 0.0F);
    accumulate(code, 0, llr, soft);
    for (std::size_t i = 0; i < 200; ++i) EXPECT_EQ(soft[i], i >= 3 && i <= 5 ? 0.0F : 1.0F);
}

TEST(RateMatchingDeathTest, RefusesWrongVersionsAndSizes) {
    const LdpcCode code = LdpcCode::for_info_bits(100);
    std::vector<float> llr(10);
    std::vector<float> soft(code.mother_bits() - 1);
    EXPECT_DEATH(accumulate(code, 0, llr, soft), "");
    EXPECT_DEATH((void)rate_matching_start(code, 4, 10), "");
    std::vector<std::uint8_t> mother(9);
    std::vector<std::uint8_t> out(10);
    EXPECT_DEATH(select(code, mother, 0, out), "");
}

}  // namespace
}  // namespace meshnet::phy
