// SPDX-License-Identifier: MIT
// Flows: opened hop by hop along the routes, carried by label, opened again when their path breaks.
#include <algorithm>

#include "net/router_impl.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kOffersReturn = 1;

Bytes flow_prologue(const FlowOpen& open) {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(as_bytes("meshnet flow v1"));
    w.bytes(open.source.id());
    w.bytes(open.destination);
    w.bytes(open.nonce);
    return out;
}

}  // namespace

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

// ---- opening ----

void Router::Impl::try_open(Instant now, Conversation& c, const ConversationKey& key) {
    if (c.opening || now < c.next_try) {
        return;
    }
    const auto route = routes.lookup(key.first);
    const Certificate* certificate = routes.certificate_of(key.first);
    if (!route || certificate == nullptr || !reachable(route->next_hop) || openings.size() >= kMaxOpening) {
        return;  // conversation_timeouts() tries again while packets wait
    }
    c.next_try = now + kReopenPause;
    Opening o;
    o.own = true;
    o.next = route->next_hop;
    o.since = now;
    o.again_at = now + kOpenRetry;
    o.tries = 1;
    o.conversation = key;
    FlowOpen& m = o.open;
    const auto offer = offers.find(key.first);
    m.payer_is_destination = offer != offers.end() && now < offer->second.until && !c.pay_ourselves;
    m.flow_class = key.second;
    m.destination = key.first;
    random.fill(m.nonce);
    m.unit_bytes = config.unit_bytes;
    m.max_units = kChainUnits;
    const auto own_limit = config.pay ? static_cast<std::uint32_t>(config.max_price_msat_per_mib) : 0U;
    m.max_price = m.payer_is_destination ? offer->second.max_price : own_limit;
    m.source = self.certificate;
    o.noise.emplace(NoisePattern::kIK, true, flow_prologue(m), self.exchange_secret, random_key(random),
                    certificate->exchange);
    // Who opens a conversation pays for both ways: it says so to the other end only.
    Bytes payload;
    ByteWriter w(payload);
    w.u8(m.payer_is_destination || !config.pay ? 0 : kOffersReturn);
    w.u32(own_limit);
    if (!o.noise->write(payload, m.noise)) {
        return;
    }
    m.signature = self.device.sign(kOpenContext, m.signed_part());
    const FlowId id = m.id();
    c.opening = id;
    send_control(o.next, m.encode());
    openings.emplace(id, std::move(o));
    waiting.insert(key);
}

void Router::Impl::on_open(Instant now, NeighborId from, Neighbor& n, ByteView body) {
    const auto open = FlowOpen::decode(body);
    if (!open) {
        ++counters.dropped_malformed;
        return;
    }
    if (!n.opens.take(now)) {
        ++counters.flows_refused;
        return;
    }
    const FlowId id = open->id();
    if (Flow* f = flow(id)) {  // our answer was lost
        if (f->prev == from && f->accept && !f->installing) {
            send_control(from, f->accept->encode());
        }
        return;
    }
    if (const auto it = openings.find(id); it != openings.end()) {
        if (!it->second.own && it->second.prev == from && now - it->second.again_at >= 300ms) {
            it->second.again_at = now;
            FlowOpen next = it->second.open;
            send_control(it->second.next, next.encode());
        }
        return;
    }
    if (open->price_so_far > open->max_price) {
        return reject(from, id, RejectReason::kPrice);
    }
    // The certificate vouches for the key, the key for the message: two verifications, after all that was cheap.
    Bytes certificate;
    open->source.encode(certificate);
    const Certificate* known = routes.certificate_of(open->source.id());
    const bool certified = (known != nullptr && *known == open->source) || Certificate::decode(certificate).has_value();
    const bool outdated = known != nullptr && known->serial > open->source.serial;
    if (!certified || outdated || open->source.id() == self.id ||
        !verify(open->source.signing, kOpenContext, open->signed_part(), open->signature)) {
        return reject(from, id, RejectReason::kRefused);
    }
    if (open->destination == self.id) {
        accept_open(now, from, *open);
    } else {
        relay_open(now, from, *open);
    }
}

void Router::Impl::relay_open(Instant now, NeighborId from, const FlowOpen& open) {
    const FlowId id = open.id();
    const std::uint64_t price = std::uint64_t{open.price_so_far} + config.price_msat_per_mib;
    if (price > open.max_price) {
        return reject(from, id, RejectReason::kPrice);
    }
    const auto route = routes.lookup(open.destination);
    if (!route || route->next_hop == from || !reachable(route->next_hop) || open.hops_left == 0) {
        return reject(from, id, RejectReason::kNoRoute);
    }
    if (openings.size() >= kMaxOpening || !make_room()) {
        return reject(from, id, RejectReason::kFull);
    }
    Opening o;
    o.open = open;
    o.open.price_so_far = static_cast<std::uint32_t>(price);
    o.open.hops_left = static_cast<std::uint8_t>(open.hops_left - 1);
    o.price_before = open.price_so_far;
    o.prev = from;
    o.next = route->next_hop;
    o.since = now;
    o.again_at = now;
    send_control(o.next, o.open.encode());
    openings.emplace(id, std::move(o));
}

void Router::Impl::accept_open(Instant now, NeighborId from, const FlowOpen& open) {
    const FlowId id = open.id();
    const NodeId source = open.source.id();
    NoiseHandshake noise(NoisePattern::kIK, false, flow_prologue(open), self.exchange_secret, random_key(random));
    const auto payload = noise.read(open.noise);
    if (!payload || payload->size() != 5 || noise.remote_static() != open.source.exchange) {
        return reject(from, id, RejectReason::kRefused);
    }
    if (open.payer_is_destination) {
        // We pay for what we asked for: only while a flow of ours to that node, which made the offer, is in use.
        const bool asked = std::any_of(flows.begin(), flows.end(), [&](const auto& item) {
            const Flow& f = item.second;
            return f.role == FlowRole::kSource && f.destination == source && !f.payer_is_destination && f.key &&
                   now - f.last_used < kOfferKept;
        });
        if (!asked || !config.pay) {
            return reject(from, id, RejectReason::kNotOffered);
        }
        if (open.price_so_far > config.max_price_msat_per_mib) {
            return reject(from, id, RejectReason::kPrice);
        }
    }
    if (!make_room()) {
        return reject(from, id, RejectReason::kFull);
    }
    if ((*payload)[0] == kOffersReturn) {
        offers[source] = {ByteReader(ByteView(*payload).subspan(1)).u32(), now + kOfferKept};
        for (const FlowClass c : {FlowClass::kInteractive, FlowClass::kBulk}) {
            const auto it = conversations.find({source, c});
            if (it == conversations.end()) {
                continue;
            }
            it->second.pay_ourselves = false;
            Flow* active = it->second.active ? flow(*it->second.active) : nullptr;
            if (active != nullptr && active->paid() && !active->payer_is_destination) {
                it->second.active.reset();  // from now on the other end pays; what was ours is settled
                active->broken = true;
            }
        }
    }
    Flow f;
    f.id = id;
    f.role = FlowRole::kDestination;
    f.flow_class = open.flow_class;
    f.payer_is_destination = open.payer_is_destination;
    f.source = source;
    f.destination = self.id;
    f.prev = from;
    f.prev_id = neighbor(from)->id;
    f.label_in = unused_label(from);
    f.unit_bytes = open.unit_bytes;
    f.max_units = open.max_units;
    f.total_price = open.price_so_far;
    f.pay_price = open.payer_is_destination ? open.price_so_far : 0;
    f.destination_key = self.device.public_key();
    Word last{};
    random.fill(last);
    f.chain = HashChain(id, f.paid() ? open.max_units : 1, last);
    f.word = f.chain.word(0);
    FlowAccept accept;
    accept.label = f.label_in;
    accept.flow = id;
    accept.total_price = f.total_price;
    accept.anchor = f.word;
    if (!noise.write({}, accept.noise)) {
        return reject(from, id, RejectReason::kRefused);
    }
    f.key = noise.split().receive;
    accept.signature = self.device.sign(kAcceptContext, accept.signed_part());
    f.accept = accept;
    ++counters.flows_opened;
    add_flow(now, std::move(f));
    send_control(from, accept.encode());
}

void Router::Impl::on_accept(Instant now, NeighborId from, ByteView body) {
    const auto accept = FlowAccept::decode(body);
    if (!accept) {
        ++counters.dropped_malformed;
        return;
    }
    const auto it = openings.find(accept->flow);
    if (it == openings.end() || it->second.next != from || flow(accept->flow) != nullptr ||
        by_out.count({from, accept->label}) != 0) {
        return;
    }
    const FlowOpen& open = it->second.open;
    const Certificate* destination = routes.certificate_of(open.destination);
    if (accept->total_price > open.max_price || accept->total_price < open.price_so_far || destination == nullptr ||
        !verify(destination->signing, kAcceptContext, accept->signed_part(), accept->signature)) {
        ++counters.flows_refused;
        return;
    }
    const Opening opening = std::move(it->second);
    openings.erase(it);
    if (opening.own) {
        accepted_as_source(now, *accept, opening);
    } else {
        accepted_as_relay(now, *accept, opening, destination->signing);
    }
}

void Router::Impl::accepted_as_source(Instant now, const FlowAccept& accept, Opening opening) {
    const FlowOpen& open = opening.open;
    const auto it = conversations.find(opening.conversation);
    if (it == conversations.end()) {
        return;
    }
    it->second.opening.reset();
    const auto payload = opening.noise->read(accept.noise);
    if (!payload || !make_room()) {
        ++counters.flows_refused;
        return;
    }
    Flow f;
    f.id = accept.flow;
    f.role = FlowRole::kSource;
    f.flow_class = open.flow_class;
    f.payer_is_destination = open.payer_is_destination;
    f.source = self.id;
    f.destination = open.destination;
    f.next = opening.next;
    f.next_id = neighbor(opening.next)->id;
    f.label_out = accept.label;
    f.unit_bytes = open.unit_bytes;
    f.max_units = open.max_units;
    f.total_price = accept.total_price;
    f.pay_price = open.payer_is_destination ? 0 : accept.total_price;
    f.destination_key = routes.certificate_of(open.destination)->signing;
    f.word = accept.anchor;
    f.key = opening.noise->split().send;
    f.installing = true;
    ++counters.flows_opened;
    Flow& added = *add_flow(now, std::move(f));
    if (added.paid()) {
        to_store.push_back({0, InFlight::Kind::kInstall, added.id, {}, {}, {}, 0});
    } else {
        installed(now, added);
    }
}

void Router::Impl::accepted_as_relay(Instant now, const FlowAccept& accept, const Opening& opening,
                                     const Key32& destination_key) {
    const FlowOpen& open = opening.open;
    if (!make_room()) {
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
    f.prev_id = neighbor(opening.prev)->id;
    f.next = opening.next;
    f.next_id = neighbor(opening.next)->id;
    f.label_in = unused_label(opening.prev);
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
    f.destination_key = destination_key;
    f.word = accept.anchor;
    f.installing = true;
    f.accept = accept;
    f.accept->label = f.label_in;
    ++counters.flows_opened;
    Flow& added = *add_flow(now, std::move(f));
    if (added.paid()) {
        // Nobody upstream may send before this flow would survive a crash of ours.
        to_store.push_back({0, InFlight::Kind::kInstall, added.id, {}, {}, {}, 0});
    } else {
        installed(now, added);
    }
}

void Router::Impl::installed(Instant now, Flow& f) {
    f.installing = false;
    if (f.role == FlowRole::kRelay) {
        send_control(f.prev, f.accept->encode());
        return;
    }
    const auto it = conversations.find({f.destination, f.flow_class});
    if (f.role != FlowRole::kSource || it == conversations.end()) {
        return;
    }
    Conversation& c = it->second;
    if (Flow* old = c.active ? flow(*c.active) : nullptr) {
        old->broken = true;  // replaced; only its receipts are still of interest
    }
    c.active = f.id;
    flush(now, c, f);
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
