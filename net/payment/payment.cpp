// SPDX-License-Identifier: MIT
#include "net/payment/payment.hpp"

#include <algorithm>
#include <array>

#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr std::size_t kMostAdapterBytes = 16;

constexpr std::array<std::pair<PaymentState, const char*>, 6> kStates{{
    {PaymentState::kProposed, "proposed"},
    {PaymentState::kPending, "pending"},
    {PaymentState::kPaid, "paid"},
    {PaymentState::kFailed, "failed"},
    {PaymentState::kUnknown, "unknown"},
    {PaymentState::kExpected, "expected"},
}};

bool valid_amount(std::int64_t msat) noexcept {
    return msat >= 1 && msat <= kMostPaymentMsat;
}

bool valid_adapter(std::string_view adapter) noexcept {
    return !adapter.empty() && adapter.size() <= kMostAdapterBytes &&
           std::all_of(adapter.begin(), adapter.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

std::string read_text(ByteReader& r) {
    const ByteView text = r.bytes(r.u8());
    return {text.begin(), text.end()};
}

void write_text(ByteWriter& w, std::string_view text) {
    w.u8(static_cast<std::uint8_t>(text.size()));
    w.bytes(as_bytes(text));
}

}  // namespace

bool valid_reference(std::string_view reference) noexcept {
    return !reference.empty() && reference.size() <= kMostReferenceBytes && reference.front() != ' ' &&
           reference.back() != ' ' &&
           std::all_of(reference.begin(), reference.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

PaymentId PaymentTerms::id() const noexcept {
    return blake2b<16>({as_bytes("meshnet payment id v1"), payer, payee, as_bytes(reference)});
}

Bytes PaymentTerms::signed_part() const {
    Bytes out;
    out.reserve(192);
    ByteWriter w(out);
    w.bytes(payer);
    w.bytes(payee);
    w.u32(generation);
    w.i64(msat);
    write_text(w, reference);
    return out;
}

Bytes PaymentMessage::encode() const {
    Bytes out{static_cast<std::uint8_t>(MessageType::kPayment)};
    out.reserve(160);
    ByteWriter w(out);
    w.u32(generation);
    w.i64(msat);
    write_text(w, reference);
    w.bytes(signature);
    return out;
}

std::optional<PaymentMessage> PaymentMessage::decode(ByteView body) {
    ByteReader r(body);
    PaymentMessage m;
    m.generation = r.u32();
    m.msat = r.i64();
    m.reference = read_text(r);
    m.signature = r.array<64>();
    return r.complete() && valid_amount(m.msat) && valid_reference(m.reference) ? std::optional(m) : std::nullopt;
}

Bytes PaymentReceipt::encode() const {
    Bytes out{static_cast<std::uint8_t>(MessageType::kPaymentReceipt)};
    out.reserve(96);
    ByteWriter w(out);
    w.bytes(id);
    w.u8(static_cast<std::uint8_t>(verdict));
    w.u32(generation);
    w.i64(msat);
    w.bytes(signature);
    return out;
}

std::optional<PaymentReceipt> PaymentReceipt::decode(ByteView body) {
    ByteReader r(body);
    PaymentReceipt m;
    m.id = r.array<16>();
    const std::uint8_t verdict = r.u8();
    m.verdict = static_cast<Verdict>(verdict);
    m.generation = r.u32();
    m.msat = r.i64();
    m.signature = r.array<64>();
    return r.complete() && verdict >= 1 && verdict <= 2 && valid_amount(m.msat) ? std::optional(m) : std::nullopt;
}

const char* to_string(PaymentState state) noexcept {
    const auto at = std::find_if(kStates.begin(), kStates.end(), [&](const auto& s) { return s.first == state; });
    return at == kStates.end() ? "?" : at->second;
}

std::optional<PaymentState> payment_state(std::string_view name) noexcept {
    const auto at = std::find_if(kStates.begin(), kStates.end(), [&](const auto& s) { return s.second == name; });
    return at == kStates.end() ? std::nullopt : std::optional(at->first);
}

PaymentTerms PaymentRecord::terms(const NodeId& self) const {
    return {ours ? self : peer, ours ? peer : self, generation, msat, reference};
}

bool PaymentRecord::verify_peer(const NodeId& self) const {
    Bytes encoded;
    certificate.encode(encoded);
    return is_signed() && certificate.id() == peer && Certificate::decode(encoded) &&
           verify(certificate.signing, ours ? kPaymentReceiptContext : kPaymentContext, terms(self).signed_part(),
                  signature);
}

void PaymentRecord::encode(Bytes& out) const {
    ByteWriter w(out);
    w.u8(kRowVersion);
    w.u8(ours ? 1 : 0);
    w.bytes(peer);
    w.u32(generation);
    w.i64(msat);
    w.u8(static_cast<std::uint8_t>(state));
    w.u32(epoch);
    w.u64(unix_s);
    write_text(w, reference);
    write_text(w, adapter);
    w.u8(is_signed() ? 1 : 0);
    if (is_signed()) {
        certificate.encode(out);
        w.bytes(signature);
    }
}

std::optional<PaymentRecord> PaymentRecord::decode(ByteReader& r) {
    PaymentRecord out;
    const std::uint8_t version = r.u8();
    const std::uint8_t ours = r.u8();
    out.ours = ours == 1;
    out.peer = r.array<32>();
    out.generation = r.u32();
    out.msat = r.i64();
    const std::uint8_t state = r.u8();
    out.state = static_cast<PaymentState>(state);
    out.epoch = r.u32();
    out.unix_s = r.u64();
    out.reference = read_text(r);
    out.adapter = read_text(r);
    const std::uint8_t has_signature = r.u8();
    if (has_signature == 1) {
        const auto certificate = Certificate::parse(r.bytes(Certificate::kBytes));
        out.signature = r.array<64>();
        if (!certificate) {
            return std::nullopt;
        }
        out.certificate = *certificate;
    }
    const bool state_fits = out.ours ? state >= 1 && state <= 5 : state == 3 || state == 6;
    const bool signature_fits = out.is_signed() == (has_signature == 1) && has_signature <= 1 &&
                                (has_signature == 1) == (out.state == PaymentState::kPaid);
    return !r.failed() && version == kRowVersion && ours <= 1 && state_fits && signature_fits &&
                   valid_amount(out.msat) && valid_reference(out.reference) && valid_adapter(out.adapter)
               ? std::optional(out)
               : std::nullopt;
}

LedgerRow PaymentRecord::row(const NodeId& self) const {
    LedgerRow out;
    out.table = LedgerRow::Table::kPayment;
    ByteWriter w(out.key);
    w.bytes(peer);
    w.u8(ours ? 1 : 0);
    w.bytes(id(self));
    encode(out.value);
    return out;
}

std::optional<PaymentRecord> PaymentRecord::from_row(const LedgerRow& row) {
    ByteReader r(row.value);
    const auto out = decode(r);
    return out && r.complete() && row.key.size() == 49 &&
                   std::equal(out->peer.begin(), out->peer.end(), row.key.begin())
               ? out
               : std::nullopt;
}

}  // namespace meshnet::net
