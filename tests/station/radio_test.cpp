// SPDX-License-Identifier: MIT
// Device texts, replay and recording.
#include "station/radio/radio.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>
#include <iterator>

#include "station/radio/iq_format.hpp"
#include "station/radio/sigmf.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

TEST(Device, Texts) {
    for (const char* good :
         {"air:/run/x#y.sock#coast", "file:a.cf32", "file:a.iq,format=cs8,rate=2.4e6,channel=2", "file:a,b=c.cf32"}) {
        EXPECT_TRUE(check_device(good).ok()) << good;
    }
    for (const char* bad :
         {"", "air", "air:", "air:x", "air:x#", "air:#y", "file:", "file:x,format=cu9", "file:x,rate=0",
          "file:x,channel=1.5", "warp:", "warp:core=1", "soapy:", "soapy:hackrf", "nonsense:x"}) {
        const auto spec = check_device(bad);
        ASSERT_FALSE(spec.ok()) << bad;
        EXPECT_NE(spec.error().message.find("air:SOCKET#STATION"), std::string::npos) << bad;
    }
}

TEST(Device, NoAirThere) {
    const auto radio = open_radio("air:/does/not/exist#coast", *phy::find_profile("1M"));
    ASSERT_FALSE(radio.ok());
    EXPECT_EQ(radio.error().message.find('\n'), std::string::npos);
    EXPECT_NE(radio.error().message.find("/does/not/exist"), std::string::npos) << radio.error().message;
}

void write_ramp(const std::string& path, std::size_t n, std::size_t extra_bytes) {
    std::vector<phy::Sample> samples(n);
    for (std::size_t i = 0; i < n; ++i) {
        samples[i] = {static_cast<float>(i), -static_cast<float>(i)};
    }
    Bytes bytes;
    encode_iq(IqFormat::kCf32, samples.data(), n, bytes);
    bytes.resize(bytes.size() + extra_bytes, 0xff);
    std::ofstream file(path, std::ios::binary);
    std::copy(bytes.begin(), bytes.end(), std::ostreambuf_iterator<char>(file));
}

/// Reads a radio to its end.
std::vector<phy::Sample> play(Radio& radio) {
    std::vector<phy::Sample> all;
    for (int turns = 0; turns < 10'000; ++turns) {
        pollfd p{radio.fd(), POLLIN, 0};
        ::poll(&p, 1, 1'000);
        auto got = radio.receive();
        EXPECT_TRUE(got.ok());
        EXPECT_EQ(got->first_index, all.size());
        all.insert(all.end(), got->samples.begin(), got->samples.end());
        if (got->end) {
            break;
        }
    }
    return all;
}

TEST(FileRadio, ReplaysEverySampleOnceAndThenEnds) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 25'000, 5);
    auto radio = open_radio("file:" + folder.path("r.cf32"), *phy::find_profile("1M"));
    ASSERT_TRUE(radio.ok()) << radio.error().message;
    EXPECT_EQ((*radio)->sample_rate().hz(), 1e6);
    const auto all = play(**radio);
    ASSERT_EQ(all.size(), 25'000U);
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(all[i].real(), static_cast<float>(i));
    }
}

TEST(FileRadio, SaysThatItSentNothing) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 10, 0);
    auto radio = open_radio("file:" + folder.path("r.cf32"), *phy::find_profile("1M"));
    ASSERT_TRUE(radio.ok());
    ASSERT_TRUE((*radio)->transmit(5, 100, std::vector<phy::Sample>(10)).ok());
    const auto got = (*radio)->receive();
    ASSERT_TRUE(got.ok());
    ASSERT_EQ(got->reports.size(), 1U);
    EXPECT_EQ(got->reports[0].id, 5U);
    EXPECT_FALSE(got->reports[0].sent);
}

TEST(FileRadio, NoSuchFile) {
    const auto radio = open_radio("file:/does/not/exist", *phy::find_profile("1M"));
    ASSERT_FALSE(radio.ok());
    EXPECT_EQ(radio.error().message, "recording /does/not/exist cannot be opened: No such file or directory");
}

TEST(FileRadio, SaysWhatIsMissing) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.iq"), 10, 0);
    const auto& profile = *phy::find_profile("1M");
    const auto radio = open_radio("file:" + folder.path("r.iq"), profile);
    ASSERT_FALSE(radio.ok());
    EXPECT_NE(radio.error().message.find("write ,format=NAME behind its name"), std::string::npos)
        << radio.error().message;
    EXPECT_TRUE(open_radio("file:" + folder.path("r.iq,format=cf32"), profile).ok());
    const auto slow = open_radio("file:" + folder.path("r.iq,format=cf32,rate=1000"), profile);
    ASSERT_FALSE(slow.ok());
    EXPECT_NE(slow.error().message.find("1000 samples/s, which cannot hold profile 1M of 1000000 samples/s"),
              std::string::npos)
        << slow.error().message;
}

TEST(FileRadio, GapsOfTheMetadataAreJumpsOfTheIndex) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 20'000, 0);
    SigmfMeta meta;
    meta.sample_rate_hz = 1e6;
    meta.captures = {{0, 5'000'000}, {7'000, 5'007'100}, {15'000, 3'600'000'000}};
    ASSERT_TRUE(write_sigmf_meta(folder.path("r.cf32"), meta).ok());
    auto radio = open_radio("file:" + folder.path("r.cf32"), *phy::find_profile("1M"));
    ASSERT_TRUE(radio.ok()) << radio.error().message;
    std::vector<std::uint64_t> index;
    for (bool end = false; !end;) {
        pollfd p{(*radio)->fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&p, 1, 1'000), 1);
        auto got = (*radio)->receive();
        ASSERT_TRUE(got.ok());
        for (std::size_t i = 0; i < got->samples.size(); ++i) {
            ASSERT_EQ(got->samples[i].real(), static_cast<float>(index.size()));
            index.push_back(got->first_index + i);
        }
        end = got->end;
    }
    ASSERT_EQ(index.size(), 20'000U);
    EXPECT_EQ(index[0], 0U);
    EXPECT_EQ(index[6'999], 6'999U);
    EXPECT_EQ(index[7'000], 7'100U);
    EXPECT_EQ(index[14'999], 15'099U);
    EXPECT_EQ(index[15'000], 3'595'000'000U);
}

TEST(FileRadio, AnotherRateIsResampledAndANearOneIsTheProfiles) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 20'000, 0);
    const auto& profile = *phy::find_profile("1M");
    auto twice = open_radio("file:" + folder.path("r.cf32,rate=2000000"), profile);
    ASSERT_TRUE(twice.ok()) << twice.error().message;
    EXPECT_EQ((*twice)->sample_rate().hz(), 1e6);
    const auto halved = play(**twice);
    EXPECT_NEAR(static_cast<double>(halved.size()), 10'000.0, 100.0);
    auto near = open_radio("file:" + folder.path("r.cf32,rate=1000050.5"), profile);
    ASSERT_TRUE(near.ok()) << near.error().message;
    EXPECT_EQ(play(**near).size(), 20'000U);
}

TEST(Radio, AnInvertedSpectrumIsConjugated) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 3'000, 0);
    RadioSettings settings;
    settings.invert = true;
    auto radio = open_radio("file:" + folder.path("r.cf32"), *phy::find_profile("1M"), settings);
    ASSERT_TRUE(radio.ok());
    const auto all = play(**radio);
    ASSERT_EQ(all.size(), 3'000U);
    EXPECT_EQ(all[7], phy::Sample(7, 7)) << "the ramp's imaginary part is negative";
}

}  // namespace
}  // namespace meshnet::station
