// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/random.hpp"
#include "station/ledger/ledger_reader.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

using net::LedgerBatch;
using net::LedgerRow;

class Folder : public test::TemporaryFolder {
public:
    [[nodiscard]] std::string file() const { return path("ledger"); }
};

std::array<std::uint8_t, 32> peer_of(std::uint8_t n) {
    std::array<std::uint8_t, 32> peer{};
    peer.fill(n);
    return peer;
}

/// An entry of `amount` and the balance it leads to, as the router writes them together.
LedgerBatch batch_of(std::uint64_t number, std::uint8_t peer, std::int64_t amount, std::int64_t balance) {
    LedgerBatch b;
    b.number = number;
    LedgerRow entry;
    entry.table = LedgerRow::Table::kEntry;
    entry.peer = peer_of(peer);
    entry.key.reserve(64);
    ByteWriter w(entry.key);
    w.bytes(ByteView(entry.peer));
    w.u64(1);
    w.u64(2);
    w.u64(number * 1000);
    w.u64(number * 1000 + 1000);
    entry.value = {1};
    entry.amount_nsat = amount;
    entry.bytes_delivered = 1000;
    entry.kind = amount > 0 ? "relay" : "own";
    b.rows.push_back(entry);
    LedgerRow total;
    total.table = LedgerRow::Table::kBalance;
    total.key.assign(entry.peer.begin(), entry.peer.end());
    total.value = {1, 2, 3};
    total.peer = entry.peer;
    total.amount_nsat = balance;
    total.kind = "balance";
    b.rows.push_back(total);
    return b;
}

std::unique_ptr<SqliteLedger> must_open(const std::string& file) {
    auto ledger = SqliteLedger::open(file, {.group = std::chrono::milliseconds(5)});
    EXPECT_TRUE(ledger.ok()) << (ledger ? "" : ledger.error().message);
    return ledger ? std::move(ledger).value() : nullptr;
}

std::uint64_t wait_persisted(SqliteLedger& ledger) {
    pollfd p{ledger.fd(), POLLIN, 0};
    return ::poll(&p, 1, 180'000) == 1 ? ledger.take_persisted() : 0;
}

TEST(SqliteLedger, RestoresWhatItReportedAsPersisted) {
    const Folder folder;
    {
        auto ledger = must_open(folder.file());
        ASSERT_TRUE(ledger);
        EXPECT_TRUE(ledger->state().rows.empty());
        ledger->submit(batch_of(1, 7, 500, 500));
        ledger->submit(batch_of(2, 7, -200, 300));
        std::uint64_t persisted = 0;
        while (persisted < 2) {
            const auto p = wait_persisted(*ledger);
            ASSERT_GT(p, persisted);
            persisted = p;
        }
        EXPECT_EQ(ledger->take_persisted(), 0U);
    }
    struct stat info {};
    ASSERT_EQ(::stat(folder.file().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    auto ledger = must_open(folder.file());
    ASSERT_TRUE(ledger);
    ASSERT_EQ(ledger->state().rows.size(), 1U);
    EXPECT_EQ(ledger->state().rows[0].amount_nsat, 300);
    EXPECT_EQ(ledger->state().rows[0].value, (Bytes{1, 2, 3}));
}

TEST(SqliteLedger, AnEmptyValueDeletesARow) {
    const Folder folder;
    LedgerRow row;
    row.table = LedgerRow::Table::kFlow;
    row.key = {1, 2, 3};
    row.value = {4};
    must_open(folder.file())->submit({1, {row}});
    EXPECT_EQ(must_open(folder.file())->state().rows.size(), 1U);
    row.value.clear();
    must_open(folder.file())->submit({1, {row}});
    EXPECT_TRUE(must_open(folder.file())->state().rows.empty());
}

TEST(SqliteLedger, ASecondDaemonIsRefused) {
    const Folder folder;
    const auto first = must_open(folder.file());
    const auto second = SqliteLedger::open(folder.file());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().message, "ledger " + folder.file() + " is in use by another meshnetd");
}

TEST(SqliteLedger, AnEntryOfTheSameKeyReplacesTheOlder) {
    const Folder folder;
    auto ledger = must_open(folder.file());
    ledger->submit(batch_of(1, 7, 500, 500));
    ASSERT_EQ(wait_persisted(*ledger), 1U);
    LedgerBatch more = batch_of(1, 7, 800, 800);
    more.number = 2;
    ledger->submit(more);
    ASSERT_EQ(wait_persisted(*ledger), 2U);
    EXPECT_FALSE(ledger->failure().has_value());
    ledger->close();
    auto reader = LedgerReader::open(folder.file());
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader->fsck()->problems.size(), 0U);
    ASSERT_EQ(reader->entries(10)->size(), 1U);
    EXPECT_EQ(reader->entries(10)->front().amount_nsat, 800);
}

TEST(LedgerReader, ReadsWhileTheDaemonWrites) {
    const Folder folder;
    auto ledger = must_open(folder.file());
    ledger->submit(batch_of(1, 7, 500, 500));
    ledger->submit(batch_of(2, 8, -100, -100));
    while (wait_persisted(*ledger) < 2) {
    }
    auto reader = LedgerReader::open(folder.file());
    ASSERT_TRUE(reader.ok()) << reader.error().message;
    const auto balances = reader->balances();
    ASSERT_TRUE(balances.ok());
    ASSERT_EQ(balances->size(), 2U);
    EXPECT_EQ((*balances)[0].peer, peer_of(7));
    EXPECT_EQ((*balances)[0].net_nsat, 500);
    EXPECT_EQ((*balances)[1].spent_nsat, 100);
    const auto entries = reader->entries(1);
    ASSERT_TRUE(entries.ok());
    ASSERT_EQ(entries->size(), 1U);
    EXPECT_EQ((*entries)[0].kind, "own");
    EXPECT_EQ((*entries)[0].to_byte, 3000U);
    EXPECT_EQ(reader->totals()->earned_nsat, 500);
    EXPECT_EQ(reader->totals()->own_nsat, 100);
    EXPECT_TRUE(reader->fsck()->problems.empty());
    EXPECT_FALSE(LedgerReader::open(folder.file() + "x").ok());
}

TEST(SqliteLedger, ACorruptFileIsNamedAndNotChanged) {
    const Folder folder;
    for (const std::string& content :
         {std::string(), std::string("hello, this is no ledger at all, not even a database, but long "
                                     "enough for a header of one hundred bytes, as SQLite has it.")}) {
        std::ofstream(folder.file(), std::ios::binary) << content;
        const auto ledger = SqliteLedger::open(folder.file());
        ASSERT_FALSE(ledger.ok());
        EXPECT_NE(ledger.error().message.find(folder.file()), std::string::npos);
        std::ifstream in(folder.file(), std::ios::binary);
        EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), content);
    }
}

/// Makes a ledger of one neighbour with so many entries of 3 nsat, sealed after the first `sealed`.
void make_history(const std::string& file, std::uint64_t entries, std::uint64_t sealed) {
    std::filesystem::remove(file);
    ASSERT_TRUE(LedgerStore::create(file).ok());
    auto store = LedgerStore::open(file, false);
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->execute("BEGIN").ok());
    for (std::uint64_t i = 1; i <= entries; ++i) {
        ASSERT_TRUE((*store)->write(batch_of(i, 7, 3, 3 * static_cast<std::int64_t>(i)), 0).ok());
        if (i == sealed) {
            ASSERT_TRUE((*store)->seal().ok());
        }
    }
    ASSERT_TRUE((*store)->execute("COMMIT").ok());
    ASSERT_TRUE((*store)->checkpoint().ok());
}

/// Bytes that this process has read from files so far, from caches too.
std::uint64_t bytes_read() {
    std::ifstream io("/proc/self/io");
    std::string name;
    std::uint64_t value = 0;
    io >> name >> value;
    EXPECT_EQ(name, "rchar:");
    return value;
}

TEST(SqliteLedger, AStartDoesNotReadWhatWasSealed) {
    const Folder folder;
    std::array<std::uint64_t, 2> read{};
    for (std::size_t i = 0; i < 2; ++i) {
        const std::uint64_t entries = i == 0 ? 2'000 : 40'000;
        make_history(folder.file(), entries, entries - 10);
        auto store = LedgerStore::open(folder.file(), false);
        ASSERT_TRUE(store.ok());
        const std::uint64_t before = bytes_read();
        bool sealed = false;
        ASSERT_TRUE((*store)->require_sound_since_seal(folder.file(), sealed).ok());
        EXPECT_TRUE(sealed);
        EXPECT_EQ((*store)->unsealed(), 10U);
        EXPECT_EQ((*store)->state().rows.size(), 1U);
        read[i] = bytes_read() - before;
    }
    EXPECT_GT(std::filesystem::file_size(folder.file()), 5'000'000U);
    EXPECT_LT(read[1], 200'000U);
    EXPECT_LT(read[1], read[0] + 50'000U) << "twenty times the history, and no more to read";
}

TEST(SqliteLedger, DamageInSealedHistoryEndsTheStation) {
    const Folder folder;
    make_history(folder.file(), 3'000, 2'990);
    {
        auto store = LedgerStore::open(folder.file(), false);
        ASSERT_TRUE((*store)->execute("UPDATE entries SET amount_nsat=4 WHERE id=17").ok());
    }
    auto ledger = must_open(folder.file());
    ASSERT_TRUE(ledger);
    EXPECT_EQ(ledger->state().rows[0].amount_nsat, 9'000) << "what the station acts upon is checked before";
    pollfd p{ledger->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&p, 1, 180'000), 1);
    ASSERT_TRUE(ledger->failure().has_value());
    EXPECT_EQ(*ledger->failure(), "its history is damaged: entry 17 was altered");
}

TEST(SqliteLedger, WhatIsNotSealedIsCheckedAtTheStart) {
    const Folder folder;
    make_history(folder.file(), 100, 90);
    for (const char* change : {"UPDATE entries SET amount_nsat=4 WHERE id=95", "UPDATE state SET amount_nsat=301",
                               "DELETE FROM entries WHERE id=95", "UPDATE meta SET value=x'01' WHERE key='seal'"}) {
        make_history(folder.file(), 100, 90);
        {
            auto store = LedgerStore::open(folder.file(), false);
            ASSERT_TRUE((*store)->execute(change).ok());
        }
        const auto ledger = SqliteLedger::open(folder.file());
        ASSERT_FALSE(ledger.ok()) << change;
        EXPECT_EQ(ledger.error().code, ErrorCode::kInvalidData) << ledger.error().message;
    }
}

// A flow that goes on updates an entry that is sealed already; a transaction that fails takes that back.
TEST(SqliteLedger, ASealedEntryIsUpdatedAndTheSealFollows) {
    const Folder folder;
    make_history(folder.file(), 100, 90);
    {
        auto store = LedgerStore::open(folder.file(), false);
        bool sealed = false;
        ASSERT_TRUE((*store)->require_sound_since_seal(folder.file(), sealed).ok());
        ASSERT_TRUE((*store)->execute("BEGIN").ok());
        ASSERT_TRUE((*store)->write(batch_of(20, 7, 50, 347), 0).ok());
        (*store)->roll_back();
        ASSERT_TRUE((*store)->execute("BEGIN").ok());
        ASSERT_TRUE((*store)->write(batch_of(20, 7, 10, 307), 0).ok());
        ASSERT_TRUE((*store)->execute("COMMIT").ok());
        EXPECT_TRUE((*store)->check()->empty()) << (*store)->check()->front();
        ASSERT_TRUE((*store)->seal().ok());
        ASSERT_TRUE((*store)->execute("BEGIN").ok());
        ASSERT_TRUE((*store)->write(batch_of(95, 7, 5, 309), 0).ok());
        ASSERT_TRUE((*store)->execute("COMMIT").ok());
        EXPECT_TRUE((*store)->check()->empty()) << (*store)->check()->front();
    }
    auto ledger = must_open(folder.file());
    ASSERT_TRUE(ledger);
    EXPECT_EQ(ledger->state().rows[0].amount_nsat, 309);
    ledger->close();
    EXPECT_FALSE(ledger->failure().has_value());
}

TEST(LedgerSeal, GoesThereAndBack) {
    LedgerSeal seal{77, {{peer_of(1), -5}, {peer_of(2), std::numeric_limits<std::int64_t>::max()}}};
    const Bytes text = seal.encode();
    const auto back = LedgerSeal::decode(text);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->last, 77);
    EXPECT_EQ(back->sums_nsat, seal.sums_nsat);
    EXPECT_FALSE(seal.add(peer_of(2), 1)) << "beyond the range of money";
    for (std::size_t n = 0; n < text.size(); ++n) {
        EXPECT_FALSE(LedgerSeal::decode(ByteView(text).first(n)));
    }
    Bytes other = text;
    other.push_back(0);
    EXPECT_FALSE(LedgerSeal::decode(other));
    other = text;
    other[0] = 2;
    EXPECT_FALSE(LedgerSeal::decode(other));
    other = text;
    other[1] = 0x80;
    EXPECT_FALSE(LedgerSeal::decode(other)) << "a negative id";
}

// A flipped bit is either refused, or it is in an unused place and every amount is still right.
TEST(SqliteLedger, NoFlippedBitChangesTheLedgerUnnoticed) {
    const Folder folder;
    {
        auto ledger = must_open(folder.file());
        std::int64_t balance = 0;
        for (std::uint64_t i = 1; i <= 40; ++i) {
            balance += 100;
            ledger->submit(batch_of(i, 7, 100, balance));
        }
    }
    std::ifstream in(folder.file(), std::ios::binary);
    const std::string good(std::istreambuf_iterator<char>(in), {});
    ASSERT_GT(good.size(), 4096U);
    Rng rng(1);
    int refused = 0;
    for (int i = 0; i < 150; ++i) {
        std::string bad = good;
        bad[rng.below(bad.size())] ^= static_cast<char>(1U << rng.below(8));
        std::filesystem::remove(folder.file() + "-wal");
        std::filesystem::remove(folder.file() + "-shm");
        std::ofstream(folder.file(), std::ios::binary) << bad;
        auto ledger = SqliteLedger::open(folder.file());
        if (!ledger) {
            ++refused;
            continue;
        }
        ASSERT_EQ((*ledger)->state().rows.size(), 1U);
        EXPECT_EQ((*ledger)->state().rows[0].amount_nsat, 4000);
        (*ledger)->close();
        auto reader = LedgerReader::open(folder.file());
        EXPECT_EQ((*reader->balances())[0].net_nsat, 4000);
    }
    EXPECT_GT(refused, 20);
}

// kill -9 at any moment: what was reported is there, and entries and balances agree.
TEST(SqliteLedger, SurvivesKill) {
    const Folder folder;
    std::int64_t total = 0;
    std::uint64_t number = 1;
    for (unsigned round = 0; round < 12; ++round) {
        int pipe_fds[2];
        ASSERT_EQ(::pipe(pipe_fds), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            auto opened = SqliteLedger::open(folder.file(), {.group = std::chrono::milliseconds(1)});
            if (!opened) ::_exit(3);
            std::int64_t balance = total;
            for (std::uint64_t n = number;; ++n) {
                balance += 10;
                (*opened)->submit(batch_of(n, 7, 10, balance));
                if (const auto p = (*opened)->take_persisted(); p != 0) {
                    if (::write(pipe_fds[1], &p, sizeof p) != sizeof p) ::_exit(4);
                }
                ::usleep(300);
            }
        }
        ::close(pipe_fds[1]);
        std::uint64_t reported = number - 1;
        std::uint64_t p = 0;
        // Every third child is killed at any moment, the others after a first report, so that on a slow machine too
        // something was reported.
        if (round % 3 != 0 && ::read(pipe_fds[0], &p, sizeof p) == sizeof p) {
            reported = p;
        }
        ::usleep(round % 3 != 0 ? 5'000U * round : 20'000U + 7'000U * round);
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child exited";
        while (::read(pipe_fds[0], &p, sizeof p) == sizeof p) {
            reported = p;
        }
        ::close(pipe_fds[0]);
        auto ledger = must_open(folder.file());
        ASSERT_TRUE(ledger);
        const std::int64_t found = ledger->state().rows.empty() ? 0 : ledger->state().rows[0].amount_nsat;
        EXPECT_GE(found, static_cast<std::int64_t>(reported) * 10);
        ASSERT_EQ(found % 10, 0);
        total = found;
        number = static_cast<std::uint64_t>(found / 10) + 1;
    }
    EXPECT_GT(total, 0);
}

}  // namespace
}  // namespace meshnet::station
