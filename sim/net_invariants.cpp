// SPDX-License-Identifier: MIT
#include "sim/net_invariants.hpp"

#include <algorithm>

#include "net/payment/amount.hpp"
#include "sim/router_access.hpp"

namespace meshnet::sim {

namespace {

using net::RouterTestAccess;
constexpr std::size_t kMostKept = 8;
constexpr std::uint64_t kPacket = 2'048;  // a packet more may be unresolved than the window has

}  // namespace

void NetInvariants::fail(const std::string& what) {
    if (violations_.size() < kMostKept) {
        violations_.push_back(std::to_string(to_seconds(w_.now().time_since_epoch())) + " s: " + what);
    }
}

void NetInvariants::after_event() {
    if (violations_.size() >= kMostKept) {
        return;
    }
    if (const std::string loop = w_.find_new_loop(); !loop.empty()) {
        fail(loop);
    }
    for (const std::size_t i : w_.touched()) {
        if (w_.node(i).router && !hostile_[i]) {
            check_money(i);
            check_caps(i);
        }
    }
}

// What a node would lose if nobody ever paid it again, and what it carries in vain, are within its limits.
void NetInvariants::check_money(std::size_t node) {
    const net::Router& router = w_.router(node);
    const net::CreditControl& credit = RouterTestAccess::credit(router);
    const auto one = static_cast<std::int64_t>(credit.limits().stranger_msat) * net::kNsatPerMsat;
    const auto all = static_cast<std::int64_t>(credit.limits().strangers_msat) * net::kNsatPerMsat;
    std::int64_t sum = 0;
    for (const auto& [peer, balance] : RouterTestAccess::book(router).balances()) {
        const std::int64_t exposure = RouterTestAccess::exposure(router, peer).nsat;
        sum += exposure;
        if (exposure > one) {
            fail("node " + std::to_string(node) + " risks " + std::to_string(exposure) + " nsat with one neighbour");
        }
        const net::CreditWindow* window = credit.window(peer);
        if (window != nullptr &&
            window->unresolved() > std::max<std::uint64_t>(16'777'216, window->bytes()) + kPacket) {
            fail("node " + std::to_string(node) + " has " + std::to_string(window->unresolved()) + " bytes unresolved");
        }
    }
    if (sum > all + one) {
        fail("node " + std::to_string(node) + " risks " + std::to_string(sum) + " nsat in all");
    }
}

void NetInvariants::check_caps(std::size_t node) {
    const net::Router& router = w_.router(node);
    const std::size_t destinations = RouterTestAccess::routes(router).destinations();
    const std::size_t flows = RouterTestAccess::flows(router).size();
    const std::size_t openings = RouterTestAccess::openings(router);
    const std::size_t neighbors = RouterTestAccess::links(router).neighbors().size();
    using net::LinkTable;
    if (destinations > net::RouteConfig{}.max_destinations || flows > net::FlowTable::kMaxFlows || openings > 256 ||
        neighbors > LinkTable::kMaxNeighbors + LinkTable::kMaxStrangers + 1) {
        fail("node " + std::to_string(node) + " holds " + std::to_string(destinations) + " destinations, " +
             std::to_string(flows) + " flows, " + std::to_string(openings) + " openings, " + std::to_string(neighbors) +
             " neighbours");
    }
}

void NetInvariants::delivered(std::size_t node, std::uint64_t number) {
    if (!seen_.emplace(node, number).second) {
        fail("packet " + std::to_string(number) + " came out twice at node " + std::to_string(node));
    }
}

void NetInvariants::at_rest() {
    for (std::size_t a = 0; a < w_.size(); ++a) {
        for (const std::size_t b : w_.joined(a)) {
            if (hostile_[a] || hostile_[b]) {
                continue;
            }
            const std::int64_t here = w_.disk_balance(a, b);
            if (b > a && here + w_.disk_balance(b, a) != 0) {
                fail("books of nodes " + std::to_string(a) + " and " + std::to_string(b) + " differ by " +
                     std::to_string(here + w_.disk_balance(b, a)) + " nsat");
            }
            if (here != w_.disk_entries(a, b)) {
                fail("entries of node " + std::to_string(a) + " about node " + std::to_string(b) + " do not add up");
            }
        }
    }
}

}  // namespace meshnet::sim
