// SPDX-License-Identifier: MIT
#include "net/icmpv6.hpp"

#include <algorithm>

#include "net/ip_header.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kInformational = 0x80;  // types from here on are no errors
constexpr std::uint8_t kRedirect = 137;
constexpr std::size_t kIcmpHeaderBytes = 8;

// Extension headers by their number (RFC 8200, section 4; RFC 4302).
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestinationOptions = 60;

bool multicast(const Address& a) noexcept {
    return a[0] == 0xff;
}

bool unspecified(const Address& a) noexcept {
    return a == Address{};
}

/// True if what follows the headers is an ICMPv6 error or redirect, or is ICMPv6 and its type cannot be seen.
bool may_be_icmp_error(std::uint8_t next_header, ByteReader r) noexcept {
    bool first_fragment = true;
    for (;;) {
        switch (next_header) {
            case kHopByHop:
            case kRouting:
            case kDestinationOptions: {
                next_header = r.u8();
                const std::size_t units = r.u8();
                (void)r.bytes(units * 8 + 6);
                break;
            }
            case kAuthentication: {
                next_header = r.u8();
                const std::size_t words = r.u8();
                (void)r.bytes(words * 4 + 6);
                break;
            }
            case kFragment:
                next_header = r.u8();
                (void)r.u8();
                first_fragment = first_fragment && (r.u16() >> 3) == 0;
                (void)r.u32();
                break;
            case kIcmp6: {
                const std::uint8_t type = r.u8();
                return !first_fragment || r.failed() || type < kInformational || type == kRedirect;
            }
            default:
                return false;
        }
        if (r.failed()) {
            return true;  // cut inside its headers: what it carries is not known
        }
        if (!first_fragment) {
            return next_header == kIcmp6;  // what follows is no header
        }
    }
}

}  // namespace

IcmpError icmp_error_for(Undeliverable reason, std::size_t mtu) noexcept {
    switch (reason) {
        case Undeliverable::kNoRoute:
            return {kIcmpUnreachable, 0, 0};
        case Undeliverable::kRouteLost:
        case Undeliverable::kPrice:
        case Undeliverable::kRefused:
        case Undeliverable::kNoAnswer:
            return {kIcmpUnreachable, 3, 0};
        case Undeliverable::kSource:
            return {kIcmpUnreachable, 5, 0};
        case Undeliverable::kTooBig:
            return {kIcmpTooBig, 0, static_cast<std::uint32_t>(mtu)};
        case Undeliverable::kHopLimit:
            return {kIcmpTimeExceeded, 0, 0};
    }
    return {kIcmpUnreachable, 0, 0};
}

std::optional<Bytes> icmp_error_packet(const IcmpError& error, ByteView original) {
    ByteReader r(original);
    const std::uint32_t first = r.u32();
    (void)r.u16();  // its length: `original` may be cut short
    const std::uint8_t next_header = r.u8();
    (void)r.u8();
    const auto source = r.array<16>();
    const auto destination = r.array<16>();
    if (r.failed() || (first >> 28) != 6 || multicast(source) || unspecified(source) || multicast(destination) ||
        unspecified(destination) || source == destination || may_be_icmp_error(next_header, r)) {
        return std::nullopt;
    }
    const ByteView quoted =
        original.first(std::min(original.size(), kMaxIcmpErrorBytes - kIpHeaderBytes - kIcmpHeaderBytes));
    Bytes out;
    out.reserve(kIpHeaderBytes + kIcmpHeaderBytes + quoted.size());
    ByteWriter w(out);
    w.u32(6U << 28);
    w.u16(static_cast<std::uint16_t>(kIcmpHeaderBytes + quoted.size()));
    w.u8(kIcmp6);
    w.u8(64);  // hop limit
    w.bytes(destination);
    w.bytes(source);
    w.u8(error.type);
    w.u8(error.code);
    w.u16(0);
    w.u32(error.parameter);
    w.bytes(quoted);
    const std::uint16_t sum = upper_layer_checksum(destination, source, kIcmp6, ByteView(out).subspan(kIpHeaderBytes));
    out[kIpHeaderBytes + 2] = static_cast<std::uint8_t>(sum >> 8);
    out[kIpHeaderBytes + 3] = static_cast<std::uint8_t>(sum);
    return out;
}

std::optional<Bytes> IcmpErrors::answer(Instant now, const UndeliverablePacket& packet) {
    auto out = icmp_error_packet(icmp_error_for(packet.reason, mtu_), packet.packet);
    if (!out) {
        ++counters_.icmp_errors_forbidden;
        return std::nullopt;
    }
    if (!limit_.take(now)) {
        ++counters_.icmp_errors_limited;
        return std::nullopt;
    }
    ++counters_.icmp_errors_sent;
    return out;
}

std::uint16_t upper_layer_checksum(const Address& source, const Address& destination, std::uint8_t next_header,
                                   ByteView payload) noexcept {
    std::uint64_t sum = payload.size() + next_header;
    const auto add = [&sum](ByteView v) {
        for (std::size_t i = 0; i < v.size(); ++i) {
            sum += i % 2 == 0 ? std::uint64_t{v[i]} << 8 : std::uint64_t{v[i]};
        }
    };
    add(source);
    add(destination);
    add(payload);
    while ((sum >> 16) != 0) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace meshnet::net
