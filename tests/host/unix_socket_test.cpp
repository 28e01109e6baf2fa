// SPDX-License-Identifier: MIT
#include "host/unix_socket.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/stale_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::host {
namespace {

const ListenOptions kOptions{"test socket", "tester"};

class UnixSocket : public ::testing::Test {
protected:
    [[nodiscard]] bool folder_is_empty() const { return std::filesystem::is_empty(folder_.path("")); }
    test::TemporaryFolder folder_;
    std::string path_ = folder_.path("s.sock");
};

TEST_F(UnixSocket, HasTheModeAskedFor) {
    for (const unsigned mode : {0600U, 0660U}) {
        ListenOptions options = kOptions;
        options.mode = mode;
        const auto listener = listen_unix(path_, options);
        ASSERT_TRUE(listener.ok()) << listener.error().message;
        struct stat info {};
        ASSERT_EQ(::stat(path_.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, mode);
        std::filesystem::remove(path_);
    }
}

TEST_F(UnixSocket, OneInUseIsRefusedAndAStaleOneReplaced) {
    test::make_stale_socket(path_);
    const auto first = listen_unix(path_, kOptions);
    ASSERT_TRUE(first.ok()) << first.error().message;
    const auto second = listen_unix(path_, kOptions);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, ErrorCode::kInUse);
    EXPECT_EQ(second.error().message,
              "test socket " + path_ + " is in use by another tester; stop it or choose another path");
    EXPECT_TRUE(connect_unix(path_, "test socket").ok()) << "the first one still listens";
}

TEST_F(UnixSocket, AFileThatIsNoSocketIsNotTouched) {
    std::ofstream(path_) << "precious";
    const auto listener = listen_unix(path_, kOptions);
    ASSERT_FALSE(listener.ok());
    EXPECT_EQ(listener.error().code, ErrorCode::kAlreadyExists);
    EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(UnixSocket, PathsUpToTheSystemsLimit) {
    const std::size_t folder = folder_.path("").size();
    ASSERT_LT(folder, 90U);
    const std::string longest = folder_.path(std::string(kMaxSocketPath - folder, 's'));
    {
        const auto listener = listen_unix(longest, kOptions);
        ASSERT_TRUE(listener.ok()) << listener.error().message;
        EXPECT_TRUE(connect_unix(longest, "test socket").ok());
    }
    std::filesystem::remove(longest);
    EXPECT_TRUE(folder_is_empty()) << "no temporary name is left";
    for (const std::string& bad : {std::string(), longest + "s", std::string("a\0b", 3)}) {
        EXPECT_EQ(listen_unix(bad, kOptions).error().code, ErrorCode::kInvalidArgument);
        EXPECT_EQ(connect_unix(bad, "test socket").error().code, ErrorCode::kInvalidArgument);
    }
    const auto deep = listen_unix(folder_.path(std::string(104 - folder, 'f') + "/s"), kOptions);
    ASSERT_FALSE(deep.ok());
    EXPECT_NE(deep.error().message.find("its folder's name is too long"), std::string::npos) << deep.error().message;
}

TEST_F(UnixSocket, ConnectingSaysWhatIsThere) {
    EXPECT_EQ(connect_unix(path_, "test socket").error().code, ErrorCode::kNotFound);
    test::make_stale_socket(path_);
    EXPECT_EQ(connect_unix(path_, "test socket").error().code, ErrorCode::kUnavailable);
}

TEST_F(UnixSocket, AMissingFolderIsMadeWhenAskedFor) {
    const std::string path = folder_.path("run/s.sock");
    EXPECT_EQ(listen_unix(path, kOptions).error().code, ErrorCode::kNotFound);
    ListenOptions options = kOptions;
    options.make_folder = true;
    EXPECT_TRUE(listen_unix(path, options).ok());
}

TEST_F(UnixSocket, WhoeverSeesTheFileIsLetIn) {
    // A watcher that does nothing but connect: nobody there, or let in, and never a socket that refuses.
    constexpr int kRounds = 1'000;
    std::atomic<int> let_in = 0;
    std::atomic<int> refused = 0;
    std::atomic<int> watching = 0;
    std::atomic<int> gone = 0;
    std::atomic<bool> over = false;
    std::thread watcher([&] {
        for (int i = 0; i < kRounds && !over; ++i) {
            while (gone < i && !over) {
                std::this_thread::yield();
            }
            for (auto fd = connect_unix(path_, ""); !fd; fd = connect_unix(path_, "")) {
                refused += fd.error().code == ErrorCode::kNotFound ? 0 : 1;
                watching = i + 1;
                if (over) {
                    return;
                }
            }
            ++let_in;
        }
    });
    for (int i = 0; i < kRounds && !over; ++i) {
        while (watching < i + 1) {
            std::this_thread::yield();
        }
        {
            const auto listener = listen_unix(path_, kOptions);
            EXPECT_TRUE(listener.ok()) << listener.error().message;
            over = !listener.ok();
            while (let_in < i + 1 && !over) {  // gone only when the watcher has been here
                std::this_thread::yield();
            }
            ::unlink(path_.c_str());
        }
        ++gone;
    }
    over = true;
    watcher.join();
    EXPECT_EQ(refused, 0);
    EXPECT_TRUE(folder_is_empty());
}

}  // namespace
}  // namespace meshnet::host
