// SPDX-License-Identifier: MIT
// A packet of our own host that the network layer gave up, and why.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "core/bytes.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

enum class Undeliverable : std::uint8_t {
    kNoRoute,    ///< nobody has this address, as far as is known
    kRouteLost,  ///< the station is known, but no way led to it while the packet waited
    kPrice,      ///< the way costs more than this station pays
    kRefused,    ///< the flow was refused, by the destination or on the way
    kNoAnswer,   ///< the flow was neither accepted nor refused while the packet waited
    kTooBig,     ///< longer than the MTU
    kHopLimit,   ///< its hop limit is 0
    kSource,     ///< its source is not the address of this station
};

struct UndeliverablePacket {
    Undeliverable reason{};
    Bytes packet;  ///< IPv6; its first kUndeliverableBytes at most
};

/// As much of a packet as an ICMPv6 error can quote: 1280 less 40 and 8 of headers.
inline constexpr std::size_t kUndeliverableBytes = 1'232;

/// Those not yet polled, newest last. A user that never polls loses the oldest, not memory.
class UndeliverableQueue {
public:
    static constexpr std::size_t kPackets = 64;

    explicit UndeliverableQueue(const Address& own_address) : own_address_(own_address) {}
    void add(Undeliverable reason, ByteView packet);
    /// A packet that was compressed for `destination`.
    void add_compressed(Undeliverable reason, ByteView compressed, const NodeId& destination);
    [[nodiscard]] std::optional<UndeliverablePacket> poll();

private:
    Address own_address_;
    std::deque<UndeliverablePacket> packets_;
};

}  // namespace meshnet::net
