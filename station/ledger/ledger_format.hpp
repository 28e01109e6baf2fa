// SPDX-License-Identifier: GPL-3.0-or-later
// Formats of the ledger file, as SQLite's user_version has them.
//
//     1    tables state and entries (ledger_columns.hpp)
//     2    and table meta: key -> value, checksum; key "node_id": the station the ledger is of
//     3    as 2, with rows that older programs cannot read: payments, signers, flows with their proof
//
// A ledger of an older format is upgraded in place when the daemon opens it, after a copy to FILE.v<format>.bak. The
// upgrade is one transaction. Every change of format is one row of the table of migrations.
#pragma once

#include <string>

#include "core/result.hpp"

namespace meshnet::station {

inline constexpr int kLedgerFormat = 3;
inline constexpr int kLedgerApplication = 0x4D53'4E4C;  ///< SQLite's application_id: "MSNL"

/// The statements that make an empty ledger of the current format.
[[nodiscard]] std::string create_ledger_sql();

/// The statements from `format` (1..kLedgerFormat - 1) to the current one, without a transaction around them.
[[nodiscard]] std::string migration_sql(int format);

/// Where the copy of a ledger of `format` goes.
[[nodiscard]] std::string backup_path(const std::string& path, int format);

/// Upgrades the ledger at `path` if its format is an older one. Call with the ledger's lock held and no connection of
/// this process to it. Errors are one line naming the file, and leave the ledger as it is: damaged, a copy of another
/// ledger is in the way, in use by a reader, no space.
[[nodiscard]] Status upgrade_ledger(const std::string& path);

}  // namespace meshnet::station
