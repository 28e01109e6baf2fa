// SPDX-License-Identifier: MIT
// Opening a flow: hop by hop along the routes, priced on the way, accepted by the destination, installed on the way
// back.
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

}  // namespace meshnet::net
