// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_store.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "host/file.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "net/crypto.hpp"
#include "station/ledger/ledger_columns.hpp"
#include "station/ledger/ledger_format.hpp"

namespace meshnet::station {

namespace {

constexpr int kBusyMs = 2'000;  // a reader may lock the file for a moment

}  // namespace

Bytes meta_checksum(std::string_view key, ByteView value) {
    const auto hash = net::blake2b<16>({net::as_bytes("meshnet ledger meta v1"), net::as_bytes(key), value});
    return {hash.begin(), hash.begin() + 8};
}

LedgerStore::~LedgerStore() {
    put_ = {};
    erase_ = {};
    append_ = {};
    find_ = {};
    sqlite3_close(db_);
}

std::string LedgerStore::error() const {
    return sqlite3_errmsg(db_);
}

Error LedgerStore::last_error() const {
    switch (sqlite3_errcode(db_)) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {ErrorCode::kInUse, error()};
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_AUTH:
            return {ErrorCode::kPermission, error()};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
        case SQLITE_ERROR:  // no such table or column: not written by us
            return {ErrorCode::kInvalidData, error()};
        default:
            return {ErrorCode::kSystem, error()};
    }
}

Error LedgerStore::explain(const std::string& path, const Error& why) {
    switch (why.code) {
        case ErrorCode::kInUse:
            return {why.code, "ledger " + path + " is in use by another program: close that, or wait until it is done"};
        case ErrorCode::kInvalidData:
            return damaged(path, why.message);
        default:
            return {why.code, "ledger " + path + " cannot be read: " + why.message};
    }
}

Error LedgerStore::damaged(const std::string& path, const std::string& what) {
    return {ErrorCode::kInvalidData, "ledger " + path + " is damaged: " + what +
                                         ". Nothing was changed; put a copy in its place, or move it away to start "
                                         "anew"};
}

Status LedgerStore::execute(const std::string& sql) {
    if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return last_error();
    }
    return Ok{};
}

Status LedgerStore::checkpoint() {
    LedgerStatement s(db_, "PRAGMA wal_checkpoint(FULL)");
    if (!s.step()) {
        return last_error();
    }
    if (s.integer(0) != 0) {
        return Error{ErrorCode::kInUse, "another program reads it; close that and start again"};
    }
    return Ok{};
}

Result<std::unique_ptr<LedgerStore>> LedgerStore::open(const std::string& path, bool read_only) {
    net::crypto_init();
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return host::system_error("ledger " + path, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error{ErrorCode::kInvalidArgument, "ledger " + path + " is not a file"};
    }
    if (info.st_size == 0) {
        return damaged(path, "it is empty");
    }
    sqlite3* db = nullptr;
    const int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
    std::unique_ptr<LedgerStore> store(new LedgerStore(db));
    if (opened != SQLITE_OK) {
        return Error{ErrorCode::kSystem, "ledger " + path + " cannot be opened: " + store->error()};
    }
    sqlite3_busy_timeout(db, kBusyMs);
    if (auto known = store->read_format(path); !known) {
        return known.error();
    }
    if (!read_only) {
        if (auto ready = store->prepare_writes(path); !ready) {
            return ready.error();
        }
    }
    return store;
}

Status LedgerStore::read_format(const std::string& path) {
    LedgerStatement application(db_, "PRAGMA application_id");
    if (!application.ready() || !application.step()) {
        return sqlite3_errcode(db_) == SQLITE_NOTADB
                   ? Error{ErrorCode::kInvalidData,
                           "ledger " + path + " is not a meshnet ledger, or its beginning is damaged"}
                   : explain(path, last_error());
    }
    if (application.integer(0) != kLedgerApplication) {
        return Error{ErrorCode::kInvalidData, "ledger " + path + " is a database, but not a meshnet ledger"};
    }
    LedgerStatement version(db_, "PRAGMA user_version");
    if (!version.step()) {
        return explain(path, last_error());
    }
    const std::int64_t found = version.integer(0);
    if (found > kLedgerFormat) {
        return Error{ErrorCode::kUnsupported, "ledger " + path + " has format " + std::to_string(found) +
                                                  ", this program reads up to " + std::to_string(kLedgerFormat) +
                                                  ": use the newer program"};
    }
    if (found < 1) {
        return damaged(path, "format " + std::to_string(found) + " was never used");
    }
    format_ = static_cast<int>(found);
    return Ok{};
}

Status LedgerStore::prepare_writes(const std::string& path) {
    // FULL: a commit is on the disk, not in a cache, before it is reported (SQLite: "WAL mode", "synchronous").
    if (auto s = execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000;"); !s) {
        return explain(path, last_error());
    }
    put_ = prepare(insert_sql(LedgerTable::kState, format_));
    erase_ = prepare(erase_state_sql());
    append_ = prepare(insert_sql(LedgerTable::kEntries, format_));
    find_ = prepare(std::string("SELECT ") + kColumnId + ", " + kColumnAmount + " FROM " +
                    table_name(LedgerTable::kEntries) + " WHERE key=?1");
    if (!put_.ready() || !erase_.ready() || !append_.ready() || !find_.ready()) {
        return explain(path, last_error());
    }
    return Ok{};
}

Status LedgerStore::create(const std::string& path) {
    const std::string fresh = path + ".new";
    const std::string cannot = "ledger " + path + " cannot be created";
    std::remove(fresh.c_str());  // of a start that was cut off; it never became the ledger
    std::remove((fresh + "-wal").c_str());
    std::remove((fresh + "-shm").c_str());
    {
        const host::UniqueFd made(::open(fresh.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
        if (!made) {
            return host::system_error(cannot, errno);
        }
    }
    sqlite3* db = nullptr;
    const int opened = sqlite3_open_v2(fresh.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    {
        LedgerStore store(db);
        Status s = opened == SQLITE_OK ? Status(Ok{}) : Status(Error{ErrorCode::kSystem, store.error()});
        for (const std::string& sql :
             {std::string("PRAGMA synchronous=FULL;"), create_ledger_sql(), std::string("PRAGMA journal_mode=WAL;")}) {
            if (s) s = store.execute(sql);
        }
        if (!s) {
            return Error{s.error().code, cannot + ": " + s.error().message};
        }
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) {
        return host::system_error(cannot, errno);
    }
    return host::sync_folder_of(path);
}

net::LedgerState LedgerStore::state() {
    net::LedgerState out;
    LedgerStatement rows = prepare(select_sql(LedgerTable::kState, format_, "ORDER BY tbl, key"));
    while (rows.step()) {
        out.rows.push_back(read_record(rows, LedgerTable::kState).row);
    }
    return out;
}

std::optional<Bytes> LedgerStore::meta(std::string_view key) {
    LedgerStatement s(db_, "SELECT value FROM meta WHERE key=?1");
    s.bind(1, key);
    return format_ >= 2 && s.step() ? std::optional(s.blob(0)) : std::nullopt;
}

Status LedgerStore::set_meta(std::string_view key, ByteView value) {
    LedgerStatement s(db_, "INSERT OR REPLACE INTO meta (key, value, checksum) VALUES (?1,?2,?3)");
    s.bind(1, key);
    s.bind(2, value);
    s.bind(3, ByteView(meta_checksum(key, value)));
    (void)s.step();
    return s.done() ? Status(Ok{}) : Status(last_error());
}

std::optional<net::NodeId> LedgerStore::owner() {
    const auto value = meta(kOwnerKey);
    if (!value) {
        return std::nullopt;
    }
    net::NodeId id{};
    std::copy_n(value->begin(), std::min(value->size(), id.size()), id.begin());
    return id;
}

Status LedgerStore::set_owner(const net::NodeId& id) {
    return set_meta(kOwnerKey, id);
}

/// A row that takes the place of one that is sealed already changes the sum that was sealed.
Status LedgerStore::follow_seal(const net::LedgerRow& row, bool& changed) {
    find_.bind(1, ByteView(row.key));
    if (find_.step() && find_.integer(0) <= seal_->last) {
        changed = true;
        const std::int64_t before = find_.integer(1);
        if (!seal_->add(row.peer, -before) || !seal_->add(row.peer, row.amount_nsat)) {
            find_.reset();
            return Error{ErrorCode::kInvalidData, "the entries of a neighbour exceed the range of money"};
        }
    }
    find_.reset();
    return Ok{};
}

Status LedgerStore::write(const net::LedgerBatch& batch, std::int64_t unix_seconds) {
    LedgerRecord record;
    record.unix_seconds = unix_seconds;
    bool reseal = false;
    for (const net::LedgerRow& row : batch.rows) {
        const bool entry = row.table == net::LedgerRow::Table::kEntry;
        if (entry) {
            ++unsealed_;
            if (seal_) {
                if (auto followed = follow_seal(row, reseal); !followed) {
                    return followed;
                }
            }
        }
        const bool erased = row.value.empty() && !entry;
        LedgerStatement& s = entry ? append_ : erased ? erase_ : put_;
        if (erased) {
            s.bind(1, static_cast<std::int64_t>(row.table));
            s.bind(2, ByteView(row.key));
        } else {
            record.row = row;
            bind_record(s, entry ? LedgerTable::kEntries : LedgerTable::kState, format_, record);
        }
        (void)s.step();
        const bool done = s.done();
        if (!done) {
            const Error why = last_error();
            s.reset();
            return why;
        }
        s.reset();
    }
    return reseal ? set_meta(kSealKey, seal_->encode()) : Status(Ok{});
}

}  // namespace meshnet::station
