// SPDX-License-Identifier: MIT
#include "net/route_reservations.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::string_view kSeqnoKey = "route-seqno";
constexpr std::uint8_t kCeilingKey = 'c';
constexpr std::size_t kCeilingKeyBytes = 33;  // kCeilingKey and a node id
constexpr std::uint32_t kReserve = 64;

std::uint32_t above(std::uint32_t seqno) {
    return seqno > 0xFFFF'FFFF - kReserve ? 0xFFFF'FFFF : seqno + kReserve;
}

void write_ceiling(const RouteCeiling& c, Bytes& out) {
    ByteWriter w(out);
    w.u32(c.seqno);
    w.u32(c.epoch);
    if (c.proof) {
        w.u32(c.serial);
        w.u32(c.proof->seqno);
        w.u32(c.proof->instance.epoch);
        w.u64(c.proof->instance.boot);
        w.u64(c.proof->instance.other);
        w.u8(c.proof->instance.alarm ? 1 : 0);
        w.bytes(c.proof->signature);
    }
}

RouteCeiling read_ceiling(ByteView value) {
    ByteReader r(value);
    RouteCeiling c;
    c.seqno = r.u32();
    c.epoch = r.u32();
    if (r.left() == 0) {
        return c;
    }
    RouteProofs::Proof p;
    c.serial = r.u32();
    p.seqno = r.u32();
    p.instance.epoch = r.u32();
    p.instance.boot = r.u64();
    p.instance.other = r.u64();
    p.instance.alarm = r.u8() != 0;
    p.signature = r.array<64>();
    if (r.complete()) {
        c.proof = p;
    }
    return c;
}

const LedgerRow* own_row(const LedgerState& restored) {
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && row.key.size() == kSeqnoKey.size() &&
            std::equal(row.key.begin(), row.key.end(), as_bytes(kSeqnoKey).begin())) {
            return &row;
        }
    }
    return nullptr;
}

}  // namespace

std::uint32_t RouteReservations::restored_seqno(const LedgerState& restored) {
    const LedgerRow* row = own_row(restored);
    return row == nullptr ? 0 : ByteReader(row->value).u32();
}

std::uint32_t RouteReservations::restored_epoch(const LedgerState& restored) {
    const LedgerRow* row = own_row(restored);
    if (row == nullptr) {
        return 0;
    }
    ByteReader r(row->value);
    (void)r.u32();
    return r.u32();
}

RouteTable::Ceilings RouteReservations::restored_ceilings(const LedgerState& restored) {
    RouteTable::Ceilings out;
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kNonce && row.key.size() == kCeilingKeyBytes && row.key[0] == kCeilingKey) {
            out[ByteReader(ByteView(row.key).subspan(1)).array<32>()] = read_ceiling(row.value);
        }
    }
    return out;
}

std::vector<Certificate> RouteReservations::restored_certificates(const LedgerState& restored) {
    std::vector<Certificate> out;
    for (const LedgerRow& row : restored.rows) {
        if (row.table == LedgerRow::Table::kCertificate) {
            if (const auto certificate = Certificate::parse(row.value)) {
                out.push_back(*certificate);
            }
        }
    }
    return out;
}

RouteReservations::RouteReservations(RouteTable& routes, Outbox& outbox)
    : routes_(routes), outbox_(outbox), reserved_(above(routes.own_seqno())), epoch_(routes.own_instance().epoch) {}

void RouteReservations::advance() {
    const std::uint32_t seqno = routes_.own_seqno();
    if (seqno >= reserved_ || reserved_ - seqno < kReserve / 4 || epoch_ != routes_.own_instance().epoch) {
        reserved_ = above(seqno);
        epoch_ = routes_.own_instance().epoch;
        changed_ = true;
    }
}

void RouteReservations::take_rows(std::vector<LedgerRow>& rows) {
    if (changed_) {
        LedgerRow row;
        row.table = LedgerRow::Table::kNonce;
        row.key.assign(kSeqnoKey.begin(), kSeqnoKey.end());
        ByteWriter w(row.value);
        w.u32(reserved_);
        w.u32(epoch_);
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
            write_ceiling(*r->ceiling, row.value);
            outbox_.after_persist([this, destination = r->destination, ceiling = r->ceiling->seqno](Instant now) {
                routes_.reserved(now, destination, ceiling);
            });
        }
        rows.push_back(std::move(row));
    }
    while (const auto certificate = routes_.poll_certificate()) {
        LedgerRow row;
        row.table = LedgerRow::Table::kCertificate;
        const NodeId id = certificate->id();
        row.key.assign(id.begin(), id.end());
        certificate->encode(row.value);
        rows.push_back(std::move(row));
    }
}

}  // namespace meshnet::net
