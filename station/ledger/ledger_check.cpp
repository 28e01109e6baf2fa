// SPDX-License-Identifier: GPL-3.0-or-later
// The checks of a ledger, and the seal that spares a start the history that was checked already.
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "station/ledger/ledger_columns.hpp"
#include "station/ledger/ledger_store.hpp"

namespace meshnet::station {

Result<std::vector<std::string>> LedgerStore::check() {
    std::vector<std::string> problems;
    LedgerStatement integrity(db_, "PRAGMA integrity_check(5)");
    while (integrity.step()) {
        if (integrity.text(0) != "ok") {
            problems.push_back(integrity.text(0));
        }
    }
    Status read = integrity.ready() && integrity.done() ? Status(Ok{}) : Status(last_error());
    if (read && problems.empty()) {
        read = check_meta(problems);
    }
    if (read && problems.empty()) {
        read = check_rows({}, problems);
    }
    if (!read) {
        if (read.error().code != ErrorCode::kInvalidData) {
            return read.error();
        }
        problems.push_back(read.error().message);
    }
    return problems;
}

/// Adds the entries behind `sums` up to the last of `stop_at`, or all, to `sums`; verifies their checksums.
Status LedgerStore::add_entries(const LedgerSeal* stop_at, LedgerSeal& sums, std::vector<std::string>& problems) {
    LedgerStatement entries = prepare(select_sql(
        LedgerTable::kEntries, format_,
        std::string("WHERE ") + kColumnId + ">?1" +
            (stop_at == nullptr ? "" : std::string(" AND ") + kColumnId + "<=?2") + " ORDER BY " + kColumnId));
    entries.bind(1, sums.last);
    if (stop_at != nullptr) {
        entries.bind(2, stop_at->last);
    }
    std::size_t count = 0;
    for (; entries.step(); ++count) {
        const LedgerRecord e = read_record(entries, LedgerTable::kEntries);
        if (row_checksum(e.row) != e.checksum) {
            problems.push_back("entry " + std::to_string(e.id) + " was altered");
        }
        if (!sums.add(e.row.peer, e.row.amount_nsat)) {
            problems.push_back("the entries of a neighbour exceed the range of money");
        }
        sums.last = e.id;
    }
    unsealed_ = stop_at == nullptr ? count : unsealed_;
    return entries.done() ? Status(Ok{}) : Status(last_error());
}

/// Entries behind `sums`, and that with them they add up to the balances of the state, of which every row is checked.
Status LedgerStore::check_rows(LedgerSeal sums, std::vector<std::string>& problems) {
    if (const auto value = meta(kSealKey); value && sums.last == 0) {
        const auto sealed = LedgerSeal::decode(*value);
        if (auto read = add_entries(&*sealed, sums, problems); !read) {
            return read;
        }
        if (sums.sums_nsat != sealed->sums_nsat) {
            problems.emplace_back("the entries that were sealed do not add up to their seal");
        }
        sums.last = sealed->last;
    }
    if (auto read = add_entries(nullptr, sums, problems); !read) {
        return read;
    }
    LedgerStatement state = prepare(select_sql(LedgerTable::kState, format_));
    while (state.step()) {
        const LedgerRecord r = read_record(state, LedgerTable::kState);
        if (row_checksum(r.row) != r.checksum) {
            problems.push_back("row " + to_hex(ByteView(r.row.key).first(std::min<std::size_t>(r.row.key.size(), 8))) +
                               " of table " + std::to_string(static_cast<int>(r.row.table)) + " was altered");
            continue;
        }
        if (r.row.table == net::LedgerRow::Table::kBalance) {
            const auto sum = sums.sums_nsat.find(r.row.peer);
            const std::int64_t expected = sum == sums.sums_nsat.end() ? 0 : sum->second;
            if (expected != r.row.amount_nsat) {
                problems.push_back("the balance with " + to_hex(r.row.key).substr(0, 16) + " is " +
                                   std::to_string(r.row.amount_nsat) + " nsat, its entries add up to " +
                                   std::to_string(expected));
            }
            if (sum != sums.sums_nsat.end()) {
                sums.sums_nsat.erase(sum);
            }
        }
    }
    if (!state.done()) {
        return last_error();
    }
    for (const auto& [peer, sum] : sums.sums_nsat) {
        problems.push_back("there are entries but no balance for " + to_hex(peer).substr(0, 16));
    }
    return Ok{};
}

Status LedgerStore::check_meta(std::vector<std::string>& problems) {
    if (format_ < 2) {
        return Ok{};
    }
    LedgerStatement rows(db_, "SELECT key, value, checksum FROM meta");
    while (rows.step()) {
        const std::string key = rows.text(0);
        const Bytes value = rows.blob(1);
        const bool genuine = meta_checksum(key, value) == rows.blob(2);
        if (key == kSealKey && !(genuine && LedgerSeal::decode(value))) {
            problems.emplace_back("the seal of its history was altered");
        } else if (!genuine || (key == kOwnerKey && value.size() != net::NodeId{}.size())) {
            problems.emplace_back("the record of its station was altered");
        }
    }
    return rows.done() ? Status(Ok{}) : Status(last_error());
}

Status LedgerStore::require_sound(const std::string& path) {
    const auto problems = check();
    if (!problems) {
        return explain(path, problems.error());
    }
    return problems->empty() ? Status(Ok{}) : Status(damaged(path, problems->front()));
}

Status LedgerStore::require_sound_since_seal(const std::string& path, bool& sealed) {
    std::vector<std::string> problems;
    Status read = check_meta(problems);
    const auto value = read && problems.empty() ? meta(kSealKey) : std::nullopt;
    sealed = value.has_value();
    if (read && problems.empty()) {
        if (!sealed) {
            return require_sound(path);
        }
        seal_ = LedgerSeal::decode(*value);
        read = check_rows(*seal_, problems);
    }
    if (!read) {
        return explain(path, read.error());
    }
    return problems.empty() ? Status(Ok{}) : Status(damaged(path, problems.front()));
}

Status LedgerStore::seal() {
    LedgerSeal next = seal_.value_or(LedgerSeal{});
    std::vector<std::string> problems;
    if (auto read = add_entries(nullptr, next, problems); !read) {
        return read;
    }
    if (!problems.empty()) {
        return Error{ErrorCode::kInvalidData, problems.front()};
    }
    if (auto written = set_meta(kSealKey, next.encode()); !written) {
        return written;
    }
    seal_ = std::move(next);
    unsealed_ = 0;
    return Ok{};
}

void LedgerStore::roll_back() {
    (void)execute("ROLLBACK");
    if (seal_) {
        const auto value = meta(kSealKey);
        seal_ = value ? LedgerSeal::decode(*value) : std::nullopt;
    }
}

void LedgerStore::interrupt() noexcept {
    sqlite3_interrupt(db_);
}

}  // namespace meshnet::station
