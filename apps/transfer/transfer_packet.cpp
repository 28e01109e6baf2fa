// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/transfer/transfer_packet.hpp"

#include <algorithm>

namespace meshnet::apps {

namespace {

constexpr std::uint16_t kMagic = 0x4d54;
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kMaxName = 100;
constexpr std::size_t kMaxBitmap = 64;

// RFC 1071 over the pseudo header of RFC 8200, 8.1, and the datagram.
std::uint16_t udp_checksum(const net::Address& source, const net::Address& destination, ByteView udp) {
    std::uint64_t sum = udp.size() + kUdp;
    const auto add = [&](ByteView bytes) {
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            sum += i % 2 == 0 ? std::uint64_t{bytes[i]} << 8 : bytes[i];
        }
    };
    add(source);
    add(destination);
    add(udp);
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

bool name_is_fine(const std::string& name) {
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '/'; });
}

}  // namespace

Bytes encode_transfer(const TransferMessage& message) {
    Bytes out;
    ByteWriter w(out);
    w.u16(kMagic);
    w.u8(kVersion);
    w.u8(static_cast<std::uint8_t>(message.body.index() + 1));
    w.u64(message.transfer);
    if (const auto* open = std::get_if<TransferOpen>(&message.body)) {
        w.u64(open->size);
        w.bytes(open->digest);
        const auto length = std::min(open->name.size(), kMaxName);
        w.u8(static_cast<std::uint8_t>(length));
        for (const char c : open->name.substr(0, length)) {
            w.u8(static_cast<std::uint8_t>(c));
        }
    } else if (const auto* data = std::get_if<TransferData>(&message.body)) {
        w.u32(data->chunk);
        w.u64(data->stamp);
        w.bytes(data->bytes);
    } else if (const auto* ack = std::get_if<TransferAck>(&message.body)) {
        w.u8(ack->flags);
        w.u32(ack->next);
        w.u64(ack->stamp);
        w.bytes(ack->bitmap);
    }
    return out;
}

std::optional<TransferMessage> decode_transfer(ByteView payload) {
    ByteReader r(payload);
    if (r.u16() != kMagic || r.u8() != kVersion) {
        return std::nullopt;
    }
    const std::uint8_t type = r.u8();
    TransferMessage out;
    out.transfer = r.u64();
    if (type == 1) {
        TransferOpen open;
        open.size = r.u64();
        open.digest = r.array<32>();
        const ByteView name = r.bytes(r.u8());
        open.name.assign(name.begin(), name.end());
        if (open.size > kMaxTransferBytes || open.name.size() > kMaxName || !name_is_fine(open.name)) {
            return std::nullopt;
        }
        out.body = std::move(open);
    } else if (type == 2) {
        TransferData data;
        data.chunk = r.u32();
        data.stamp = r.u64();
        const ByteView bytes = r.rest();
        if (bytes.empty() || bytes.size() > kTransferChunk) {
            return std::nullopt;
        }
        data.bytes.assign(bytes.begin(), bytes.end());
        out.body = std::move(data);
    } else if (type == 3) {
        TransferAck ack;
        ack.flags = r.u8();
        ack.next = r.u32();
        ack.stamp = r.u64();
        const ByteView bitmap = r.rest();
        if (ack.flags > 7 || bitmap.size() > kMaxBitmap) {
            return std::nullopt;
        }
        ack.bitmap.assign(bitmap.begin(), bitmap.end());
        out.body = std::move(ack);
    } else if (type == 4 && out.transfer == 0) {
        out.body = TransferPull{};
    } else {
        return std::nullopt;
    }
    if (!r.complete()) {
        return std::nullopt;
    }
    return out;
}

Bytes encode_udp(const UdpDatagram& datagram) {
    Bytes udp;
    ByteWriter u(udp);
    u.u16(datagram.source_port);
    u.u16(datagram.destination_port);
    u.u16(static_cast<std::uint16_t>(8 + datagram.payload.size()));
    u.u16(0);
    u.bytes(datagram.payload);
    std::uint16_t sum = udp_checksum(datagram.source, datagram.destination, udp);
    sum = sum == 0 ? 0xFFFF : sum;  // RFC 768: zero would mean "none"
    udp[6] = static_cast<std::uint8_t>(sum >> 8);
    udp[7] = static_cast<std::uint8_t>(sum);

    Bytes out;
    ByteWriter w(out);
    w.u32(0x6000'0000);
    w.u16(static_cast<std::uint16_t>(udp.size()));
    w.u8(kUdp);
    w.u8(64);
    w.bytes(datagram.source);
    w.bytes(datagram.destination);
    w.bytes(udp);
    return out;
}

std::optional<UdpDatagram> decode_udp(ByteView packet) {
    ByteReader r(packet);
    if ((r.u32() >> 28) != 6) {
        return std::nullopt;
    }
    const std::uint16_t length = r.u16();
    const std::uint8_t next = r.u8();
    r.u8();
    UdpDatagram out;
    out.source = r.array<16>();
    out.destination = r.array<16>();
    const ByteView udp = r.rest();
    if (r.failed() || next != kUdp || udp.size() != length || length < 8 ||
        udp_checksum(out.source, out.destination, udp) != 0) {
        return std::nullopt;
    }
    ByteReader u(udp);
    out.source_port = u.u16();
    out.destination_port = u.u16();
    if (u.u16() != length || u.u16() == 0) {
        return std::nullopt;
    }
    const ByteView payload = u.rest();
    out.payload.assign(payload.begin(), payload.end());
    return out;
}

}  // namespace meshnet::apps
