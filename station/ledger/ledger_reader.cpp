// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_reader.hpp"

#include <sqlite3.h>

#include <algorithm>

namespace meshnet::station {

namespace {

template <std::size_t N>
std::array<std::uint8_t, N> fixed(const Bytes& bytes) {
    std::array<std::uint8_t, N> out{};
    std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
    return out;
}

std::uint64_t count(LedgerStore& store, const char* sql) {
    LedgerStatement s(store.handle(), sql);
    return s.step() ? static_cast<std::uint64_t>(s.integer(0)) : 0;
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
    return Error{ErrorCode::kInvalidData, "ledger " + path_ + " cannot be read: " + store_->error()};
}

Result<std::vector<LedgerReader::Balance>> LedgerReader::balances() {
    LedgerStatement s(store_->handle(),
                      "SELECT peer, sum(amount_nsat), sum(max(amount_nsat, 0)), -sum(min(amount_nsat, 0)), sum(bytes)"
                      " FROM entries GROUP BY peer ORDER BY peer");
    std::vector<Balance> out;
    while (s.step()) {
        Balance b;
        b.peer = fixed<32>(s.blob(0));
        b.net_nsat = s.integer(1);
        b.earned_nsat = s.integer(2);
        b.spent_nsat = s.integer(3);
        b.bytes = static_cast<std::uint64_t>(s.integer(4));
        out.push_back(b);
    }
    if (s.last() != SQLITE_DONE) {
        return failed();
    }
    return out;
}

Result<std::vector<LedgerReader::Entry>> LedgerReader::entries(std::size_t limit) {
    LedgerStatement s(store_->handle(), "SELECT id, at, key, amount_nsat, kind FROM entries ORDER BY id DESC LIMIT ?1");
    s.bind(1, static_cast<std::int64_t>(std::min<std::size_t>(limit, 1'000'000)));
    std::vector<Entry> out;
    while (s.step()) {
        Entry e;
        e.id = static_cast<std::uint64_t>(s.integer(0));
        e.unix_seconds = s.integer(1);
        const Bytes key = s.blob(2);
        ByteReader r(key);
        e.peer = r.array<32>();
        e.flow = r.array<16>();
        e.from_byte = r.u64();
        e.to_byte = r.u64();
        e.amount_nsat = s.integer(3);
        e.kind = s.text(4);
        out.push_back(std::move(e));
    }
    if (s.last() != SQLITE_DONE) {
        return failed();
    }
    return out;
}

Result<LedgerReader::Totals> LedgerReader::totals() {
    LedgerStatement s(store_->handle(), "SELECT kind, sum(amount_nsat), count(*) FROM entries GROUP BY kind");
    Totals t;
    while (s.step()) {
        const std::string kind = s.text(0);
        if (kind == "relay") t.earned_nsat = s.integer(1);
        if (kind == "pay") t.paid_nsat = -s.integer(1);
        if (kind == "own") t.own_nsat = -s.integer(1);
        t.entries += static_cast<std::uint64_t>(s.integer(2));
    }
    if (s.last() != SQLITE_DONE) {
        return failed();
    }
    return t;
}

LedgerReader::Report LedgerReader::fsck() {
    Report report;
    // One transaction, so that a daemon's commit in between is not taken for a contradiction.
    (void)store_->execute("BEGIN");
    report.problems = store_->check();
    report.entries = count(*store_, "SELECT count(*) FROM entries");
    report.rows = count(*store_, "SELECT count(*) FROM state");
    (void)store_->execute("COMMIT");
    return report;
}

}  // namespace meshnet::station
