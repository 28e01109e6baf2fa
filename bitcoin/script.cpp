// SPDX-License-Identifier: MIT
#include "bitcoin/script.hpp"

#include "bitcoin/serial.hpp"

namespace meshnet::bitcoin {

namespace {

enum Op : std::uint8_t {
    kOp0 = 0x00,
    kOp1 = 0x51,
    kIf = 0x63,
    kElse = 0x67,
    kEndIf = 0x68,
    kDrop = 0x75,
    kDup = 0x76,
    kEqualVerify = 0x88,
    kHash160 = 0xA9,
    kCheckSig = 0xAC,
    kCheckSigVerify = 0xAD,
    kCheckLockTimeVerify = 0xB1,
};

void push(SerialWriter& w, ByteView data) {  // at most 75 bytes
    w.u8(static_cast<std::uint8_t>(data.size()));
    w.bytes(data);
}

Bytes witness_program(ByteView program) {
    Bytes out;
    SerialWriter w(out);
    w.u8(kOp0);
    push(w, program);
    return out;
}

}  // namespace

Bytes p2wpkh(const PublicKey& key) {
    return witness_program(hash160(key));
}

Bytes p2wsh(ByteView witness_script) {
    return witness_program(sha256(witness_script));
}

Bytes p2wpkh_script_code(const PublicKey& key) {
    Bytes out;
    SerialWriter w(out);
    w.u8(kDup);
    w.u8(kHash160);
    push(w, hash160(key));
    w.u8(kEqualVerify);
    w.u8(kCheckSig);
    return out;
}

std::optional<std::int64_t> dust_limit(ByteView script) {
    if (script.size() == 22 && script[0] == kOp0 && script[1] == 20) {
        return kDustP2wpkh;
    }
    return script.size() == 34 && script[0] == kOp0 && script[1] == 32 ? std::optional(kDustP2wsh) : std::nullopt;
}

Bytes push_number(std::uint32_t number) {
    if (number == 0) {
        return {kOp0};
    }
    if (number <= 16) {
        return {static_cast<std::uint8_t>(kOp1 + number - 1)};
    }
    Bytes digits;
    for (std::uint32_t rest = number; rest > 0; rest >>= 8) {
        digits.push_back(static_cast<std::uint8_t>(rest));
    }
    if ((digits.back() & 0x80) != 0) {
        digits.push_back(0);  // the highest bit is the sign
    }
    Bytes out;
    SerialWriter w(out);
    push(w, digits);
    return out;
}

Bytes ChannelScript::witness_script() const {
    Bytes out;
    SerialWriter w(out);
    w.u8(kIf);
    push(w, payee);
    w.u8(kCheckSigVerify);
    w.u8(kElse);
    w.bytes(push_number(expiry));
    w.u8(kCheckLockTimeVerify);
    w.u8(kDrop);
    w.u8(kEndIf);
    push(w, payer);
    w.u8(kCheckSig);
    return out;
}

std::optional<ChannelScript> ChannelScript::parse(ByteView script) {
    SerialReader r(script);
    ChannelScript out;
    (void)r.bytes(2);
    out.payee = r.array<33>();
    (void)r.bytes(2);
    const std::uint8_t first = r.u8();
    if (first >= kOp1 && first < kOp1 + 16) {
        out.expiry = static_cast<std::uint32_t>(first - kOp1 + 1);
    } else {
        const ByteView digits = r.bytes(first);
        if (digits.empty() || digits.size() > 4 || (digits.back() & 0x80) != 0) {
            return std::nullopt;
        }
        for (std::size_t i = 0; i < digits.size(); ++i) {
            out.expiry |= static_cast<std::uint32_t>(digits[i]) << (8 * i);
        }
    }
    (void)r.bytes(4);
    out.payer = r.array<33>();
    (void)r.u8();
    const Bytes again = out.witness_script();
    const bool same = r.complete() && std::equal(again.begin(), again.end(), script.begin(), script.end());
    return same && out.expiry > 0 && valid(out.payer) && valid(out.payee) ? std::optional(out) : std::nullopt;
}

std::vector<Bytes> channel_close_witness(const ChannelScript& channel, const Bytes& payer_signature,
                                         const Bytes& payee_signature) {
    return {payer_signature, payee_signature, Bytes{1}, channel.witness_script()};
}

std::vector<Bytes> channel_refund_witness(const ChannelScript& channel, const Bytes& payer_signature) {
    return {payer_signature, Bytes{}, channel.witness_script()};
}

}  // namespace meshnet::bitcoin
