// SPDX-License-Identifier: MIT
#include "station/radio/iq_file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "tests/support/temporary_folder.hpp"

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
    const float step = GetParam() == IqFormat::kCs8 ? 0.5F / 127 : GetParam() == IqFormat::kCs16 ? 0.5F / 32767 : 0.0F;
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
            ASSERT_NEAR(back[i].real(), samples[i].real(), step * 1.01F);
            ASSERT_NEAR(back[i].imag(), samples[i].imag(), step * 1.01F);
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
    EXPECT_EQ(back[0], phy::Sample(0, 0));
    if (GetParam() != IqFormat::kCf32) {
        EXPECT_EQ(back[1], phy::Sample(-1, 1));
    }
}

INSTANTIATE_TEST_SUITE_P(All, IqFormats, ::testing::Values(IqFormat::kCf32, IqFormat::kCs8, IqFormat::kCs16),
                         [](const auto& p) { return std::string(iq_format_name(p.param)); });

TEST(IqFormat, Names) {
    EXPECT_EQ(*parse_iq_format("cs16"), IqFormat::kCs16);
    EXPECT_EQ(parse_iq_format("cu8").error().message,
              "unknown sample format 'cu8'; did you mean 'cs8'? known are cf32 cs8 cs16");
    EXPECT_EQ(iq_format_of_path("a/b.cs8"), IqFormat::kCs8);
    EXPECT_EQ(iq_format_of_path("-"), IqFormat::kCf32);
}

TEST(Sigmf, MetadataStandsBesideTheFile) {
    const test::TemporaryFolder folder;
    EXPECT_EQ(sigmf_meta_path("x/y.sigmf-data"), "x/y.sigmf-meta");
    const std::string data = folder.path("y.cs16");
    SigmfMeta meta;
    meta.format = IqFormat::kCs16;
    meta.sample_rate_hz = 2.4e6;
    meta.captures = {{0, 5'000}, {100, 9'000}};
    meta.annotations = {{10, 20, "qpsk-1/2"}};
    ASSERT_TRUE(write_sigmf_meta(data, meta).ok());
    std::ifstream file(data + ".sigmf-meta");
    const auto json = nlohmann::json::parse(file);
    EXPECT_EQ(json["global"]["core:datatype"], "ci16_le");
    EXPECT_EQ(json["global"]["core:sample_rate"], 2.4e6);
    EXPECT_EQ(json["global"]["core:dataset"], "y.cs16");
    EXPECT_EQ(json["captures"][1]["core:global_index"], 9'000);
    EXPECT_EQ(json["annotations"][0]["core:sample_count"], 20);
    EXPECT_FALSE(write_sigmf_meta(folder.path("no/y"), meta).ok());
}

}  // namespace
}  // namespace meshnet::station
