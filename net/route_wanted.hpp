// SPDX-License-Identifier: MIT
// Routes whose proof is on its way: they count for nothing before it is here, and take little room.
// Spec: docs/spec/net.md, "Routing".
#pragma once

#include <vector>

#include "net/route_advertiser.hpp"
#include "net/route_state.hpp"

namespace meshnet::net {

class RouteWanted {
public:
    static constexpr std::size_t kMost = 2'048;
    static constexpr std::uint32_t kMostPerNeighbor = 512;
    struct Candidate {
        NeighborId via = 0;
        std::uint32_t seqno = 0;
        std::uint16_t run = 0;
        RouteMetric metric;
    };

    RouteWanted(RouteShared& shared, RouteAdvertiser& advertiser) : shared_(shared), advertiser_(advertiser) {}

    /// Keeps the route and asks for its proof. False if there is no room for this neighbour.
    [[nodiscard]] bool add(Instant now, const ShortId& destination, const Candidate& route, bool certificate);
    /// A proof of this destination was verified: takes the updates that wait for it.
    [[nodiscard]] std::vector<Candidate> take(const ShortId& destination);
    void neighbor_down(NeighborId link);
    /// A later word of the neighbour replaces what waits of it.
    void retract(NeighborId link, const ShortId& destination);

    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const noexcept { return at_; }
    [[nodiscard]] std::size_t size() const noexcept { return wanted_.size(); }

private:
    struct Wanted {
        std::vector<Candidate> candidates;
        bool certificate = false;
        NeighborId owner = 0;  // whose quota it is in
        Instant again{};
        int tries = 0;
    };
    using Map = std::map<ShortId, Wanted>;
    Map::iterator erase(Map::iterator it);

    RouteShared& shared_;
    RouteAdvertiser& advertiser_;
    Map wanted_;
    std::optional<Instant> at_;
};

}  // namespace meshnet::net
