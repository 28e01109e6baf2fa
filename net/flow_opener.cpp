// SPDX-License-Identifier: MIT
#include "net/flow_opener.hpp"

#include <algorithm>
#include <utility>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kOffersReturn = 1;
constexpr std::size_t kMaxConversations = 512;
constexpr std::size_t kWaitingBytes = 65'536;  // of a conversation without a flow
constexpr Duration kOpenRetry = 900ms;
constexpr int kOpenTries = 4;
constexpr Duration kAnswerBase = 400ms;   // of an open: until another neighbour is asked
constexpr Duration kAnswerOfHop = 150ms;  // every relay writes to its disk; who is nearest to the loss asks first
constexpr std::size_t kMostAsked = 3;     // neighbours that a relay asks for one open
constexpr std::size_t kMostOwnAsked = 4;  // openings of one conversation at once
constexpr Duration kFailedKept = 30s;
constexpr Duration kReopenPause = 500ms;      // between attempts to open a flow
constexpr Duration kOpeningKept = 15s;        // a relay waits so long for an answer
constexpr Duration kOpenRepeatPause = 300ms;  // a repeated FLOW_OPEN is forwarded at most so often
constexpr Duration kConversationPause = 100ms;
constexpr Duration kPassPause = 1s;  // between attempts while a pass is waited for
constexpr Duration kConversationIdle = 600s;
constexpr std::size_t kOwnOpening = 32;         // places for flows of our own host
constexpr std::size_t kOpeningOfNeighbor = 64;  // of one neighbour
constexpr std::uint64_t kTolerance = 100;       // msat per MiB, beside a share of what was advertised

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

/// Nearly all paywords or nonces of the flow are used: time to open its successor.
bool nearly_used_up(const Flow& f) {
    return f.forwarded_bytes / f.unit_bytes >= std::uint64_t{f.max_units} / 8 * 7 || f.next_sequence > 0xF000'0000;
}

}  // namespace

// ---- packets of our own host ----

void FlowOpener::send(Instant now, const NodeId& destination, const IpView& packet) {
    const ConversationKey key{destination, class_of(packet), p_.returns.answers(now, destination, packet)};
    Bytes plain = compress_ip(packet);
    auto it = conversations_.find(key);
    if (it == conversations_.end()) {
        if (conversations_.size() >= kMaxConversations) {
            ++p_.counters.dropped_queue_full;
            return;
        }
        it = conversations_.emplace(key, Conversation{}).first;
    }
    Conversation& c = it->second;
    c.last_used = now;
    Flow* f = c.active ? p_.flows.find(*c.active) : nullptr;
    if (f != nullptr && !f->broken && still_good(now, c, key, *f)) {
        f = c.active ? p_.flows.find(*c.active) : nullptr;  // the second may have taken its place
    } else {
        f = nullptr;
    }
    if (f != nullptr) {
        Flow& by = lane(now, c, key, *f);
        watch_soon(now, by);
        return p_.forwarder.send(now, by, plain);
    }
    if (c.waiting_bytes + plain.size() > kWaitingBytes) {
        ++p_.counters.dropped_queue_full;
        return;
    }
    c.waiting_bytes += plain.size();
    c.waiting.push_back({std::move(plain), now});
    waiting_.insert(key);
    open(now, c, key);
}

// The next packet may go by this flow. Opens its successor if a better way is known, or it is nearly used up; ends it
// if it is of no more use.
bool FlowOpener::still_good(Instant now, Conversation& c, const ConversationKey& key, Flow& f) {
    const bool too_dear = f.pay_price > 0 && !p_.spend.allows(now, f.destination);
    if (p_.credit.payer_alarmed(f) || too_dear) {
        break_own_flow(now, f);  // the next is free, or the other end pays, or there is none
        return false;
    }
    const auto route = p_.routes.lookup(key.destination);
    const bool elsewhere = route && route->next_hop != f.next && p_.links.reachable(route->next_hop) &&
                           c.failed.count(route->next_hop) == 0;
    if ((elsewhere && !p_.links.reachable(f.next)) || (!route && p_.links.lost(now, f.next))) {
        break_own_flow(now, f);
        return c.active.has_value();
    }
    if (elsewhere && promote_second(c, route->next_hop)) {
        return true;
    }
    if ((elsewhere || nearly_used_up(f)) && !c.opening) {
        open(now, c, key);  // this one goes on until the other is there
    }
    return f.forwarded_bytes / f.unit_bytes < f.max_units && f.next_sequence <= Forwarder::kLastSequence;
}

// What we pay for one way at most: what our neighbour advertised, and a little for what changes on the way.
std::uint32_t FlowOpener::fair_price(std::uint64_t advertised, std::uint64_t tenths) const {
    return static_cast<std::uint32_t>(std::min(config_.max_price_msat_per_mib, advertised * tenths / 10 + kTolerance));
}

std::uint64_t FlowOpener::advertised_price(const NodeId& other) const {
    const auto route = p_.routes.lookup(other);
    return route ? route->metric.price_msat_per_mib : 0;
}

std::optional<RouteTable::Selected> FlowOpener::way_to(Instant now, Conversation& c, const NodeId& id) const {
    std::erase_if(c.failed, [now](const auto& f) { return now - f.second >= kFailedKept; });
    const auto route = p_.routes.lookup(id);
    if (c.failed.empty() || (route && c.failed.count(route->next_hop) == 0)) {
        return route;
    }
    std::optional<RouteTable::Selected> longest_ago = route;
    for (const RouteTable::Selected& way : p_.routes.ways(id)) {
        if (!p_.links.reachable(way.next_hop)) {
            continue;
        }
        const auto failed = c.failed.find(way.next_hop);
        if (failed == c.failed.end()) {
            return way;
        }
        const auto best = longest_ago ? c.failed.find(longest_ago->next_hop) : c.failed.end();
        if (best == c.failed.end() || failed->second < best->second) {
            longest_ago = way;
        }
    }
    return longest_ago;  // in turn, since each may have found another way meanwhile
}

void FlowOpener::open(Instant now, Conversation& c, const ConversationKey& key) {
    if (c.opening || now < c.next_try) {
        return;
    }
    const auto route = way_to(now, c, key.destination);
    const Certificate* certificate = p_.routes.certificate_of(key.destination);
    const auto pending = std::count_if(openings_.begin(), openings_.end(), [&](const auto& item) {
        return item.second.own && item.second.conversation == key;
    });
    if (!route || certificate == nullptr || !p_.links.reachable(route->next_hop) || openings_.size() >= kMaxOpening ||
        static_cast<std::size_t>(pending) >= kMostOwnAsked) {
        return;  // on_timeout() tries again while packets wait
    }
    c.next_try = now + kReopenPause;
    c.opening = open_by(now, key, *route, false);
    if (const auto it = c.opening ? openings_.find(*c.opening) : openings_.end(); it != openings_.end()) {
        it->second.wanted = !c.active;
    }
    waiting_.insert(key);
}

// Preconditions: the neighbour is reachable, the destination's certificate known, openings_ has room.
std::optional<FlowId> FlowOpener::open_by(Instant now, const ConversationKey& key, const RouteTable::Selected& route,
                                          bool second) {
    const Certificate* certificate = p_.routes.certificate_of(key.destination);
    Opening o;
    o.own = true;
    o.second = second;
    o.next = route.next_hop;
    o.since = now;
    o.again_at = now + answer_time(route.metric);
    o.tries = 1;
    o.conversation = key;
    FlowOpen& m = o.open;
    const auto offer = p_.offers.find(now, key.destination);
    const KeyAlarms& alarms = p_.routes.alarms();
    m.payer_is_destination = offer && !alarms.standing(key.destination) && !alarms.own_standing();
    m.flow_class = key.flow_class;
    m.destination = key.destination;
    p_.random.fill(m.nonce);
    m.unit_bytes = config_.unit_bytes;
    m.max_units = kMaxUnits;
    const bool pay = config_.pay && !key.answer && !alarms.own_standing() && p_.spend.allows(now, key.destination);
    const std::uint64_t advertised = route.metric.price_msat_per_mib;
    const std::uint32_t own_limit = pay ? fair_price(advertised, 12) : 0U;
    m.max_price = m.payer_is_destination ? *offer : own_limit;
    m.source = p_.self.certificate;
    o.noise.emplace(NoisePattern::kIK, true, flow_prologue(m), p_.self.exchange_secret, random_key(p_.random),
                    certificate->exchange);
    // Who opens a conversation pays for both ways: the offer is encrypted for the other end only.
    Bytes payload;
    ByteWriter w(payload);
    w.u8(m.payer_is_destination || !pay ? 0 : kOffersReturn);
    w.u32(pay ? fair_price(advertised, 20) : 0U);
    if (!o.noise->write(payload, m.noise)) {
        return std::nullopt;
    }
    m.signature = p_.self.device.sign(kOpenContext, m.signed_part());
    const FlowId id = m.id();
    p_.links.send_control(o.next, m.encode());
    openings_.emplace(id, std::move(o));
    return id;
}

// ---- FLOW_OPEN ----

void FlowOpener::on_open(Instant now, NeighborId from, ByteView body) {
    const auto open = FlowOpen::decode(body);
    if (!open) {
        ++p_.counters.dropped_malformed;
        return;
    }
    if (!p_.links.within_limit(now, from, LinkTable::Effort::kOpen)) {
        ++p_.counters.flows_refused;
        return;
    }
    const FlowId id = open->id();
    if (const Flow* f = p_.flows.find(id)) {  // our answer was lost
        if (f->prev == from && f->accept && !f->installing) {
            p_.links.send_control(from, f->accept->encode());
        }
        return;
    }
    if (const auto it = openings_.find(id); it != openings_.end()) {
        Opening& o = it->second;
        if (o.own || o.prev != from) {
            return reject(from, id, RejectReason::kNoRoute);  // it went in a circle
        }
        if (now - o.again_at >= kOpenRepeatPause) {
            o.again_at = now;
            p_.links.send_control(o.next, o.open.encode());
        }
        return;
    }
    if (open->price_so_far > open->max_price) {
        return reject(from, id, RejectReason::kPrice);
    }
    // The certificate authenticates the key, the key the message: two verifications, after the cheap checks.
    Bytes certificate;
    open->source.encode(certificate);
    const Certificate* known = p_.routes.certificate_of(open->source.id());
    const bool certified = (known != nullptr && *known == open->source) || Certificate::decode(certificate).has_value();
    const bool outdated = known != nullptr && known->serial > open->source.serial;
    if (!certified || outdated || open->source.id() == p_.self.id ||
        !verify(open->source.signing, kOpenContext, open->signed_part(), open->signature)) {
        return reject(from, id, RejectReason::kRefused);
    }
    if (alarmed(from, *open)) {
        ++p_.counters.flows_refused_alarm;
        return reject(from, id, RejectReason::kRefused);
    }
    if (open->destination == p_.self.id) {
        accept_open(now, from, *open);
    } else {
        relay_open(now, from, *open);
    }
}

// A flow is refused if it may cost something and two stations use the key that would pay us: that of the end that pays,
// of the neighbour between, or our own.
bool FlowOpener::alarmed(NeighborId from, const FlowOpen& open) const {
    const KeyAlarms& alarms = p_.routes.alarms();
    const bool to_us = open.destination == p_.self.id;
    if (to_us ? open.price_so_far == 0 : open.max_price == 0) {
        return false;
    }
    const auto route = p_.routes.lookup(open.destination);
    const NeighborId payer = open.payer_is_destination ? (route ? route->next_hop : 0) : from;
    const LinkTable::Neighbor* n = p_.links.find(payer);
    const bool we_pay = alarms.own_standing() && (!to_us || open.payer_is_destination);
    return we_pay || alarms.standing(open.payer_is_destination ? open.destination : open.source.id()) ||
           (n != nullptr && alarms.standing(n->id));
}

void FlowOpener::relay_open(Instant now, NeighborId from, const FlowOpen& open) {
    const FlowId id = open.id();
    const std::uint64_t price = std::uint64_t{open.price_so_far} + config_.price_msat_per_mib;
    if (price > open.max_price) {
        return reject(from, id, RejectReason::kPrice);
    }
    const auto route = p_.routes.lookup(open.destination);
    if (!route || route->next_hop == from || !p_.links.reachable(route->next_hop) || open.hops_left == 0) {
        return reject(from, id, RejectReason::kNoRoute);
    }
    if (const auto reason = unwilling_to_carry(from, open, route->next_hop, price)) {
        return reject(from, id, *reason);
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
    o.tried = {o.next};
    o.divert_at = now + answer_time(route->metric);
    p_.links.send_control(o.next, o.open.encode());
    openings_.emplace(id, std::move(o));
}

// A neighbour that would pay and owes too much, or that holds its share of the table already.
std::optional<RejectReason> FlowOpener::unwilling_to_carry(NeighborId from, const FlowOpen& open, NeighborId next,
                                                           std::uint64_t price) const {
    const NeighborId payer = open.payer_is_destination ? next : from;
    if (price > config_.highest_price_msat_per_mib) {
        return RejectReason::kPrice;
    }
    if (price > 0 && p_.credit.out_of_credit(p_.links.find(payer)->id)) {
        ++p_.counters.flows_refused_credit;
        return RejectReason::kCredit;
    }
    std::size_t all = 0;
    std::size_t of_neighbor = 0;
    for (const auto& [id, o] : openings_) {
        all += o.own ? 0 : 1;
        of_neighbor += !o.own && o.prev == from ? 1 : 0;
    }
    if (all >= kMaxOpening - kOwnOpening || of_neighbor >= kOpeningOfNeighbor ||
        !p_.flows.make_room(p_.links.find(from)->id)) {
        ++p_.counters.flows_refused_quota;
        return RejectReason::kFull;
    }
    return std::nullopt;
}

// A flow of ours to `node` offers to pay for what comes back: one in use, or one that is being opened, since its offer
// is read before its accept is.
bool FlowOpener::offers_to_pay(Instant now, const NodeId& node) const {
    const FlowTable& flows = p_.flows;
    return std::any_of(flows.begin(), flows.end(),
                       [&](const auto& item) {
                           const Flow& f = item.second;
                           return f.role == FlowRole::kSource && f.destination == node && !f.payer_is_destination &&
                                  !f.answer && f.key && now - f.last_used < PaymentOffers::kKept;
                       }) ||
           std::any_of(openings_.begin(), openings_.end(), [&](const auto& item) {
               const Opening& o = item.second;
               return o.own && o.conversation.destination == node && !o.conversation.answer &&
                      !o.open.payer_is_destination && o.open.max_price > 0;
           });
}

// We pay for a flow towards us only while a flow of ours to its source makes the offer.
std::optional<RejectReason> FlowOpener::unwilling_to_pay(Instant now, const FlowOpen& open) const {
    if (!open.payer_is_destination) {
        return std::nullopt;
    }
    const NodeId source = open.source.id();
    if (!offers_to_pay(now, source) || !config_.pay || !p_.spend.allows(now, source) ||
        !p_.returns.may_pay(source, 1)) {
        return RejectReason::kNotOffered;
    }
    return open.price_so_far > fair_price(advertised_price(source), 20) ? std::optional(RejectReason::kPrice)
                                                                        : std::nullopt;
}

// The source pays for what we send back: flows of ours that we pay for are replaced.
void FlowOpener::take_offer(Instant now, const NodeId& source, std::uint32_t max_price) {
    p_.offers.put(now, source, max_price);
    for (const FlowClass c : {FlowClass::kInteractive, FlowClass::kBulk}) {
        const auto it = conversations_.find({source, c, true});
        Flow* active = it == conversations_.end() || !it->second.active ? nullptr : p_.flows.find(*it->second.active);
        if (active != nullptr && !active->payer_is_destination) {
            end_second(now, it->second);
            it->second.active.reset();
            active->broken = true;
        }
    }
}

void FlowOpener::accept_open(Instant now, NeighborId from, const FlowOpen& open) {
    const FlowId id = open.id();
    const NodeId source = open.source.id();
    NoiseHandshake noise(NoisePattern::kIK, false, flow_prologue(open), p_.self.exchange_secret, random_key(p_.random));
    const auto payload = noise.read(open.noise);
    if (!payload || payload->size() != 5 || noise.remote_static() != open.source.exchange) {
        return reject(from, id, RejectReason::kRefused);
    }
    if (const auto reason = unwilling_to_pay(now, open)) {
        return reject(from, id, *reason);
    }
    if (!p_.flows.make_room(p_.links.find(from)->id)) {
        return reject(from, id, RejectReason::kFull);
    }
    if ((*payload)[0] == kOffersReturn) {
        take_offer(now, source, ByteReader(ByteView(*payload).subspan(1)).u32());
    }
    Flow f;
    f.id = id;
    f.role = FlowRole::kDestination;
    f.flow_class = open.flow_class;
    f.payer_is_destination = open.payer_is_destination;
    f.source = source;
    f.destination = p_.self.id;
    f.prev = from;
    f.prev_id = p_.links.find(from)->id;
    f.label_in = p_.flows.unused_label(from);
    f.unit_bytes = open.unit_bytes;
    f.max_units = open.max_units;
    f.total_price = open.price_so_far;
    f.pay_price = open.payer_is_destination ? open.price_so_far : 0;
    f.destination_key = p_.self.device.public_key();
    Payword last{};
    p_.random.fill(last);
    f.chain = HashChain(id, open.max_units, last);
    f.payword = f.chain.payword(0);
    FlowAccept accept;
    accept.label = f.label_in;
    accept.flow = id;
    accept.total_price = f.total_price;
    accept.chain_root = f.payword;
    if (!noise.write({}, accept.noise)) {
        return reject(from, id, RejectReason::kRefused);
    }
    f.key = noise.split().receive;
    accept.signature = p_.self.device.sign(kAcceptContext, accept.signed_part());
    f.accept = accept;
    ++p_.counters.flows_opened;
    add_flow(now, std::move(f));
    p_.links.send_control(from, accept.encode());
}

// ---- time ----

void FlowOpener::on_session_up() {
    for (const auto& [key, c] : conversations_) {
        if (!c.waiting.empty()) {
            waiting_.insert(key);
        }
    }
}

void FlowOpener::on_timeout(Instant now) {
    retry_openings(now);
    retry_conversations(now);
    if (watch_at_ && now >= *watch_at_) {
        watch_flows(now);
    }
}

Duration FlowOpener::answer_time(const RouteMetric& metric) {
    return kAnswerBase + std::int64_t{metric.hops} * Duration{kAnswerOfHop} +
           4 * std::chrono::milliseconds(std::min(metric.delay_ms, 2'000U));
}

// A relay that gets no answer asks another neighbour; the first to answer is taken. Those farther away do so later, so
// that whoever is nearest to the loss finds the way around it.
bool FlowOpener::divert(Instant now, Opening& o) {
    o.divert_at.reset();
    if (o.tried.size() >= kMostAsked) {
        return false;
    }
    for (const RouteTable::Selected& way : p_.routes.ways(o.open.destination)) {
        if (way.next_hop == o.prev || o.asked(way.next_hop) || !p_.links.reachable(way.next_hop)) {
            continue;
        }
        o.next = way.next_hop;
        o.tried.push_back(o.next);
        o.divert_at = now + answer_time(way.metric);
        p_.links.send_control(o.next, o.open.encode());
        return true;
    }
    return false;
}

void FlowOpener::retry_openings(Instant now) {
    for (auto it = openings_.begin(); it != openings_.end();) {
        Opening& o = it->second;
        if (!o.own && o.divert_at && now >= *o.divert_at) {
            o.silent.push_back(o.next);
            p_.routes.on_answer(now, o.open.destination, o.next, false);
            (void)divert(now, o);
        }
        it = !o.own && now - o.since >= kOpeningKept ? openings_.erase(it) : std::next(it);
    }
    retry_own(now);
}

// Another neighbour is asked beside the one that does not answer; the first to answer is taken.
void FlowOpener::ask_another(Instant now, Opening& o) {
    o.overdue = true;
    o.again_at = o.since + kOpeningKept;
    const auto it = conversations_.find(o.conversation);
    if (it == conversations_.end()) {
        return;
    }
    Conversation& c = it->second;
    c.failed[o.next] = now;
    p_.routes.on_answer(now, o.open.destination, o.next, false);
    c.opening.reset();
    c.next_try = now;
    waiting_.insert(o.conversation);
}

bool FlowOpener::another_way(const Opening& o) const {
    const LinkTable::Neighbor* next = p_.links.find(o.next);
    if (next != nullptr && next->id == o.open.destination) {
        return false;
    }
    const auto it = conversations_.find(o.conversation);
    const auto ways = p_.routes.ways(o.open.destination);
    return std::any_of(ways.begin(), ways.end(), [&](const RouteTable::Selected& way) {
        return way.next_hop != o.next && p_.links.reachable(way.next_hop) &&
               (it == conversations_.end() || it->second.failed.count(way.next_hop) == 0);
    });
}

void FlowOpener::retry_own(Instant now) {
    for (auto it = openings_.begin(); it != openings_.end();) {
        Opening& o = it->second;
        if (!o.own || now < o.again_at) {
            ++it;
            continue;
        }
        if (o.overdue) {
            it = openings_.erase(it);
            continue;
        }
        if (o.wanted && p_.links.reachable(o.next) && another_way(o)) {
            ask_another(now, o);
            ++it;
            continue;
        }
        if (o.tries >= kOpenTries || o.second || !p_.links.reachable(o.next)) {
            const Opening failed = std::move(o);
            it = openings_.erase(it);
            opening_failed(now, failed, RejectReason::kNoRoute);
            continue;
        }
        ++o.tries;
        o.again_at = now + kOpenRetry;
        p_.links.send_control(o.next, o.open.encode());
        ++it;
    }
}

void FlowOpener::retry_conversations(Instant now) {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
        Conversation& c = conversations_.at(*it);
        const Duration longest = c.waiting.empty() ? Duration{} : keep_waiting(now, c, *it);
        while (!c.waiting.empty() && now - c.waiting.front().since > longest) {
            ++p_.counters.dropped_old;
            give_up_front(c, *it, why_waiting(c, *it));
        }
        if (c.waiting.empty()) {
            it = waiting_.erase(it);
            continue;
        }
        if (now >= c.next_try) {
            open(now, c, *it);
            c.next_try = std::max(c.next_try, now + (longest > kWaitingAge ? kPassPause : kConversationPause));
        }
        ++it;
    }
}

std::optional<Instant> FlowOpener::next_timeout() const {
    std::optional<Instant> next = watch_at_;
    for (const auto& [id, o] : openings_) {
        next = earliest(next, o.own ? o.again_at : o.divert_at.value_or(o.since + kOpeningKept));
    }
    for (const auto& key : waiting_) {
        next = earliest(next, conversations_.at(key).next_try);
    }
    return next;
}

void FlowOpener::sweep(Instant now) {
    std::erase_if(conversations_, [&](const auto& item) {
        const Conversation& c = item.second;
        return now - c.last_used >= kConversationIdle && !c.opening && !c.second_opening && c.waiting.empty() &&
               waiting_.count(item.first) == 0;
    });
    watch_flows(now);
}

// The first packets of a flow are proven soon, or it is left soon.
void FlowOpener::watch_soon(Instant now, const Flow& f) {
    if (FlowWatch::fresh(f)) {
        watch_at_ = earliest(watch_at_, now + FlowWatch::kAgain);
    }
}

// Packets leave, and the destination proves none: who is nearest to the loss leaves that way, the source opens again.
void FlowOpener::watch_flows(Instant now) {
    watch_at_.reset();
    left_.clear();
    for (auto& [id, f] : p_.flows) {
        if (f.broken || f.installing || f.role == FlowRole::kDestination) {
            continue;
        }
        switch (watch_.look(now, f)) {
            case FlowWatch::Verdict::kFine:
                break;
            case FlowWatch::Verdict::kWaiting:
                watch_at_ = now + FlowWatch::kAgain;
                break;

            case FlowWatch::Verdict::kLeave:
                ++p_.counters.flows_left;
                left_.push_back(id);
                break;
        }
    }
    for (const FlowId& id : std::exchange(left_, {})) {
        Flow* f = p_.flows.find(id);
        if (f != nullptr && f->role == FlowRole::kSource) {
            break_own_flow(now, *f);
        } else if (f != nullptr) {
            p_.forwarder.break_flow(*f);
        }
    }
}

}  // namespace meshnet::net
