// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/history.hpp"

#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

namespace meshnet::page {

namespace {

constexpr int kApplication = 0x4d657350;  // "MesP"
constexpr int kFormat = 1;
constexpr const char* kTables =
    "CREATE TABLE series (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, newest INTEGER NOT NULL,"
    " UNIQUE (kind, subject));"
    "CREATE TABLE points (level INTEGER, series INTEGER, at INTEGER, n INTEGER NOT NULL, total REAL NOT NULL,"
    " low REAL NOT NULL, high REAL NOT NULL, PRIMARY KEY (level, series, at)) WITHOUT ROWID;";

class Statement {
public:
    Statement(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &s_, nullptr); }
    ~Statement() { sqlite3_finalize(s_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    void bind(int i, std::int64_t v) { sqlite3_bind_int64(s_, i, v); }
    void bind(int i, double v) { sqlite3_bind_double(s_, i, v); }
    void bind(int i, const std::string& v) {
        sqlite3_bind_text(s_, i, v.data(), static_cast<int>(v.size()), SQLITE_TRANSIENT);
    }
    /// True: there is a row.
    bool step() {
        code_ = s_ == nullptr ? SQLITE_ERROR : sqlite3_step(s_);
        return code_ == SQLITE_ROW;
    }
    /// The end was reached without an error.
    [[nodiscard]] bool done() const { return code_ == SQLITE_DONE; }
    [[nodiscard]] std::int64_t integer(int i) const { return sqlite3_column_int64(s_, i); }
    [[nodiscard]] double real(int i) const { return sqlite3_column_double(s_, i); }
    [[nodiscard]] std::string text(int i) const {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(s_, i));
        return bytes == nullptr ? std::string()
                                : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(s_, i)));
    }

private:
    sqlite3_stmt* s_ = nullptr;
    int code_ = SQLITE_OK;
};

}  // namespace

struct History::Impl {
    sqlite3* db = nullptr;
    std::string path;
    std::map<SeriesName, std::int64_t> ids;

    ~Impl() { sqlite3_close(db); }

    [[nodiscard]] Error failed() const {
        const std::string what = "history " + path;
        const std::string away = ": move it away, and the next start makes a new one";
        switch (sqlite3_errcode(db) & 0xff) {
            case SQLITE_NOTADB:
                return {ErrorCode::kInvalidData, what + " is not a history of meshnet-page" + away};
            case SQLITE_CORRUPT:
                return {ErrorCode::kInvalidData, what + " is damaged" + away};
            case SQLITE_FULL:
                return {ErrorCode::kSystem, what + " cannot be written: the disk is full"};
            case SQLITE_BUSY:
            case SQLITE_LOCKED:
                return {ErrorCode::kInUse, what + " is in use by another meshnet-page; name another with --history"};
            case SQLITE_CANTOPEN:
            case SQLITE_PERM:
            case SQLITE_READONLY:
                return {ErrorCode::kPermission,
                        what + " cannot be opened for writing; does its folder exist, and whose is it?"};
            default:
                return {ErrorCode::kSystem, what + ": " + sqlite3_errmsg(db)};
        }
    }
    [[nodiscard]] Status execute(const char* sql) {
        return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status(Ok{}) : Status(failed());
    }
    [[nodiscard]] std::optional<std::int64_t> number(const char* sql) {
        Statement s(db, sql);
        return s.step() ? std::optional(s.integer(0)) : std::nullopt;
    }
    Status prepare();
    Status check_file();
    Status load_series();
    Status make_room();
    Status add_value(std::int64_t unix_s, const SeriesName& name, double value);
    Status add_point(std::size_t level, std::int64_t series, std::int64_t at, double value);
};

Status History::Impl::check_file() {
    const auto application = number("PRAGMA application_id");
    const auto tables = number("SELECT count(*) FROM sqlite_master");
    const auto format = number("PRAGMA user_version");
    if (!application || !tables || !format) {
        return failed();
    }
    if (*application == 0 && *tables == 0) {
        const std::string make = std::string("BEGIN EXCLUSIVE;") + kTables +
                                 "PRAGMA application_id=" + std::to_string(kApplication) +
                                 ";PRAGMA user_version=" + std::to_string(kFormat) + ";COMMIT;";
        return execute(make.c_str());
    }
    if (*application != kApplication) {
        return Error{ErrorCode::kInvalidData,
                     "history " + path + " is a file of another program; name another with --history"};
    }
    if (*format > kFormat) {
        return Error{ErrorCode::kUnsupported, "history " + path + " has format " + std::to_string(*format) +
                                                  ", this program knows " + std::to_string(kFormat)};
    }
    Statement check(db, "PRAGMA quick_check(1)");
    if (!check.step()) {
        return failed();
    }
    if (check.text(0) != "ok") {
        return Error{ErrorCode::kInvalidData,
                     "history " + path + " is damaged: move it away, and the next start makes a new one"};
    }
    return Ok{};
}

Status History::Impl::prepare() {
    sqlite3_busy_timeout(db, 1'000);
    // Exclusive: a second page that adds to the same file would count everything twice.
    if (auto s = execute("PRAGMA locking_mode=EXCLUSIVE"); !s) {
        return s;
    }
    if (auto s = check_file(); !s) {
        return s;
    }
    if (auto s = execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=500;"
                         "BEGIN IMMEDIATE; COMMIT;");
        !s) {
        return s;
    }
    return load_series();
}

Status History::Impl::load_series() {
    ids.clear();
    Statement s(db, "SELECT id, kind, subject FROM series");
    while (s.step()) {
        ids[{s.text(1), s.text(2)}] = s.integer(0);
    }
    return s.done() ? Status(Ok{}) : Status(failed());
}

Status History::Impl::make_room() {
    const auto oldest = number("SELECT id FROM series ORDER BY newest, id LIMIT 1");
    if (!oldest) {
        return failed();
    }
    for (const char* sql :
         {"DELETE FROM points WHERE series = ?1 AND level = ?2", "DELETE FROM series WHERE id = ?1"}) {
        for (std::int64_t level = 0; level < static_cast<std::int64_t>(kHistoryLevels.size()); ++level) {
            Statement s(db, sql);
            s.bind(1, *oldest);
            s.bind(2, level);  // of no meaning to the second
            (void)s.step();
            if (!s.done()) {
                return failed();
            }
        }
    }
    std::erase_if(ids, [&](const auto& entry) { return entry.second == *oldest; });
    return Ok{};
}

Status History::Impl::add_point(std::size_t level, std::int64_t series, std::int64_t at, double value) {
    Statement put(db,
                  "INSERT INTO points VALUES (?1, ?2, ?3, 1, ?4, ?4, ?4) ON CONFLICT DO UPDATE SET n = n + 1,"
                  " total = total + ?4, low = min(low, ?4), high = max(high, ?4)");
    put.bind(1, static_cast<std::int64_t>(level));
    put.bind(2, series);
    put.bind(3, at);
    put.bind(4, value);
    (void)put.step();
    Statement prune(db,
                    "DELETE FROM points WHERE level = ?1 AND series = ?2 AND at <= (SELECT at FROM points WHERE"
                    " level = ?1 AND series = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)");
    prune.bind(1, static_cast<std::int64_t>(level));
    prune.bind(2, series);
    prune.bind(3, kHistoryLevels[level].points);
    return put.done() && (void(prune.step()), prune.done()) ? Status(Ok{}) : Status(failed());
}

Status History::Impl::add_value(std::int64_t unix_s, const SeriesName& name, double value) {
    auto at = ids.find(name);
    if (at == ids.end()) {
        while (ids.size() >= kMostSeries) {
            if (auto s = make_room(); !s) {
                return s;
            }
        }
        Statement s(db, "INSERT INTO series (kind, subject, newest) VALUES (?1, ?2, ?3)");
        s.bind(1, name.kind);
        s.bind(2, name.subject);
        s.bind(3, unix_s);
        (void)s.step();
        if (!s.done()) {
            return failed();
        }
        at = ids.emplace(name, sqlite3_last_insert_rowid(db)).first;
    }
    Statement newest(db, "UPDATE series SET newest = ?2 WHERE id = ?1");
    newest.bind(1, at->second);
    newest.bind(2, unix_s);
    (void)newest.step();
    if (!newest.done()) {
        return failed();
    }
    for (std::size_t level = 0; level < kHistoryLevels.size(); ++level) {
        const std::int64_t step = kHistoryLevels[level].step_s;
        if (auto s = add_point(level, at->second, unix_s / step * step, value); !s) {
            return s;
        }
    }
    return Ok{};
}

History::History(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
History::~History() = default;
History::History(History&&) noexcept = default;
History& History::operator=(History&&) noexcept = default;

Result<History> History::open(const std::string& path) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &impl->db, flags, nullptr) != SQLITE_OK) {
        return impl->failed();
    }
    if (auto ready = impl->prepare(); !ready) {
        return ready.error();
    }
    return History(std::move(impl));
}

Status History::add(std::int64_t unix_s, const std::vector<std::pair<SeriesName, double>>& values) {
    if (auto s = impl_->execute("BEGIN IMMEDIATE"); !s) {
        return s;
    }
    Status done = Ok{};
    for (const auto& [name, value] : values) {
        if (done && unix_s >= 0 && std::isfinite(value)) {
            done = impl_->add_value(unix_s, name, value);
        }
    }
    if (done) {
        done = impl_->execute("COMMIT");
    }
    if (!done) {
        (void)impl_->execute("ROLLBACK");
        (void)impl_->load_series();
    }
    return done;
}

Result<History::Chart> History::read(const std::string& kind, std::int64_t from, std::int64_t to) {
    std::size_t level = 0;
    while (level + 1 < kHistoryLevels.size() &&
           to - from > kHistoryLevels[level].step_s * kHistoryLevels[level].points) {
        ++level;
    }
    Chart out{kHistoryLevels[level].step_s, {}};
    for (const auto& [name, id] : impl_->ids) {
        if (name.kind != kind) {
            continue;
        }
        Series series{name, {}};
        Statement s(impl_->db,
                    "SELECT at, total / n, low, high FROM points WHERE level = ?1 AND series = ?2 AND at BETWEEN ?3"
                    " AND ?4 ORDER BY at");
        s.bind(1, static_cast<std::int64_t>(level));
        s.bind(2, id);
        s.bind(3, from);
        s.bind(4, to);
        while (s.step()) {
            series.points.push_back({s.integer(0), s.real(1), s.real(2), s.real(3)});
        }
        if (!s.done()) {
            return impl_->failed();
        }
        if (!series.points.empty()) {
            out.series.push_back(std::move(series));
        }
    }
    return out;
}

std::uint64_t History::bytes() const {
    std::uint64_t sum = 0;
    for (const char* ending : {"", "-wal"}) {
        std::error_code none;
        const auto size = std::filesystem::file_size(impl_->path + ending, none);
        sum += none ? 0 : size;
    }
    return sum;
}

}  // namespace meshnet::page
