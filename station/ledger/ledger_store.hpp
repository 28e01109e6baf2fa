// SPDX-License-Identifier: GPL-3.0-or-later
// The SQLite file under the ledger: opening it with clear errors, its schema, its check. Used by ledger_sqlite (writes)
// and ledger_reader (reads).
//
//     state    tbl, key -> value, peer, amount_nsat, bytes, kind, checksum      newest row of each key
//     entries  id, key -> value, peer, amount_nsat, bytes, kind, at, checksum   append-only
//
// Every row carries a checksum over its fields, because SQLite does not notice a bit that flips inside a value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "net/payment/ledger.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace meshnet::station {

/// One prepared statement; finalised on destruction.
class LedgerStatement {
public:
    LedgerStatement() = default;
    LedgerStatement(sqlite3* db, const char* sql);
    ~LedgerStatement();
    LedgerStatement(LedgerStatement&& other) noexcept;
    LedgerStatement& operator=(LedgerStatement&& other) noexcept;
    LedgerStatement(const LedgerStatement&) = delete;
    LedgerStatement& operator=(const LedgerStatement&) = delete;

    [[nodiscard]] bool ready() const noexcept { return statement_ != nullptr; }
    void bind(int at, std::int64_t v);
    void bind(int at, ByteView v);
    void bind(int at, std::string_view v);
    /// True if there is a row.
    [[nodiscard]] bool step();
    [[nodiscard]] int last() const noexcept { return last_; }  ///< SQLite's code of the last step
    void reset();
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] Bytes blob(int column) const;
    [[nodiscard]] std::string text(int column) const;

private:
    sqlite3_stmt* statement_ = nullptr;
    int last_ = 0;
};

/// An open ledger file.
class LedgerStore {
public:
    ~LedgerStore();
    LedgerStore(const LedgerStore&) = delete;
    LedgerStore& operator=(const LedgerStore&) = delete;

    /// Opens an existing ledger. Errors are one line that names the file. Nothing is changed in a damaged one.
    [[nodiscard]] static Result<std::unique_ptr<LedgerStore>> open(const std::string& path, bool read_only);
    /// Makes an empty ledger (0600) at `path`, which must not exist; complete or not at all.
    [[nodiscard]] static Status create(const std::string& path);

    /// Structure, checksums, and that the entries of each neighbour add up to its balance. Empty if all is well.
    [[nodiscard]] std::vector<std::string> check();
    [[nodiscard]] net::LedgerState state();
    /// Writes the rows of one batch inside a transaction the caller opened.
    [[nodiscard]] Status write(const net::LedgerBatch& batch, std::int64_t unix_seconds);
    [[nodiscard]] Status execute(const char* sql);
    [[nodiscard]] sqlite3* handle() const noexcept { return db_; }
    [[nodiscard]] std::string error() const;

private:
    explicit LedgerStore(sqlite3* db) : db_(db) {}
    sqlite3* db_;
    LedgerStatement put_, erase_, append_;
};

}  // namespace meshnet::station
