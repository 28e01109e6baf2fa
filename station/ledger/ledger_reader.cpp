// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_reader.hpp"

#include <algorithm>
#include <utility>

#include "net/payment/book.hpp"
#include "station/ledger/ledger_columns.hpp"

namespace meshnet::station {

namespace {

std::uint64_t count(LedgerStore& store, LedgerTable table) {
    LedgerStatement s = store.prepare(std::string("SELECT count(*) FROM ") + table_name(table));
    return s.step() ? static_cast<std::uint64_t>(s.integer(0)) : 0;
}

/// "SELECT columns FROM entries GROUP BY column ORDER BY column"
std::string grouped_by(const std::string& column, const std::string& columns) {
    return "SELECT " + column + ", " + columns + " FROM " + table_name(LedgerTable::kEntries) + " GROUP BY " + column +
           " ORDER BY " + column;
}

}  // namespace

Result<LedgerReader> LedgerReader::open(const std::string& path) {
    auto store = LedgerStore::open(path, true);
    if (!store) {
        return store.error();
    }
    return LedgerReader(std::move(store).value(), path);
}

Error LedgerReader::failed() const {
    return LedgerStore::explain(path_, store_->last_error());
}

Result<std::vector<LedgerReader::Balance>> LedgerReader::balances() {
    const std::string amount = kColumnAmount;
    LedgerStatement s =
        store_->prepare(grouped_by(kColumnPeer, "sum(" + amount + "), sum(max(" + amount + ", 0)), -sum(min(" + amount +
                                                    ", 0)), sum(" + kColumnBytes + ")"));
    std::vector<Balance> out;
    while (s.step()) {
        Balance b;
        const Bytes peer = s.blob(0);
        std::copy_n(peer.begin(), std::min(peer.size(), b.peer.size()), b.peer.begin());
        b.net_nsat = s.integer(1);
        b.earned_nsat = s.integer(2);
        b.spent_nsat = s.integer(3);
        b.bytes = static_cast<std::uint64_t>(s.integer(4));
        out.push_back(b);
    }
    if (!s.done()) {
        return failed();
    }
    return out;
}

Result<std::vector<LedgerReader::Entry>> LedgerReader::entries(std::size_t limit) {
    LedgerStatement s = store_->prepare(
        select_sql(LedgerTable::kEntries, store_->format(), std::string("ORDER BY ") + kColumnId + " DESC LIMIT ?1"));
    s.bind(1, static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000)));
    std::vector<Entry> out;
    while (s.step()) {
        const LedgerRecord record = read_record(s, LedgerTable::kEntries);
        Entry e;
        e.id = static_cast<std::uint64_t>(record.id);
        e.unix_seconds = record.unix_seconds;
        e.peer = record.row.peer;
        if (const auto range = net::Book::range_of(record.row)) {
            e.flow = range->flow;
            e.from_byte = range->from;
            e.to_byte = range->to;
        } else {  // of version 1: they stand in the key
            ByteReader r(record.row.key);
            (void)r.bytes(32);
            e.flow = r.array<16>();
            e.from_byte = r.u64();
            e.to_byte = r.u64();
        }
        e.amount_nsat = record.row.amount_nsat;
        e.kind = record.row.kind;
        out.push_back(std::move(e));
    }
    if (!s.done()) {
        return failed();
    }
    return out;
}

Result<LedgerReader::Totals> LedgerReader::totals() {
    LedgerStatement s = store_->prepare(grouped_by(kColumnKind, std::string("sum(") + kColumnAmount + "), count(*)"));
    Totals t;
    while (s.step()) {
        const std::string kind = s.text(0);
        if (kind == "relay") t.earned_nsat = s.integer(1);
        if (kind == "pay") t.paid_nsat = -s.integer(1);
        if (kind == "own") t.own_nsat = -s.integer(1);
        if (kind == "payment") t.settled_nsat = s.integer(1);
        if (kind == "received") t.received_nsat = -s.integer(1);
        t.entries += static_cast<std::uint64_t>(s.integer(2));
    }
    if (!s.done()) {
        return failed();
    }
    return t;
}

Result<LedgerReader::Account> LedgerReader::account() {
    Account out;
    (void)store_->execute("BEGIN");  // what a daemon commits meanwhile is not seen
    out.owner = store_->owner();
    out.state = store_->state();
    out.entries = count(*store_, LedgerTable::kEntries);
    LedgerStatement s = store_->prepare(
        grouped_by(std::string(kColumnPeer) + ", " + kColumnKind, std::string("sum(") + kColumnAmount + ")"));
    while (s.step()) {
        net::NodeId peer{};
        const Bytes id = s.blob(0);
        std::copy_n(id.begin(), std::min(id.size(), peer.size()), peer.begin());
        out.sums_nsat[peer][s.text(1)] = s.integer(2);
    }
    const bool read = s.done();
    const Error why = read ? Error{ErrorCode::kSystem, ""} : failed();
    (void)store_->execute("COMMIT");
    return read ? Result<Account>(std::move(out)) : Result<Account>(why);
}

Result<std::vector<LedgerReader::Sum>> LedgerReader::sums(std::int64_t from, std::int64_t seconds) {
    const std::string at = kColumnTime;
    LedgerStatement s =
        store_->prepare("SELECT (" + at + " - ?1) / ?2, " + kColumnPeer + ", " + kColumnKind + ", sum(" +
                        kColumnAmount + "), sum(" + kColumnBytes + ") FROM " + table_name(LedgerTable::kEntries) +
                        " WHERE " + at + " >= ?1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
    s.bind(1, from);
    s.bind(2, seconds);
    std::vector<Sum> out;
    while (s.step()) {
        Sum sum;
        sum.stretch = s.integer(0);
        const Bytes peer = s.blob(1);
        std::copy_n(peer.begin(), std::min(peer.size(), sum.peer.size()), sum.peer.begin());
        sum.kind = s.text(2);
        sum.amount_nsat = s.integer(3);
        sum.bytes = static_cast<std::uint64_t>(s.integer(4));
        out.push_back(std::move(sum));
    }
    if (!s.done()) {
        return failed();
    }
    return out;
}

Result<LedgerReader::Report> LedgerReader::fsck() {
    Report report;
    // One transaction, so that a daemon's commit in between does not look like a contradiction.
    (void)store_->execute("BEGIN");
    auto problems = store_->check();
    if (!problems) {
        (void)store_->execute("ROLLBACK");
        return LedgerStore::explain(path_, problems.error());
    }
    report.problems = std::move(problems).value();
    report.entries = count(*store_, LedgerTable::kEntries);
    report.rows = count(*store_, LedgerTable::kState);
    (void)store_->execute("COMMIT");
    return report;
}

}  // namespace meshnet::station
