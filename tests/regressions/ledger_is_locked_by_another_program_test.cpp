// SPDX-License-Identifier: MIT
// Fault: another program (a database browser, a backup) held SQLite's lock on the ledger for more than two seconds; the
// daemon ended, and at the next start it called a healthy ledger damaged and advised to move it away.
#include <gtest/gtest.h>
#include <poll.h>

#include "station/ledger/ledger_reader.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "station/ledger/ledger_store.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

net::LedgerBatch batch(std::uint64_t number) {
    net::LedgerRow row;
    row.table = net::LedgerRow::Table::kNonce;
    row.key = {1, 2, 3};
    row.value = {static_cast<std::uint8_t>(number)};
    return {number, {row}};
}

/// False if nothing happens to the ledger for minutes.
bool wait_for_change(const SqliteLedger& ledger) {
    pollfd p{ledger.fd(), POLLIN, 0};
    return ::poll(&p, 1, 180'000) == 1;
}

TEST(Regressions, LedgerIsLockedByAnotherProgramWhileItIsWritten) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("ledger");
    auto ledger = SqliteLedger::open(file);
    ASSERT_TRUE(ledger.ok()) << ledger.error().message;
    auto other = LedgerStore::open(file, false);
    ASSERT_TRUE(other.ok()) << other.error().message;
    ASSERT_TRUE((*other)->execute("BEGIN IMMEDIATE").ok());
    (*ledger)->submit(batch(1));
    ASSERT_TRUE(wait_for_change(**ledger));
    EXPECT_TRUE((*ledger)->locked());
    EXPECT_FALSE((*ledger)->failure().has_value());
    EXPECT_EQ((*ledger)->take_persisted(), 0U);  // nothing is acknowledged meanwhile

    (*ledger)->submit(batch(2));
    ASSERT_TRUE((*other)->execute("ROLLBACK").ok());
    std::uint64_t persisted = 0;
    while (persisted < 2 && wait_for_change(**ledger)) {
        persisted = std::max(persisted, (*ledger)->take_persisted());
    }
    EXPECT_EQ(persisted, 2U);
    EXPECT_FALSE((*ledger)->locked());
    EXPECT_FALSE((*ledger)->failure().has_value());
}

TEST(Regressions, LedgerIsLockedByAnotherProgramAtTheStart) {
    const test::TemporaryFolder folder;
    const std::string file = folder.path("ledger");
    ASSERT_TRUE(SqliteLedger::open(file).ok());
    auto other = LedgerStore::open(file, false);
    ASSERT_TRUE(other.ok()) << other.error().message;
    ASSERT_TRUE((*other)->execute("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE").ok());
    for (const Error& error : {SqliteLedger::open(file).error(), LedgerReader::open(file).error()}) {
        EXPECT_EQ(error.code, ErrorCode::kInUse);
        EXPECT_NE(error.message.find("in use by another program"), std::string::npos) << error.message;
        EXPECT_EQ(error.message.find("damaged"), std::string::npos) << error.message;
        EXPECT_EQ(error.message.find("away"), std::string::npos) << error.message;
    }
}

}  // namespace
}  // namespace meshnet::station
