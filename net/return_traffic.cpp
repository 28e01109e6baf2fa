// SPDX-License-Identifier: MIT
#include "net/return_traffic.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kIcmp6 = 58;
constexpr std::uint8_t kEchoRequest = 128;
constexpr std::uint8_t kEchoReply = 129;
constexpr std::size_t kTcpFlagsAt = 13;
constexpr std::uint8_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;

std::uint8_t byte_at(ByteView bytes, std::size_t at) noexcept {
    return at < bytes.size() ? bytes[at] : std::uint8_t{0};
}

/// RFC 4443: types below 128 are errors.
bool always_answers(const IpView& p) noexcept {
    if (p.next_header == kIcmp6) {
        const std::uint8_t type = byte_at(p.payload, 0);
        return type < kEchoRequest || type == kEchoReply;
    }
    const std::uint8_t flags = byte_at(p.payload, kTcpFlagsAt);
    return p.next_header == kTcp && ((flags & kRst) != 0 || (flags & (kSyn | kAck)) == (kSyn | kAck));
}

bool always_begins(const IpView& p) noexcept {
    if (p.next_header == kIcmp6) {
        return byte_at(p.payload, 0) == kEchoRequest;
    }
    return p.next_header == kTcp && (byte_at(p.payload, kTcpFlagsAt) & (kSyn | kAck | kRst)) == kSyn;
}

template <class Map>
void erase_oldest(Map& map) {
    map.erase(std::min_element(map.begin(), map.end(),
                               [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
}

}  // namespace

ReturnTraffic::Tuple ReturnTraffic::tuple_of(const IpView& p, bool outgoing) noexcept {
    Tuple t;
    t.protocol = p.next_header;
    if (p.next_header == kTcp || p.next_header == kUdp) {
        const auto first = static_cast<std::uint16_t>((byte_at(p.payload, 0) << 8) | byte_at(p.payload, 1));
        const auto second = static_cast<std::uint16_t>((byte_at(p.payload, 2) << 8) | byte_at(p.payload, 3));
        t.ours = outgoing ? first : second;
        t.theirs = outgoing ? second : first;
    } else if (p.next_header == kIcmp6) {
        t.theirs = static_cast<std::uint16_t>((byte_at(p.payload, 4) << 8) | byte_at(p.payload, 5));
    }
    return t;
}

ReturnTraffic::Node& ReturnTraffic::node(Instant now, const NodeId& id) {
    if (nodes_.size() >= kNodes && nodes_.count(id) == 0) {
        erase_oldest(nodes_);
    }
    Node& n = nodes_[id];
    n.at = now;
    return n;
}

void ReturnTraffic::remember(Node& n, const Tuple& tuple, bool they_began, Instant now) {
    if (n.talks.size() >= kConversations && n.talks.count(tuple) == 0) {
        erase_oldest(n.talks);
    }
    n.talks[tuple] = {they_began, now};
}

void ReturnTraffic::heard(Instant now, const NodeId& id, const IpView& packet) {
    Node& n = node(now, id);
    const Tuple tuple = tuple_of(packet, false);
    const auto it = n.talks.find(tuple);
    const bool known = it != n.talks.end() && now - it->second.at < kKept;
    if (known && !always_begins(packet)) {
        it->second.at = now;
    } else {
        remember(n, tuple, !always_answers(packet), now);
    }
}

bool ReturnTraffic::answers(Instant now, const NodeId& id, const IpView& packet) {
    if (always_answers(packet)) {
        return true;
    }
    Node& n = node(now, id);
    const Tuple tuple = tuple_of(packet, true);
    const auto it = n.talks.find(tuple);
    const bool known = it != n.talks.end() && now - it->second.at < kKept;
    if (known && !always_begins(packet)) {
        it->second.at = now;
        return it->second.they_began;
    }
    remember(n, tuple, false, now);
    return false;
}

void ReturnTraffic::sent(const NodeId& id, std::uint64_t bytes) {
    if (const auto it = nodes_.find(id); it != nodes_.end()) {
        it->second.sent += bytes;
    }
}

bool ReturnTraffic::may_pay(const NodeId& id, std::uint64_t bytes) const {
    const auto it = nodes_.find(id);
    return it != nodes_.end() && it->second.sent > 0 && it->second.paid + bytes <= kShare * it->second.sent + kFirst;
}

void ReturnTraffic::paid(const NodeId& id, std::uint64_t bytes) {
    if (const auto it = nodes_.find(id); it != nodes_.end()) {
        it->second.paid += bytes;
    }
}

void ReturnTraffic::sweep(Instant now) {
    std::erase_if(nodes_, [&](const auto& item) { return now - item.second.at >= kKept; });
}

}  // namespace meshnet::net
