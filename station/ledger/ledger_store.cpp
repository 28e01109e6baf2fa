// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_store.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "host/unique_fd.hpp"
#include "net/crypto.hpp"

namespace meshnet::station {

namespace {

constexpr int kVersion = 1;
constexpr int kApplication = 0x4D53'4E4C;  // "MSNL"
constexpr int kBusyMs = 2'000;             // a reader may hold the file for a moment
constexpr int kEntryTable = static_cast<int>(net::LedgerRow::Table::kEntry);
constexpr const char* kSchema =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE state (tbl INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, peer BLOB NOT NULL,"
    " amount_nsat INTEGER NOT NULL, bytes INTEGER NOT NULL, kind TEXT NOT NULL, checksum BLOB NOT NULL,"
    " PRIMARY KEY (tbl, key)) WITHOUT ROWID;"
    "CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL,"
    " peer BLOB NOT NULL, amount_nsat INTEGER NOT NULL, bytes INTEGER NOT NULL, kind TEXT NOT NULL,"
    " at INTEGER NOT NULL, checksum BLOB NOT NULL);"
    "COMMIT;";

Bytes checksum(std::int64_t table, ByteView key, ByteView value, ByteView peer, std::int64_t amount, std::int64_t bytes,
               std::string_view kind) {
    Bytes fields;
    fields.reserve(64 + key.size() + value.size());
    ByteWriter w(fields);
    w.i64(table);
    w.i64(static_cast<std::int64_t>(key.size()));
    w.bytes(key);
    w.i64(static_cast<std::int64_t>(value.size()));
    w.bytes(value);
    w.bytes(peer);
    w.i64(amount);
    w.i64(bytes);
    w.bytes(net::as_bytes(kind));
    const auto hash = net::blake2b<16>({net::as_bytes("meshnet ledger row v1"), ByteView(fields)});
    return {hash.begin(), hash.begin() + 8};
}

}  // namespace

LedgerStatement::LedgerStatement(sqlite3* db, const char* sql) {
    if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) {
        sqlite3_finalize(statement_);
        statement_ = nullptr;
    }
}
LedgerStatement::~LedgerStatement() {
    sqlite3_finalize(statement_);
}
LedgerStatement::LedgerStatement(LedgerStatement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}
LedgerStatement& LedgerStatement::operator=(LedgerStatement&& other) noexcept {
    if (this != &other) {
        sqlite3_finalize(statement_);
        statement_ = std::exchange(other.statement_, nullptr);
    }
    return *this;
}
void LedgerStatement::bind(int at, std::int64_t v) {
    sqlite3_bind_int64(statement_, at, v);
}
void LedgerStatement::bind(int at, ByteView v) {
    // A null pointer would bind NULL; an empty value is an empty blob.
    sqlite3_bind_blob(statement_, at, v.empty() ? "" : static_cast<const void*>(v.data()), static_cast<int>(v.size()),
                      SQLITE_TRANSIENT);
}
void LedgerStatement::bind(int at, std::string_view v) {
    sqlite3_bind_text(statement_, at, v.empty() ? "" : v.data(), static_cast<int>(v.size()), SQLITE_TRANSIENT);
}
bool LedgerStatement::step() {
    last_ = statement_ == nullptr ? SQLITE_ERROR : sqlite3_step(statement_);
    return last_ == SQLITE_ROW;
}
void LedgerStatement::reset() {
    sqlite3_reset(statement_);
}
std::int64_t LedgerStatement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}
Bytes LedgerStatement::blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    const int size = sqlite3_column_bytes(statement_, column);
    return data == nullptr ? Bytes{} : Bytes(data, data + size);
}
std::string LedgerStatement::text(int column) const {
    const Bytes b = blob(column);
    return {b.begin(), b.end()};
}

LedgerStore::~LedgerStore() {
    put_ = {};
    erase_ = {};
    append_ = {};
    sqlite3_close(db_);
}

std::string LedgerStore::error() const {
    return sqlite3_errmsg(db_);
}

Status LedgerStore::execute(const char* sql) {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return Error{ErrorCode::kSystem, error()};
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
        return Error{ErrorCode::kInvalidData, "ledger " + path + " is not a file"};
    }
    if (info.st_size == 0) {
        return Error{ErrorCode::kInvalidData, "ledger " + path +
                                                  " is damaged: it is empty. Nothing was changed; put a copy in its "
                                                  "place, or move it away to start anew"};
    }
    sqlite3* db = nullptr;
    const int flags = (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX;
    const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
    std::unique_ptr<LedgerStore> store(new LedgerStore(db));
    if (opened != SQLITE_OK) {
        return Error{ErrorCode::kSystem, "ledger " + path + " cannot be opened: " + store->error()};
    }
    sqlite3_busy_timeout(db, kBusyMs);
    const auto damaged = [&](const std::string& what) {
        return Error{ErrorCode::kInvalidData,
                     "ledger " + path + " is damaged: " + what +
                         ". Nothing was changed; put a copy in its place, or move it away to start anew"};
    };
    LedgerStatement application(db, "PRAGMA application_id");
    if (!application.ready() || !application.step()) {
        const int code = sqlite3_errcode(db);
        if (code == SQLITE_CANTOPEN || code == SQLITE_PERM || code == SQLITE_READONLY) {
            return Error{ErrorCode::kInvalidData, "ledger " + path + " cannot be read: " + store->error()};
        }
        return code == SQLITE_NOTADB ? Error{ErrorCode::kInvalidData,
                                             "ledger " + path + " is not a meshnet ledger, or its beginning is damaged"}
                                     : damaged(store->error());
    }
    if (application.integer(0) != kApplication) {
        return Error{ErrorCode::kInvalidData, "ledger " + path + " is a database, but not a meshnet ledger"};
    }
    LedgerStatement version(db, "PRAGMA user_version");
    const std::int64_t found = version.step() ? version.integer(0) : 0;
    if (found > kVersion) {
        return Error{ErrorCode::kUnsupported, "ledger " + path + " has format " + std::to_string(found) +
                                                  ", this program reads up to " + std::to_string(kVersion) +
                                                  ": use the newer program"};
    }
    if (found != kVersion) {
        return damaged("format " + std::to_string(found) + " was never used");
    }
    if (!read_only) {
        // FULL: a commit is on the disk, not in a cache, before it is reported (SQLite: "WAL mode", "synchronous").
        if (auto s =
                store->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000;");
            !s) {
            return damaged(s.error().message);
        }
        store->put_ =
            LedgerStatement(db,
                            "INSERT INTO state VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (tbl, key) DO UPDATE"
                            " SET value=?3, peer=?4, amount_nsat=?5, bytes=?6, kind=?7, checksum=?8");
        store->erase_ = LedgerStatement(db, "DELETE FROM state WHERE tbl=?1 AND key=?2");
        store->append_ = LedgerStatement(db,
                                         "INSERT INTO entries (key, value, peer, amount_nsat, bytes, kind, at, "
                                         "checksum) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)");
        if (!store->put_.ready() || !store->erase_.ready() || !store->append_.ready()) {
            return damaged(store->error());
        }
    }
    return store;
}

Status LedgerStore::create(const std::string& path) {
    const std::string fresh = path + ".new";
    std::remove(fresh.c_str());  // of a start that was cut off; it never became the ledger
    std::remove((fresh + "-wal").c_str());
    std::remove((fresh + "-shm").c_str());
    {
        const host::UniqueFd made(::open(fresh.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
        if (!made) {
            return host::system_error("ledger " + path + " cannot be created", errno);
        }
    }
    sqlite3* db = nullptr;
    const int opened = sqlite3_open_v2(fresh.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    {
        LedgerStore store(db);
        Status s = opened == SQLITE_OK ? store.execute("PRAGMA synchronous=FULL;")
                                       : Status(Error{ErrorCode::kSystem, store.error()});
        const std::string numbers = "PRAGMA application_id=" + std::to_string(kApplication) +
                                    "; PRAGMA user_version=" + std::to_string(kVersion) + ";";
        if (s) s = store.execute(kSchema);
        if (s) s = store.execute(numbers.c_str());
        if (s) s = store.execute("PRAGMA journal_mode=WAL;");
        if (!s) {
            return Error{ErrorCode::kSystem, "ledger " + path + " cannot be created: " + s.error().message};
        }
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) {
        return host::system_error("ledger " + path + " cannot be created", errno);
    }
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const host::UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::fsync(directory.get()) != 0) {
        return host::system_error("ledger " + path + " cannot be made durable", errno);
    }
    return Ok{};
}

std::vector<std::string> LedgerStore::check() {
    std::vector<std::string> problems;
    LedgerStatement integrity(db_, "PRAGMA integrity_check(5)");
    while (integrity.step()) {
        if (integrity.text(0) != "ok") {
            problems.push_back(integrity.text(0));
        }
    }
    if (!integrity.ready() || integrity.last() != SQLITE_DONE) {
        problems.push_back(error());
    }
    if (!problems.empty()) {
        return problems;
    }
    std::map<std::string, std::int64_t> sums;  // by peer, hexadecimal
    LedgerStatement entries(db_, "SELECT key, value, peer, amount_nsat, bytes, kind, checksum, id FROM entries");
    while (entries.step()) {
        const Bytes peer = entries.blob(2);
        if (checksum(kEntryTable, entries.blob(0), entries.blob(1), peer, entries.integer(3), entries.integer(4),
                     entries.text(5)) != entries.blob(6)) {
            problems.push_back("entry " + std::to_string(entries.integer(7)) + " was altered");
        }
        std::int64_t& sum = sums[to_hex(peer)];
        if (__builtin_add_overflow(sum, entries.integer(3), &sum)) {
            problems.push_back("the entries of a neighbour exceed the range of money");
        }
    }
    LedgerStatement state(db_, "SELECT tbl, key, value, peer, amount_nsat, bytes, kind, checksum FROM state");
    while (state.step()) {
        const std::int64_t table = state.integer(0);
        const Bytes key = state.blob(1);
        if (checksum(table, key, state.blob(2), state.blob(3), state.integer(4), state.integer(5), state.text(6)) !=
            state.blob(7)) {
            problems.push_back("row " + to_hex(ByteView(key).first(std::min<std::size_t>(key.size(), 8))) +
                               " of table " + std::to_string(table) + " was altered");
            continue;
        }
        if (table == static_cast<int>(net::LedgerRow::Table::kBalance)) {
            const auto sum = sums.find(to_hex(state.blob(3)));
            const std::int64_t expected = sum == sums.end() ? 0 : sum->second;
            if (expected != state.integer(4)) {
                problems.push_back("the balance with " + to_hex(ByteView(key)).substr(0, 16) + " is " +
                                   std::to_string(state.integer(4)) + " nsat, its entries add up to " +
                                   std::to_string(expected));
            }
            if (sum != sums.end()) {
                sums.erase(sum);
            }
        }
    }
    for (const auto& [peer, sum] : sums) {
        problems.push_back("there are entries but no balance for " + peer.substr(0, 16));
    }
    if (entries.last() != SQLITE_DONE || state.last() != SQLITE_DONE) {
        problems.push_back(error());
    }
    return problems;
}

net::LedgerState LedgerStore::state() {
    net::LedgerState out;
    LedgerStatement rows(db_, "SELECT tbl, key, value, peer, amount_nsat, bytes, kind FROM state ORDER BY tbl, key");
    while (rows.step()) {
        net::LedgerRow row;
        row.table = static_cast<net::LedgerRow::Table>(rows.integer(0));
        row.key = rows.blob(1);
        row.value = rows.blob(2);
        const Bytes peer = rows.blob(3);
        if (peer.size() == row.peer.size()) {
            std::copy(peer.begin(), peer.end(), row.peer.begin());
        }
        row.amount_nsat = rows.integer(4);
        row.bytes_delivered = static_cast<std::uint64_t>(rows.integer(5));
        row.kind = rows.text(6);
        out.rows.push_back(std::move(row));
    }
    return out;
}

Status LedgerStore::write(const net::LedgerBatch& batch, std::int64_t unix_seconds) {
    for (const net::LedgerRow& row : batch.rows) {
        const auto table = static_cast<std::int64_t>(row.table);
        const auto bytes = static_cast<std::int64_t>(row.bytes_delivered);
        const bool entry = row.table == net::LedgerRow::Table::kEntry;
        const bool gone = row.value.empty() && !entry;
        LedgerStatement& s = entry ? append_ : gone ? erase_ : put_;
        int at = 0;
        if (!entry) {
            s.bind(++at, table);
        }
        s.bind(++at, ByteView(row.key));
        if (!gone) {
            s.bind(++at, ByteView(row.value));
            s.bind(++at, ByteView(row.peer));
            s.bind(++at, row.amount_nsat);
            s.bind(++at, bytes);
            s.bind(++at, std::string_view(row.kind));
            if (entry) {
                s.bind(++at, unix_seconds);
            }
            s.bind(++at, ByteView(checksum(table, row.key, row.value, row.peer, row.amount_nsat, bytes, row.kind)));
        }
        (void)s.step();
        const int code = s.last();
        s.reset();
        if (code != SQLITE_DONE) {
            return Error{ErrorCode::kSystem, error()};
        }
    }
    return Ok{};
}

}  // namespace meshnet::station
