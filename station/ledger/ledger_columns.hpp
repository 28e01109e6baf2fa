// SPDX-License-Identifier: GPL-3.0-or-later
// The columns of the ledger's rows: one table, from which the statements, the checksum and the reader come.
//
//     state    newest row of each key          entries    append-only, every credit and debit
//
// Every row carries a checksum over its fields, because SQLite does not notice a bit that flips inside a value.
//
// A new column is a row of the table in ledger_columns.cpp with the number of the format that brings it; older files
// are read without it. Its type has a DEFAULT, and its checksum takes nothing of a value that is the default, so that
// rows written before keep theirs.
#pragma once

#include <cstdint>
#include <string>

#include "net/payment/ledger.hpp"
#include "station/ledger/ledger_statement.hpp"

namespace meshnet::station {

enum class LedgerTable { kState, kEntries };

/// A row as it is stored.
struct LedgerRecord {
    net::LedgerRow row;
    std::int64_t id = 0;            ///< kEntries: 1, 2, 3, ... in the order of commits
    std::int64_t unix_seconds = 0;  ///< kEntries: wall clock when written, for display
    Bytes checksum;                 ///< as read; row_checksum() of the record unless it was altered
};

// Names of the columns that queries of the reader use.
inline constexpr const char* kColumnId = "id";
inline constexpr const char* kColumnPeer = "peer";
inline constexpr const char* kColumnAmount = "amount_nsat";
inline constexpr const char* kColumnBytes = "bytes";
inline constexpr const char* kColumnKind = "kind";
inline constexpr const char* kColumnTime = "at";

[[nodiscard]] const char* table_name(LedgerTable table) noexcept;
/// The table as format 1 had it; add_columns_sql() brings the rest.
[[nodiscard]] std::string create_sql(LedgerTable table);
/// Adds the columns that came with `format` to both tables; may be empty.
[[nodiscard]] std::string add_columns_sql(int format);
/// Appends an entry, or puts a row in the place of the one with its key, in a file of `format`.
[[nodiscard]] std::string insert_sql(LedgerTable table, int format);
/// Parameters: table and key.
[[nodiscard]] std::string erase_state_sql();
/// All columns, for read_record(), those a file of `format` does not have as NULL; `rest`: what follows the table's
/// name.
[[nodiscard]] std::string select_sql(LedgerTable table, int format, const std::string& rest = "");

/// Binds the parameters of insert_sql() of the same format; the checksum is calculated.
void bind_record(LedgerStatement& statement, LedgerTable table, int format, const LedgerRecord& record);
/// The row that a statement of select_sql() has reached.
[[nodiscard]] LedgerRecord read_record(const LedgerStatement& statement, LedgerTable table);

/// 8 bytes over every field of `row` (BLAKE2b).
[[nodiscard]] Bytes row_checksum(const net::LedgerRow& row);

}  // namespace meshnet::station
