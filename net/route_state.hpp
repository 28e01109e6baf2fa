// SPDX-License-Identifier: MIT
// What a RouteTable holds, shared by its parts: neighbours, destinations and the routes to them.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "net/key_instances.hpp"
#include "net/link.hpp"
#include "net/route_messages.hpp"
#include "net/route_metric.hpp"
#include "net/route_origin.hpp"
#include "net/route_proofs.hpp"
#include "net/router_counters.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

struct RouteConfig {
    Duration update_interval = 4s;  ///< our own seqno grows by one in it at most, in the long run
    Duration hold = 30s;            ///< after a voluntary change the next waits so long, unless it is twice as good
    MetricWeights weights;
    std::uint64_t affordable_msat_per_mib = kUnreachable;  ///< routes that cost more are the last choice
    std::size_t max_destinations = 16'384;
    double control_share = 0.02;  ///< of the rate of each link, for all routing messages
    bool broadcast = false;       ///< the link layer carries messages to kBroadcast; else each neighbour gets its own
    std::uint64_t boot = 0;       ///< drawn at random at each start of the node
    std::uint32_t epoch = 1;      ///< above any of an earlier run, as far as is known
};

/// A route as the neighbour advertised it, and what it delivered.
struct Route {
    NeighborId via = 0;
    std::uint32_t seqno = 0;
    std::uint16_t run = 0;  ///< of the destination
    RouteMetric metric;
    /// Airtime with which it was found feasible. A chosen route that gets worse stays (RFC 8966, 3.5.3) under the
    /// former.
    std::uint32_t accepted = kUnreachable;
    float delivered = 1.0F;  ///< end to end, as measured at...
    Instant measured{};
    float answers = 1.0F;  ///< a quarter less for each flow open that was not answered in time
    Instant silent_at{};
};

/// RFC 8966, 2.4: the feasibility distance.
struct RouteDistance {
    std::uint32_t seqno = 0;
    std::uint32_t airtime = kUnreachable;
};

enum class RouteDue : std::uint8_t { kNone, kLazy, kNormal, kUrgent };

struct RouteDestination {
    static constexpr std::size_t kMostRoutes = 6;

    RouteProofs proofs;
    KeyInstances instances;
    std::vector<Route> routes;  ///< the best, at most kMostRoutes
    std::optional<NeighborId> selected;
    std::optional<RouteDistance> feasible;  ///< the best we ever advertised
    Instant held_until{};
    Instant forget_at{};      ///< while there is no route
    Instant kept_until{};     ///< it is expected by plan: not forgotten before
    mutable Instant asked{};  ///< something here wanted to go there
    NeighborId brought_by = 0;
    bool more = false;  ///< other neighbours have routes that found no room

    std::uint32_t version = 0;  ///< in the journal of what we advertised; 0: not there
    RouteDue due = RouteDue::kNone;
    std::uint32_t advertised_seqno = 0;
    RouteMetric advertised;                                 ///< last, without our own price
    std::optional<std::uint32_t> ceiling, pending_ceiling;  ///< on disk, on its way there: seqnos we may advertise
    std::uint32_t certificate_sent = 0;                     ///< serial + 1 of the one that was sent to all

    std::uint32_t requested_seqno = 0;
    Instant request_again{};  ///< a seqno request is out until then
    int request_repeats = 0;
    Instant notice_again{};

    [[nodiscard]] Route* find(NeighborId via) noexcept {
        for (Route& r : routes) {
            if (r.via == via) return &r;
        }
        return nullptr;
    }
    [[nodiscard]] const Route* find(NeighborId via) const noexcept {
        return const_cast<RouteDestination*>(this)->find(via);
    }
    [[nodiscard]] const Route* chosen() const noexcept { return selected ? find(*selected) : nullptr; }
    bool erase(NeighborId via) {
        return std::erase_if(routes, [&](const Route& r) { return r.via == via; }) != 0;
    }
};

struct RouteNeighbor {
    NodeId id{};
    LinkEstimate link;
    double tokens = 0.0;  ///< bytes of routing messages that may leave now
    Instant refilled{};

    // What we know of its table.
    std::uint32_t run = 0, have = 0, seen = 0;
    std::optional<Instant> sync_at;  ///< ask for the difference
    int sync_tries = 0;
    TokenBucket checks{50, 600};  ///< signatures verified for it
    std::uint32_t brought = 0;    ///< destinations whose first proof it brought
    std::uint32_t wanted = 0;     ///< proofs we ask for because of it

    // What it is to get.
    std::deque<Bytes> direct;
    std::vector<ShortId> asks, asks_certificate;
    bool syncing = false;
    std::uint32_t cursor = 0, from = 0;
    Instant sync_sent{};
    std::uint32_t answers = 0;  ///< that wait for it
};

using RouteNeighbors = std::map<NeighborId, RouteNeighbor>;
using RouteDestinations = std::map<NodeId, RouteDestination>;

/// What an earlier run may have advertised of a destination, at most, the newest epoch it knew and the proof of it.
struct RouteCeiling {
    std::uint32_t seqno = 0;
    std::uint32_t epoch = 0;
    std::uint32_t serial = 0;  ///< of the certificate under which the proof is
    std::optional<RouteProofs::Proof> proof;
};

struct RouteReservation {
    NodeId destination{};
    std::optional<RouteCeiling> ceiling;
};

struct RouteShared {
    RouteConfig config;
    RouteNeighbors links;
    RouteDestinations destinations;
    std::deque<RouteReservation> reservations;
    std::uint32_t own_price = 0;
    RouteCounters counters;

    /// The destination with this short id; end() if there is none.
    [[nodiscard]] RouteDestinations::iterator find(const ShortId& id) {
        NodeId low{};
        std::copy(id.begin(), id.end(), low.begin());
        const auto it = destinations.lower_bound(low);
        return it != destinations.end() && short_id(it->first) == id ? it : destinations.end();
    }
    [[nodiscard]] RouteNeighbor* neighbor(NeighborId link) {
        const auto it = links.find(link);
        return it == links.end() ? nullptr : &it->second;
    }
    [[nodiscard]] bool is(NeighborId link, const NodeId& id) const {
        const auto it = links.find(link);
        return it != links.end() && it->second.id == id;
    }
};

}  // namespace meshnet::net
