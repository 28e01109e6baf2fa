// SPDX-License-Identifier: MIT
#include "net/payment/book.hpp"

#include <algorithm>
#include <limits>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kRowVersion = 2;
constexpr std::string_view kRestored = "restored";

/// Totals stop at the end of the range instead of wrapping: 92 bitcoin with one neighbour.
std::int64_t add(std::int64_t total, std::int64_t amount) noexcept {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    return amount > kMost - total ? kMost : total + amount;
}

}  // namespace

BalanceMessage Book::Balance::last_signed() const {
    BalanceMessage m;
    m.generation = generation;
    m.sequence = sequence;
    m.owed_nsat = signed_owed_nsat;
    m.claimed_nsat = signed_claimed_nsat;
    return m;
}

bool Book::restore(const LedgerRow& row) {
    ByteReader key(row.key);
    ByteReader r(row.value);
    const NodeId peer = key.array<32>();
    Balance b;
    const std::uint8_t version = r.u8();
    b.claimed_nsat = r.i64();
    b.owed_nsat = r.i64();
    b.bytes = r.u64();
    b.generation = r.u32();
    b.sequence = r.u64();
    b.signed_claimed_nsat = r.i64();
    b.signed_owed_nsat = r.i64();
    b.signed_bytes = r.u64();
    b.theirs.generation = r.u32();
    b.theirs.sequence = r.u64();
    b.theirs.owed_nsat = r.i64();
    b.theirs.claimed_nsat = r.i64();
    b.theirs.signature = r.array<64>();
    if (!key.complete() || !r.complete() || version != kRowVersion || b.claimed_nsat < 0 || b.owed_nsat < 0) {
        return false;
    }
    balances_[peer] = b;
    return true;
}

Book::Entry& Book::entry(Instant now, const NodeId& peer, const FlowId& flow, std::uint64_t from,
                         std::string_view kind) {
    EntryKey key{peer, flow, std::string(kind)};
    auto it = entries_.find(key);
    if (it == entries_.end()) {
        auto& left = rows_left_.try_emplace(peer, kRowEvery, kRowsAtOnce).first->second;
        if (!left.take(now)) {  // one row for all that come from now on
            std::get<FlowId>(key) = FlowId{};
            from = 0;
            it = entries_.find(key);
            const bool over = it != entries_.end() && now - it->second.since >= kPeriod;
            if (over && changed_entries_.count(key) == 0) {
                entries_.erase(it);
                it = entries_.end();
            }
        }
    }
    if (it == entries_.end()) {
        if (entries_.size() >= kOpenEntries) {  // a row that is written may be forgotten: the flow gets another
            const auto written = std::find_if(entries_.begin(), entries_.end(),
                                              [&](const auto& e) { return changed_entries_.count(e.first) == 0; });
            if (written != entries_.end()) {
                entries_.erase(written);
            }
        }
        Entry fresh;
        fresh.number = next_number_++;
        fresh.from = fresh.to = from;
        fresh.since = now;
        it = entries_.emplace(std::move(key), fresh).first;
    }
    changed_entries_.insert(it->first);
    return it->second;
}

void Book::enter(Instant now, const NodeId& peer, const FlowId& flow, std::uint64_t from, std::uint64_t to,
                 std::int64_t nsat, std::string_view kind) {
    if (nsat == 0) {
        return;
    }
    Balance& b = balances_[peer];
    std::int64_t& total = nsat > 0 ? b.claimed_nsat : b.owed_nsat;
    const std::int64_t after = add(total, nsat > 0 ? nsat : -nsat);
    const std::int64_t booked = nsat > 0 ? after - total : total - after;
    total = after;
    b.bytes += to - from;
    changed_.insert(peer);
    Entry& e = entry(now, peer, flow, from, kind);
    e.nsat += booked;
    e.bytes += to - from;
    e.to = std::max(e.to, to);
}

const Book::Balance& Book::next_to_sign(const NodeId& peer) {
    Balance& b = balances_[peer];
    ++b.sequence;
    b.signed_claimed_nsat = b.claimed_nsat;
    b.signed_owed_nsat = b.owed_nsat;
    b.signed_bytes = b.bytes;
    changed_.insert(peer);
    return b;
}

void Book::received(const NodeId& peer, const BalanceMessage& message) {
    balances_[peer].theirs = message;
    changed_.insert(peer);
}

void Book::adopt(Instant now, const NodeId& peer, const BalanceMessage& echo, std::int64_t claimed_nsat,
                 std::int64_t owed_nsat) {
    Balance& b = balances_[peer];
    if (claimed_nsat > b.claimed_nsat) {
        enter(now, peer, FlowId{}, 0, 0, claimed_nsat - b.claimed_nsat, kRestored);
    }
    if (owed_nsat > b.owed_nsat) {
        enter(now, peer, FlowId{1}, 0, 0, b.owed_nsat - owed_nsat, kRestored);
    }
    b.generation = std::max(b.generation, echo.generation) + 1;
    b.sequence = 0;
    b.signed_claimed_nsat = b.signed_owed_nsat = -1;  // to be signed anew whatever they are
    changed_.insert(peer);
}

const Book::Balance* Book::find(const NodeId& peer) const {
    const auto it = balances_.find(peer);
    return it == balances_.end() ? nullptr : &it->second;
}

LedgerRow Book::row_of(const EntryKey& key, const Entry& e) const {
    const auto& [peer, flow, kind] = key;
    LedgerRow row;
    row.table = LedgerRow::Table::kEntry;
    ByteWriter w(row.key);
    w.bytes(peer);
    w.bytes(flow);
    w.u64(run_);
    w.u64(e.number);
    ByteWriter v(row.value);
    v.u8(kRowVersion);
    v.i64(e.nsat);
    v.u64(e.bytes);
    v.u64(e.from);
    v.u64(e.to);
    row.peer = peer;
    row.amount_nsat = e.nsat;
    row.bytes_delivered = e.bytes;
    row.kind = kind;
    return row;
}

std::optional<Book::EntryRange> Book::range_of(const LedgerRow& row) {
    ByteReader key(row.key);
    ByteReader r(row.value);
    EntryRange out;
    (void)key.bytes(32);
    out.flow = key.array<16>();
    const std::uint8_t version = r.u8();
    (void)r.bytes(16);
    out.from = r.u64();
    out.to = r.u64();
    return key.left() == 16 && r.complete() && version == kRowVersion ? std::optional(out) : std::nullopt;
}

void Book::take(std::vector<LedgerRow>& rows) {
    for (const EntryKey& key : changed_entries_) {
        rows.push_back(row_of(key, entries_.at(key)));
    }
    changed_entries_.clear();
    for (const NodeId& peer : changed_) {
        const Balance& b = balances_.at(peer);
        LedgerRow row;
        row.table = LedgerRow::Table::kBalance;
        row.key.assign(peer.begin(), peer.end());
        ByteWriter w(row.value);
        w.u8(kRowVersion);
        w.i64(b.claimed_nsat);
        w.i64(b.owed_nsat);
        w.u64(b.bytes);
        w.u32(b.generation);
        w.u64(b.sequence);
        w.i64(b.signed_claimed_nsat);
        w.i64(b.signed_owed_nsat);
        w.u64(b.signed_bytes);
        w.u32(b.theirs.generation);
        w.u64(b.theirs.sequence);
        w.i64(b.theirs.owed_nsat);
        w.i64(b.theirs.claimed_nsat);
        w.bytes(b.theirs.signature);
        row.peer = peer;
        row.amount_nsat = b.net_nsat();
        row.bytes_delivered = b.bytes;
        row.kind = "balance";
        rows.push_back(std::move(row));
    }
    changed_.clear();
}

}  // namespace meshnet::net
