// SPDX-License-Identifier: MIT
// Formats of the ledger. data/ledger_format_1.sqlite was written by the program of format 1: neighbour 7 with +500 and
// -200 nsat, neighbour 8 with -100 nsat, one flow and one nonce.
#include "station/ledger/ledger_format.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "station/ledger/ledger_columns.hpp"
#include "station/ledger/ledger_reader.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

const std::string kFormat1 = MESHNET_SOURCE_DIR "/tests/station/data/ledger_format_1.sqlite";

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

net::NodeId id_of(std::uint8_t n) {
    net::NodeId id{};
    id.fill(n);
    return id;
}

class LedgerFormat : public ::testing::Test {
protected:
    void write_format_1() { std::ofstream(path_, std::ios::binary) << content(kFormat1); }
    [[nodiscard]] int format() const {
        const auto store = LedgerStore::open(path_, true);
        return store ? (*store)->format() : 0;
    }
    /// "name type notnull pk" of each column.
    static std::vector<std::string> columns(const std::string& path, const std::string& table) {
        std::vector<std::string> out;
        const auto store = LedgerStore::open(path, true);
        EXPECT_TRUE(store.ok());
        auto info = (*store)->prepare("PRAGMA table_info(" + table + ")");
        while (info.step()) {
            out.push_back(info.text(1) + " " + info.text(2) + " " + info.text(3) + " " + info.text(5));
        }
        return out;
    }
    /// What the fixture has, whatever its format.
    void expect_rows() {
        auto reader = LedgerReader::open(path_);
        ASSERT_TRUE(reader.ok()) << reader.error().message;
        EXPECT_TRUE(reader->fsck()->problems.empty());
        const auto balances = reader->balances();
        ASSERT_TRUE(balances.ok());
        ASSERT_EQ(balances->size(), 2U);
        EXPECT_EQ((*balances)[0].net_nsat, 300);
        EXPECT_EQ((*balances)[0].spent_nsat, 200);
        EXPECT_EQ((*balances)[1].net_nsat, -100);
        const auto entries = reader->entries(10);
        ASSERT_TRUE(entries.ok());
        ASSERT_EQ(entries->size(), 3U);
        EXPECT_EQ((*entries)[0].id, 3U);
        EXPECT_EQ((*entries)[0].from_byte, 3'000U);
        EXPECT_EQ((*entries)[2].kind, "relay");
        EXPECT_GT((*entries)[2].unix_seconds, 1'700'000'000);
        EXPECT_EQ(reader->totals()->own_nsat, 300);
    }
    void expect_upgraded() {
        auto ledger = SqliteLedger::open(path_, {.owner = id_of(1)});
        ASSERT_TRUE(ledger.ok()) << ledger.error().message;
        EXPECT_EQ((*ledger)->state().rows.size(), 4U) << "a nonce, a flow and two balances";
        (*ledger)->close();
        EXPECT_EQ(format(), kLedgerFormat);
        EXPECT_EQ(content(backup_path(path_, 1)), content(kFormat1));
        expect_rows();
    }

    test::TemporaryFolder folder_;
    std::string path_ = folder_.path("ledger");
};

TEST_F(LedgerFormat, AnOldLedgerIsReadWithoutBeingChanged) {
    write_format_1();
    EXPECT_EQ(format(), 1);
    expect_rows();
    EXPECT_EQ(format(), 1);
    EXPECT_EQ(content(path_), content(kFormat1));
    EXPECT_FALSE(std::filesystem::exists(backup_path(path_, 1)));
}

TEST_F(LedgerFormat, AnOldLedgerIsUpgradedAfterACopy) {
    write_format_1();
    expect_upgraded();
    struct stat info {};
    ASSERT_EQ(::stat(backup_path(path_, 1).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    const std::string upgraded = content(path_);
    expect_upgraded();
    EXPECT_EQ(content(path_), upgraded) << "the second start changes nothing";
}

TEST_F(LedgerFormat, CommitsThatAreOnlyInTheLogAreInTheCopyToo) {
    write_format_1();
    {
        auto store = LedgerStore::open(path_, false);
        ASSERT_TRUE(store.ok());
        net::LedgerRow row;
        row.table = net::LedgerRow::Table::kNonce;
        row.key = {7};
        row.value = {8};
        ASSERT_TRUE((*store)->write({1, {row}}, 0).ok());
        // As a daemon that was killed leaves them: the log is there when the file is closed.
        std::filesystem::copy(path_ + "-wal", folder_.path("wal"));
    }
    write_format_1();
    std::filesystem::rename(folder_.path("wal"), path_ + "-wal");
    auto ledger = SqliteLedger::open(path_);
    ASSERT_TRUE(ledger.ok()) << ledger.error().message;
    EXPECT_EQ((*ledger)->state().rows.size(), 5U);
    const auto copy = LedgerStore::open(backup_path(path_, 1), true);
    ASSERT_TRUE(copy.ok()) << copy.error().message;
    EXPECT_EQ((*copy)->format(), 1);
    EXPECT_EQ((*copy)->state().rows.size(), 5U);
}

TEST_F(LedgerFormat, AKillBetweenCopyAndUpgradeIsHarmless) {
    write_format_1();
    std::ofstream(backup_path(path_, 1), std::ios::binary) << content(kFormat1);
    expect_upgraded();
}

TEST_F(LedgerFormat, AKillWithinTheCopyIsHarmless) {
    write_format_1();
    std::ofstream(backup_path(path_, 1) + ".new", std::ios::binary) << content(kFormat1).substr(0, 5'000);
    expect_upgraded();
    EXPECT_FALSE(std::filesystem::exists(backup_path(path_, 1) + ".new"));
}

TEST_F(LedgerFormat, AKillWithinTheUpgradeIsHarmless) {
    write_format_1();
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = LedgerStore::open(path_, false);
        if (store && (*store)->execute("BEGIN IMMEDIATE;" + migration_sql(1))) {
            ::raise(SIGKILL);
        }
        ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(format(), 1);
    expect_upgraded();
}

TEST_F(LedgerFormat, ACopyOfAnotherLedgerIsNotReplaced) {
    write_format_1();
    std::ofstream(backup_path(path_, 1)) << "the only copy of an older ledger";
    const auto ledger = SqliteLedger::open(path_);
    ASSERT_FALSE(ledger.ok());
    EXPECT_EQ(ledger.error().code, ErrorCode::kAlreadyExists);
    EXPECT_NE(ledger.error().message.find(backup_path(path_, 1)), std::string::npos) << ledger.error().message;
    EXPECT_EQ(content(backup_path(path_, 1)), "the only copy of an older ledger");
    EXPECT_EQ(content(path_), content(kFormat1));
}

TEST_F(LedgerFormat, ADamagedOldLedgerIsNotUpgraded) {
    write_format_1();
    {
        auto store = LedgerStore::open(path_, false);
        ASSERT_TRUE((*store)->execute("UPDATE entries SET amount_nsat = amount_nsat + 1 WHERE id = 2").ok());
    }
    const std::string damaged = content(path_);
    const auto ledger = SqliteLedger::open(path_);
    ASSERT_FALSE(ledger.ok());
    EXPECT_NE(ledger.error().message.find("is damaged: entry 2 was altered"), std::string::npos);
    EXPECT_EQ(content(path_), damaged);
    EXPECT_FALSE(std::filesystem::exists(backup_path(path_, 1)));
}

TEST_F(LedgerFormat, ANewLedgerHasTheTablesOfAnUpgradedOne) {
    write_format_1();
    expect_upgraded();
    const std::string fresh = folder_.path("fresh");
    ASSERT_TRUE(LedgerStore::create(fresh).ok());
    for (const char* table : {"state", "entries", "meta"}) {
        EXPECT_FALSE(columns(fresh, table).empty()) << table;
        EXPECT_EQ(columns(fresh, table), columns(path_, table)) << table;
    }
}

TEST_F(LedgerFormat, ANewerFormatIsRefused) {
    ASSERT_TRUE(LedgerStore::create(path_).ok());
    const std::string newer = std::to_string(kLedgerFormat + 1);
    ASSERT_TRUE((*LedgerStore::open(path_, false))->execute("PRAGMA user_version=" + newer).ok());
    for (const auto& error : {SqliteLedger::open(path_).error(), LedgerReader::open(path_).error()}) {
        EXPECT_EQ(error.code, ErrorCode::kUnsupported);
        EXPECT_EQ(error.message, "ledger " + path_ + " has format " + newer + ", this program reads up to " +
                                     std::to_string(kLedgerFormat) + ": use the newer program");
    }
}

TEST_F(LedgerFormat, ALedgerBelongsToOneStation) {
    (*SqliteLedger::open(path_, {.owner = id_of(1)}))->close();
    EXPECT_TRUE(SqliteLedger::open(path_, {.owner = id_of(1)}).ok());
    const auto other = SqliteLedger::open(path_, {.owner = id_of(2)});
    ASSERT_FALSE(other.ok());
    EXPECT_EQ(other.error().message, "ledger " + path_ + " belongs to station " +
                                         net::to_string(net::address_of(id_of(1))) + ", not to this one, " +
                                         net::to_string(net::address_of(id_of(2))) +
                                         ": set another station.ledger_file, or restore the key file of that station");
    EXPECT_TRUE(SqliteLedger::open(path_).ok()) << "without an owner nothing is checked";
}

TEST_F(LedgerFormat, AnAlteredOwnerIsDamageAndNotAnotherStation) {
    (*SqliteLedger::open(path_, {.owner = id_of(1)}))->close();
    ASSERT_TRUE((*LedgerStore::open(path_, false))->execute("UPDATE meta SET value = zeroblob(32)").ok());
    const auto ledger = SqliteLedger::open(path_, {.owner = id_of(1)});
    ASSERT_FALSE(ledger.ok());
    EXPECT_NE(ledger.error().message.find("is damaged: the record of its station was altered"), std::string::npos);
}

}  // namespace
}  // namespace meshnet::station
