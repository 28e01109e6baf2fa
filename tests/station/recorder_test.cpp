// SPDX-License-Identifier: MIT
#include "station/radio/recorder.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "station/radio/recording.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

void no_warning(const std::string& line) {
    ADD_FAILURE() << line;
}

/// What a reader makes of the recording: its time line.
std::vector<std::uint64_t> time_line(const std::string& path) {
    auto recording = Recording::open(path, {});
    EXPECT_TRUE(recording.ok()) << (recording.ok() ? "" : recording.error().message);
    std::vector<std::uint64_t> out;
    Recording::Piece piece;
    while (recording.ok()) {
        const auto more = recording->read(piece);
        if (!more.ok() || !*more) {
            break;
        }
        for (std::size_t i = 0; i < piece.samples.size(); ++i) {
            out.push_back(piece.time_index + i);
        }
    }
    return out;
}

TEST(Recorder, CanBeReadAtEveryMoment) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("r.cf32");
    auto recorder = Recorder::create(path, 1e6, false, no_warning);
    ASSERT_TRUE(recorder.ok()) << recorder.error().message;
    EXPECT_TRUE(time_line(path).empty());
    (*recorder)->write(5'000, std::vector<phy::Sample>(100));
    EXPECT_EQ(time_line(path).size(), 100U);
    (*recorder)->write(5'100, std::vector<phy::Sample>(50));
    EXPECT_EQ(time_line(path).back(), 149U);
    // Gaps; still open, as if killed now. Metadata is written a twentieth of the time at most, so that a slow disk may
    // let a gap pass.
    std::uint64_t at = 5'000;
    std::size_t written = 150;
    do {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        at += 4'000;
        (*recorder)->write(at, std::vector<phy::Sample>(10));
        written += 10;
    } while (time_line(path).back() != at - 5'000 + 9 && written < 1'000);
    EXPECT_EQ(time_line(path).back(), at - 5'000 + 9);
    recorder->reset();
    EXPECT_EQ(time_line(path).back(), at - 5'000 + 9);
    EXPECT_EQ(time_line(path).size(), written);
}

TEST(Recorder, ManyGapsAreAllThereAtTheEnd) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("r.sigmf-data");
    {
        auto recorder = Recorder::create(path, 1e6, false, no_warning);
        ASSERT_TRUE(recorder.ok());
        for (std::uint64_t i = 0; i < 1'000; ++i) {
            (*recorder)->write(i * 100, std::vector<phy::Sample>(10));
        }
    }
    const auto line = time_line(path);
    ASSERT_EQ(line.size(), 10'000U);
    EXPECT_EQ(line.back(), 99'909U);
}

TEST(Recorder, AnExistingRecordingIsKept) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("r.cf32");
    std::ofstream(path) << "precious";
    const auto refused = Recorder::create(path, 1e6, false, no_warning);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
    EXPECT_EQ(refused.error().message, "recording " + path + " is there already; choose another name, or give --force");
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
    EXPECT_TRUE(Recorder::create(path, 1e6, true, no_warning).ok());
    EXPECT_EQ(std::filesystem::file_size(path), 0U);
    EXPECT_FALSE(Recorder::create(folder.path("no/r"), 1e6, false, no_warning).ok());
    EXPECT_FALSE(Recorder::create("/dev/null", 1e6, true, no_warning).ok());
}

TEST(Recorder, AFailedWriteIsOneLineAndWholeSamplesStay) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("r.cf32");
    std::vector<std::string> lines;
    auto recorder = Recorder::create(path, 1e6, false, [&](const std::string& line) { lines.push_back(line); });
    ASSERT_TRUE(recorder.ok());
    (*recorder)->write(0, std::vector<phy::Sample>(100));
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    rlimit small = before;
    small.rlim_cur = 1'003;  // as a full disk: inside a sample
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    for (std::uint64_t i = 1; i < 5; ++i) {
        (*recorder)->write(100 * i, std::vector<phy::Sample>(100));
    }
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0], "recording ended: " + path + ": File too large; what was received before is kept");
    EXPECT_EQ(std::filesystem::file_size(path), 1'000U);
    EXPECT_EQ(time_line(path).size(), 125U);
}

}  // namespace
}  // namespace meshnet::station
