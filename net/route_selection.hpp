// SPDX-License-Identifier: MIT
// Which of the known routes may be used without a loop, and which is the best.
//
// Feasibility depends on (seqno, airtime) alone (RFC 8966, 3.5.1); price, delay and measured delivery only choose among
// feasible routes, so none of them can make a loop or a storm of requests. Spec: docs/spec/net.md, "Routing".
#pragma once

#include "net/route_state.hpp"

namespace meshnet::net {

class RouteSelection {
public:
    static constexpr Duration kDeliveryKept = 60s;  ///< until a measured delivery counts no more

    explicit RouteSelection(const RouteShared& shared) : shared_(shared) {}

    [[nodiscard]] static bool closer(std::uint32_t seqno, std::uint32_t airtime,
                                     const std::optional<RouteDistance>& than);
    [[nodiscard]] RouteMetric metric_from_here(const Route& route) const;
    /// What neighbours are told of it: its airtime as it is, or a multiple if it delivers less than half or costs more
    /// than is paid.
    [[nodiscard]] RouteMetric to_advertise(const Route& route) const;
    /// Price and airtime divided by what the route delivers.
    [[nodiscard]] std::uint64_t cost(Instant now, const Route& route) const;
    [[nodiscard]] bool usable(const Route& route) const;
    /// May this route be chosen without closing a loop?
    [[nodiscard]] bool feasible(const NodeId& id, const RouteDestination& d, const Route& route) const;

    struct Choice {
        const Route* best = nullptr;  ///< to be used from now on
        bool voluntary = false;       ///< although the present one could go on
        bool blocked = false;         ///< there are usable routes that are not feasible
        /// One of them is twice as good as the best, which delivers little or is too expensive.
        bool better_blocked = false;
        std::optional<Instant> again;  ///< time alone will change the choice then
    };
    [[nodiscard]] Choice choose(Instant now, const NodeId& id, const RouteDestination& d) const;
    /// Feasible next hops, the cheapest first.
    [[nodiscard]] std::vector<NeighborId> successors(Instant now, const NodeId& id, const RouteDestination& d) const;

private:
    enum class Compared : std::uint8_t { kNo, kHeld, kYes };
    [[nodiscard]] Compared compare(Instant now, const RouteDestination& d, const Route& best,
                                   const Route& present) const;
    [[nodiscard]] float delivered(Instant now, const Route& route) const;
    [[nodiscard]] bool affordable(const Route& route) const;

    const RouteShared& shared_;
};

}  // namespace meshnet::net
