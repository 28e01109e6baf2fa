// SPDX-License-Identifier: MIT
// Fault: of SigMF metadata only three sample types, the rate and the number of channels were read. Header and trailing
// bytes, core:dataset, gaps, fractional rates and archives gave 0 frames and exit code 0, or an unclear line.
#include "tests/regressions/foreign_recordings.hpp"
#include "tests/support/tar_file.hpp"

namespace meshnet::station {
namespace {

using SigmfFieldsWereNotRead = ForeignRecordings;

TEST_F(SigmfFieldsWereNotRead, BytesThatAreNoSamples) {
    const std::string frames = two_frames();
    put("h.sigmf-data", std::string(45, '\x7f') + frames);
    put("h.sigmf-meta",
        metadata("ci16_le", R"("core:sample_rate":1e6)", R"([{"core:sample_start":0,"core:header_bytes":45}])"));
    expect_two_frames("h.sigmf-data");
    put("t.sigmf-data", frames + "trailer");
    put("t.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1e6,"core:trailing_bytes":7)"));
    const auto ran = run("$C demodulate t.sigmf-data");
    EXPECT_EQ(ran.err, "");
}

TEST_F(SigmfFieldsWereNotRead, DatasetOfAnotherName) {
    put("capture.raw", two_frames());
    put("about.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1e6,"core:dataset":"capture.raw")"));
    expect_two_frames("about.sigmf-meta");
    put("capture.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1e6,"core:dataset":"capture.raw")"));
    expect_two_frames("capture.raw");
}

TEST_F(SigmfFieldsWereNotRead, EveryComplexType) {
    const std::string frames = two_frames();
    const auto type = [&](const std::string& name, const std::string& bytes) {
        put(name + ".sigmf-data", bytes);
        put(name + ".sigmf-meta", metadata(name, R"("core:sample_rate":1e6)"));
        expect_two_frames(name + ".sigmf-data");
    };
    for (const bool big : {false, true}) {
        const std::string order = big ? "_be" : "_le";
        const auto real = [](std::int16_t v) { return static_cast<float>(v) / 32767.0F; };
        type("cf32" + order, converted(frames, [&](auto v) { return bytes_of(real(v), big); }));
        type("cf64" + order, converted(frames, [&](auto v) { return bytes_of(double{real(v)}, big); }));
        type("ci32" + order, converted(frames, [&](auto v) { return bytes_of(std::int32_t{v} * 65'536, big); }));
        type("ci16" + order, converted(frames, [&](auto v) { return bytes_of(v, big); }));
        type("cu32" + order, converted(frames, [&](auto v) {
                 return bytes_of((static_cast<std::uint32_t>(v) << 16U) + 0x80000000U, big);
             }));
        type("cu16" + order,
             converted(frames, [&](auto v) { return bytes_of(static_cast<std::uint16_t>(v + 32'768), big); }));
    }
    type("ci8", converted(frames, [](auto v) { return bytes_of(static_cast<std::int8_t>(v / 256)); }));
    type("cu8", converted(frames, [](auto v) { return bytes_of(static_cast<std::uint8_t>(v / 256 + 128)); }));
}

TEST_F(SigmfFieldsWereNotRead, RatesOfRealClocks) {
    put("r.sigmf-data", two_frames());
    for (const char* rate : {"1000000.4", "1000037.25", "999950.0", "999899"}) {
        put("r.sigmf-meta", metadata("ci16_le", std::string(R"("core:sample_rate":)") + rate));
        expect_two_frames("r.sigmf-data");
    }
    ASSERT_EQ(
        run("head -c 400 /dev/zero | $C modulate --payload-size 200 --rate 2400000 --format cs16 > x.sigmf-data").code,
        0);
    put("x.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":2399999.7)"));
    expect_two_frames("x.sigmf-data");
}

TEST_F(SigmfFieldsWereNotRead, LostSamplesAreTime) {
    const std::string frames = two_frames();
    put("g.sigmf-data", frames + frames);
    const std::string n = std::to_string(frames.size() / 4);
    put("g.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1e6)",
                                 R"([{"core:sample_start":0,"core:global_index":500},{"core:sample_start":)" + n +
                                     R"(,"core:global_index":5000500}])"));
    const auto ran = run("$C demodulate g.sigmf-data");
    EXPECT_NE(ran.out.find("4 frames, 4 without error"), std::string::npos) << ran.out << ran.err;
    EXPECT_NE(ran.out.find("\n    5.002000 s "), std::string::npos) << "5 s after the first: " << ran.out;
}

TEST_F(SigmfFieldsWereNotRead, ChannelsAndArchives) {
    const std::string frames = two_frames();
    std::string both;
    for (std::size_t i = 0; i < frames.size(); i += 4) {
        both += std::string(4, '\0') + frames.substr(i, 4);
    }
    put("c.sigmf-data", both);
    const std::string about = metadata("ci16_le", R"("core:sample_rate":1e6,"core:num_channels":2)");
    put("c.sigmf-meta", about);
    expect_refused("c.sigmf-data", "core:num_channels");
    expect_two_frames("c.sigmf-data --channel 2");
    put("a.sigmf",
        test::tar_file({{"a.sigmf-data", frames}, {"a.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1e6)")}}));
    expect_two_frames("a.sigmf");
}

TEST_F(SigmfFieldsWereNotRead, WhatCannotBeReadIsRefusedByName) {
    put("x.sigmf-data", two_frames());
    for (const auto& [text, what] : std::initializer_list<std::pair<std::string, std::string>>{
             {metadata("rf32_le", R"("core:sample_rate":1e6)"), "core:datatype 'rf32_le' is real samples"},
             {metadata("ci16_le", R"("core:extensions":[{"name":"hush","version":"1.0.0","optional":false}])"),
              "extension 'hush' is needed"},
             {metadata("ci16_le", R"("core:trailing_bytes":99999999)"), "core:trailing_bytes"},
             {metadata("ci16_le", R"("core:version":"3.0.0")"), "core:version '3.0.0'"},
             {metadata("ci16_le", R"("core:sample_rate":1e6)").substr(0, 50), "it is not JSON, or cut off"}}) {
        put("x.sigmf-meta", text);
        expect_refused("x.sigmf-data", what);
    }
    put("only.sigmf-meta", metadata("ci16_le", R"("core:metadata_only":true)"));
    expect_refused("only.sigmf-meta", "core:metadata_only");
}

}  // namespace
}  // namespace meshnet::station
