// SPDX-License-Identifier: MIT
#include "phy/fec/crc.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

constexpr std::array<std::uint8_t, 9> kDigits = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};

// At compile time, too.
static_assert(Crc16::of_bytes(kDigits) == 0x29B1);
static_assert(Crc24::of_bytes(kDigits) == 0x21CF02);

TEST(Crc, PublishedCheckValues) {
    EXPECT_EQ(Crc16::of_bytes(kDigits), 0x29B1U);
    EXPECT_EQ(Crc24::of_bytes(kDigits), 0x21CF02U);
    EXPECT_EQ(Crc16::of_bytes({}), 0xFFFFU);
    EXPECT_EQ(Crc24::of_bytes({}), 0xB704CEU);
}

TEST(Crc, BitsAndBytesAgree) {
    Rng rng(1);
    for (std::size_t n = 0; n < 50; ++n) {
        std::vector<std::uint8_t> bytes(n);
        rng.fill(bytes);
        std::vector<std::uint8_t> bits;
        for (const auto b : bytes) {
            for (int i = 7; i >= 0; --i) bits.push_back(static_cast<std::uint8_t>((b >> i) & 1));
        }
        EXPECT_EQ(Crc16::of_bits(bits), Crc16::of_bytes(bytes));
        EXPECT_EQ(Crc24::of_bits(bits), Crc24::of_bytes(bytes));
    }
}

TEST(Crc, EveryBurstAsLongAsTheCrcIsFound) {
    Rng rng(2);
    std::vector<std::uint8_t> bits(200);
    for (auto& b : bits) b = static_cast<std::uint8_t>(rng.next_u64() & 1U);
    const auto c16 = Crc16::of_bits(bits);
    const auto c24 = Crc24::of_bits(bits);
    for (int trial = 0; trial < 2000; ++trial) {
        auto hit = bits;
        const std::size_t length = 1 + rng.below(16);
        const std::size_t at = rng.below(bits.size() - length);
        hit[at] ^= 1U;
        for (std::size_t i = at + 1; i < at + length; ++i) hit[i] ^= static_cast<std::uint8_t>(rng.next_u64() & 1U);
        EXPECT_NE(Crc16::of_bits(hit), c16);
        EXPECT_NE(Crc24::of_bits(hit), c24);
    }
}

}  // namespace
}  // namespace meshnet::phy
