// SPDX-License-Identifier: MIT
// Routing messages, inside the link's encryption, to one neighbour or to all of them.
//
// A destination is named by the first bytes of its node id; who does not know the rest asks for the certificate.
// Spec: docs/spec/net.md, "Routing". Source of the rules: RFC 8966 (Babel).
#pragma once

#include <optional>
#include <vector>

#include "net/certificate.hpp"
#include "net/packet_format.hpp"
#include "net/route_metric.hpp"

namespace meshnet::net {

/// First bytes of a node id.
using ShortId = std::array<std::uint8_t, 8>;
[[nodiscard]] ShortId short_id(const NodeId& id) noexcept;

/// The run of a node that signed an announcement, and what it knows of another run with the same key. A node that
/// starts draws `boot` at random, so that nobody can name it before.
struct Instance {
    /// Coarse and monotone: raised at each start, once a day, and above any other run. Whoever knows a newer one
    /// refuses what was signed in an older.
    std::uint32_t epoch = 0;
    std::uint64_t boot = 0;
    std::uint64_t other = 0;  ///< another one whose signature it received lately; 0: none
    bool alarm = false;       ///< it has proof that the other one runs at the same time

    /// By which messages tell runs apart that signed the same seqno.
    [[nodiscard]] std::uint16_t tag() const noexcept { return static_cast<std::uint16_t>(boot); }

    bool operator==(const Instance&) const = default;
};

/// One destination as a neighbour sees it. An unreachable metric is a retraction: beside it only the certificate
/// counts.
struct RouteUpdate {
    ShortId destination{};
    std::uint32_t seqno = 0;
    RouteMetric metric;
    std::uint16_t via = 0;                   ///< first two bytes of the node id of the sender's next hop; hops > 0 only
    std::uint16_t run = 0;                   ///< of the destination: tag of the instance that signed this seqno
    std::uint32_t serial = 0;                ///< of the destination's certificate; goes with the signature
    std::optional<Signature> signature;      ///< the destination's, over signed_part(); left out if known
    Instance instance;                       ///< goes with the signature
    std::optional<Certificate> certificate;  ///< parsed, not verified
    /// Not a route: a signature that the receiver, or whoever stands behind it, may not know. Always signed; its metric
    /// does not travel.
    bool notice = false;

    [[nodiscard]] std::size_t bytes() const noexcept;  ///< of write()
    void write(ByteWriter& w) const;
    [[nodiscard]] static std::optional<RouteUpdate> read(ByteReader& r);
    /// A message with this alone, outside of the journal; and back.
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteUpdate> decode(ByteView body);
    [[nodiscard]] static Bytes signed_part(const NodeId& destination, std::uint32_t seqno, std::uint32_t serial,
                                           const Instance& instance = {});
};

/// Updates that travel together. With a span: all changes of the sender's table after one number of its journal, up
/// to another.
struct RouteUpdates {
    struct Span {
        std::uint32_t run = 0;  ///< of the sender; its journal begins anew with each
        std::uint32_t after = 0, upto = 0;
        bool operator==(const Span&) const = default;
    };
    static constexpr std::size_t kHeaderBytes = 1 + 1 + 12;  ///< type, kind, span
    std::optional<Span> span;
    std::vector<RouteUpdate> entries;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteUpdates> decode(ByteView body);
};

/// Requests the receiver's routes to these destinations with their signatures, and certificates if told.
struct RouteRequest {
    bool certificates = true;
    std::vector<ShortId> destinations;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteRequest> decode(ByteView body);
};

/// Requests a route with at least this sequence number (RFC 8966, 3.8.1.2).
struct SeqnoRequest {
    ShortId destination{};
    std::uint32_t seqno = 0;
    std::uint8_t hops_left = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<SeqnoRequest> decode(ByteView body);
};

/// How far the sender's journal has come. A receiver that has less asks for the difference.
struct RouteState {
    std::uint32_t run = 0;
    std::uint32_t version = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteState> decode(ByteView body);
};

/// Requests what changed in the receiver's table since; 0: everything.
struct RouteSync {
    std::uint32_t run = 0;
    std::uint32_t have = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteSync> decode(ByteView body);
};

inline constexpr std::string_view kRouteContext = "meshnet route v2";

}  // namespace meshnet::net
