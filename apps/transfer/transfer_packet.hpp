// SPDX-License-Identifier: GPL-3.0-or-later
// The packets of a file transfer without TUN: UDP over IPv6, built and read in user space.
//
//     | IPv6 40 (RFC 8200) | UDP 8 (RFC 768) | 'M' 'T' version 1 | type 1 | transfer 8 | ... |
//     OPEN 1:  size 8, SHA-256 32, name length 1, name        sender -> receiver
//     DATA 2:  chunk 4, stamp 8, bytes 1..1200
//     ACK  3:  flags 1, next 4, stamp 8, bitmap 0..64         receiver -> sender
//     PULL 4:  nothing more; transfer 0                       receiver -> sender: requests the offered file
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "core/bytes.hpp"
#include "net/node_id.hpp"

namespace meshnet::apps {

inline constexpr std::uint16_t kTransferPort = 4949;
inline constexpr std::size_t kTransferChunk = 1'200;  ///< bytes of the file in a full DATA
inline constexpr std::uint64_t kMaxTransferBytes = 64 << 20;
using Sha256 = std::array<std::uint8_t, 32>;

struct TransferOpen {
    std::uint64_t size = 0;  ///< 0..kMaxTransferBytes
    Sha256 digest{};
    std::string name;  ///< 0..100 bytes, no '/' and no control character
};
struct TransferData {
    std::uint32_t chunk = 0;
    std::uint64_t stamp = 0;  ///< the sender's clock, returned in the ACK
    Bytes bytes;
};
struct TransferAck {
    enum Flags : std::uint8_t { kComplete = 1, kDamaged = 2, kRefused = 4 };
    std::uint8_t flags = 0;
    std::uint32_t next = 0;   ///< first chunk that is missing
    std::uint64_t stamp = 0;  ///< of the newest DATA received; 0: none yet
    Bytes bitmap;             ///< bit i (least significant first): chunk next + 1 + i was received
};
struct TransferPull {};
struct TransferMessage {
    std::uint64_t transfer = 0;
    std::variant<TransferOpen, TransferData, TransferAck, TransferPull> body;
};

/// The UDP payload of a message.
[[nodiscard]] Bytes encode_transfer(const TransferMessage& message);
/// The inverse; nothing if a single byte is not as above.
[[nodiscard]] std::optional<TransferMessage> decode_transfer(ByteView payload);

/// A UDP datagram in an IPv6 packet.
struct UdpDatagram {
    net::Address source{}, destination{};
    std::uint16_t source_port = 0, destination_port = 0;
    Bytes payload;
};
[[nodiscard]] Bytes encode_udp(const UdpDatagram& datagram);
/// Nothing if it is not IPv6 with UDP directly inside, its lengths disagree, or the checksum is wrong.
[[nodiscard]] std::optional<UdpDatagram> decode_udp(ByteView packet);

}  // namespace meshnet::apps
