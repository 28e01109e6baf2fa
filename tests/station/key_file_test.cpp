// SPDX-License-Identifier: MIT
#include "station/key_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "core/random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

class KeyFile : public ::testing::Test {
protected:
    KeyFile() : path_(folder_.path("station.key")), ledger_(folder_.path("station.ledger")) {
        EXPECT_TRUE(init_random().ok());
    }
    std::string content() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    test::TemporaryFolder folder_;
    std::string path_, ledger_;
    SystemRandom random_;
};

TEST_F(KeyFile, IsMadeOnceForItsOwnerOnly) {
    const auto first = load_or_create_key(path_, ledger_, random_);
    ASSERT_TRUE(first.ok()) << first.error().message;
    EXPECT_TRUE(first->created);
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
    const auto second = load_or_create_key(path_, ledger_, random_);
    ASSERT_TRUE(second.ok()) << second.error().message;
    EXPECT_FALSE(second->created);
    EXPECT_EQ(second->identity.id(), first->identity.id());
}

TEST_F(KeyFile, IsNotMadeBesideALedgerOfAStation) {
    std::ofstream(ledger_) << "of a station";
    const auto key = load_or_create_key(path_, ledger_, random_);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.error().code, ErrorCode::kNotFound);
    EXPECT_NE(key.error().message.find("put its key file back"), std::string::npos) << key.error().message;
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyFile, ADraftOfAKilledProcessIsNotAKey) {
    std::ofstream(path_ + ".new") << "half a";
    const auto key = load_or_create_key(path_, ledger_, random_);
    ASSERT_TRUE(key.ok()) << key.error().message;
    EXPECT_TRUE(key->created);
}

TEST_F(KeyFile, ReadableByOthersIsRefused) {
    ASSERT_TRUE(load_or_create_key(path_, ledger_, random_).ok());
    ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
    const auto key = load_or_create_key(path_, ledger_, random_);
    ASSERT_FALSE(key.ok());
    EXPECT_EQ(key.error().message, "key file " + path_ + " can be read by others; run: chmod 600 " + path_);
}

TEST_F(KeyFile, AnyCorruptionIsRefusedInOneLineWithoutTheKey) {
    ASSERT_TRUE(load_or_create_key(path_, ledger_, random_).ok());
    const std::string good = content();
    Rng rng(5);
    for (int i = 0; i < 60; ++i) {
        std::string bad = good;
        const std::size_t at = rng.below(bad.size() - 1);
        bad[at] = bad[at] == '0' ? '1' : '0';
        std::ofstream(path_, std::ios::trunc) << bad;
        const auto key = load_or_create_key(path_, ledger_, random_);
        ASSERT_FALSE(key.ok()) << "damage at " << at;
        const std::string& why = key.error().message;
        EXPECT_EQ(why.find('\n'), std::string::npos);
        EXPECT_EQ(why.find(good.substr(good.size() / 2, 8)), std::string::npos) << "key material in a message";
    }
    EXPECT_NE(content(), "") << "a damaged key is never replaced";
}

TEST_F(KeyFile, NoFolderAndNoFile) {
    const auto nowhere = load_or_create_key(folder_.path("no/such/key"), ledger_, random_);
    ASSERT_FALSE(nowhere.ok());
    EXPECT_EQ(nowhere.error().message,
              "key file " + folder_.path("no/such/key") + " cannot be made: No such file or directory");
    const auto folder = load_or_create_key(folder_.path(""), ledger_, random_);
    ASSERT_FALSE(folder.ok());
    EXPECT_NE(folder.error().message.find("is not a regular file"), std::string::npos) << folder.error().message;
}

}  // namespace
}  // namespace meshnet::station
