// SPDX-License-Identifier: MIT
#include "station/radio/iq_format.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <limits>
#include <utility>

#include "core/random.hpp"

namespace meshnet::station {
namespace {

std::vector<phy::Sample> some_samples(std::size_t n) {
    Rng rng(3);
    std::vector<phy::Sample> out(n);
    for (auto& s : out) {
        s = {static_cast<float>(rng.uniform() * 2 - 1), static_cast<float>(rng.uniform() * 2 - 1)};
    }
    return out;
}

class IqFormats : public ::testing::TestWithParam<IqFormat> {};

TEST_P(IqFormats, RoundTripInChunksOfAnySize) {
    const auto samples = some_samples(1'000);
    Bytes bytes;
    encode_iq(GetParam(), samples.data(), samples.size(), bytes);
    const IqFormatRow& row = iq_format_row(GetParam());
    // Half a step of an integer, and the rounding of a float of 24 bits.
    const float step =
        row.number == IqFormatRow::Number::kFloat ? 0.0F : std::ldexp(1.01F, -static_cast<int>(8 * row.bytes)) + 2e-7F;
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
        IqDecoder decoder(GetParam());
        ASSERT_EQ(bytes.size(), samples.size() * decoder.bytes_per_sample());
        std::vector<phy::Sample> back;
        for (std::size_t at = 0; at < bytes.size(); at += chunk) {
            decoder.decode(ByteView(bytes).subspan(at, std::min(chunk, bytes.size() - at)), back);
        }
        ASSERT_EQ(back.size(), samples.size());
        EXPECT_EQ(decoder.left_over(), 0U);
        for (std::size_t i = 0; i < back.size(); ++i) {
            ASSERT_NEAR(back[i].real(), samples[i].real(), step);
            ASSERT_NEAR(back[i].imag(), samples[i].imag(), step);
        }
    }
}

TEST_P(IqFormats, TruncationIsDetected) {
    const auto samples = some_samples(10);
    Bytes bytes;
    encode_iq(GetParam(), samples.data(), samples.size(), bytes);
    IqDecoder decoder(GetParam());
    std::vector<phy::Sample> back;
    decoder.decode(ByteView(bytes).first(bytes.size() - 1), back);
    EXPECT_EQ(back.size(), 9U);
    EXPECT_EQ(decoder.left_over(), decoder.bytes_per_sample() - 1);
}

TEST_P(IqFormats, WhatIsNoNumberIsZeroAndWhatIsTooLoudIsFullScale) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float inf = std::numeric_limits<float>::infinity();
    const std::vector<phy::Sample> samples{{nan, inf}, {-3.0F, 3.0F}};
    Bytes bytes;
    encode_iq(GetParam(), samples.data(), samples.size(), bytes);
    IqDecoder decoder(GetParam());
    std::vector<phy::Sample> back;
    decoder.decode(bytes, back);
    EXPECT_NEAR(std::abs(back[0]), 0.0F, 0.006F) << "offset binary has no 0, only half a step on either side of it";
    if (iq_format_row(GetParam()).number != IqFormatRow::Number::kFloat) {
        EXPECT_EQ(back[1], phy::Sample(-1, 1));
    }
}

std::vector<IqFormat> all_formats() {
    std::vector<IqFormat> out;
    for (const auto& row : iq_formats()) {
        out.push_back(row.format);
    }
    return out;
}
INSTANTIATE_TEST_SUITE_P(All, IqFormats, ::testing::ValuesIn(all_formats()),
                         [](const auto& p) { return std::string(iq_format_name(p.param)); });

// Bytes as the formats' authors write them, so that a mistake made both ways is seen.
TEST(IqFormat, BytesOfKnownValues) {
    struct Known {
        IqFormat format;
        Bytes bytes;  // I = +1/2 or nearly, Q = -1
    };
    const std::vector<Known> known{
        {IqFormat::kCf32, {0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf}},
        {IqFormat::kCf32Be, {0x3f, 0, 0, 0, 0xbf, 0x80, 0, 0}},
        {IqFormat::kCf64, {0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf}},
        {IqFormat::kCf64Be, {0x3f, 0xe0, 0, 0, 0, 0, 0, 0, 0xbf, 0xf0, 0, 0, 0, 0, 0, 0}},
        {IqFormat::kCs8, {64, 0x81}},
        {IqFormat::kCs16, {0x00, 0x40, 0x01, 0x80}},
        {IqFormat::kCs16Be, {0x40, 0x00, 0x80, 0x01}},
        {IqFormat::kCs24, {0x00, 0x00, 0x40, 0x01, 0x00, 0x80}},
        {IqFormat::kCs32, {0, 0, 0, 0x40, 1, 0, 0, 0x80}},
        {IqFormat::kCs32Be, {0x40, 0, 0, 0, 0x80, 0, 0, 1}},
        {IqFormat::kCu8, {191, 0}},
        {IqFormat::kCu16, {0xff, 0xbf, 0, 0}},
        {IqFormat::kCu16Be, {0xbf, 0xff, 0, 0}},
        {IqFormat::kCu32, {0xff, 0xff, 0xff, 0xbf, 0, 0, 0, 0}},
        {IqFormat::kCu32Be, {0xbf, 0xff, 0xff, 0xff, 0, 0, 0, 0}},
    };
    EXPECT_EQ(known.size(), iq_formats().size());
    for (const auto& k : known) {
        std::vector<phy::Sample> back;
        IqDecoder(k.format).decode(k.bytes, back);
        ASSERT_EQ(back.size(), 1U) << iq_format_name(k.format);
        EXPECT_NEAR(back[0].real(), 0.5F, 0.005F) << iq_format_name(k.format);
        EXPECT_NEAR(back[0].imag(), -1.0F, 1e-6F) << iq_format_name(k.format);
    }
}

TEST(IqFormat, OneOfSeveralChannels) {
    const auto samples = some_samples(300);
    Bytes bytes;
    encode_iq(IqFormat::kCf32, samples.data(), samples.size(), bytes);
    for (const std::size_t chunk : {std::size_t{5}, bytes.size()}) {
        IqDecoder decoder(IqFormat::kCf32, 3, 1);
        std::vector<phy::Sample> back;
        for (std::size_t at = 0; at < bytes.size(); at += chunk) {
            decoder.decode(ByteView(bytes).subspan(at, std::min(chunk, bytes.size() - at)), back);
        }
        ASSERT_EQ(back.size(), 100U);
        for (std::size_t i = 0; i < back.size(); ++i) {
            ASSERT_EQ(back[i], samples[3 * i + 1]);
        }
    }
}

TEST(IqFormat, Names) {
    EXPECT_EQ(*parse_iq_format("cs16"), IqFormat::kCs16);
    EXPECT_EQ(*parse_iq_format("sc16"), IqFormat::kCs16);
    EXPECT_EQ(*parse_iq_format("ci16_be"), IqFormat::kCs16Be);
    EXPECT_EQ(*parse_iq_format("fc32"), IqFormat::kCf32);
    EXPECT_EQ(parse_iq_format("cu9").error().message,
              "unknown sample format 'cu9'; did you mean 'cu8'? known are " + iq_format_names());
    EXPECT_FALSE(parse_iq_format("").ok());
    EXPECT_FALSE(parse_iq_format("fc32 cf32_le").ok());
}

TEST(IqFormat, EndingsTellAFormatOrAreAskedFor) {
    for (const auto& [path, format] :
         std::initializer_list<std::pair<const char*, IqFormat>>{{"a/b.cs8", IqFormat::kCs8},
                                                                 {"x.cf32", IqFormat::kCf32},
                                                                 {"x.fc32", IqFormat::kCf32},
                                                                 {"x.cfile", IqFormat::kCf32},
                                                                 {"x.CU8", IqFormat::kCu8},
                                                                 {"x.u8", IqFormat::kCu8},
                                                                 {"x.s8", IqFormat::kCs8},
                                                                 {"x.sc16", IqFormat::kCs16},
                                                                 {"x.ci16", IqFormat::kCs16},
                                                                 {"x.complex16u", IqFormat::kCu8},
                                                                 {"x.cs16", IqFormat::kCs16},
                                                                 {".cu8", IqFormat::kCu8}}) {
        EXPECT_EQ(iq_format_of_path(path), format) << path;
    }
    for (const char* path : {"x.iq", "x.raw", "x.dat", "x.bin", "x", "", "x.sigmf-data", "x.wav", "cf32", "x.txt"}) {
        EXPECT_FALSE(iq_format_of_path(path)) << path;
    }
}

TEST(IqFormat, EveryDatatypeOfSigmf) {
    for (const std::string type : {"f32", "f64", "i32", "i16", "u32", "u16", "i8", "u8"}) {
        for (const std::string order : {"_le", "_be"}) {
            const std::string name = type + (type.back() == '8' ? "" : order);
            EXPECT_TRUE(parse_sigmf_datatype("c" + name).ok()) << name;
            const auto real = parse_sigmf_datatype("r" + name);
            ASSERT_FALSE(real.ok());
            EXPECT_NE(real.error().message.find("core:datatype 'r" + name + "' is real samples"), std::string::npos);
        }
    }
    EXPECT_EQ(*parse_sigmf_datatype("ci8_le"), IqFormat::kCs8) << "some programs write it";
    for (const char* wrong : {"", "cf32", "cf16_le", "ci16_xe", "CF32_LE", "ci8_"}) {
        EXPECT_FALSE(parse_sigmf_datatype(wrong).ok()) << wrong;
    }
}

}  // namespace
}  // namespace meshnet::station
