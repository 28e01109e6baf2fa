// SPDX-License-Identifier: MIT
#include "station/radio/sigmf.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

std::string with_global(const std::string& fields, const std::string& captures = "[]") {
    return R"({"global":{"core:datatype":"cu8","core:version":"1.2.0")" + (fields.empty() ? "" : "," + fields) +
           R"(},"captures":)" + captures + R"(,"annotations":[]})";
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
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto json = nlohmann::json::parse(text);
    EXPECT_EQ(json["global"]["core:datatype"], "ci16_le");
    EXPECT_EQ(json["global"]["core:sample_rate"], 2.4e6);
    EXPECT_EQ(json["global"]["core:dataset"], "y.cs16");
    EXPECT_EQ(json["captures"][1]["core:global_index"], 9'000);
    EXPECT_EQ(json["annotations"][0]["core:sample_count"], 20);
    EXPECT_FALSE(std::filesystem::exists(data + ".sigmf-meta.new"));
    EXPECT_FALSE(write_sigmf_meta(folder.path("no/y"), meta).ok());
    const auto read = parse_sigmf(text);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->format, IqFormat::kCs16);
    EXPECT_EQ(read->rate_hz, 2.4e6);
    EXPECT_EQ(read->dataset, "y.cs16");
    ASSERT_EQ(read->captures.size(), 2U);
    EXPECT_EQ(read->captures[1].global_index, 9'000U);
}

TEST(Sigmf, EveryFieldThatChangesASampleIsRead) {
    const auto d = parse_sigmf(with_global(
        R"("core:sample_rate":2400000.5,"core:num_channels":2,"core:offset":7,"core:dataset":"a b.raw",)"
        R"("core:metadata_only":true,"core:trailing_bytes":3,"core:sha512":"ABcd","core:author":"x","core:hw":null,)"
        R"("core:geolocation":{"type":"Point","coordinates":[1,2]},"core:extensions":)"
        R"([{"name":"antenna","version":"1.0.0","optional":true}])",
        R"([{"core:sample_start":7,"core:header_bytes":4,"core:global_index":18446744073709551615,)"
        R"("core:frequency":868e6,"core:datetime":"2024-01-01T00:00:00Z"},{"core:sample_start":1e3}])"));
    ASSERT_TRUE(d.ok()) << d.error().message;
    EXPECT_EQ(d->format, IqFormat::kCu8);
    EXPECT_EQ(d->rate_hz, 2'400'000.5);
    EXPECT_EQ(d->channels, 2U);
    EXPECT_EQ(d->offset, 7U);
    EXPECT_EQ(d->dataset, "a b.raw");
    EXPECT_TRUE(d->metadata_only);
    EXPECT_EQ(d->trailing_bytes, 3U);
    EXPECT_EQ(d->sha512, "abcd");
    ASSERT_EQ(d->captures.size(), 2U);
    EXPECT_EQ(d->captures[0].header_bytes, 4U);
    EXPECT_EQ(d->captures[0].global_index, ~std::uint64_t{0});
    EXPECT_EQ(d->captures[0].frequency_hz, 868e6);
    EXPECT_EQ(d->captures[1].sample_start, 1'000U);
    EXPECT_FALSE(d->captures[1].global_index);
}

TEST(Sigmf, AWrongFieldIsNamed) {
    for (const auto& [text, line] : std::initializer_list<std::pair<std::string, std::string>>{
             {"", "is not SigMF metadata: it is not JSON, or cut off"},
             {with_global("").substr(0, 60), "is not SigMF metadata: it is not JSON, or cut off"},
             {"[]", "is not SigMF metadata: it has no object global"},
             {R"({"global":{}})", "core:datatype is missing, so the format of the samples is not known"},
             {with_global(R"("core:sample_rate":"1M")"), "core:sample_rate is not a number"},
             {with_global(R"("core:sample_rate":0)"), "core:sample_rate 0 is not above 0"},
             {with_global(R"("core:num_channels":0)"), "core:num_channels is not 1 to 1000"},
             {with_global(R"("core:num_channels":-1)"), "core:num_channels is not a whole number from 0"},
             {with_global(R"("core:offset":1.5)"), "core:offset is not a whole number from 0"},
             {with_global(R"("core:trailing_bytes":"3")"), "core:trailing_bytes is not a whole number from 0"},
             {with_global(R"("core:dataset":"../x")"),
              "core:dataset '../x' is not the name of a file in the folder of the metadata"},
             {with_global(R"("core:dataset":5)"), "core:dataset is not a text"},
             {with_global(R"("core:metadata_only":1)"), "core:metadata_only is not true or false"},
             {with_global(R"("core:version":"2.0.0")"),
              "core:version '2.0.0' is not known; known are versions 0 and 1"},
             {with_global(R"("core:extensions":[{"name":"zip","version":"1.0.0","optional":false}])"),
              "core:extensions: extension 'zip' is needed to read the recording, and is not known here"},
             {with_global(R"("core:extensions":7)"), "core:extensions is not a list"},
             {with_global("", "7"), "captures is not a list"},
             {with_global("", "[7]"), "captures[0] is not an object"},
             {with_global("", "[{}]"), "captures[0] core:sample_start is missing"},
             {with_global("", R"([{"core:sample_start":5},{"core:sample_start":4}])"),
              "captures[1] core:sample_start is below the one of the capture before"},
             {with_global("", R"([{"core:sample_start":0,"core:header_bytes":-4}])"),
              "captures[0] core:header_bytes is not a whole number from 0"},
             {with_global("", R"([{"core:sample_start":0,"core:global_index":[]}])"),
              "captures[0] core:global_index is not a whole number from 0"}}) {
        const auto d = parse_sigmf(text);
        ASSERT_FALSE(d.ok()) << text;
        EXPECT_EQ(d.error().message, line);
    }
    // Depth must not be the stack's.
    EXPECT_FALSE(parse_sigmf(std::string(1'000'000, '[')).ok());
    EXPECT_FALSE(
        parse_sigmf(R"({"global":{"core:datatype":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}}")
            .ok());
}

TEST(Sigmf, WhatIsSaidOtherwiseIsNotJudged) {
    const std::string text = R"({"global":{"core:datatype":"rf32_le","core:sample_rate":"x"}})";
    EXPECT_FALSE(parse_sigmf(text, {true, false}).ok());
    EXPECT_FALSE(parse_sigmf(text, {false, true}).ok());
    EXPECT_TRUE(parse_sigmf(text, {true, true}).ok());
}

TEST(Sigmf, Collections) {
    const auto names = parse_sigmf_collection(
        R"({"collection":{"core:version":"1.0.0","core:streams":[{"name":"a","hash":"0"},["b","0"]]}})");
    ASSERT_TRUE(names.ok()) << names.error().message;
    EXPECT_EQ(*names, (std::vector<std::string>{"a", "b"}));
    for (const char* wrong :
         {"", "{}", R"({"collection":{"core:streams":[5]}})", R"({"collection":{"core:streams":[[]]}})",
          R"({"collection":{"core:streams":[["../x","0"]]}})"}) {
        EXPECT_FALSE(parse_sigmf_collection(wrong).ok()) << wrong;
    }
}

SigmfDescription::Capture capture(std::uint64_t start, std::uint64_t header = 0,
                                  std::optional<std::uint64_t> global = std::nullopt) {
    return {start, header, global, std::nullopt};
}

TEST(SigmfLayout, TheExampleOfTheSpecification) {
    // "500 samples starting at a file offset of 4 bytes, and then the remainder starting at a file offset of 1008".
    SigmfDescription d;
    d.captures = {capture(0, 4), capture(500, 4)};
    const auto layout = sigmf_layout(d, 2, 1'308);
    ASSERT_TRUE(layout.ok());
    ASSERT_EQ(layout->stretches.size(), 2U);
    EXPECT_EQ(layout->stretches[0].skip_bytes, 4U);
    EXPECT_EQ(layout->stretches[0].bytes, 1'000U);
    EXPECT_EQ(layout->stretches[1].skip_bytes, 4U);
    EXPECT_EQ(layout->stretches[1].bytes, 300U);
    EXPECT_EQ(layout->stretches[1].sample_index, 500U);
    EXPECT_EQ(layout->stretches[1].time_index, 500U);
    EXPECT_TRUE(layout->warnings.empty());
}

TEST(SigmfLayout, GapsOffsetsAndTrailingBytes) {
    SigmfDescription d;
    d.offset = 1'000;
    d.trailing_bytes = 10;
    d.captures = {capture(1'100, 0, 50'000), capture(1'200, 0, 50'300), capture(1'300)};
    const auto layout = sigmf_layout(d, 4, 2'010);
    ASSERT_TRUE(layout.ok());
    ASSERT_EQ(layout->stretches.size(), 4U) << "samples before the first capture are samples";
    EXPECT_EQ(layout->stretches[0].sample_index, 1'000U);
    EXPECT_EQ(layout->stretches[0].bytes, 400U);
    EXPECT_EQ(layout->stretches[1].time_index, 100U);
    EXPECT_EQ(layout->stretches[2].time_index, 400U) << "200 samples were lost";
    EXPECT_EQ(layout->stretches[3].time_index, 500U) << "no global index: no loss is known";
    EXPECT_EQ(layout->stretches[3].bytes, 800U);
}

TEST(SigmfLayout, WhatIsStrangeIsSaid) {
    SigmfDescription d;
    d.offset = 1'000;
    d.captures = {capture(0, 0, 500), capture(10, 0, 100), capture(1'000)};
    d.captures[0].frequency_hz = 868e6;
    d.captures[1].frequency_hz = 433e6;
    const auto layout = sigmf_layout(d, 2, 200);
    ASSERT_TRUE(layout.ok());
    ASSERT_EQ(layout->stretches.size(), 2U);
    ASSERT_EQ(layout->warnings.size(), 4U);
    EXPECT_NE(layout->warnings[0].find("captures[0] core:sample_start is below core:offset"), std::string::npos);
    EXPECT_NE(layout->warnings[1].find("captures[1] core:global_index goes back"), std::string::npos);
    EXPECT_NE(layout->warnings[2].find("captures[1] core:frequency"), std::string::npos);
    EXPECT_NE(layout->warnings[3].find("captures[2] core:sample_start 1000 is past the end"), std::string::npos);
    EXPECT_EQ(layout->stretches[1].bytes, 180U);
}

TEST(SigmfLayout, WhatCannotBeIsRefused) {
    SigmfDescription d;
    d.trailing_bytes = 11;
    EXPECT_EQ(sigmf_layout(d, 2, 10).error().message, "core:trailing_bytes 11 is more than the 10 bytes of the data");
    d.trailing_bytes = 0;
    d.captures = {capture(0, ~std::uint64_t{0})};
    EXPECT_NE(sigmf_layout(d, 2, 10).error().message.find("captures[0] core:header_bytes"), std::string::npos);
    d.captures = {capture(0), capture(1, 0, ~std::uint64_t{0})};
    EXPECT_NE(sigmf_layout(d, 2, 10).error().message.find("captures[1] core:global_index is more than"),
              std::string::npos);
    d.captures = {capture(0), capture(~std::uint64_t{0}, ~std::uint64_t{0})};
    const auto cut = sigmf_layout(d, 2, 10);
    ASSERT_TRUE(cut.ok());
    EXPECT_EQ(cut->stretches.size(), 1U);
}

}  // namespace
}  // namespace meshnet::station
