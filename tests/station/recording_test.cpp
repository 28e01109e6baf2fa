// SPDX-License-Identifier: MIT
// Every kind of recording through the one reader: what comes out, or the line that is said.
#include "station/radio/recording.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <utility>

#include "station/radio/resampler.hpp"
#include "tests/support/tar_file.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/wav_file.hpp"

namespace meshnet::station {
namespace {

constexpr std::size_t kCount = 40'000;  // more than one read of the file

std::vector<phy::Sample> ramp(std::size_t n = kCount) {
    std::vector<phy::Sample> out(n);
    for (std::size_t i = 0; i < n; ++i) {
        const auto v = static_cast<float>(i) / static_cast<float>(n);
        out[i] = {v, -0.5F * v};
    }
    return out;
}

std::string encoded(IqFormat format, const std::vector<phy::Sample>& samples) {
    Bytes bytes;
    encode_iq(format, samples.data(), samples.size(), bytes);
    return {bytes.begin(), bytes.end()};
}

std::string metadata(const std::string& datatype, const std::string& global = "", const std::string& captures = "[]") {
    return R"({"global":{"core:version":"1.2.0","core:datatype":")" + datatype + "\"" +
           (global.empty() ? "" : "," + global) + R"(},"captures":)" + captures +
           R"(,"annotations":[7,{"core:label":1}]})";
}

class Recordings : public ::testing::Test {
protected:
    std::string put(const std::string& name, const std::string& content) {
        const std::string path = folder_.path(name);
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    struct Got {
        std::string error;
        ErrorCode code{};
        std::vector<phy::Sample> samples;
        std::vector<std::uint64_t> sample_index, time_index;
        std::vector<std::string> warnings;
        std::optional<double> rate_hz;
        std::size_t left_over = 0;
    };
    static Got read(const std::string& path, const RecordingOptions& options = {}) {
        Got got;
        auto recording = Recording::open(path, options);
        if (!recording) {
            got.error = recording.error().message;
            got.code = recording.error().code;
            EXPECT_EQ(got.error.find('\n'), std::string::npos) << got.error;
            return got;
        }
        got.warnings = recording->warnings();
        got.rate_hz = recording->rate_hz();
        Recording::Piece piece;
        for (;;) {
            const auto more = recording->read(piece);
            EXPECT_TRUE(more.ok());
            if (!more.ok() || !*more) {
                break;
            }
            for (std::size_t i = 0; i < piece.samples.size(); ++i) {
                got.sample_index.push_back(piece.sample_index + i);
                got.time_index.push_back(piece.time_index + i);
            }
            got.samples.insert(got.samples.end(), piece.samples.begin(), piece.samples.end());
        }
        got.left_over = recording->left_over();
        return got;
    }
    static void expect_ramp(const Got& got, float step, const std::string& what, std::size_t n = kCount) {
        const auto expected = ramp(n);
        ASSERT_EQ(got.error, "") << what;
        ASSERT_EQ(got.samples.size(), expected.size()) << what;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_NEAR(std::abs(got.samples[i] - expected[i]), 0.0F, step) << what << ", sample " << i;
        }
    }
    static void expect_error(const Got& got, const std::string& part) {
        EXPECT_NE(got.error.find(part), std::string::npos) << "'" << got.error << "' does not say '" << part << "'";
    }
    test::TemporaryFolder folder_;
};

TEST_F(Recordings, EveryDatatypeOfSigmf) {
    for (const auto& row : iq_formats()) {
        if (row.sigmf.empty()) {
            continue;
        }
        const std::string base = "t-" + std::string(row.sigmf);
        put(base + ".sigmf-data", encoded(row.format, ramp()));
        put(base + ".sigmf-meta", metadata(std::string(row.sigmf), R"("core:sample_rate":1e6)"));
        for (const char* name : {".sigmf-data", ".sigmf-meta", ""}) {
            const auto got = read(folder_.path(base + name));
            expect_ramp(got, row.bytes == 1 ? 0.01F : 1e-4F, base + name);
            EXPECT_EQ(got.rate_hz, 1e6);
            EXPECT_TRUE(got.warnings.empty());
        }
    }
}

TEST_F(Recordings, EndingsAndOptions) {
    for (const char* ending : {".cu8", ".u8", ".cs8", ".s8"}) {
        const auto format = *iq_format_of_path(ending);
        expect_ramp(read(put(std::string("x") + ending, encoded(format, ramp()))), 0.01F, ending);
    }
    for (const char* ending : {".cf32", ".fc32", ".cfile", ".cs16", ".sc16", ".ci16"}) {
        const auto format = *iq_format_of_path(ending);
        expect_ramp(read(put(std::string("x") + ending, encoded(format, ramp()))), 1e-4F, ending);
    }
    for (const char* name : {"x.iq", "x.raw", "x.dat", "x.bin", "x", "x.sigmf-data"}) {
        const std::string path = put(name, encoded(IqFormat::kCs16, ramp()));
        const auto asked = read(path);
        EXPECT_EQ(asked.code, ErrorCode::kInvalidArgument);
        expect_error(asked, "give --format NAME, one of cf32 cf64 cs8 cs16");
        RecordingOptions options;
        options.format = IqFormat::kCs16;
        expect_ramp(read(path, options), 1e-4F, name);
    }
    RecordingOptions swapped;
    swapped.swap_iq = true;
    EXPECT_EQ(read(folder_.path("x.cf32"), swapped).samples[100], std::conj(ramp()[100]));
    RecordingOptions channel;
    channel.channel = 2;
    expect_error(read(folder_.path("x.cf32"), channel), "has one channel");
}

TEST_F(Recordings, HeaderTrailerDatasetAndGaps) {
    const auto samples = ramp();
    const std::string bytes = encoded(IqFormat::kCs16, samples);
    put("odd.capture", "HEAD1" + bytes.substr(0, 400) + "HEADER2" + bytes.substr(400) + "TRAILER");
    put("odd.sigmf-meta",
        metadata("ci16_le", R"("core:dataset":"odd.capture","core:trailing_bytes":7,"core:offset":1000)",
                 R"([{"core:sample_start":1000,"core:header_bytes":5,"core:global_index":77},)"
                 R"({"core:sample_start":1100,"core:header_bytes":7,"core:global_index":1177}])"));
    for (const char* name : {"odd.sigmf-meta", "odd.capture", "odd"}) {
        const auto got = read(folder_.path(name));
        expect_ramp(got, 1e-4F, name);
        EXPECT_EQ(got.sample_index.front(), 1'000U);
        EXPECT_EQ(got.sample_index.back(), 999U + kCount);
        EXPECT_EQ(got.time_index[99], 99U);
        EXPECT_EQ(got.time_index[100], 1'100U);
        EXPECT_EQ(got.left_over, 0U);
        EXPECT_TRUE(got.warnings.empty());
    }
}

TEST_F(Recordings, Channels) {
    const auto samples = ramp();
    std::vector<phy::Sample> both;
    for (const auto& s : samples) {
        both.push_back({0.25F, 0.25F});
        both.push_back(s);
    }
    put("two.sigmf-data", encoded(IqFormat::kCf32, both));
    put("two.sigmf-meta", metadata("cf32_le", R"("core:num_channels":2)"));
    expect_error(read(folder_.path("two.sigmf-data")),
                 "core:num_channels is 2: several channels; give --channel 1 to 2");
    RecordingOptions options;
    options.channel = 2;
    expect_ramp(read(folder_.path("two.sigmf-data"), options), 1e-6F, "channel 2");
    options.channel = 3;
    expect_error(read(folder_.path("two.sigmf-data"), options), "core:num_channels is 2; there is no channel 3");
}

TEST_F(Recordings, HashesAreChecked) {
    put("h.sigmf-data", "abc");
    const std::string hash =  // FIPS 180-4's example
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce8"
        "0e"
        "2a9ac94fa54ca49f";
    put("h.sigmf-meta", metadata("cu8", "\"core:sha512\":\"" + hash + "\""));
    auto got = read(folder_.path("h.sigmf-data"));
    EXPECT_TRUE(got.warnings.empty());
    EXPECT_EQ(got.samples.size(), 1U);
    EXPECT_EQ(got.left_over, 1U);
    put("h.sigmf-data", "abcd");
    got = read(folder_.path("h.sigmf-data"));
    ASSERT_EQ(got.warnings.size(), 1U);
    EXPECT_NE(got.warnings[0].find("core:sha512"), std::string::npos);
    EXPECT_EQ(got.samples.size(), 2U);
}

TEST_F(Recordings, Archives) {
    const std::string data = encoded(IqFormat::kCs16, ramp());
    const std::string meta = metadata("ci16_le", R"("core:sample_rate":2e6)");
    put("a.sigmf", test::tar_file({{"a/a.sigmf-data", data}, {"a/notes.txt", "x"}, {"a/a.sigmf-meta", meta}}));
    const auto got = read(folder_.path("a.sigmf"));
    expect_ramp(got, 1e-4F, "archive");
    EXPECT_EQ(got.rate_hz, 2e6);
    put("a.tar", test::tar_file({{"a.sigmf-meta", meta}, {"a.sigmf-data", data}}));
    const auto by_content = read(folder_.path("a.tar"));
    expect_ramp(by_content, 1e-4F, "archive by content");
    EXPECT_EQ(by_content.warnings.size(), 1U);
    put("b.sigmf", test::tar_file({{"a.sigmf-meta", meta}, {"b.sigmf-meta", meta}, {"a.sigmf-data", data}}));
    expect_error(read(folder_.path("b.sigmf")), "holds 2 recordings; unpack it (tar -xf) and name one of them");
    put("c.sigmf", test::tar_file({{"a.sigmf-meta", meta}}));
    expect_error(read(folder_.path("c.sigmf")), "its samples 'a.sigmf-data' are missing");
    put("d.sigmf", test::tar_file({{"readme", "x"}}));
    expect_error(read(folder_.path("d.sigmf")), "holds no SigMF recording");
    put("e.sigmf", data);
    expect_error(read(folder_.path("e.sigmf")), "is not a tar archive that can be read");
    put("i.sigmf", "\x1f\x8b\x08 and so on");
    expect_error(read(folder_.path("i.sigmf")),
                 "i.sigmf is compressed by gzip, which is not read; unpack or convert it");
    put("f.sigmf", "");
    EXPECT_NE(read(folder_.path("f.sigmf")).error, "");
    // Cut off in the samples: what is there, then the line.
    const std::string whole = test::tar_file({{"a.sigmf-meta", meta}, {"a.sigmf-data", data}});
    put("g.sigmf", whole.substr(0, whole.size() / 2));
    EXPECT_NE(read(folder_.path("g.sigmf")).error, "");
    put("h.sigmf", test::tar_file({{"a.sigmf-meta", metadata("rf32_le")}, {"a.sigmf-data", data}}));
    expect_error(read(folder_.path("h.sigmf")), "core:datatype 'rf32_le' is real samples");
}

TEST_F(Recordings, Collections) {
    put("one.sigmf-data", encoded(IqFormat::kCf32, ramp()));
    put("one.sigmf-meta", metadata("cf32_le"));
    put("c.sigmf-collection", R"({"collection":{"core:version":"1.0.0","core:streams":[{"name":"one","hash":"0"}]}})");
    expect_ramp(read(folder_.path("c.sigmf-collection")), 1e-6F, "collection of one");
    put("d.sigmf-collection", R"({"collection":{"core:streams":[["one","0"],["two","0"]]}})");
    expect_error(read(folder_.path("d.sigmf-collection")),
                 "is a collection of 2 recordings; name one of them: 'one', 'two'");
}

TEST_F(Recordings, WavFiles) {
    struct Kind {
        unsigned tag, sub_tag, bits;
        IqFormat format;
    };
    for (const Kind& k :
         {Kind{1, 1, 8, IqFormat::kCu8}, Kind{1, 1, 16, IqFormat::kCs16}, Kind{1, 1, 24, IqFormat::kCs24},
          Kind{1, 1, 32, IqFormat::kCs32}, Kind{3, 3, 32, IqFormat::kCf32}, Kind{3, 3, 64, IqFormat::kCf64},
          Kind{0xfffe, 1, 16, IqFormat::kCs16}, Kind{0xfffe, 3, 32, IqFormat::kCf32}}) {
        test::WavFile wav;
        wav.tag = k.tag;
        wav.sub_tag = k.sub_tag;
        wav.bits = k.bits;
        wav.samples = encoded(k.format, ramp());
        wav.before_data = test::WavFile::chunk("auxi", std::string(165, 'x'));  // SDR#, SpectraVue; of odd size
        wav.behind = test::WavFile::chunk("LIST", "INFO");
        for (const char* form : {"RIFF", "RF64"}) {
            wav.form = form;
            const auto got = read(put("x.wav", wav.bytes()));
            expect_ramp(got, k.bits == 8 ? 0.01F : 1e-4F, form + std::to_string(k.bits));
            EXPECT_EQ(got.rate_hz, 1e6);
        }
    }
}

TEST_F(Recordings, WavFilesThatAreCutOffOrNotIq) {
    test::WavFile wav;
    wav.samples = encoded(IqFormat::kCs16, ramp());
    for (const std::uint32_t size : {0xffffffffU, 0x7fffffffU}) {  // never completed
        wav.stated_size = size;
        expect_ramp(read(put("x.wav", wav.bytes())), 1e-4F, "cut off");
    }
    wav.stated_size = 0;
    expect_ramp(read(put("x.WAV", wav.bytes())), 1e-4F, "upper case");
    const auto named = read(put("x.cf32", wav.bytes()));
    expect_ramp(named, 1e-4F, "wrong name");
    EXPECT_EQ(named.warnings.size(), 1U);
    wav.channels = 1;
    expect_error(read(put("x.wav", wav.bytes())), "is a WAV file of 1 channel(s); IQ has 2");
    wav.channels = 2;
    wav.tag = 7;
    expect_error(read(put("x.wav", wav.bytes())), "format 7 with 16 bits");
    wav.tag = 1;
    wav.rate = 0;
    expect_error(read(put("x.wav", wav.bytes())), "names no sample rate");
    wav.rate = 48'000;
    const std::string whole = wav.bytes();
    for (std::size_t size = 4; size < 44; ++size) {
        EXPECT_NE(read(put("x.wav", whole.substr(0, size))).error, "") << size;
    }
    expect_error(read(put("x.wav", "RIFX" + whole.substr(4))), "big-endian WAV file (RIFX)");
}

TEST_F(Recordings, WhatIsNotARecording) {
    expect_error(read(folder_.path("no-such.cf32")), "cannot be opened: No such file or directory");
    expect_error(read(folder_.path("")), "is a folder; name a file of samples");
    const auto empty = read(put("empty.cf32", ""));
    EXPECT_EQ(empty.error, "");
    EXPECT_TRUE(empty.samples.empty());
    for (const auto& [name, bytes] : std::initializer_list<std::pair<std::string, std::string>>{
             {"x.cf32.gz", "\x1f\x8b\x08\x00 and so on"}, {"x.flac", "fLaC"}, {"x.zip", "PK\x03\x04"}}) {
        expect_error(read(put(name, bytes)), "which is not read; unpack or convert it");
    }
    put("m.sigmf-meta", metadata("cf32_le", R"("core:metadata_only":true)"));
    expect_error(read(folder_.path("m.sigmf-meta")), "core:metadata_only: it comes without samples");
    put("n.sigmf-meta", metadata("cf32_le"));
    expect_error(read(folder_.path("n.sigmf-meta")), "n.sigmf-data cannot be opened");
    put("o.sigmf-meta", metadata("cf32_le", R"("core:dataset":"gone.raw")"));
    expect_error(read(folder_.path("o.sigmf-meta")), "gone.raw cannot be opened");
    put("p.cf32", std::string(80, '\0'));
    put("p.cf32.sigmf-meta", metadata("cf32_le").substr(0, 40));
    expect_error(
        read(folder_.path("p.cf32")),
        "p.cf32.sigmf-meta is not SigMF metadata: it is not JSON, or cut off; repair or remove it, or give both "
        "--rate and --format");
}

TEST_F(Recordings, AFileRenamedBesideItsMetadataIsReadAndSaid) {
    put("new.cf32", encoded(IqFormat::kCf32, ramp()));
    put("new.cf32.sigmf-meta", metadata("cf32_le", R"("core:dataset":"old.cf32")"));
    const auto got = read(folder_.path("new.cf32"));
    expect_ramp(got, 1e-6F, "renamed");
    ASSERT_EQ(got.warnings.size(), 1U);
    EXPECT_NE(got.warnings[0].find("core:dataset names 'old.cf32'"), std::string::npos);
}

TEST(Rates, NearOnesAreTheProfiles) {
    EXPECT_EQ(rate_or_near(1'000'099.9, 1e6), 1e6);
    EXPECT_EQ(rate_or_near(999'900.1, 1e6), 1e6);
    EXPECT_EQ(rate_or_near(1'000'101.0, 1e6), 1'000'101.0);
}

TEST(Rates, AnyRatioIsDoneToWithin50Ppm) {
    for (const double rate :
         {2.4e6, 2'400'000.5, 1'920'000.0, 1'234'567.89, 999'000.7, 61.44e6, 3'000'000.1, 1'000'111.0}) {
        auto resampler = Resampler::create(rate, 1e6);
        ASSERT_TRUE(resampler.ok()) << rate;
        std::vector<phy::Sample> in(400'000), out;
        resampler->process(in, out);
        const double expected = static_cast<double>(in.size()) * 1e6 / rate;
        EXPECT_NEAR(static_cast<double>(out.size()), expected, 20'000.0 + expected * 50e-6) << rate;
    }
    EXPECT_FALSE(Resampler::create(1e9, 1'000.0).ok());
}

}  // namespace
}  // namespace meshnet::station
