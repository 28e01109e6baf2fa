// SPDX-License-Identifier: GPL-3.0-or-later
// Prepared SQLite statements.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace meshnet::station {

/// One prepared statement; finalised on destruction. Parameters count from 1, columns from 0.
class LedgerStatement {
public:
    LedgerStatement() = default;
    LedgerStatement(sqlite3* db, const std::string& sql);
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
    /// True if the last step reached the end without an error.
    [[nodiscard]] bool done() const noexcept;
    void reset();
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] Bytes blob(int column) const;
    [[nodiscard]] std::string text(int column) const;

private:
    sqlite3_stmt* statement_ = nullptr;
    int last_ = 0;  // SQLite's code of the last step
};

}  // namespace meshnet::station
