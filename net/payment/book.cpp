// SPDX-License-Identifier: MIT
#include "net/payment/book.hpp"

#include <algorithm>
#include <limits>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kRowVersion = 1;

/// Totals stop at the end of the range instead of wrapping: 92 bitcoin with one neighbour.
std::int64_t add(std::int64_t total, std::int64_t amount) noexcept {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    return amount > kMost - total ? kMost : total + amount;
}

}  // namespace

bool Book::restore(const LedgerRow& row) {
    ByteReader key(row.key);
    ByteReader r(row.value);
    const NodeId peer = key.array<32>();
    Balance b;
    const std::uint8_t version = r.u8();
    b.claimed_nsat = r.i64();
    b.owed_nsat = r.i64();
    b.bytes = r.u64();
    b.sequence = r.u64();
    b.signed_claimed_nsat = r.i64();
    b.signed_owed_nsat = r.i64();
    b.signed_bytes = r.u64();
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

void Book::enter(const NodeId& peer, const FlowId& flow, std::uint64_t from, std::uint64_t to, std::int64_t nsat,
                 std::string_view kind) {
    if (nsat == 0) {
        return;
    }
    Balance& b = balances_[peer];
    std::int64_t& total = nsat > 0 ? b.claimed_nsat : b.owed_nsat;
    total = add(total, nsat > 0 ? nsat : -nsat);
    b.bytes += to - from;
    changed_.insert(peer);
    LedgerRow row;
    row.table = LedgerRow::Table::kEntry;
    ByteWriter w(row.key);
    w.bytes(peer);
    w.bytes(flow);
    w.u64(from);
    w.u64(to);
    ByteWriter v(row.value);  // what the clear columns repeat, so that the row explains itself
    v.u8(kRowVersion);
    v.i64(nsat);
    v.u64(to - from);
    row.peer = peer;
    row.amount_nsat = nsat;
    row.bytes_delivered = to - from;
    row.kind = kind;
    entries_.push_back(std::move(row));
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

const Book::Balance* Book::find(const NodeId& peer) const {
    const auto it = balances_.find(peer);
    return it == balances_.end() ? nullptr : &it->second;
}

void Book::take(std::vector<LedgerRow>& rows) {
    std::move(entries_.begin(), entries_.end(), std::back_inserter(rows));
    entries_.clear();
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
        w.u64(b.sequence);
        w.i64(b.signed_claimed_nsat);
        w.i64(b.signed_owed_nsat);
        w.u64(b.signed_bytes);
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
