// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_columns.hpp"

#include <algorithm>

#include "net/crypto.hpp"

namespace meshnet::station {

namespace {

using Record = LedgerRecord;
using Statement = LedgerStatement;

/// One column. Its order here is the order in both tables and in the checksum.
struct Column {
    const char* name;
    const char* type;
    bool in_state, in_entries;
    int since;  ///< the format that brought it
    /// null: SQLite numbers it.
    void (*bind)(Statement& s, int at, const Record& r);
    void (*read)(const Statement& s, int column, Record& r);  ///< NULL, of an older file, is 0 or empty
    /// null: not in the checksum.
    void (*digest)(ByteWriter& w, const net::LedgerRow& row);

    [[nodiscard]] bool in(LedgerTable table) const { return table == LedgerTable::kState ? in_state : in_entries; }
};

void digest_sized(ByteWriter& w, const Bytes& bytes) {
    w.i64(static_cast<std::int64_t>(bytes.size()));
    w.bytes(bytes);
}

const Column kColumns[] = {
    {kColumnId, "INTEGER PRIMARY KEY AUTOINCREMENT", false, true, 1, nullptr,
     [](const Statement& s, int i, Record& r) { r.id = s.integer(i); }, nullptr},
    {"tbl", "INTEGER NOT NULL", true, false, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, static_cast<std::int64_t>(r.row.table)); },
     [](const Statement& s, int i, Record& r) { r.row.table = static_cast<net::LedgerRow::Table>(s.integer(i)); },
     [](ByteWriter& w, const net::LedgerRow& row) { w.i64(static_cast<std::int64_t>(row.table)); }},
    {"key", "BLOB NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, ByteView(r.row.key)); },
     [](const Statement& s, int i, Record& r) { r.row.key = s.blob(i); },
     [](ByteWriter& w, const net::LedgerRow& row) { digest_sized(w, row.key); }},
    {"value", "BLOB NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, ByteView(r.row.value)); },
     [](const Statement& s, int i, Record& r) { r.row.value = s.blob(i); },
     [](ByteWriter& w, const net::LedgerRow& row) { digest_sized(w, row.value); }},
    {kColumnPeer, "BLOB NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, ByteView(r.row.peer)); },
     [](const Statement& s, int i, Record& r) {
         const Bytes peer = s.blob(i);
         std::copy_n(peer.begin(), std::min(peer.size(), r.row.peer.size()), r.row.peer.begin());
     },
     [](ByteWriter& w, const net::LedgerRow& row) { w.bytes(row.peer); }},
    {kColumnAmount, "INTEGER NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, r.row.amount_nsat); },
     [](const Statement& s, int i, Record& r) { r.row.amount_nsat = s.integer(i); },
     [](ByteWriter& w, const net::LedgerRow& row) { w.i64(row.amount_nsat); }},
    {kColumnBytes, "INTEGER NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, static_cast<std::int64_t>(r.row.bytes_delivered)); },
     [](const Statement& s, int i, Record& r) { r.row.bytes_delivered = static_cast<std::uint64_t>(s.integer(i)); },
     [](ByteWriter& w, const net::LedgerRow& row) { w.i64(static_cast<std::int64_t>(row.bytes_delivered)); }},
    {kColumnKind, "TEXT NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, std::string_view(r.row.kind)); },
     [](const Statement& s, int i, Record& r) { r.row.kind = s.text(i); },
     [](ByteWriter& w, const net::LedgerRow& row) { w.bytes(net::as_bytes(row.kind)); }},
    {kColumnTime, "INTEGER NOT NULL", false, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, r.unix_seconds); },
     [](const Statement& s, int i, Record& r) { r.unix_seconds = s.integer(i); }, nullptr},
    {"checksum", "BLOB NOT NULL", true, true, 1,
     [](Statement& s, int i, const Record& r) { s.bind(i, ByteView(row_checksum(r.row))); },
     [](const Statement& s, int i, Record& r) { r.checksum = s.blob(i); }, nullptr},
};

/// "A, B, ..." of the columns of `table` that `wanted` accepts, each as `text` has it.
template <class Wanted, class Text>
std::string list(LedgerTable table, Wanted wanted, Text text) {
    std::string out;
    for (const Column& column : kColumns) {
        if (column.in(table) && wanted(column)) {
            out += (out.empty() ? "" : ", ") + text(column);
        }
    }
    return out;
}

bool every(const Column& /*column*/) {
    return true;
}
bool written(const Column& column, int format) {
    return column.bind != nullptr && column.since <= format;
}
bool in_state_key(const Column& column) {
    const std::string_view name = column.name;
    return name == "tbl" || name == "key";
}
std::string name_of(const Column& column) {
    return column.name;
}

}  // namespace

const char* table_name(LedgerTable table) noexcept {
    return table == LedgerTable::kState ? "state" : "entries";
}

std::string create_sql(LedgerTable table) {
    const std::string columns = list(
        table, [](const Column& c) { return c.since == 1; },
        [](const Column& c) { return std::string(c.name) + " " + c.type; });
    const std::string start = std::string("CREATE TABLE ") + table_name(table) + " (" + columns;
    return table == LedgerTable::kState
               ? start + ", PRIMARY KEY (" + list(table, in_state_key, name_of) + ")) WITHOUT ROWID;"
               : start + ", UNIQUE (key));";
}

std::string add_columns_sql(int format) {
    std::string out;
    for (const LedgerTable table : {LedgerTable::kState, LedgerTable::kEntries}) {
        for (const Column& c : kColumns) {
            if (c.in(table) && c.since == format) {
                out += std::string("ALTER TABLE ") + table_name(table) + " ADD COLUMN " + c.name + " " + c.type + ";";
            }
        }
    }
    return out;
}

std::string insert_sql(LedgerTable table, int format) {
    const auto here = [format](const Column& c) { return written(c, format); };
    int number = 0;
    const std::string parameters =
        list(table, here, [&number](const Column& /*c*/) { return "?" + std::to_string(++number); });
    const std::string insert = std::string("INSERT INTO ") + table_name(table) + " (" + list(table, here, name_of) +
                               ") VALUES (" + parameters + ")";
    // A row of the same key replaces the older one; of an entry, with more in it.
    const auto key = table == LedgerTable::kState ? in_state_key : [](const Column& column) {
        return std::string_view(column.name) == "key";
    };
    return insert + " ON CONFLICT (" + list(table, key, name_of) + ") DO UPDATE SET " +
           list(
               table, [&](const Column& c) { return here(c) && !key(c); },
               [](const Column& c) { return std::string(c.name) + "=excluded." + c.name; });
}

std::string erase_state_sql() {
    return "DELETE FROM state WHERE tbl=?1 AND key=?2";
}

std::string select_sql(LedgerTable table, int format, const std::string& rest) {
    const auto text = [format](const Column& c) { return std::string(c.since <= format ? c.name : "NULL"); };
    return "SELECT " + list(table, every, text) + " FROM " + table_name(table) + " " + rest;
}

void bind_record(LedgerStatement& statement, LedgerTable table, int format, const LedgerRecord& record) {
    int at = 0;
    for (const Column& column : kColumns) {
        if (column.in(table) && written(column, format)) {
            column.bind(statement, ++at, record);
        }
    }
}

LedgerRecord read_record(const LedgerStatement& statement, LedgerTable table) {
    LedgerRecord out;
    out.row.table = net::LedgerRow::Table::kEntry;  // the state has a column for it
    int index = 0;
    for (const Column& column : kColumns) {
        if (column.in(table)) {
            column.read(statement, index++, out);
        }
    }
    return out;
}

Bytes row_checksum(const net::LedgerRow& row) {
    Bytes fields;
    fields.reserve(128 + row.key.size() + row.value.size());
    ByteWriter w(fields);
    for (const Column& column : kColumns) {
        if (column.digest != nullptr) {
            column.digest(w, row);
        }
    }
    const auto hash = net::blake2b<16>({net::as_bytes("meshnet ledger row v1"), ByteView(fields)});
    return {hash.begin(), hash.begin() + 8};
}

}  // namespace meshnet::station
