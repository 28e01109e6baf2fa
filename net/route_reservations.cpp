// SPDX-License-Identifier: MIT
#include "net/route_reservations.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::string_view kSeqnoKey = "route-seqno";
constexpr std::uint8_t kCeilingKey = 'c';
constexpr std::size_t kCeilingKeyBytes = 33;  // kCeilingKey and a node id
constexpr std::uint16_t kReserve = 64;

}  // namespace

std::uint16_t RouteReservations::restored_seqno(const LedgerState& restored) {
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && row.key.size() == kSeqnoKey.size() &&
            std::equal(row.key.begin(), row.key.end(), as_bytes(kSeqnoKey).begin())) {
            return ByteReader(row.value).u16();
        }
    }
    return 0;
}

RouteTable::Ceilings RouteReservations::restored_ceilings(const LedgerState& restored) {
    RouteTable::Ceilings out;
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && row.key.size() == kCeilingKeyBytes && row.key[0] == kCeilingKey) {
            out[ByteReader(ByteView(row.key).subspan(1)).array<32>()] = ByteReader(row.value).u16();
        }
    }
    return out;
}

RouteReservations::RouteReservations(RouteTable& routes, Outbox& outbox)
    : routes_(routes), outbox_(outbox), reserved_(static_cast<std::uint16_t>(routes.own_seqno() + kReserve)) {}

void RouteReservations::advance() {
    const auto left = static_cast<std::uint16_t>(reserved_ - routes_.own_seqno());
    if (left < kReserve / 4 || left > kReserve) {
        reserved_ = static_cast<std::uint16_t>(routes_.own_seqno() + kReserve);
        changed_ = true;
    }
}

void RouteReservations::take_rows(std::vector<LedgerRow>& rows) {
    if (changed_) {
        LedgerRow row;
        row.table = LedgerRow::Table::kNonce;
        row.key.assign(kSeqnoKey.begin(), kSeqnoKey.end());
        ByteWriter(row.value).u16(reserved_);
        rows.push_back(std::move(row));
        changed_ = false;
    }
    while (const auto r = routes_.poll_reservation()) {
        LedgerRow row;
        row.table = LedgerRow::Table::kNonce;
        row.key.resize(kCeilingKeyBytes);
        row.key[0] = kCeilingKey;
        std::copy(r->destination.begin(), r->destination.end(), row.key.begin() + 1);
        if (r->ceiling) {
            ByteWriter(row.value).u16(*r->ceiling);
            outbox_.after_persist([this, destination = r->destination, ceiling = *r->ceiling](Instant now) {
                routes_.reserved(now, destination, ceiling);
            });
        }
        rows.push_back(std::move(row));
    }
}

}  // namespace meshnet::net
