// SPDX-License-Identifier: MIT
// Flows: packets carried by label; broken and opened again when their path breaks; forgotten when they are idle.
#include <algorithm>

#include "net/router_impl.hpp"

namespace meshnet::net {

Flow* Router::Impl::flow(const FlowId& id) {
    const auto it = flows.find(id);
    return it == flows.end() ? nullptr : &it->second;
}

Flow* Router::Impl::flow_by_in(NeighborId prev, std::uint32_t label) {
    const auto it = by_in.find({prev, label});
    return it == by_in.end() ? nullptr : flow(it->second);
}

Flow* Router::Impl::flow_by_out(NeighborId next, std::uint32_t label) {
    const auto it = by_out.find({next, label});
    return it == by_out.end() ? nullptr : flow(it->second);
}

const Flow* Router::Impl::flow_by_out(NeighborId next, std::uint32_t label) const {
    const auto it = by_out.find({next, label});
    if (it == by_out.end()) {
        return nullptr;
    }
    const auto f = flows.find(it->second);
    return f == flows.end() ? nullptr : &f->second;
}

std::uint32_t Router::Impl::unused_label(NeighborId prev) {
    for (;;) {  // at most kMaxFlows of 2^32 are taken
        const auto label = static_cast<std::uint32_t>(random.next_u64());
        if (label != 0 && by_in.count({prev, label}) == 0) {
            return label;
        }
    }
}

bool Router::Impl::make_room() {
    if (flows.size() < kMaxFlows) {
        return true;
    }
    // The longest unused of those that are settled.
    const Flow* oldest = nullptr;
    for (const auto& [id, f] : flows) {
        const bool settled = f.role == FlowRole::kSource || f.upstream_acked >= f.best.bytes;
        if (settled && (oldest == nullptr || f.last_used < oldest->last_used)) {
            oldest = &f;
        }
    }
    if (oldest == nullptr) {
        return false;
    }
    remove_flow(FlowId{oldest->id});
    return true;
}

Flow* Router::Impl::add_flow(Instant now, Flow&& f) {
    const FlowId id = f.id;
    f.last_used = now;
    if (f.role != FlowRole::kSource) by_in[{f.prev, f.label_in}] = id;
    if (f.role != FlowRole::kDestination) by_out[{f.next, f.label_out}] = id;
    if (f.paid()) {
        f.limit_bytes = 4 * config.initial_window_bytes;
        dirty_flows.insert(id);
    }
    return &flows.insert_or_assign(id, std::move(f)).first->second;
}

void Router::Impl::remove_flow(const FlowId& id) {
    const auto it = flows.find(id);
    if (it == flows.end()) {
        return;
    }
    Flow& f = it->second;
    if (Neighbor* n = neighbor(f.claims_from())) {
        n->unresolved -= std::min(n->unresolved, f.counted_unresolved);
    }
    if (f.timer) {
        flow_timers.erase({*f.timer, id});
    }
    if (f.role != FlowRole::kSource) by_in.erase({f.prev, f.label_in});
    if (f.role != FlowRole::kDestination) {
        by_out.erase({f.next, f.label_out});
        if (Neighbor* n = neighbor(f.next)) {
            n->queue.drop_flow(f.label_out);
        }
    }
    if (f.paid()) {
        removed_flows.insert(id);
    }
    dirty_flows.erase(id);
    flows.erase(it);
}

// ---- packets ----

void Router::Impl::send_packet(Instant now, Conversation& c, const ConversationKey& key, Bytes plain) {
    Flow* f = c.active ? flow(*c.active) : nullptr;
    if (f != nullptr && !f->broken) {
        const auto route = routes.lookup(key.first);
        const Neighbor* next = neighbor(f->next);
        const bool gone = !reachable(f->next) && (next == nullptr || now - next->down_since >= kNextHopPatience);
        const bool elsewhere = route && route->next_hop != f->next && reachable(route->next_hop);
        const bool nearly_used =
            f->passed_bytes / f->unit_bytes >= std::uint64_t{f->max_units} / 8 * 7 || f->next_sequence > 0xF000'0000;
        if (gone && elsewhere) {
            break_flow(now, *f);
        } else {
            if (nearly_used && !c.opening) {
                try_open(now, c, key);
            }
            if (f->passed_bytes / f->unit_bytes < f->max_units) {
                return seal_packet(now, *f, plain);
            }
        }
    }
    if (c.waiting_bytes + plain.size() > kWaitingBytes) {
        ++counters.dropped_queue_full;
        return;
    }
    c.waiting_bytes += plain.size();
    c.waiting.push_back({std::move(plain), now});
    waiting.insert(key);
    try_open(now, c, key);
}

void Router::Impl::seal_packet(Instant now, Flow& f, ByteView plain) {
    FlowQueue::Packet packet;
    packet.label = f.label_out;
    packet.sequence = f.next_sequence;
    packet.hops_left = kMaxHops;
    packet.queued = now;
    aead_seal(*f.key, f.next_sequence, {}, plain, packet.sealed);
    ++f.next_sequence;
    queue_data(now, f, std::move(packet));
}

void Router::Impl::queue_data(Instant now, Flow& f, FlowQueue::Packet packet) {
    f.last_used = now;
    Neighbor* n = neighbor(f.next);
    if (n == nullptr || !n->queue.push(f.flow_class, std::move(packet))) {
        ++counters.dropped_queue_full;
        return;
    }
    if (!gate(f.next, f.label_out)) {
        ++counters.dropped_window;  // it waits, and is dropped if the window stays shut
        consider_probe(now, f);
    }
}

void Router::Impl::flush(Instant now, Conversation& c, Flow& f) {
    while (!c.waiting.empty()) {
        if (now - c.waiting.front().since <= kWaitingAge) {
            seal_packet(now, f, c.waiting.front().plain);
        } else {
            ++counters.dropped_old;
        }
        c.waiting_bytes -= c.waiting.front().plain.size();
        c.waiting.pop_front();
    }
}

void Router::Impl::on_data(Instant now, NeighborId from, const DataMessage& data) {
    Flow* f = flow_by_in(from, data.label);
    if (f == nullptr || f->broken || (f->installing && f->role == FlowRole::kRelay)) {
        Neighbor* n = neighbor(from);
        if (n != nullptr && n->errors.take(now)) {
            ++counters.flow_errors;
            send_control(from, FlowError{data.label}.encode());
        }
        return;
    }
    if (f->role == FlowRole::kDestination) {
        return deliver(now, *f, data);
    }
    if (data.hops_left == 0) {
        ++counters.dropped_hop_limit;
        return;
    }
    const Neighbor* next = neighbor(f->next);
    if (!reachable(f->next) && (next == nullptr || now - next->down_since >= kNextHopPatience)) {
        return break_flow(now, *f);
    }
    ++counters.packets_forwarded;
    FlowQueue::Packet packet;
    packet.label = f->label_out;
    packet.sequence = data.sequence;
    packet.hops_left = static_cast<std::uint8_t>(data.hops_left - 1);
    packet.sealed.assign(data.sealed.begin(), data.sealed.end());
    packet.queued = now;
    queue_data(now, *f, std::move(packet));
}

void Router::Impl::deliver(Instant now, Flow& f, const DataMessage& data) {
    if (!f.replay.fresh(data.sequence)) {
        ++counters.dropped_replay;
        return;
    }
    const auto plain = aead_open(*f.key, data.sequence, {}, data.sealed);
    if (!plain) {
        ++counters.dropped_auth;
        return;
    }
    f.replay.mark(data.sequence);
    f.last_used = now;
    f.highest_sequence = std::max(f.highest_sequence, data.sequence);
    f.delivered_bytes += plain->size();
    if (const auto offer = offers.find(f.source); offer != offers.end() && !f.payer_is_destination) {
        offer->second.until = now + kOfferKept;  // an offer lives as long as the conversation
    }
    if (auto packet = restore_ip(*plain, address_of(f.source), own_address)) {
        if (to_host.size() < kHostPackets) {
            ++counters.packets_to_host;
            to_host.push_back(std::move(*packet));
        } else {
            ++counters.dropped_queue_full;
        }
    } else {
        ++counters.dropped_malformed;
    }
    if (f.paid()) {
        f.idle_at = now + kIdleStatement;
        consider_word(now, f);
        schedule(f);
    }
}

// ---- trouble ----

void Router::Impl::reject(NeighborId to, const FlowId& id, RejectReason reason) {
    ++counters.flows_refused;
    send_control(to, FlowReject{id, reason}.encode());
}

void Router::Impl::on_reject(Instant now, NeighborId from, ByteView body) {
    const auto m = FlowReject::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    const auto it = openings.find(m->flow);
    if (it == openings.end() || it->second.next != from) {
        return;
    }
    const Opening opening = std::move(it->second);
    openings.erase(it);
    if (opening.own) {
        opening_failed(now, opening, m->reason);
    } else {
        send_control(opening.prev, FlowReject{m->flow, m->reason}.encode());
    }
}

void Router::Impl::opening_failed(Instant now, const Opening& opening, RejectReason reason) {
    ++counters.flows_refused;
    const auto it = conversations.find(opening.conversation);
    if (it == conversations.end()) {
        return;
    }
    Conversation& c = it->second;
    c.opening.reset();
    if (reason == RejectReason::kNotOffered) {  // the offer was forgotten: we pay, or do not send
        offers.erase(opening.conversation.first);
        c.pay_ourselves = true;
        c.next_try = now;
    }
    waiting.insert(opening.conversation);
}

void Router::Impl::on_flow_error(Instant now, NeighborId from, ByteView body) {
    const auto m = FlowError::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    if (Flow* f = flow_by_out(from, m->label)) {
        break_flow(now, *f);
    }
}

void Router::Impl::break_flow(Instant now, Flow& f) {
    if (f.broken) {
        return;
    }
    f.broken = true;
    if (Neighbor* n = neighbor(f.next)) {
        n->queue.drop_flow(f.label_out);
    }
    if (f.role == FlowRole::kRelay) {
        ++counters.flow_errors;
        send_control(f.prev, FlowError{f.label_in}.encode());
        return;
    }
    const ConversationKey key{f.destination, f.flow_class};
    const auto it = conversations.find(key);
    if (f.role == FlowRole::kSource && it != conversations.end() && it->second.active == f.id) {
        it->second.active.reset();
        try_open(now, it->second, key);
    }
}

void Router::Impl::conversation_timeouts(Instant now) {
    for (auto it = openings.begin(); it != openings.end();) {
        Opening& o = it->second;
        if (!o.own) {
            it = now - o.since >= kOpeningKept ? openings.erase(it) : std::next(it);
            continue;
        }
        if (now < o.again_at) {
            ++it;
            continue;
        }
        if (o.tries >= kOpenTries || !reachable(o.next)) {
            const Opening failed = std::move(o);
            it = openings.erase(it);
            opening_failed(now, failed, RejectReason::kNoRoute);
            continue;
        }
        ++o.tries;
        o.again_at = now + kOpenRetry;
        send_control(o.next, o.open.encode());
        ++it;
    }
    for (auto it = waiting.begin(); it != waiting.end();) {
        Conversation& c = conversations.at(*it);
        while (!c.waiting.empty() && now - c.waiting.front().since > kWaitingAge) {
            c.waiting_bytes -= c.waiting.front().plain.size();
            c.waiting.pop_front();
            ++counters.dropped_old;
        }
        if (c.waiting.empty()) {
            it = waiting.erase(it);
            continue;
        }
        if (now >= c.next_try) {
            try_open(now, c, *it);
            c.next_try = std::max(c.next_try, now + 100ms);
        }
        ++it;
    }
}

void Router::Impl::sweep(Instant now) {
    std::vector<FlowId> gone;
    for (auto& [id, f] : flows) {
        if (f.last_used == Instant{}) {
            f.last_used = now;  // restored from the ledger: its age is counted from here
        }
        const bool settled = f.role == FlowRole::kSource ||
                             (f.upstream_acked >= f.best.bytes && f.delivered_bytes <= f.best.bytes) || !f.paid();
        const Duration idle = now - f.last_used;
        if (f.broken && idle >= kProofKept) {
            write_off(now, f);
        }
        if ((settled && idle >= kFlowIdle) || idle >= kDebtKept) {
            gone.push_back(id);
        }
    }
    for (const FlowId& id : gone) {
        remove_flow(id);
    }
    std::erase_if(offers, [&](const auto& o) { return now >= o.second.until; });
    std::erase_if(conversations, [&](const auto& item) {
        const Conversation& c = item.second;
        return now - c.last_used >= kFlowIdle && !c.opening && c.waiting.empty() && waiting.count(item.first) == 0;
    });
    for (auto& [link, n] : neighbors) {
        n.most_in_flight -= n.most_in_flight / 64;
        if (n.paused_since && now - *n.paused_since >= 10s) {
            n.window = std::max(n.window / 2, std::uint64_t{kLeastWindow});
            n.paused_since = now;
        }
    }
}

}  // namespace meshnet::net
