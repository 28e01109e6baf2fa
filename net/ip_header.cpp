// SPDX-License-Identifier: MIT
#include "net/ip_header.hpp"

#include <array>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::array<std::uint8_t, 3> kCommon{kTcp, kUdp, kIcmp6};
constexpr unsigned kOther = 7;
constexpr std::uint8_t kFlowBit = 0x10;
constexpr std::uint8_t kHopBit = 0x08;
constexpr std::uint8_t kReserved = 0x07;
constexpr std::uint8_t kUsualHopLimit = 64;
constexpr std::size_t kSmallIcmp = 256;

}  // namespace

std::optional<IpView> parse_ip(ByteView packet) noexcept {
    ByteReader r(packet);
    IpView v;
    const std::uint32_t first = r.u32();
    const std::size_t length = r.u16();
    v.next_header = r.u8();
    v.hop_limit = r.u8();
    v.source = r.array<16>();
    v.destination = r.array<16>();
    v.payload = r.rest();
    if (r.failed() || (first >> 28) != 6 || v.payload.size() != length) {
        return std::nullopt;
    }
    v.traffic_class = static_cast<std::uint8_t>(first >> 20);
    v.flow_label = first & 0xF'FFFF;
    return v;
}

FlowClass class_of(const IpView& packet) noexcept {
    const unsigned dscp = packet.traffic_class >> 2;
    const bool low_delay =
        dscp >= 16 && dscp != 0x1A && dscp != 0x1C && dscp != 0x1E;  // all from CS2 up but AF3x (streaming)
    const bool small_icmp = packet.next_header == kIcmp6 && packet.payload.size() <= kSmallIcmp;
    return low_delay || small_icmp ? FlowClass::kInteractive : FlowClass::kBulk;
}

Bytes compress_ip(const IpView& packet) {
    Bytes out;
    out.reserve(packet.payload.size() + 7);
    unsigned n = kOther;
    for (unsigned i = 0; i < kCommon.size(); ++i) {
        if (kCommon[i] == packet.next_header) {
            n = i;
        }
    }
    const std::uint32_t flow = (std::uint32_t{packet.traffic_class} << 20) | packet.flow_label;
    ByteWriter w(out);
    w.u8(static_cast<std::uint8_t>((n << 5) | (flow != 0 ? kFlowBit : 0U) |
                                   (packet.hop_limit != kUsualHopLimit ? kHopBit : 0U)));
    if (n == kOther) w.u8(packet.next_header);
    if (flow != 0) w.u32(flow);
    if (packet.hop_limit != kUsualHopLimit) w.u8(packet.hop_limit);
    w.bytes(packet.payload);
    return out;
}

std::optional<Bytes> restore_ip(ByteView in, const Address& source, const Address& destination) {
    ByteReader r(in);
    const std::uint8_t first = r.u8();
    const unsigned n = first >> 5;
    std::uint8_t next_header = 0;
    if (n == kOther) {
        next_header = r.u8();
    } else if (n < kCommon.size()) {
        next_header = kCommon[n];
    } else {
        return std::nullopt;
    }
    const std::uint32_t flow = (first & kFlowBit) != 0 ? r.u32() : 0;
    const std::uint8_t hop_limit = (first & kHopBit) != 0 ? r.u8() : kUsualHopLimit;
    const ByteView payload = r.rest();
    if (r.failed() || (first & kReserved) != 0 || (flow >> 28) != 0 || payload.size() > 0xFFFF) {
        return std::nullopt;
    }
    Bytes out;
    out.reserve(kIpHeaderBytes + payload.size());
    ByteWriter w(out);
    w.u32((6U << 28) | flow);
    w.u16(static_cast<std::uint16_t>(payload.size()));
    w.u8(next_header);
    w.u8(hop_limit);
    w.bytes(source);
    w.bytes(destination);
    w.bytes(payload);
    return out;
}

}  // namespace meshnet::net
