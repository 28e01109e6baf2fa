// SPDX-License-Identifier: MIT
// What simulated attackers and tests may do to a router beside its public face: play a neighbour that holds a session
// key, and read its parts.
#pragma once

#include "net/router_parts.hpp"

namespace meshnet::net {

struct RouterTestAccess {
    /// Messages as if the session of `from` had carried them.
    static void feed(Router& router, Instant now, NeighborId from, ByteView plain) {
        router.on_plain(now, from, plain);
    }
    static const Identity::Secrets& secrets(const Router& router) { return router.parts_->self; }
    static const FlowTable& flows(const Router& router) { return router.parts_->flows; }
    static const RouteTable& routes(const Router& router) { return router.parts_->routes; }
    static const LinkTable& links(const Router& router) { return router.parts_->links; }
    static const Book& book(const Router& router) { return router.parts_->book; }
    static std::size_t openings(const Router& router) { return router.parts_->opener.openings(); }
    /// A price that is charged and not advertised.
    static void charge(Router& router, std::uint64_t msat_per_mib) { router.parts_->opener.set_price(msat_per_mib); }
    static const CreditControl& credit(const Router& router) { return router.parts_->credit; }
    static CreditControl::Exposure exposure(const Router& router, const NodeId& peer) {
        return router.parts_->credit.exposure(peer);
    }
    /// As if `node` had offered to pay for what this router sends back.
    static void offer(Router& router, Instant now, const NodeId& node, std::uint32_t max_price) {
        router.parts_->offers.put(now, node, max_price);
    }
};

}  // namespace meshnet::net
