// SPDX-License-Identifier: MIT
// Flows of one conversation by two neighbours at once, and what happens to flows when a neighbour goes.
//
// A second flow is opened when the one in use is crowded: its packets wait here, or do not all arrive. It has a hash
// chain of its own, so every relay is paid for what it delivered. A packet goes by the flow with the least under way
// (join the shortest queue), so that each way carries what it can. Spec: docs/spec/net.md, "Two ways at once".
#include <algorithm>
#include <utility>

#include "net/deadline.hpp"
#include "net/flow_opener.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kCrowdedBytes = 16'384;  // of a flow, waiting for the link
constexpr double kCrowdedShare = 0.9;          // of what was sent arrives
constexpr Duration kCrowdedFor = 10s;          // without being crowded: the second flow ends
constexpr Duration kSecondPause = 2s;          // between attempts to open one
constexpr std::uint64_t kCostlier = 3;         // the second way may cost so many times as much
constexpr std::uint64_t kFresh = 65'536;       // bytes under way on a flow of which nothing was proven yet

std::uint64_t under_way(const Flow& f, std::size_t waiting) {
    return waiting + f.forwarded_bytes - std::min(f.forwarded_bytes, f.accounted_bytes);
}

}  // namespace

Flow* FlowOpener::second_of(Conversation& c) {
    Flow* f = c.second ? p_.flows.find(*c.second) : nullptr;
    return f == nullptr || f->broken ? nullptr : f;
}

bool FlowOpener::crowded(Instant now, const Flow& f) const {
    return p_.links.waiting(f.next, f.flow_class, f.label_out) >= kCrowdedBytes ||
           (f.arrived < kCrowdedShare && now - f.arrived_at < kSecondPause);
}

// The flow by which the next packet goes.
Flow& FlowOpener::lane(Instant now, Conversation& c, const ConversationKey& key, Flow& f) {
    if (key.flow_class != FlowClass::kBulk) {
        return f;  // a few packets, in order
    }
    if (crowded(now, f)) {
        c.crowded_at = now;
    }
    Flow* second = second_of(c);
    if (second == nullptr) {
        if (c.crowded_at == now) {
            open_second(now, c, key, f);
        }
        return f;
    }
    if (now - c.crowded_at > kCrowdedFor || second->next_sequence > Forwarder::kLastSequence ||
        second->forwarded_bytes / second->unit_bytes >= second->max_units || p_.credit.payer_alarmed(*second)) {
        end_second(now, c);
        return f;
    }
    if (!p_.links.reachable(second->next)) {
        break_own_flow(now, *second);
        return f;
    }
    const std::uint64_t here = under_way(f, p_.links.waiting(f.next, f.flow_class, f.label_out));
    const std::uint64_t there =
        under_way(*second, p_.links.waiting(second->next, second->flow_class, second->label_out));
    return there < here && (second->best.bytes > 0 || there < kFresh) ? *second : f;
}

void FlowOpener::open_second(Instant now, Conversation& c, const ConversationKey& key, const Flow& f) {
    if (c.second_opening || c.opening || now < c.second_try || f.next_id == key.destination) {
        return;
    }
    c.second_try = now + kSecondPause;
    const auto ways = p_.routes.ways(key.destination);
    const auto present = std::find_if(ways.begin(), ways.end(), [&](const auto& w) { return w.next_hop == f.next; });
    if (present == ways.end() || openings_.size() >= kMaxOpening ||
        p_.routes.certificate_of(key.destination) == nullptr) {
        return;
    }
    const MetricWeights weights;
    for (const RouteTable::Selected& way : ways) {
        if (way.next_hop != f.next && p_.links.reachable(way.next_hop) && c.failed.count(way.next_hop) == 0 &&
            way.metric.cost(weights) <= kCostlier * present->metric.cost(weights)) {
            c.second_opening = open_by(now, key, way, true);
            return;
        }
    }
}

// No more packets for it; what arrived of it is still settled.
void FlowOpener::end_second(Instant now, Conversation& c) {
    if (Flow* second = second_of(c)) {
        second->broken = true;
    }
    c.second.reset();
    c.second_try = std::max(c.second_try, now + kSecondPause);
}

// The second flow takes the place of the one in use, if it goes by `next` (any, if none is given).
bool FlowOpener::promote_second(Conversation& c, std::optional<NeighborId> next) {
    Flow* second = second_of(c);
    if (second == nullptr || !p_.links.reachable(second->next) || (next && second->next != *next)) {
        return false;
    }
    second->second = false;
    c.second = std::exchange(c.active, std::exchange(c.second, std::nullopt));
    if (Flow* former = second_of(c)) {
        former->second = true;
    }
    return true;
}

// ---- a neighbour goes ----

void FlowOpener::on_hop_lost(Instant now, NeighborId hop) {
    openings_lost(now, hop);
    std::vector<FlowId> moved;
    for (const auto& [id, f] : p_.flows) {
        if (f.next != hop || f.broken || f.installing || f.role == FlowRole::kDestination) {
            continue;
        }
        const auto next = p_.routes.next_hop(f.destination);
        if (next && *next != hop && *next != f.prev && p_.links.reachable(*next)) {
            moved.push_back(id);
        }
    }
    for (const FlowId& id : moved) {
        Flow* f = p_.flows.find(id);
        if (f == nullptr) {
            continue;
        }
        ++p_.counters.flows_moved;
        if (f->role == FlowRole::kSource) {
            if (const auto it = conversations_.find(key_of(*f)); it != conversations_.end()) {
                it->second.next_try = now;
            }
            break_own_flow(now, *f);
        } else {
            p_.forwarder.break_flow(*f);
        }
    }
}

// Nobody will answer these any more.
void FlowOpener::openings_lost(Instant now, NeighborId hop) {
    for (auto it = openings_.begin(); it != openings_.end();) {
        const auto here = it++;
        if (here->second.next != hop || p_.links.reachable(hop)) {
            continue;
        }
        const FlowId id = here->first;
        const Opening opening = std::move(here->second);
        openings_.erase(here);
        if (opening.own) {
            opening_failed(now, opening, RejectReason::kNoRoute);
        } else {
            reject(opening.prev, id, RejectReason::kNoRoute);
        }
    }
}

// How long packets may wait for a flow: longer if the destination will be reached by plan.
Duration FlowOpener::keep_waiting(Instant now, Conversation& c, const ConversationKey& key) const {
    if (!p_.contacts.empty() && !p_.routes.next_hop(key.destination)) {
        if (p_.contacts.next(now, key.destination)) {
            c.kept = ContactBook::kHorizon;
            c.kept_until = now + kWaitingAge;  // and while the flow is opened
        }
    }
    if (now >= c.kept_until) {
        c.kept = kWaitingAge;
    }
    return c.kept;
}

}  // namespace meshnet::net
