// SPDX-License-Identifier: MIT
// An IPv6 packet without the 40 bytes that its flow already determines: 1 to 6 bytes instead, restored bit by bit.
//
//     nnnfh000 1 | [next header 1 if n = 7] | [class and flow label 4 if f] | [hop limit 1 if h] | payload
//
// n: 0 TCP, 1 UDP, 2 ICMPv6, 7 other. Without f traffic class and flow label are 0, without h the hop limit is 64.
// Addresses come from the flow, the payload length from the packet's length.
// Source: RFC 8200 (IPv6), section 3. The idea of flow-shared context: RFC 5795 (ROHC), RFC 8724 (SCHC).
#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "net/node_id.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

inline constexpr std::size_t kIpHeaderBytes = 40;

struct IpView {
    Address source{}, destination{};
    std::uint8_t traffic_class = 0;
    std::uint32_t flow_label = 0;
    std::uint8_t next_header = 0, hop_limit = 0;
    ByteView payload;
};

/// The packet's fields; nothing unless it is IPv6 and as long as its length field.
[[nodiscard]] std::optional<IpView> parse_ip(ByteView packet) noexcept;

/// Interactive: DSCP requests low delay (CS2 and above without AF3x, RFC 4594), or a small ICMPv6 packet. Otherwise
/// bulk.
[[nodiscard]] FlowClass class_of(const IpView& packet) noexcept;

[[nodiscard]] Bytes compress_ip(const IpView& packet);
/// The packet again; nothing if `in` is malformed or would be longer than 65575 bytes.
[[nodiscard]] std::optional<Bytes> restore_ip(ByteView in, const Address& source, const Address& destination);

}  // namespace meshnet::net
