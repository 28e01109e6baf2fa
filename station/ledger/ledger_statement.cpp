// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_statement.hpp"

#include <sqlite3.h>

#include <utility>

namespace meshnet::station {

LedgerStatement::LedgerStatement(sqlite3* db, const std::string& sql) {
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement_, nullptr) != SQLITE_OK) {
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
bool LedgerStatement::done() const noexcept {
    return last_ == SQLITE_DONE;
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

}  // namespace meshnet::station
