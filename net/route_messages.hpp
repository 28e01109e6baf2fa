// SPDX-License-Identifier: MIT
// Routing messages, inside the link's encryption, one neighbour at a time.
// Spec: docs/spec/net.md, "Routing". Source of the rules: RFC 8966 (Babel).
#pragma once

#include <optional>

#include "net/certificate.hpp"
#include "net/packet_format.hpp"
#include "net/route_metric.hpp"

namespace meshnet::net {

/// The run of a node that signed an announcement, and what it knows of another run with the same key. A node that
/// starts draws `boot` at random, so that nobody can name it before.
struct Instance {
    /// Coarse and monotone: raised at each start, once a day, and above any other run. Whoever knows a newer one
    /// refuses what was signed in an older.
    std::uint32_t epoch = 0;
    std::uint64_t boot = 0;
    std::uint64_t other = 0;  ///< another one whose signature it received lately; 0: none
    bool alarm = false;       ///< it has proof that the other one runs at the same time

    bool operator==(const Instance&) const = default;
};

/// One destination as a neighbour sees it. An unreachable metric is a retraction: nothing else counts.
struct RouteUpdate {
    NodeId destination{};
    std::uint32_t seqno = 0;
    RouteMetric metric;
    std::uint32_t serial = 0;                ///< of the destination's certificate
    std::optional<Signature> signature;      ///< the destination's, over signed_part(); left out if known
    Instance instance;                       ///< goes with the signature
    std::optional<Certificate> certificate;  ///< parsed, not verified
    /// Not a route: a signature that the receiver, or whoever stands behind it, may not know. Never forwarded as one.
    bool notice = false;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteUpdate> decode(ByteView body);
    [[nodiscard]] static Bytes signed_part(const NodeId& destination, std::uint32_t seqno, std::uint32_t serial,
                                           const Instance& instance = {});
};

/// Requests the receiver's route to this destination, with signature and certificate.
struct RouteRequest {
    NodeId destination{};
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteRequest> decode(ByteView body);
};

/// Requests a route with at least this sequence number (RFC 8966, 3.8.1.2).
struct SeqnoRequest {
    NodeId destination{};
    std::uint32_t seqno = 0;
    std::uint8_t hops_left = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<SeqnoRequest> decode(ByteView body);
};

inline constexpr std::string_view kRouteContext = "meshnet route v2";

}  // namespace meshnet::net
