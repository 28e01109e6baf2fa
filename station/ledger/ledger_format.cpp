// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_format.hpp"

#include <array>
#include <cassert>
#include <filesystem>

#include "host/file.hpp"
#include "station/ledger/ledger_columns.hpp"
#include "station/ledger/ledger_store.hpp"

namespace meshnet::station {

namespace {

/// From format `from` to the next, but for the new columns of state and entries (ledger_columns.cpp).
struct Migration {
    int from;
    const char* sql;
};
constexpr std::array<Migration, 2> kMigrations{{
    {1, "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL) WITHOUT ROWID;"},
    {2, ""},
}};
static_assert(kMigrations.back().from + 1 == kLedgerFormat);

std::string set_format(int format) {
    return "PRAGMA user_version=" + std::to_string(format) + ";";
}

/// Copies the ledger, unless that copy is there already: of a start that was cut off before the upgrade.
Status back_up(const std::string& path, int format) {
    const std::string copy = backup_path(path, format);
    std::error_code none;
    if (!std::filesystem::exists(copy, none)) {
        return host::copy_durably(path, copy);
    }
    const auto same = host::same_content(path, copy);
    if (!same) {
        return same.error();
    }
    if (!*same) {
        return Error{ErrorCode::kAlreadyExists, "ledger " + path + " must be upgraded, and the copy would replace " +
                                                    copy + ", which is another ledger: move that away"};
    }
    return Ok{};
}

}  // namespace

std::string create_ledger_sql() {
    return "BEGIN IMMEDIATE;" + create_sql(LedgerTable::kState) + create_sql(LedgerTable::kEntries) + migration_sql(1) +
           "PRAGMA application_id=" + std::to_string(kLedgerApplication) + "; COMMIT;";
}

std::string migration_sql(int format) {
    assert(format >= 1 && format < kLedgerFormat);
    std::string out;
    for (const Migration& migration : kMigrations) {
        if (migration.from >= format) {
            out += migration.sql + add_columns_sql(migration.from + 1);
        }
    }
    return out + set_format(kLedgerFormat);
}

std::string backup_path(const std::string& path, int format) {
    return path + ".v" + std::to_string(format) + ".bak";
}

Status upgrade_ledger(const std::string& path) {
    int format = 0;
    {
        auto store = LedgerStore::open(path, false);
        if (!store) {
            return store.error();
        }
        format = (*store)->format();
        if (format == kLedgerFormat) {
            return Ok{};
        }
        if (auto sound = (*store)->require_sound(path); !sound) {
            return sound;
        }
        // All commits into the file itself, so that a copy of it is complete.
        if (auto merged = (*store)->checkpoint(); !merged) {
            return Error{merged.error().code, "ledger " + path + " cannot be upgraded: " + merged.error().message};
        }
    }
    // The connection is closed: closing a descriptor of the file would drop the locks SQLite has on it.
    if (auto copied = back_up(path, format); !copied) {
        return copied;
    }
    auto store = LedgerStore::open(path, false);
    if (!store) {
        return store.error();
    }
    if (auto done = (*store)->execute("BEGIN IMMEDIATE;" + migration_sql(format) + "COMMIT;"); !done) {
        (void)(*store)->execute("ROLLBACK");
        return Error{done.error().code, "ledger " + path + " cannot be upgraded: " + done.error().message};
    }
    return Ok{};
}

}  // namespace meshnet::station
