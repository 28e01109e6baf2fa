// SPDX-License-Identifier: MIT
#include "net/flow.hpp"

namespace meshnet::net {

namespace {
constexpr std::uint8_t kRowVersion = 3;  // 2: without the proof
}

LedgerRow flow_row(const Flow& f) {
    LedgerRow row;
    row.table = LedgerRow::Table::kFlow;
    row.key.assign(f.id.begin(), f.id.end());
    ByteWriter w(row.value);
    w.u8(kRowVersion);
    w.u8(static_cast<std::uint8_t>(f.role));
    w.u8(static_cast<std::uint8_t>(f.flow_class));
    w.u8(f.payer_is_destination ? 1 : 0);
    w.bytes(f.source);
    w.bytes(f.destination);
    w.bytes(f.prev_id);
    w.bytes(f.next_id);
    w.u32(f.label_in);
    w.u32(f.label_out);
    w.u32(f.unit_bytes);
    w.u32(f.max_units);
    w.u32(f.total_price);
    w.u32(f.claim_price);
    w.u32(f.pay_price);
    w.bytes(f.destination_key);
    w.u32(f.payword_index);
    w.bytes(f.payword);
    w.u64(f.best.bytes);
    w.u32(f.best.sequence);
    w.u8(f.best.is_statement ? 1 : 0);
    w.u32(f.best.index);
    w.bytes(f.best.payword);
    w.bytes(f.best.signature);
    w.u64(f.upstream_acked);
    w.u64(f.limit_bytes);
    w.u64(f.forwarded_bytes - f.uncertain_bytes);
    w.u8(f.proof ? 1 : 0);
    if (f.proof) {
        w.bytes(f.proof->root);
        w.u8(static_cast<std::uint8_t>(f.proof->noise.size()));
        w.bytes(ByteView(f.proof->noise));
        w.bytes(f.proof->signature);
        f.proof->destination.encode(row.value);
    }
    return row;
}

namespace {

std::optional<FlowProof> read_proof(ByteReader& r) {
    FlowProof proof;
    proof.root = r.array<16>();
    const ByteView noise = r.bytes(r.u8());
    proof.noise.assign(noise.begin(), noise.end());
    proof.signature = r.array<64>();
    const auto certificate = Certificate::parse(r.bytes(Certificate::kBytes));
    proof.destination = certificate.value_or(Certificate{});
    return certificate ? std::optional(proof) : std::nullopt;
}

}  // namespace

std::optional<Flow> flow_from_row(const LedgerRow& row) {
    ByteReader key(row.key);
    ByteReader r(row.value);
    Flow f;
    f.id = key.array<16>();
    const std::uint8_t version = r.u8();
    const std::uint8_t role = r.u8();
    const std::uint8_t flow_class = r.u8();
    f.payer_is_destination = r.u8() != 0;
    f.source = r.array<32>();
    f.destination = r.array<32>();
    f.prev_id = r.array<32>();
    f.next_id = r.array<32>();
    f.label_in = r.u32();
    f.label_out = r.u32();
    f.unit_bytes = r.u32();
    f.max_units = r.u32();
    f.total_price = r.u32();
    f.claim_price = r.u32();
    f.pay_price = r.u32();
    f.destination_key = r.array<32>();
    f.payword_index = r.u32();
    f.payword = r.array<16>();
    f.best.bytes = r.u64();
    f.best.sequence = r.u32();
    f.best.is_statement = r.u8() != 0;
    f.best.index = r.u32();
    f.best.payword = r.array<16>();
    f.best.signature = r.array<64>();
    f.upstream_acked = r.u64();
    f.limit_bytes = r.u64();
    f.certain_bytes = r.u64();
    const std::uint8_t has_proof = version == kRowVersion ? r.u8() : 0;
    if (has_proof == 1) {
        f.proof = read_proof(r);
    }
    if (!key.complete() || !r.complete() || (version != kRowVersion && version != kRowVersion - 1) || has_proof > 1 ||
        role > 2 || flow_class > 1 || f.unit_bytes < 1024 || f.unit_bytes > 65'536 || f.max_units == 0 ||
        f.max_units > 65'536) {
        return std::nullopt;
    }
    f.role = static_cast<FlowRole>(role);
    f.flow_class = static_cast<FlowClass>(flow_class);
    f.durable = f.best;
    f.prev = link_of(f.prev_id);
    f.next = link_of(f.next_id);
    return f;
}

}  // namespace meshnet::net
