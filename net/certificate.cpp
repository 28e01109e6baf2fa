// SPDX-License-Identifier: MIT
#include "net/certificate.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::string_view kContext = "meshnet certificate v2";

Bytes signed_part(const Certificate& c) {
    Bytes out;
    out.reserve(Certificate::kBytes);
    ByteWriter w(out);
    w.u8(kVersion);
    w.bytes(c.master);
    w.bytes(c.signing);
    w.bytes(c.exchange);
    w.u32(c.serial);
    w.u64(c.expiry);
    return out;
}

}  // namespace

NodeId Certificate::id() const noexcept {
    return blake2b<32>({ByteView(master)});
}

void Certificate::encode(Bytes& out) const {
    ByteWriter w(out);
    w.bytes(ByteView(signed_part(*this)));
    w.bytes(signature);
}

std::optional<Certificate> Certificate::parse(ByteView in) noexcept {
    ByteReader r(in);
    Certificate c;
    const std::uint8_t version = r.u8();
    c.master = r.array<32>();
    c.signing = r.array<32>();
    c.exchange = r.array<32>();
    c.serial = r.u32();
    c.expiry = r.u64();
    c.signature = r.array<64>();
    if (!r.complete() || version != kVersion) {
        return std::nullopt;
    }
    return c;
}

std::optional<Certificate> Certificate::decode(ByteView in) {
    auto c = parse(in);
    if (!c || !verify(c->master, kContext, signed_part(*c), c->signature)) {
        return std::nullopt;
    }
    return c;
}

void certify(Certificate& certificate, const SigningKey& master) {
    certificate.master = master.public_key();
    certificate.signature = master.sign(kContext, signed_part(certificate));
}

}  // namespace meshnet::net
