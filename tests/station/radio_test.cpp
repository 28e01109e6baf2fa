// SPDX-License-Identifier: MIT
// Device texts, replay and recording.
#include "station/radio/radio.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "station/radio/iq_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

TEST(Device, Texts) {
    for (const char* good : {"air:/run/x#y.sock#coast", "file:a.cf32"}) {
        EXPECT_TRUE(check_device(good).ok()) << good;
    }
    for (const char* bad :
         {"", "air", "air:", "air:x", "air:x#", "air:#y", "file:", "uhd:", "soapy:driver=hackrf", "nonsense:x"}) {
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

TEST(RecordingRadio, KeepsWhatWasReceived) {
    const test::TemporaryFolder folder;
    write_ramp(folder.path("r.cf32"), 12'345, 0);
    {
        auto radio = open_radio("file:" + folder.path("r.cf32"), *phy::find_profile("1M"));
        ASSERT_TRUE(radio.ok());
        auto recording =
            record_radio(std::move(radio).value(), folder.path("copy.cf32"), [](const std::string&) { ADD_FAILURE(); });
        ASSERT_TRUE(recording.ok());
        EXPECT_EQ(play(**recording).size(), 12'345U);
    }
    const auto bytes_of = [](const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        return std::string{std::istreambuf_iterator<char>(file), {}};
    };
    EXPECT_EQ(bytes_of(folder.path("copy.cf32")), bytes_of(folder.path("r.cf32")));
    const auto meta = nlohmann::json::parse(bytes_of(folder.path("copy.cf32.sigmf-meta")));
    EXPECT_EQ(meta["global"]["core:sample_rate"], 1e6);
    ASSERT_EQ(meta["captures"].size(), 1U);
    EXPECT_EQ(meta["captures"][0]["core:global_index"], 0);
    EXPECT_FALSE(record_radio(nullptr, folder.path("no/such"), [](const std::string&) {}).ok());
}

}  // namespace
}  // namespace meshnet::station
