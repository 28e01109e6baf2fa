// SPDX-License-Identifier: MIT
// ICMPv6 errors: what a host is answered about a packet of its own that cannot be delivered.
//
// Source: RFC 4443, sections 2.3 (checksum), 2.4 (what is never answered), 3.1 to 3.3 (the messages); RFC 8200,
// section 4 (extension headers). Any bytes at all may be given as the packet.
#pragma once

#include <optional>

#include "core/bytes.hpp"
#include "core/counters.hpp"
#include "core/time.hpp"
#include "net/node_id.hpp"
#include "net/token_bucket.hpp"
#include "net/undeliverable.hpp"

namespace meshnet::net {

/// An error as it stands in the first eight bytes of the message.
struct IcmpError {
    std::uint8_t type = 0, code = 0;
    std::uint32_t parameter = 0;  ///< packet too big: the MTU; otherwise 0
};

inline constexpr std::uint8_t kIcmpUnreachable = 1, kIcmpTooBig = 2, kIcmpTimeExceeded = 3;
inline constexpr std::size_t kMaxIcmpErrorBytes = 1'280;  ///< the whole packet: the smallest MTU of IPv6

/// The error that says `reason`; `mtu` is the largest packet that is carried.
[[nodiscard]] IcmpError icmp_error_for(Undeliverable reason, std::size_t mtu) noexcept;

/// The whole IPv6 packet that tells the sender of `original` about `error`, with as much of `original` as fits.
///
/// It comes from the address that `original` was sent to: the sender's host has a route to it through us, so neither
/// its reverse path filter nor its own rule against packets from itself refuses it. Nothing if RFC 4443 forbids an
/// answer: `original` is an ICMPv6 error or redirect (or may be one), its source or destination is multicast or
/// unspecified, or it is no IPv6 packet; nor if it was sent to the sender's own address. `original` may be cut short.
[[nodiscard]] std::optional<Bytes> icmp_error_packet(const IcmpError& error, ByteView original);

struct IcmpCounters {
    std::uint64_t icmp_errors_sent = 0;
    std::uint64_t icmp_errors_limited = 0;    ///< over the rate limit (RFC 4443, 2.4 f)
    std::uint64_t icmp_errors_forbidden = 0;  ///< RFC 4443 forbids an answer
};
template <class Visit>
constexpr void visit_counters(const IcmpCounters& c, Visit&& visit) {
    visit("icmp_errors_sent", c.icmp_errors_sent);
    visit("icmp_errors_limited", c.icmp_errors_limited);
    visit("icmp_errors_forbidden", c.icmp_errors_forbidden);
}
static_assert(visits_every_counter<IcmpCounters>());

/// The answers to one host, limited in rate.
class IcmpErrors {
public:
    static constexpr std::int64_t kPerSecond = 100, kBurst = 200;

    explicit IcmpErrors(std::size_t mtu) : mtu_(mtu) {}
    /// The packet for the host, or nothing if none is due.
    [[nodiscard]] std::optional<Bytes> answer(Instant now, const UndeliverablePacket& packet);
    [[nodiscard]] const IcmpCounters& counters() const noexcept { return counters_; }

private:
    std::size_t mtu_;
    TokenBucket limit_{kPerSecond, kBurst};
    IcmpCounters counters_;
};

/// The sum of RFC 1071 over an upper-layer packet and its pseudo header (RFC 8200, 8.1), to be written into a checksum
/// field that was zero; over a packet with a right checksum it gives 0.
[[nodiscard]] std::uint16_t upper_layer_checksum(const Address& source, const Address& destination,
                                                 std::uint8_t next_header, ByteView payload) noexcept;

}  // namespace meshnet::net
