// SPDX-License-Identifier: MIT
// What FlowOpener does when an open is refused or not answered, or a flow breaks.
#include <algorithm>
#include <utility>

#include "net/flow_opener.hpp"

namespace meshnet::net {

void FlowOpener::reject(NeighborId to, const FlowId& id, RejectReason reason) {
    ++p_.counters.flows_refused;
    p_.links.send_control(to, FlowReject{id, reason}.encode());
}

void FlowOpener::on_reject(Instant now, NeighborId from, ByteView body) {
    const auto m = FlowReject::decode(body);
    if (!m) {
        ++p_.counters.dropped_malformed;
        return;
    }
    const auto it = openings_.find(m->flow);
    if (it == openings_.end() || it->second.next != from) {
        return;
    }
    if (!it->second.own && refused_to_relay(now, it->second, m->reason)) {
        return;
    }
    const Opening opening = std::move(it->second);
    openings_.erase(it);
    if (opening.own) {
        opening_failed(now, opening, m->reason);
    } else {
        p_.links.send_control(opening.prev, FlowReject{m->flow, m->reason}.encode());
    }
}

// As a relay. The payer is refused rightly if it offers too little or does not pay; but a next hop that refuses what it
// advertised, or carries nothing for us at the moment, is judged like one that does not answer. True if another one was
// asked.
bool FlowOpener::refused_to_relay(Instant now, Opening& o, RejectReason reason) {
    const auto ways = p_.routes.ways(o.open.destination);
    const auto way = std::find_if(ways.begin(), ways.end(), [&](const auto& w) { return w.next_hop == o.next; });
    const bool as_advertised =
        way != ways.end() && std::uint64_t{o.open.price_so_far} + way->metric.price_msat_per_mib <= o.open.max_price;
    const bool broke_its_word = reason == RejectReason::kPrice && !o.open.payer_is_destination && as_advertised;
    const bool has_no_room = reason == RejectReason::kFull || reason == RejectReason::kCredit;
    if (broke_its_word || has_no_room) {
        p_.routes.on_answer(now, o.open.destination, o.next, false);
    }
    return (broke_its_word || has_no_room || reason == RejectReason::kNoRoute) && divert(now, o);
}

void FlowOpener::opening_failed(Instant now, const Opening& opening, RejectReason reason) {
    ++p_.counters.flows_refused;
    const auto it = conversations_.find(opening.conversation);
    if (it == conversations_.end()) {
        return;
    }
    Conversation& c = it->second;
    if (opening.second) {
        c.second_opening.reset();
        return;
    }
    if (opening.overdue) {
        return;  // another was asked already
    }
    c.opening.reset();
    if (reason != RejectReason::kNotOffered && try_elsewhere(now, c, opening)) {
        return;
    }
    c.full = reason == RejectReason::kFull || reason == RejectReason::kCredit;
    if (reason == RejectReason::kPrice || reason == RejectReason::kRefused) {  // asking again would not help
        while (!c.waiting.empty()) {
            give_up_front(c, opening.conversation,
                          reason == RejectReason::kPrice ? Undeliverable::kPrice : Undeliverable::kRefused);
        }
        waiting_.erase(opening.conversation);
        return;
    }
    if (reason ==
        RejectReason::kNotOffered) {  // the offer was forgotten: we pay for what we began, or send for nothing
        p_.offers.refused(now, opening.conversation.destination);
        c.next_try = now;
    }
    waiting_.insert(opening.conversation);
}

// The neighbour did not bring us there, whatever it says: the route is judged by that, and another neighbour is asked
// if there is one that did not fail us just now.
bool FlowOpener::try_elsewhere(Instant now, Conversation& c, const Opening& opening) {
    const NodeId& destination = opening.open.destination;
    const LinkTable::Neighbor* next = p_.links.find(opening.next);
    if (next != nullptr && next->id == destination) {
        return false;
    }
    c.failed[opening.next] = now;
    p_.routes.on_delivery(now, destination, opening.next, 0.0);
    const auto route = way_to(now, c, destination);
    if (!route || c.failed.count(route->next_hop) != 0 || !p_.links.reachable(route->next_hop)) {
        return false;
    }
    c.next_try = now;
    waiting_.insert(opening.conversation);
    return true;
}

void FlowOpener::give_up_front(Conversation& c, const ConversationKey& key, Undeliverable reason) {
    RouterCounters& counters = p_.counters;
    ++(reason == Undeliverable::kPrice       ? counters.unreachable_price
       : reason == Undeliverable::kRefused   ? counters.unreachable_refused
       : reason == Undeliverable::kRouteLost ? counters.unreachable_route_lost
                                             : counters.unreachable_no_answer);
    p_.undeliverable.add_compressed(reason, c.waiting.front().plain, key.destination);
    c.waiting_bytes -= c.waiting.front().plain.size();
    c.waiting.pop_front();
}

Undeliverable FlowOpener::why_waiting(const Conversation& c, const ConversationKey& key) const {
    const auto route = p_.routes.lookup(key.destination);
    return !route || !p_.links.reachable(route->next_hop) ? Undeliverable::kRouteLost
           : c.full                                       ? Undeliverable::kRefused
                                                          : Undeliverable::kNoAnswer;
}

void FlowOpener::on_flow_error(Instant now, NeighborId from, ByteView body) {
    const auto m = FlowError::decode(body);
    if (!m) {
        ++p_.counters.dropped_malformed;
        return;
    }
    Flow* f = p_.flows.by_label_out(from, m->label);
    if (f == nullptr) {
        return;
    }
    if (f->role == FlowRole::kSource) {
        break_own_flow(now, *f);
    } else {
        p_.forwarder.break_flow(*f);
    }
}

void FlowOpener::break_own_flow(Instant now, Flow& f) {
    if (f.broken) {
        return;
    }
    p_.forwarder.break_flow(f);
    const ConversationKey key = key_of(f);
    const auto it = conversations_.find(key);
    if (it == conversations_.end()) {
        return;
    }
    Conversation& c = it->second;
    if (c.second == f.id) {
        c.second.reset();
    } else if (c.active == f.id) {
        c.active.reset();
        if (!promote_second(c, std::nullopt)) {
            open(now, c, key);
        }
    }
}

}  // namespace meshnet::net
