// SPDX-License-Identifier: MIT
#include "phy/waveform/header_codec.hpp"

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "phy/fec/crc.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {
namespace {

std::vector<float> clean_llrs(const std::array<std::uint8_t, kHeaderCodedBits>& coded) {
    std::vector<float> llr;
    for (const auto bit : coded) {
        llr.push_back(bit != 0 ? -4.0F : 4.0F);
    }
    return llr;
}

TEST(HeaderCodec, RoundTripOfEveryMode) {
    HeaderCodec codec;
    for (ModeIndex m = 0; m < modes().size(); ++m) {
        for (const std::uint16_t bytes :
             {std::uint16_t{1}, std::uint16_t{1500}, static_cast<std::uint16_t>(kMaxPayloadBytes)}) {
            const Header header{kWaveformVersion, m, bytes, static_cast<std::uint8_t>(m % 4)};
            const auto decoded = codec.decode(clean_llrs(codec.encode(header)), modes()[m].preamble, kWaveformVersion);
            ASSERT_TRUE(decoded.has_value());
            EXPECT_EQ(*decoded, header);
        }
    }
}

TEST(HeaderCodec, RefusesWhatCannotBe) {
    HeaderCodec codec;
    const auto tried = [&](const Header& header, PreambleClass preamble) {
        return codec.decode(clean_llrs(codec.encode(header)), preamble, kWaveformVersion).has_value();
    };
    const ModeIndex half = *find_mode("qpsk-1/2");
    EXPECT_TRUE(tried({kWaveformVersion, half, 100, 0}, PreambleClass::kShort));
    EXPECT_FALSE(tried({kWaveformVersion, half, 100, 0}, PreambleClass::kLong))
        << "the mode does not belong to that preamble";
    EXPECT_FALSE(tried({kWaveformVersion, static_cast<ModeIndex>(modes().size()), 100, 0}, PreambleClass::kShort));
    EXPECT_FALSE(tried({kWaveformVersion, half, 0, 0}, PreambleClass::kShort));
    EXPECT_FALSE(tried({kWaveformVersion, half, kMaxPayloadBytes + 1, 0}, PreambleClass::kShort));
    EXPECT_FALSE(tried({kUnwhitenedVersion, half, 100, 0}, PreambleClass::kShort)) << "another version was asked for";
    EXPECT_FALSE(tried({2, half, 100, 0}, PreambleClass::kShort)) << "no such version";
}

TEST(HeaderCodec, CopiesUseEveryCodedBitEquallyOften) {
    for (std::size_t copy = 0; copy < 5; ++copy) {
        std::vector<int> count(kHeaderCodedBits);
        for (std::size_t i = 0; i < kHeaderCodedBits; ++i) {
            ++count[HeaderCodec::coded_bit(copy * kHeaderCodedBits + i)];
        }
        for (const int c : count) {
            EXPECT_EQ(c, 1);
        }
    }
}

TEST(HeaderCodec, NoiseIsNotAHeader) {
    HeaderCodec codec;
    Rng rng(9);
    int accepted = 0;
    for (int t = 0; t < 2000; ++t) {
        std::vector<float> llr(kHeaderCodedBits);
        for (auto& v : llr) {
            v = static_cast<float>(rng.normal());
        }
        accepted += codec.decode(llr, PreambleClass::kShort, kWaveformVersion).has_value() ? 1 : 0;
    }
    // 4 candidates, CRC 2^-16, 26 fixed bits and the mode's range: expected 2000 * 4 * 2^-16 * 2^-26 * ... = 0.
    EXPECT_EQ(accepted, 0);
}

}  // namespace
}  // namespace meshnet::phy
