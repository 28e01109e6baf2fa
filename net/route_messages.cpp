// SPDX-License-Identifier: MIT
#include "net/route_messages.hpp"

#include <algorithm>
#include <cassert>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kHasSignature = 1;
constexpr std::uint8_t kHasCertificate = 2;
constexpr std::uint8_t kIsNotice = 4;
constexpr std::uint8_t kIsAlarm = 8;
constexpr std::uint8_t kIsRetraction = 16;
constexpr std::uint8_t kAll = 31;

constexpr std::uint8_t kAlone = 0;
constexpr std::uint8_t kSpan = 1;

constexpr std::size_t kNamedBytes = 1 + 8;
constexpr std::size_t kRouteBytes = 11 + 2 + 2;
constexpr std::size_t kProofBytes = 4 + 64 + 4 + 8 + 8;

Bytes begin(MessageType type) {
    Bytes out;
    out.reserve(512);
    out.push_back(static_cast<std::uint8_t>(type));
    return out;
}

template <class Message>
Bytes two_numbers(MessageType type, std::uint32_t a, std::uint32_t b) {
    Bytes out = begin(type);
    ByteWriter w(out);
    w.u32(a);
    w.u32(b);
    return out;
}

template <class Message>
std::optional<Message> two_numbers(ByteView body) {
    ByteReader r(body);
    const std::uint32_t a = r.u32();
    const Message m{a, r.u32()};
    return r.complete() ? std::optional(m) : std::nullopt;
}

}  // namespace

ShortId short_id(const NodeId& id) noexcept {
    ShortId out{};
    std::copy_n(id.begin(), out.size(), out.begin());
    return out;
}

Bytes RouteUpdate::signed_part(const NodeId& destination, std::uint32_t seqno, std::uint32_t serial,
                               const Instance& instance) {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(destination);
    w.u32(seqno);
    w.u32(serial);
    w.u32(instance.epoch);
    w.u64(instance.boot);
    w.u64(instance.other);
    w.u8(instance.alarm ? 1 : 0);
    return out;
}

std::size_t RouteUpdate::bytes() const noexcept {
    const std::size_t tail = certificate ? Certificate::kBytes : 0;
    if (!notice && !metric.reachable()) {
        return kNamedBytes + tail;
    }
    return kNamedBytes + 4 + (notice ? 0 : kRouteBytes) + (signature ? kProofBytes : 0) + tail;
}

void RouteUpdate::write(ByteWriter& w) const {
    const bool retraction = !notice && !metric.reachable();
    const bool is_signed = signature && !retraction;
    assert(!notice || signature);
    w.u8(static_cast<std::uint8_t>((is_signed ? kHasSignature : 0) | (certificate ? kHasCertificate : 0) |
                                   (notice ? kIsNotice : 0) | (is_signed && instance.alarm ? kIsAlarm : 0) |
                                   (retraction ? kIsRetraction : 0)));
    w.bytes(destination);
    if (!retraction) {
        w.u32(seqno);
        if (!notice) {
            metric.encode(w);
            w.u16(via);
            w.u16(run);
        }
    }
    if (is_signed) {
        w.u32(serial);
        w.bytes(*signature);
        w.u32(instance.epoch);
        w.u64(instance.boot);
        w.u64(instance.other);
    }
    if (certificate) {
        Bytes encoded;
        certificate->encode(encoded);
        w.bytes(ByteView(encoded));
    }
}

std::optional<RouteUpdate> RouteUpdate::read(ByteReader& r) {
    RouteUpdate m;
    const std::uint8_t flags = r.u8();
    const auto has = [&](std::uint8_t flag) { return (flags & flag) != 0; };
    m.destination = r.array<8>();
    m.notice = has(kIsNotice);
    if (r.failed() || flags > kAll || (has(kIsRetraction) && (flags & ~(kIsRetraction | kHasCertificate)) != 0) ||
        (!has(kHasSignature) && has(kIsNotice | kIsAlarm))) {
        return std::nullopt;
    }
    if (!has(kIsRetraction)) {
        m.seqno = r.u32();
        if (!m.notice) {
            m.metric = RouteMetric::decode(r);
            m.via = r.u16();
            m.run = r.u16();
            if (!m.metric.reachable()) {
                return std::nullopt;  // that is said by the flag
            }
        }
    }
    if (has(kHasSignature)) {
        m.serial = r.u32();
        m.signature = r.array<64>();
        m.instance.epoch = r.u32();
        m.instance.boot = r.u64();
        m.instance.other = r.u64();
        m.instance.alarm = has(kIsAlarm);
    }
    if (has(kHasCertificate)) {
        m.certificate = Certificate::parse(r.bytes(Certificate::kBytes));
        if (!m.certificate) {
            return std::nullopt;
        }
    }
    return r.failed() ? std::nullopt : std::optional(std::move(m));
}

Bytes RouteUpdate::encode() const {
    Bytes out = begin(MessageType::kUpdate);
    ByteWriter w(out);
    w.u8(kAlone);
    write(w);
    return out;
}

std::optional<RouteUpdate> RouteUpdate::decode(ByteView body) {
    auto m = RouteUpdates::decode(body);
    return m && !m->span && m->entries.size() == 1 ? std::optional(std::move(m->entries.front())) : std::nullopt;
}

Bytes RouteUpdates::encode() const {
    Bytes out = begin(MessageType::kUpdate);
    ByteWriter w(out);
    w.u8(span ? kSpan : kAlone);
    if (span) {
        w.u32(span->run);
        w.u32(span->after);
        w.u32(span->upto);
    }
    for (const RouteUpdate& entry : entries) {
        entry.write(w);
    }
    return out;
}

std::optional<RouteUpdates> RouteUpdates::decode(ByteView body) {
    ByteReader r(body);
    RouteUpdates m;
    const std::uint8_t kind = r.u8();
    if (kind == kSpan) {
        Span s;
        s.run = r.u32();
        s.after = r.u32();
        s.upto = r.u32();
        m.span = s;
        if (s.upto < s.after) {
            return std::nullopt;
        }
    }
    if (r.failed() || kind > kSpan) {
        return std::nullopt;
    }
    while (r.left() > 0) {
        auto entry = RouteUpdate::read(r);
        if (!entry) {
            return std::nullopt;
        }
        m.entries.push_back(std::move(*entry));
    }
    return r.complete() ? std::optional(std::move(m)) : std::nullopt;
}

Bytes RouteRequest::encode() const {
    Bytes out = begin(MessageType::kRouteRequest);
    ByteWriter w(out);
    w.u8(certificates ? 1 : 0);
    for (const ShortId& id : destinations) {
        w.bytes(id);
    }
    return out;
}

std::optional<RouteRequest> RouteRequest::decode(ByteView body) {
    ByteReader r(body);
    RouteRequest m;
    const std::uint8_t kind = r.u8();
    m.certificates = kind == 1;
    while (r.left() > 0) {
        m.destinations.push_back(r.array<8>());
    }
    return r.complete() && kind <= 1 ? std::optional(std::move(m)) : std::nullopt;
}

Bytes SeqnoRequest::encode() const {
    Bytes out = begin(MessageType::kSeqnoRequest);
    ByteWriter w(out);
    w.bytes(destination);
    w.u32(seqno);
    w.u8(hops_left);
    return out;
}

std::optional<SeqnoRequest> SeqnoRequest::decode(ByteView body) {
    ByteReader r(body);
    SeqnoRequest m;
    m.destination = r.array<8>();
    m.seqno = r.u32();
    m.hops_left = r.u8();
    return r.complete() && m.hops_left <= kMaxHops ? std::optional(m) : std::nullopt;
}

Bytes RouteState::encode() const {
    return two_numbers<RouteState>(MessageType::kRouteState, run, version);
}
std::optional<RouteState> RouteState::decode(ByteView body) {
    return two_numbers<RouteState>(body);
}

Bytes RouteSync::encode() const {
    return two_numbers<RouteSync>(MessageType::kRouteSync, run, have);
}
std::optional<RouteSync> RouteSync::decode(ByteView body) {
    return two_numbers<RouteSync>(body);
}

}  // namespace meshnet::net
