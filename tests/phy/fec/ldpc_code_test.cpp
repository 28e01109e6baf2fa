// SPDX-License-Identifier: MIT
// The family and its encoder against the parity-check matrix written out bit by bit.
#include "phy/fec/ldpc_code.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "fec_reference.hpp"
#include "phy/fec/ldpc_encoder.hpp"

namespace meshnet::phy {
namespace {

TEST(LdpcCode, EveryLengthHasTheSmallestLiftingThatHoldsIt) {
    for (std::size_t k = 1; k <= LdpcCode::kMaxInfoBits; ++k) {
        const LdpcCode code = LdpcCode::for_info_bits(k);
        ASSERT_EQ(code.info_bits(), k);
        ASSERT_EQ(code.z() % 8, 0U);
        ASSERT_GE(16 * code.z(), k);
        ASSERT_LT(16 * (code.z() - 8), k);
        ASSERT_EQ(code.filler_bits(), 16 * code.z() - k);
        ASSERT_LE(code.z(), ldpc_tables::kLastZ[code.shift_table()]);
        ASSERT_LE(code.mother_bits(), LdpcCode::kMaxMotherBits);
        ASSERT_GE(code.mother_bits(), 5 * k);  // rate 1/5 or below without repetition
    }
}

TEST(LdpcCode, FullLengthsHaveRateOneFifth) {
    const LdpcCode code = LdpcCode::for_info_bits(8448);
    EXPECT_EQ(code.z(), 528U);
    EXPECT_EQ(code.filler_bits(), 0U);
    EXPECT_EQ(code.mother_bits(), 5U * 8448U);
    EXPECT_EQ(code.min_coded_bits(), 8448U * 9U / 8U);
}

TEST(LdpcCodeDeathTest, RefusesLengthsOutsideTheFamily) {
    EXPECT_DEATH((void)LdpcCode::for_info_bits(0), "");
    EXPECT_DEATH((void)LdpcCode::for_info_bits(8449), "");
}

TEST(LdpcTables, RowsAscendAndTheCoreIsAnAccumulator) {
    std::set<std::pair<int, int>> seen;
    int last = -1;
    for (const auto& e : ldpc_tables::kEntries) {
        const int at = e.row * 20 + e.col;
        EXPECT_GT(at, last);
        last = at;
        ASSERT_LT(e.row, LdpcCode::kRows);
        ASSERT_LT(e.col, 20);
        seen.insert({e.row, e.col});
    }
    for (int r = 0; r < 4; ++r) {
        EXPECT_EQ(seen.count({r, 16}), r != 2 ? 1U : 0U);
        for (int c = 17; c < 20; ++c) EXPECT_EQ(seen.count({r, c}), (r == c - 17 || r == c - 16) ? 1U : 0U);
    }
}

/// Pairs of checks that share two bits. None for the long codes; they would make an error floor.
TEST(LdpcTables, NoCyclesOfLengthFourFromZ136Up) {
    for (std::size_t z = 136; z <= LdpcCode::kMaxZ; z += 8) {
        const LdpcCode code = LdpcCode::for_info_bits(16 * z);
        std::vector<std::vector<int>> shift(66, std::vector<int>(20, -1));
        for (const auto& e : ldpc_tables::kEntries) {
            shift[e.row][e.col] = static_cast<int>(e.shift[code.shift_table()] % z);
        }
        int cycles = 0;
        for (std::size_t r = 0; r < 66; ++r) {
            for (std::size_t q = 0; q < r; ++q) {
                std::set<int> differences;
                for (std::size_t c = 0; c < 20; ++c) {
                    if (shift[r][c] < 0 || shift[q][c] < 0) continue;
                    const int d = (shift[r][c] - shift[q][c] + static_cast<int>(z)) % static_cast<int>(z);
                    if (!differences.insert(d).second) ++cycles;
                }
            }
        }
        EXPECT_EQ(cycles, 0) << "Z " << z;
    }
}

TEST(LdpcEncoder, EveryCheckIsEvenForEveryLifting) {
    Rng rng(1);
    LdpcEncoder encoder;
    for (std::size_t z = 8; z <= LdpcCode::kMaxZ; z += 8) {
        const std::size_t k = 16 * z - rng.below(128);  // some filler
        const LdpcCode code = LdpcCode::for_info_bits(k);
        ASSERT_EQ(code.z(), z);
        const auto info = reference::random_bits(rng, k);
        std::vector<std::uint8_t> mother(code.mother_bits());
        encoder.encode(code, info, mother);
        std::vector<std::uint8_t> word(LdpcCode::kCols * z, 0);
        std::copy(info.begin(), info.end(), word.begin());
        for (std::size_t i = 0; i < mother.size(); ++i) {
            const std::size_t at = reference::full_position(code, i);
            if (at < k) {
                ASSERT_EQ(mother[i], info[at]) << "systematic bit " << i;
            }
            word[at] = mother[i];
        }
        std::size_t odd = 0;
        for (const auto& check : reference::checks(code, LdpcCode::kRows)) {
            unsigned sum = 0;
            for (const std::size_t p : check) sum += word[p];
            odd += sum % 2;
        }
        ASSERT_EQ(odd, 0U) << "Z " << z << " k " << k;
    }
}

TEST(LdpcEncoder, AShorterRequestIsThePrefixOfTheWhole) {
    Rng rng(2);
    LdpcEncoder encoder;
    for (const std::size_t k : {std::size_t{5}, std::size_t{24}, std::size_t{1000}, std::size_t{8024}}) {
        const LdpcCode code = LdpcCode::for_info_bits(k);
        auto info = reference::random_bits(rng, k);
        std::vector<std::uint8_t> whole(code.mother_bits());
        encoder.encode(code, info, whole);
        for (auto& b : info) b = static_cast<std::uint8_t>(b | 0xA4U);  // only the lowest bit counts
        for (std::size_t n = 0; n <= whole.size(); n += whole.size() / 37 + 1) {
            std::vector<std::uint8_t> part(n);
            encoder.encode(code, info, part);
            ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin())) << "k " << k << " n " << n;
        }
    }
}

TEST(LdpcEncoderDeathTest, RefusesWrongSizes) {
    const LdpcCode code = LdpcCode::for_info_bits(100);
    LdpcEncoder encoder;
    std::vector<std::uint8_t> info(99);
    std::vector<std::uint8_t> mother(code.mother_bits());
    EXPECT_DEATH(encoder.encode(code, info, mother), "");
    info.resize(100);
    mother.resize(code.mother_bits() + 1);
    EXPECT_DEATH(encoder.encode(code, info, mother), "");
}

}  // namespace
}  // namespace meshnet::phy
