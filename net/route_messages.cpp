// SPDX-License-Identifier: MIT
#include "net/route_messages.hpp"

namespace meshnet::net {

namespace {
constexpr std::uint8_t kHasSignature = 1;
constexpr std::uint8_t kHasCertificate = 2;
constexpr std::uint8_t kIsNotice = 4;

Bytes begin(MessageType type) {
    Bytes out;
    out.reserve(512);
    out.push_back(static_cast<std::uint8_t>(type));
    return out;
}

void write(ByteWriter& w, const Instance& instance) {
    w.u32(instance.epoch);
    w.u64(instance.boot);
    w.u64(instance.other);
    w.u8(instance.alarm ? 1 : 0);
}
}  // namespace

Bytes RouteUpdate::signed_part(const NodeId& destination, std::uint32_t seqno, std::uint32_t serial,
                               const Instance& instance) {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(destination);
    w.u32(seqno);
    w.u32(serial);
    write(w, instance);
    return out;
}

Bytes RouteUpdate::encode() const {
    Bytes out = begin(MessageType::kUpdate);
    ByteWriter w(out);
    w.u8(static_cast<std::uint8_t>((signature ? kHasSignature : 0) | (certificate ? kHasCertificate : 0) |
                                   (notice ? kIsNotice : 0)));
    w.bytes(destination);
    w.u32(seqno);
    metric.encode(w);
    w.u32(serial);
    if (signature) {
        w.bytes(*signature);
        write(w, instance);
    }
    if (certificate) certificate->encode(out);
    return out;
}

std::optional<RouteUpdate> RouteUpdate::decode(ByteView body) {
    ByteReader r(body);
    RouteUpdate m;
    const std::uint8_t flags = r.u8();
    m.destination = r.array<32>();
    m.seqno = r.u32();
    m.metric = RouteMetric::decode(r);
    m.serial = r.u32();
    m.notice = (flags & kIsNotice) != 0;
    if ((flags & kHasSignature) != 0) {
        m.signature = r.array<64>();
        m.instance.epoch = r.u32();
        m.instance.boot = r.u64();
        m.instance.other = r.u64();
        const std::uint8_t alarm = r.u8();
        if (alarm > 1) {
            return std::nullopt;
        }
        m.instance.alarm = alarm == 1;
    }
    if ((flags & kHasCertificate) != 0) {
        m.certificate = Certificate::parse(r.bytes(Certificate::kBytes));
        if (!m.certificate) {
            return std::nullopt;
        }
    }
    if (!r.complete() || flags > (kHasSignature | kHasCertificate | kIsNotice)) {
        return std::nullopt;
    }
    return m;
}

Bytes RouteRequest::encode() const {
    Bytes out = begin(MessageType::kRouteRequest);
    ByteWriter(out).bytes(destination);
    return out;
}

std::optional<RouteRequest> RouteRequest::decode(ByteView body) {
    ByteReader r(body);
    const RouteRequest m{r.array<32>()};
    return r.complete() ? std::optional(m) : std::nullopt;
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
    m.destination = r.array<32>();
    m.seqno = r.u32();
    m.hops_left = r.u8();
    return r.complete() && m.hops_left <= kMaxHops ? std::optional(m) : std::nullopt;
}

}  // namespace meshnet::net
