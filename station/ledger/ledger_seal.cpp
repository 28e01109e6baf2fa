// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_seal.hpp"

namespace meshnet::station {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSumBytes = 40;

}  // namespace

Bytes LedgerSeal::encode() const {
    Bytes out;
    ByteWriter w(out);
    w.u8(kVersion);
    w.i64(last);
    w.u32(static_cast<std::uint32_t>(sums_nsat.size()));
    for (const auto& [peer, sum] : sums_nsat) {
        w.bytes(peer);
        w.i64(sum);
    }
    return out;
}

std::optional<LedgerSeal> LedgerSeal::decode(ByteView value) {
    ByteReader r(value);
    LedgerSeal out;
    if (r.u8() != kVersion) {
        return std::nullopt;
    }
    out.last = r.i64();
    const std::size_t count = r.u32();
    if (r.failed() || out.last < 0 || r.left() != count * kSumBytes) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const net::NodeId peer = r.array<32>();
        out.sums_nsat[peer] = r.i64();
    }
    return out;
}

bool LedgerSeal::add(const net::NodeId& peer, std::int64_t amount_nsat) {
    std::int64_t& sum = sums_nsat[peer];
    return !__builtin_add_overflow(sum, amount_nsat, &sum);
}

}  // namespace meshnet::station
