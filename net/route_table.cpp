// SPDX-License-Identifier: MIT
#include "net/route_table.hpp"

#include <algorithm>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kOutLimit = 8'192;
constexpr Duration kTriggerDelay = 40ms;  // lets several changes share a message
constexpr Duration kUrgentDelay = 5ms;    // a lost route
constexpr Duration kSweep = 1s;
constexpr Duration kForget = 180s;  // a source table entry outlives its routes (RFC 8966, 3.7.3)
constexpr Duration kRequestInterval = 500ms;
constexpr int kRequestRepeats = 4;
constexpr int kPeriodsPerSeqno = 8;
constexpr int kRetractions = 2;
constexpr std::uint32_t kSeqnosPerReservation = 2;  // a restarted neighbour has to ask for so many more than one
constexpr int kQuickRaises = 4;                     // on request; then one each update interval
constexpr Duration kEpoch = 24h;
constexpr Duration kDeliveryKept = 60s;  // until a measured delivery counts no more
constexpr Duration kOtherKept = 90s;     // we mention another instance so long after its newest signature
constexpr std::uint32_t kLastSeqno = 0xFFFF'FFFF;
constexpr std::uint32_t kLastEpoch = 0xFFFF'FFFF;
constexpr std::size_t kMaxOthers = 64;

}  // namespace

RouteTable::RouteTable(Config config, const Certificate& certificate, const SigningKey& device,
                       std::uint32_t first_seqno, const Ceilings& ceilings)
    : config_(config),
      certificate_(certificate),
      device_(device),
      self_(certificate.id()),
      seqno_(first_seqno),
      alarms_(self_) {
    own_instance_.boot = config_.boot;
    own_instance_.epoch = config_.epoch;
    next_seqno(Instant{});
    for (const auto& [id, ceiling] : ceilings) {
        if (id != self_ && destinations_.size() < config_.max_destinations) {
            Destination& d = destinations_[id];
            d.ceiling = ceiling.seqno;
            d.proofs.restore(ceiling.epoch);
            d.feasible =
                Distance{ceiling.seqno, 0};  // anything up to it may be an echo of what we advertised ourselves
        }
    }
}

void RouteTable::next_seqno(Instant now) {
    if (now >= epoch_until_) {
        own_instance_.epoch += epoch_until_ != Instant{} && own_instance_.epoch < kLastEpoch ? 1 : 0;
        epoch_until_ = now + kEpoch;
    }
    if (heard_seqno_ && *heard_seqno_ > seqno_) {
        seqno_ = *heard_seqno_;
    }
    heard_seqno_.reset();
    answer_ = false;
    answer_after_ = now + config_.update_interval;
    if (now >= other_until_) {
        own_instance_.other = 0;
    }
    own_instance_.alarm = alarms_.own_standing();
    seqno_ += seqno_ != kLastSeqno ? 1 : 0;
    own_signature_ =
        device_.sign(kRouteContext, RouteUpdate::signed_part(self_, seqno_, certificate_.serial, own_instance_));
    own_sent_to_.clear();
}

void RouteTable::push(NeighborId to, Bytes message) {
    if (out_.size() < kOutLimit) {
        out_.push_back({to, std::move(message)});
    } else {
        ++counters_.overflow;
    }
}

std::optional<RouteTable::Out> RouteTable::poll_message() {
    if (out_.empty()) {
        return std::nullopt;
    }
    Out out = std::move(out_.front());
    out_.pop_front();
    return out;
}

// RFC 8966, 3.5.1: feasible if there is no source entry, or the seqno is newer, or it is equal and the metric strictly
// smaller.
bool RouteTable::closer(std::uint32_t seqno, std::uint32_t airtime, const std::optional<Distance>& than) {
    return !than || seqno > than->seqno || (seqno == than->seqno && airtime < than->airtime);
}

bool RouteTable::is(NeighborId neighbor, const NodeId& id) const {
    const auto it = links_.find(neighbor);
    return it != links_.end() && it->second.id == id;
}

bool RouteTable::is_neighbor(const NodeId& id) const {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& item) { return item.second.id == id; });
}

bool RouteTable::feasible(const NodeId& id, const Destination& d, NeighborId via, const Route& route) const {
    // A destination that announces itself is never behind us.
    const std::uint32_t airtime = route.metric.airtime_us_per_kib;
    return (airtime == 0 && is(via, id)) || closer(route.seqno, airtime, d.feasible);
}

std::optional<RouteTable::Reservation> RouteTable::poll_reservation() {
    if (reservations_.empty()) {
        return std::nullopt;
    }
    Reservation r = reservations_.front();
    reservations_.pop_front();
    return r;
}

void RouteTable::reserved(Instant now, const NodeId& destination, const Ceiling& ceiling) {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end()) {
        return;
    }
    it->second.ceiling = ceiling.seqno;
    if (it->second.pending_ceiling == ceiling.seqno) {
        it->second.pending_ceiling.reset();
    }
    if (it->second.selected) {
        announce(now, it->second, false);
    }
}

RouteMetric RouteTable::metric_from_here(NeighborId via, const Route& route) const {
    const auto link = links_.find(via);
    return link == links_.end() ? RouteMetric{} : route.metric.over(link->second.metric);
}

std::uint64_t RouteTable::cost(Instant now, NeighborId via, const Route& route) const {
    const std::uint64_t whole = metric_from_here(via, route).cost(config_.weights);
    const Duration age = now - route.delivery.at;
    if (route.delivery.ratio >= 1.0F || age >= kDeliveryKept) {
        return whole;
    }
    const double faded = std::max(0.0, std::chrono::duration<double>(age) / kDeliveryKept);
    const double ratio = std::max(1e-3, route.delivery.ratio + (1.0 - route.delivery.ratio) * faded);
    return static_cast<std::uint64_t>(static_cast<double>(whole) / ratio);
}

bool RouteTable::usable(NeighborId via, const Route& route) const {
    return route.metric.reachable() && route.metric.hops < kMaxHops && metric_from_here(via, route).reachable();
}

void RouteTable::neighbor_up(Instant now, NeighborId neighbor, const NodeId& own, const LinkMetric& link) {
    links_[neighbor] = {own, link};
    own_sent_to_.erase(neighbor);
    send_own(neighbor, false);
    for (auto& [id, d] : destinations_) {
        d.sent_to.erase(neighbor);
        select(now, id, d);
        send_update(neighbor, id, d, true);
        if (const auto known = d.instances.others(now, 0); id == own && known.size() > 1) {
            for (const auto& statement : known) {
                notify(neighbor, id, d, statement);
            }
        }
    }
    if (!periodic_at_) {
        periodic_at_ = now + config_.update_interval;
    }
}

void RouteTable::neighbor_changed(Instant now, NeighborId neighbor, const LinkMetric& link) {
    const auto it = links_.find(neighbor);
    if (it == links_.end()) {
        return;
    }
    if (!it->second.metric.follow(link)) {
        return;
    }
    for (auto& [id, d] : destinations_) {
        if (d.routes.count(neighbor) != 0) {
            select(now, id, d);
        }
    }
}

void RouteTable::neighbor_down(Instant now, NeighborId neighbor) {
    if (links_.erase(neighbor) == 0) {
        return;
    }
    own_sent_to_.erase(neighbor);
    for (auto& [id, d] : destinations_) {
        d.sent_to.erase(neighbor);
        if (d.routes.erase(neighbor) != 0) {
            select(now, id, d);
        }
    }
    if (links_.empty()) {
        periodic_at_.reset();
    }
}

void RouteTable::set_price(Instant now, std::uint32_t msat_per_mib) {
    own_price_ = msat_per_mib;
    for (auto& [id, d] : destinations_) {
        announce(now, d, false);
    }
}

void RouteTable::learn(const Certificate& certificate) {
    const NodeId id = certificate.id();
    const auto it = destinations_.find(id);
    if (id == self_ || (it == destinations_.end() && destinations_.size() >= config_.max_destinations)) {
        return;
    }
    destinations_[id].proofs.learn(certificate);
    address_changes_ += by_address_.insert_or_assign(address_of(id), id).second ? 1 : 0;
}

// ---- the same key twice ----

void RouteTable::raise(Instant now, const NodeId& key) {
    ++counters_.key_evidence;
    if (!alarms_.evidence(now, key)) {
        return;
    }
    ++counters_.key_alarms;
    if (key == self_) {  // who relies on our key shall know soon
        answer_ = true;
        answer_after_ = now;
    }
}

void RouteTable::sweep_alarms(Instant now) {
    alarms_.sweep(now);
}

// A signature of our own key: an echo of ours, one of an earlier run of ours, or of another station.
void RouteTable::on_own_update(Instant now, const RouteUpdate& u) {
    if (!u.signature || u.serial != certificate_.serial || (!u.notice && !u.metric.reachable())) {
        return;
    }
    const auto known = others_.find(u.instance.boot);
    const bool ours = u.instance.boot == own_instance_.boot;
    const bool news = ours ? u.seqno > seqno_ : known == others_.end() || u.seqno > known->second;
    if (!news || !own_checks_.take(now) ||
        !verify(device_.public_key(), kRouteContext, RouteUpdate::signed_part(self_, u.seqno, u.serial, u.instance),
                *u.signature)) {
        return;
    }
    if (u.instance.epoch > own_instance_.epoch) {
        own_instance_.epoch = u.instance.epoch + (ours || u.instance.epoch == kLastEpoch ? 0 : 1);
        answer_ = true;
    }
    if (u.seqno > heard_seqno_.value_or(seqno_)) {
        heard_seqno_ = u.seqno;  // if our state was lost, we continue above it
        answer_ = true;
    }
    if (!ours) {
        on_other_instance(now, u);
    } else if (config_.boot != 0) {
        raise(now, self_);  // a copy of this process
    }
    answer_other_instance(now);
}

// An earlier run of ours can have signed anything but our own number, which nobody knew before we started. Whoever
// signs that has run since, as we have.
void RouteTable::on_other_instance(Instant now, const RouteUpdate& u) {
    if (others_.count(u.instance.boot) == 0) {
        answer_ = true;  // the first time: answered at once
        answer_after_ = std::min(answer_after_, now);
        if (others_.size() >= kMaxOthers) {
            others_.erase(others_.begin());
        }
    }
    others_[u.instance.boot] = u.seqno;
    own_instance_.other = u.instance.boot;
    other_until_ = now + kOtherKept;
    if (u.instance.other == own_instance_.boot) {
        raise(now, self_);
    }
}

// At most once an update interval but for the first few, and once a second station is proven only with the regular
// change of the seqno: two stations that each insist on the newest would never come to rest.
void RouteTable::answer_other_instance(Instant now) {
    if (answer_ && (now >= answer_after_ || quick_answers_ > 0)) {
        quick_answers_ = std::max(0, quick_answers_ - 1);
        next_seqno(now);
        if (alarms_.own_standing()) {
            quick_answers_ = 0;
            answer_after_ = now + kPeriodsPerSeqno * config_.update_interval;
        }
        triggered_at_ = now + kUrgentDelay;
    }
}

// A verified signature that was not seen before.
void RouteTable::observe(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& u) {
    const KeyInstances::Statement statement{u.seqno, u.instance, *u.signature, now};
    const bool recent = d.instances.add(now, statement);
    if (recent && u.instance.alarm && u.instance.other != 0) {
        raise(now, id);  // only who has the key can say so
    }
    const auto others = d.instances.others(now, u.instance.boot);
    if (others.empty()) {
        return;
    }
    if (recent && d.selected && *d.selected != from) {
        notify(*d.selected, id, d, statement);  // towards another instance, if that is where the route leads
    }
    if (is(from, id)) {
        for (const auto& other : others) {
            notify(from, id, d, other);
        }
    }
}

void RouteTable::notify(NeighborId to, const NodeId& id, const Destination& d,
                        const KeyInstances::Statement& statement) {
    const Certificate* certificate = d.proofs.certificate();
    if (certificate == nullptr) {
        return;
    }
    RouteUpdate u;
    u.notice = true;
    u.destination = id;
    u.seqno = statement.seqno;
    u.serial = certificate->serial;
    u.signature = statement.signature;
    u.instance = statement.instance;
    ++counters_.key_notices;
    push(to, u.encode());
}

// ---- routes ----

void RouteTable::on_retraction(Instant now, NeighborId from, const NodeId& id) {
    const auto it = destinations_.find(id);
    if (it != destinations_.end() && it->second.routes.erase(from) != 0) {
        select(now, id, it->second);
    }
}

// RFC 8966, 3.5.3: route acquisition.
void RouteTable::on_update(Instant now, NeighborId from, const RouteUpdate& u, Session session) {
    if (links_.count(from) == 0) {
        return;
    }
    ++counters_.updates;
    if (u.destination == self_) {
        return on_own_update(now, u);
    }
    if (!u.metric.reachable() && !u.notice) {
        return on_retraction(now, from, u.destination);
    }
    auto it = destinations_.find(u.destination);
    if (it == destinations_.end()) {
        if (u.notice) {
            return;
        }
        if (destinations_.size() >= config_.max_destinations) {
            ++counters_.overflow;
            return;
        }
        it = destinations_.emplace(u.destination, Destination{}).first;
        it->second.forget_at = now + kForget;
    }
    Destination& d = it->second;
    const RouteProofs::Verdict verdict = d.proofs.verify(u, counters_.verified);
    if (verdict.new_certificate) {
        d.sent_to.clear();
    }
    if (!verdict.genuine) {
        ++counters_.refused;
        if (!u.notice && (!u.signature || d.proofs.certificate() == nullptr)) {
            push(from, RouteRequest{u.destination}.encode());
        }
        return;
    }
    if (verdict.new_signature) {
        observe(now, from, u.destination, d, u);
    }
    if (u.notice) {
        return;
    }
    const bool from_itself = is(from, u.destination) && u.metric.airtime_us_per_kib == 0;
    if (u.signature && from_itself && session == Session::kNewest && d.instances.back_again(u.instance.boot)) {
        raise(now, u.destination);
    }
    address_changes_ += by_address_.insert_or_assign(address_of(u.destination), u.destination).second ? 1 : 0;
    Route received{u.seqno, u.metric, now + config_.update_interval * 7 / 2, {}};
    if (!feasible(u.destination, d, from, received) && d.selected == from) {
        // 3.5.3: an unfeasible update of the chosen route may be ignored; it then expires unless a new seqno comes.
        request_seqno(now, u.destination, d);
        return;
    }
    if (const auto known = d.routes.find(from); known != d.routes.end()) {
        received.delivery = known->second.delivery;
    }
    d.routes[from] = received;
    select(now, u.destination, d);
}

// The chosen route, although another is cheaper: changing often costs more than it gains (RFC 8966, 3.6).
bool RouteTable::keep_selected(Instant now, const NodeId& id, const Destination& d, std::uint64_t best_cost) const {
    const auto current = d.routes.find(*d.selected);
    if (current == d.routes.end() || !usable(current->first, current->second) ||
        !feasible(id, d, current->first, current->second)) {
        return false;
    }
    const std::uint64_t current_cost = cost(now, current->first, current->second);
    const bool better = best_cost * 10 < current_cost * 9;
    const bool much_better = best_cost * 2 < current_cost;
    return !much_better && (!better || now - d.selected_since < config_.hold);
}

// RFC 8966, 3.6: the cheapest of the feasible routes.
void RouteTable::select(Instant now, const NodeId& id, Destination& d) {
    std::optional<NeighborId> best;
    std::uint64_t best_cost = 0;
    bool blocked = false;
    for (const auto& [via, route] : d.routes) {
        if (!usable(via, route)) {
            continue;
        }
        if (!feasible(id, d, via, route)) {
            blocked = true;
            continue;
        }
        const std::uint64_t c = cost(now, via, route);
        if (!best || c < best_cost) {
            best = via;
            best_cost = c;
        }
    }
    const auto before = d.selected;
    if (before && best && *best != *before && keep_selected(now, id, d, best_cost)) {
        best = before;
    }
    d.selected = best;
    if (best) {
        const Route& route = d.routes.at(*best);
        if (best != before) {
            d.selected_since = now;
        }
        d.request_repeats = 0;
        d.retractions = kRetractions;
        if (best != before || route.seqno != d.advertised_seqno ||
            metric_from_here(*best, route).differs_notably(d.advertised)) {
            announce(now, d, false);
        }
        return;
    }
    if (before) {
        d.forget_at = now + kForget;
        announce(now, d, true);
    }
    if (blocked) {
        request_seqno(now, id, d);
    }
}

// RFC 8966, 3.7.2: triggered updates.
void RouteTable::announce(Instant now, Destination& d, bool urgent) {
    d.announce = true;
    const Instant at = now + (urgent ? kUrgentDelay : kTriggerDelay);
    triggered_at_ = earliest(triggered_at_, at);
}

// RFC 8966, 3.8.2.1: no feasible route is left, or the chosen one stopped being feasible.
void RouteTable::request_seqno(Instant now, const NodeId& id, Destination& d) {
    if (!d.feasible || now < d.request_again) {
        return;
    }
    d.requested_seqno = d.feasible->seqno + 1;
    d.request_again = now + kRequestInterval;
    ++d.request_repeats;
    ++counters_.seqno_requests;
    for (const auto& [via, route] : d.routes) {
        push(via, SeqnoRequest{id, d.requested_seqno, kMaxHops}.encode());
    }
}

void RouteTable::on_route_request(NeighborId from, const RouteRequest& request) {
    if (links_.count(from) == 0) {
        return;
    }
    if (request.destination == self_) {
        send_own(from, true);
        return;
    }
    const auto it = destinations_.find(request.destination);
    if (it != destinations_.end()) {
        send_update(from, it->first, it->second, true);
    }
}

void RouteTable::on_seqno_request(Instant now, NeighborId from, const SeqnoRequest& request) {
    if (links_.count(from) == 0) {
        return;
    }
    if (request.destination == self_) {
        if (request.seqno > seqno_) {
            requested_ = std::max(request.seqno, requested_.value_or(0));
            answer_request(now);
        } else {
            send_own(from, false);
        }
        return;
    }
    const auto it = destinations_.find(request.destination);
    if (it == destinations_.end()) {
        return;
    }
    Destination& d = it->second;
    if (d.selected && request.seqno <= d.routes.at(*d.selected).seqno) {
        send_update(from, it->first, d, false);
        return;
    }
    if (request.hops_left == 0 || (d.requested_seqno == request.seqno && now < d.request_again)) {
        return;
    }
    for (const auto& [via, route] : d.routes) {
        if (via != from && usable(via, route) && (!d.selected || via == *d.selected)) {
            d.requested_seqno = request.seqno;
            d.request_again = now + kRequestInterval;
            push(via, SeqnoRequest{request.destination, request.seqno, static_cast<std::uint8_t>(request.hops_left - 1)}
                          .encode());
            return;
        }
    }
}

// A step costs an interval, of which a few are had in advance: whatever is requested, our seqno grows no faster.
void RouteTable::answer_request(Instant now) {
    while (requested_ && seqno_ < *requested_) {
        const Instant after = std::max(raise_credit_, now) + config_.update_interval;
        if (after > now + kQuickRaises * config_.update_interval) {
            return;
        }
        raise_credit_ = after;
        next_seqno(now);
        triggered_at_ = now + kUrgentDelay;
        if (*requested_ - std::min(*requested_, seqno_) > kQuickRaises) {
            break;  // nobody who asks for so much will get it
        }
    }
    requested_.reset();
}

void RouteTable::send_own(NeighborId to, bool complete) {
    RouteUpdate u;
    u.destination = self_;
    u.seqno = seqno_;
    u.metric = RouteMetric::origin();
    u.serial = certificate_.serial;
    const auto sent = own_sent_to_.find(to);
    if (complete || sent == own_sent_to_.end() || sent->second != seqno_) {
        u.signature = own_signature_;
        u.instance = own_instance_;
        own_sent_to_[to] = seqno_;
    }
    if (complete) {
        u.certificate = certificate_;
    }
    push(to, u.encode());
}

void RouteTable::send_update(NeighborId to, const NodeId& id, Destination& d, bool complete) {
    RouteUpdate u;
    u.destination = id;
    if (!d.selected) {
        if (d.retractions > 0) {
            push(to, u.encode());  // its metric is unreachable
        }
        return;
    }
    if (*d.selected == to) {
        return;  // split horizon (RFC 8966, 3.7.4)
    }
    const Route& route = d.routes.at(*d.selected);
    const RouteMetric metric = metric_from_here(*d.selected, route);
    const Certificate* certificate = d.proofs.certificate();
    const RouteProofs::Proof* proof = d.proofs.find(route.seqno);
    if (certificate == nullptr || proof == nullptr || !metric.reachable()) {
        return;
    }
    if (!d.ceiling || route.seqno > *d.ceiling) {
        if (!d.pending_ceiling || route.seqno > *d.pending_ceiling) {
            d.pending_ceiling =
                route.seqno > kLastSeqno - kSeqnosPerReservation ? kLastSeqno : route.seqno + kSeqnosPerReservation;
            reservations_.push_back({id, Ceiling{*d.pending_ceiling, d.proofs.epoch()}});
        }
        return;  // reserved() announces it
    }
    u.seqno = route.seqno;
    u.metric = metric.charging(own_price_);
    u.serial = certificate->serial;
    const auto sent = d.sent_to.find(to);
    const bool first = sent == d.sent_to.end();
    if (complete || first) {
        u.certificate = *certificate;
    }
    if (complete || first || sent->second != route.seqno) {
        u.signature = proof->signature;
        u.instance = proof->instance;
        d.sent_to[to] = route.seqno;
    }
    // 3.7.3: the source table holds the best we ever advertised.
    if (closer(route.seqno, metric.airtime_us_per_kib, d.feasible)) {
        d.feasible = Distance{route.seqno, metric.airtime_us_per_kib};
    }
    push(to, u.encode());
}

void RouteTable::send_all(bool only_due) {
    for (const auto& [neighbor, link] : links_) {
        if (!only_due || own_sent_to_.count(neighbor) == 0) {
            send_own(neighbor, false);
        }
    }
    for (auto& [id, d] : destinations_) {
        if (only_due && !d.announce) {
            continue;
        }
        for (const auto& [neighbor, link] : links_) {
            send_update(neighbor, id, d, false);
        }
        if (d.selected) {
            const Route& route = d.routes.at(*d.selected);
            d.advertised_seqno = route.seqno;
            d.advertised = metric_from_here(*d.selected, route);
        } else if (d.retractions > 0) {
            --d.retractions;
        }
        d.announce = false;
    }
}

void RouteTable::on_timeout(Instant now) {
    latest_ = now;
    answer_other_instance(now);
    if (triggered_at_ && now >= *triggered_at_) {
        triggered_at_.reset();
        send_all(true);
    }
    if (periodic_at_ && now >= *periodic_at_) {
        if (++periods_ % kPeriodsPerSeqno == 0) {
            next_seqno(now);
        }
        send_all(false);
        periodic_at_ = now + config_.update_interval;
    }
    if (now >= sweep_at_) {
        sweep_at_ = now + kSweep;
        sweep(now);
    }
}

void RouteTable::sweep(Instant now) {
    for (auto it = destinations_.begin(); it != destinations_.end();) {
        Destination& d = it->second;
        if (d.forget_at == Instant{}) {
            d.forget_at = now + kForget;
        }
        const bool lost = std::erase_if(d.routes, [&](const auto& r) { return now >= r.second.expires; }) != 0;
        if (lost || (!d.selected && !d.routes.empty() && d.request_repeats < kRequestRepeats)) {
            select(now, it->first, d);
        }
        if (d.routes.empty() && now >= d.forget_at && !is_neighbor(it->first)) {
            if (d.ceiling || d.pending_ceiling) {
                reservations_.push_back({it->first, std::nullopt});
            }
            by_address_.erase(address_of(it->first));
            ++address_changes_;
            it = destinations_.erase(it);
        } else {
            ++it;
        }
    }
}

std::optional<Instant> RouteTable::next_timeout() const {
    auto next = earliest(triggered_at_, periodic_at_);
    if (answer_) {
        next = earliest(next, answer_after_);
    }
    return destinations_.empty() ? next : earliest(next, sweep_at_);
}

std::optional<RouteTable::Selected> RouteTable::lookup(const NodeId& destination) const {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end() || !it->second.selected) {
        return std::nullopt;
    }
    const NeighborId via = *it->second.selected;
    return Selected{via, metric_from_here(via, it->second.routes.at(via))};
}

std::optional<NodeId> RouteTable::id_of(const Address& address) const {
    const auto it = by_address_.find(address);
    return it == by_address_.end() ? std::nullopt : std::optional(it->second);
}

std::vector<Address> RouteTable::addresses() const {
    std::vector<Address> out;
    for (const auto& [address, id] : by_address_) {
        out.push_back(address);
    }
    return out;
}

const Certificate* RouteTable::certificate_of(const NodeId& id) const {
    const auto it = destinations_.find(id);
    return it == destinations_.end() ? nullptr : it->second.proofs.certificate();
}

std::vector<NeighborId> RouteTable::successors(const NodeId& destination) const {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end()) {
        return {};
    }
    std::vector<std::pair<std::uint64_t, NeighborId>> found;
    for (const auto& [via, route] : it->second.routes) {
        if (usable(via, route) && feasible(destination, it->second, via, route)) {
            found.emplace_back(cost(latest_, via, route), via);
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<NeighborId> out;
    for (const auto& [c, via] : found) {
        out.push_back(via);
    }
    return out;
}

void RouteTable::on_delivery(Instant now, const NodeId& destination, NeighborId via, double ratio) {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end() || !(ratio >= 0.0)) {
        return;
    }
    const auto route = it->second.routes.find(via);
    if (route != it->second.routes.end()) {
        route->second.delivery = {static_cast<float>(std::min(ratio, 1.0)), now};
        select(now, destination, it->second);
    }
}

std::vector<RouteTable::View> RouteTable::routes() const {
    std::vector<View> out;
    for (const auto& [id, d] : destinations_) {
        for (const auto& [via, route] : d.routes) {
            View v;
            v.destination = id;
            v.next_hop = via;
            v.seqno = route.seqno;
            v.metric = metric_from_here(via, route);
            v.selected = d.selected == via;
            v.feasible = usable(via, route) && feasible(id, d, via, route);
            out.push_back(v);
        }
    }
    return out;
}

}  // namespace meshnet::net
