// SPDX-License-Identifier: MIT
#include "host/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "host/unique_fd.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::host {
namespace {

void write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

TEST(File, ReadsUpToItsLimit) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("f");
    write(path, std::string(100'000, 'x'));
    EXPECT_EQ(read_file(path, 100'000)->size(), 100'000U);
    const auto larger = read_file(path, 99'999);
    ASSERT_FALSE(larger.ok());
    EXPECT_EQ(larger.error().code, ErrorCode::kLimit);
    const auto missing = read_file(folder.path("g"), 10);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(missing.error().message, folder.path("g") + ": cannot be opened: No such file or directory");
    EXPECT_EQ(read_file(folder.path(""), 10).error().message, folder.path("") + ": cannot be read: Is a directory");
}

TEST(File, PipesAreReadToTheirEnd) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd in(ends[0]);
    UniqueFd out(ends[1]);
    const std::array<std::uint8_t, 6> bytes{1, 2, 3, 4, 5, 6};
    ASSERT_TRUE(write_all(out.get(), bytes, "pipe").ok());
    std::array<std::uint8_t, 4> first{};
    EXPECT_EQ(*read_full(in.get(), first, "pipe"), 4U);
    EXPECT_EQ(first[3], 4);
    out.reset();
    std::array<std::uint8_t, 10> rest{};
    EXPECT_EQ(*read_full(in.get(), rest, "pipe"), 2U);
    EXPECT_EQ(*read_some(in.get(), rest, "pipe"), 0U);
}

TEST(File, AFullDiskIsAnError) {
    const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    ASSERT_TRUE(full);
    const std::array<std::uint8_t, 1> byte{1};
    const auto written = write_all(full.get(), byte, "x cannot be written");
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().message, "x cannot be written: No space left on device");
}

TEST(File, ADurableCopyIsCompleteAndForItsOwnerOnly) {
    const test::TemporaryFolder folder;
    write(folder.path("from"), std::string(200'000, 'y'));
    write(folder.path("to.new"), "left by a copy that was cut off");
    ASSERT_TRUE(copy_durably(folder.path("from"), folder.path("to")).ok());
    EXPECT_EQ(*read_file(folder.path("to"), 1 << 20), *read_file(folder.path("from"), 1 << 20));
    struct stat info {};
    ASSERT_EQ(::stat(folder.path("to").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_FALSE(std::filesystem::exists(folder.path("to.new")));
    EXPECT_FALSE(copy_durably(folder.path("absent"), folder.path("to")).ok());
    EXPECT_FALSE(copy_durably(folder.path("from"), folder.path("no/such/to")).ok());
    EXPECT_EQ(std::filesystem::file_size(folder.path("to")), 200'000U);
}

TEST(File, ComparesContents) {
    const test::TemporaryFolder folder;
    write(folder.path("a"), std::string(200'000, 'y'));
    write(folder.path("b"), std::string(200'000, 'y'));
    write(folder.path("c"), std::string(199'999, 'y') + "z");
    write(folder.path("d"), std::string(199'999, 'y'));
    EXPECT_TRUE(*same_content(folder.path("a"), folder.path("b")));
    EXPECT_FALSE(*same_content(folder.path("a"), folder.path("c")));
    EXPECT_FALSE(*same_content(folder.path("a"), folder.path("d")));
    EXPECT_FALSE(same_content(folder.path("a"), folder.path("e")).ok());
}

TEST(File, IsReplacedAsAWhole) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("a");
    write(path, "former");
    write(path + ".new", "left by a replacement that was cut off");
    const Bytes now{'n', 'o', 'w'};
    ASSERT_TRUE(replace_file(path, now).ok());
    EXPECT_EQ(*read_file(path, 100), "now");
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
    std::filesystem::create_directory(folder.path("d"));
    const auto failed = replace_file(folder.path("d"), now);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().message, folder.path("d") + " cannot be written: Is a directory");
    EXPECT_FALSE(std::filesystem::exists(folder.path("d.new")));
    EXPECT_FALSE(replace_file(folder.path("no/a"), now).ok());
}

TEST(File, KnowsItselfByEveryName) {
    const test::TemporaryFolder folder;
    write(folder.path("a"), "1");
    write(folder.path("b"), "1");
    std::filesystem::create_hard_link(folder.path("a"), folder.path("c"));
    const UniqueFd fd(::open(folder.path("a").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(same_file(fd.get(), folder.path("a")));
    EXPECT_TRUE(same_file(fd.get(), folder.path("c")));
    EXPECT_FALSE(same_file(fd.get(), folder.path("b")));
    EXPECT_FALSE(same_file(fd.get(), folder.path("d")));
}

}  // namespace
}  // namespace meshnet::host
