// SPDX-License-Identifier: MIT
// What FlowOpener does with the answer to an open: the flow is checked, stored, and then used.
#include <algorithm>
#include <utility>

#include "net/deadline.hpp"
#include "net/flow_opener.hpp"

namespace meshnet::net {

void FlowOpener::on_accept(Instant now, NeighborId from, ByteView body) {
    const auto accept = FlowAccept::decode(body);
    if (!accept) {
        ++p_.counters.dropped_malformed;
        return;
    }
    const auto it = openings_.find(accept->flow);
    if (it == openings_.end() || !it->second.asked(from) || p_.flows.find(accept->flow) != nullptr ||
        p_.flows.labels_out().count({from, accept->label}) != 0) {
        return;
    }
    const FlowOpen& open = it->second.open;
    const Certificate* destination = p_.routes.certificate_of(open.destination);
    if (accept->total_price > open.max_price || accept->total_price < open.price_so_far || destination == nullptr ||
        !verify(destination->signing, kAcceptContext, accept->signed_part(), accept->signature)) {
        ++p_.counters.flows_refused;
        return;
    }
    Opening opening = std::move(it->second);
    openings_.erase(it);
    opening.next = from;
    for (const NeighborId other : opening.silent) {
        if (other != from) {
            p_.routes.on_delivery(now, opening.open.destination, other, 0.0);  // another one brought it there
        }
    }
    p_.routes.on_answer(now, opening.open.destination, from, true);
    if (!honest_total(*accept, opening)) {
        ++p_.counters.flows_refused_total;
        return opening.own ? opening_failed(now, opening, RejectReason::kPrice)
                           : reject(opening.prev, accept->flow, RejectReason::kPrice);
    }
    if (opening.own) {
        accepted_as_source(now, *accept, std::move(opening), *destination);
    } else {
        accepted_as_relay(now, *accept, opening, *destination);
    }
}

// The relay before the destination knows the sum of all relays: a destination that signs another one would be paid for
// receiving. And nobody names a price through us that we would not owe.
bool FlowOpener::honest_total(const FlowAccept& accept, const Opening& opening) const {
    const LinkTable::Neighbor* next = p_.links.find(opening.next);
    const bool last = next != nullptr && next->id == opening.open.destination;
    return (!last || accept.total_price == opening.open.price_so_far) &&
           (opening.own || accept.total_price <= config_.highest_price_msat_per_mib);
}

void FlowOpener::accepted_as_source(Instant now, const FlowAccept& accept, Opening opening,
                                    const Certificate& destination) {
    const FlowOpen& open = opening.open;
    const auto it = conversations_.find(opening.conversation);
    if (it == conversations_.end()) {
        return;
    }
    Conversation& c = it->second;
    c.failed.erase(opening.next);
    if (opening.second) {
        c.second_opening.reset();
    } else if (c.opening == accept.flow) {
        c.opening.reset();
    }
    const auto payload = opening.noise->read(accept.noise);
    if (!payload || !p_.flows.make_room(NodeId{})) {
        ++p_.counters.flows_refused;
        return;
    }
    Flow f;
    f.id = accept.flow;
    f.role = FlowRole::kSource;
    f.answer = opening.conversation.answer;
    f.watched_at = now;
    f.flow_class = open.flow_class;
    f.payer_is_destination = open.payer_is_destination;
    f.source = p_.self.id;
    f.destination = open.destination;
    f.next = opening.next;
    f.next_id = p_.links.find(opening.next)->id;
    f.label_out = accept.label;
    f.unit_bytes = open.unit_bytes;
    f.max_units = open.max_units;
    f.total_price = accept.total_price;
    f.pay_price = open.payer_is_destination ? 0 : accept.total_price;
    f.destination_key = destination.signing;
    f.payword = accept.chain_root;
    f.proof = FlowProof{accept.chain_root, accept.noise, accept.signature, destination};
    f.key = opening.noise->split().send;
    f.second = opening.second;
    f.wanted = opening.wanted;
    install(now, std::move(f));
}

void FlowOpener::accepted_as_relay(Instant now, const FlowAccept& accept, const Opening& opening,
                                   const Certificate& destination) {
    const FlowOpen& open = opening.open;
    if (!p_.flows.make_room(p_.links.find(opening.prev)->id)) {
        return;
    }
    Flow f;
    f.id = accept.flow;
    f.role = FlowRole::kRelay;
    f.flow_class = open.flow_class;
    f.payer_is_destination = open.payer_is_destination;
    f.source = open.source.id();
    f.destination = open.destination;
    f.prev = opening.prev;
    f.prev_id = p_.links.find(opening.prev)->id;
    f.watched_at = now;
    f.next = opening.next;
    f.next_id = p_.links.find(opening.next)->id;
    f.label_in = p_.flows.unused_label(opening.prev);
    f.label_out = accept.label;
    f.unit_bytes = open.unit_bytes;
    f.max_units = open.max_units;
    f.total_price = accept.total_price;
    if (open.payer_is_destination) {
        f.claim_price = open.price_so_far;   // those before us and we
        f.pay_price = opening.price_before;  // those before us
    } else {
        f.claim_price = accept.total_price - opening.price_before;  // we and those after us
        f.pay_price = accept.total_price - open.price_so_far;       // those after us
    }
    f.destination_key = destination.signing;
    f.payword = accept.chain_root;
    f.proof = FlowProof{accept.chain_root, accept.noise, accept.signature, destination};
    f.accept = accept;
    f.accept->label = f.label_in;
    install(now, std::move(f));
}

Flow& FlowOpener::add_flow(Instant now, Flow&& f) {
    if (f.paid()) {
        f.limit_bytes = p_.credit.limit_for(f);
    }
    return p_.flows.add(now, std::move(f));
}

// Packets of a paid flow are accepted only once the flow would survive a crash of this node.
void FlowOpener::install(Instant now, Flow&& flow) {
    flow.installing = true;
    ++p_.counters.flows_opened;
    Flow& f = add_flow(now, std::move(flow));
    if (!f.paid()) {
        return installed(now, f);
    }
    p_.outbox.after_persist([this, id = f.id](Instant then) {
        if (Flow* stored = p_.flows.find(id)) {
            installed(then, *stored);
        }
    });
}

void FlowOpener::installed(Instant now, Flow& f) {
    f.installing = false;
    if (f.role == FlowRole::kRelay) {
        watch_at_ = earliest(watch_at_, now + FlowWatch::kAgain);
        p_.links.send_control(f.prev, f.accept->encode());
        return;
    }
    const auto it = conversations_.find(key_of(f));
    if (f.role != FlowRole::kSource || it == conversations_.end()) {
        return;
    }
    Conversation& c = it->second;
    if (f.second && c.active) {
        end_second(now, c);
        c.second = f.id;
        return;
    }
    if (Flow* old = c.active ? p_.flows.find(*c.active) : nullptr) {
        if (f.wanted && !old->broken) {
            f.broken = true;  // another way was sooner
            return;
        }
        old->broken = true;  // replaced; only its receipts are still of interest
    }
    c.active = f.id;
    if (const Flow* second = second_of(c); second != nullptr && second->next == f.next) {
        end_second(now, c);
    }
    while (!c.waiting.empty()) {
        if (now - c.waiting.front().since <= std::max(Duration{kWaitingAge}, c.kept)) {
            watch_soon(now, f);
            p_.forwarder.send(now, f, c.waiting.front().plain);
        } else {
            ++p_.counters.dropped_old;
        }
        c.waiting_bytes -= c.waiting.front().plain.size();
        c.waiting.pop_front();
    }
}

}  // namespace meshnet::net
