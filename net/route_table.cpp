// SPDX-License-Identifier: MIT
#include "net/route_table.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::size_t kProofs = 4;
constexpr std::size_t kOutLimit = 8'192;
constexpr Duration kTriggerDelay = 40ms;  // lets several changes share a message
constexpr Duration kUrgentDelay = 5ms;    // a lost route
constexpr Duration kSweep = 1s;
constexpr Duration kForget = 180s;  // a source table entry outlives its routes (RFC 8966, 3.7.3)
constexpr Duration kRequestInterval = 500ms;
constexpr int kRequestRepeats = 4;
constexpr int kPeriodsPerSeqno = 8;
constexpr int kRetractions = 2;
constexpr std::uint16_t kSeqnosPerReservation = 16;  // a write per destination every eight minutes
constexpr std::uint16_t kLongestJump = 1'024;        // of our own seqno, because a neighbour asked

std::uint32_t add(std::uint32_t a, std::uint32_t b) noexcept {
    return a > kUnreachable - b ? kUnreachable : a + b;
}

std::uint16_t add16(unsigned a, unsigned b) noexcept {
    return static_cast<std::uint16_t>(std::min(a + b, 0xFFFFU));
}

bool differs(std::uint32_t a, std::uint32_t b, unsigned percent) noexcept {
    const std::uint64_t high = std::max(a, b);
    const std::uint64_t low = std::min(a, b);
    return (high - low) * 100 > low * percent;
}

}  // namespace

RouteTable::RouteTable(Config config, const Certificate& certificate, const SigningKey& device,
                       std::uint16_t first_seqno, const Ceilings& ceilings)
    : config_(config), certificate_(certificate), device_(device), self_(certificate.id()), seqno_(first_seqno) {
    next_seqno();
    for (const auto& [id, ceiling] : ceilings) {
        if (id != self_ && destinations_.size() < config_.max_destinations) {
            Destination& d = destinations_[id];
            d.ceiling = ceiling;
            d.feasible = Distance{ceiling, 0};  // anything up to it may be an echo of what we said ourselves
        }
    }
}

void RouteTable::next_seqno() {
    ++seqno_;
    own_proof_ = device_.sign(kRouteContext, RouteUpdate::signed_part(self_, seqno_, certificate_.serial));
    own_told_.clear();
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
bool RouteTable::closer(std::uint16_t seqno, std::uint32_t airtime, const std::optional<Distance>& than) {
    return !than || seqno_newer(seqno, than->seqno) || (seqno == than->seqno && airtime < than->airtime);
}

bool RouteTable::feasible(const NodeId& id, const Destination& d, NeighborId via, const Route& route) {
    // A destination that speaks for itself is never behind us.
    return (route.airtime == 0 && link_of(id) == via) || closer(route.seqno, route.airtime, d.feasible);
}

std::optional<RouteTable::Reservation> RouteTable::poll_reservation() {
    if (reservations_.empty()) {
        return std::nullopt;
    }
    Reservation r = reservations_.front();
    reservations_.pop_front();
    return r;
}

void RouteTable::reserved(Instant now, const NodeId& destination, std::uint16_t ceiling) {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end()) {
        return;
    }
    it->second.ceiling = ceiling;
    if (it->second.asked == ceiling) {
        it->second.asked.reset();
    }
    if (it->second.selected) {
        announce(now, it->second, false);
    }
}

std::uint32_t RouteTable::total_airtime(NeighborId via, const Route& route) const {
    const auto link = links_.find(via);
    return link == links_.end() ? kUnreachable : add(route.airtime, link->second.airtime);
}

std::uint64_t RouteTable::cost(NeighborId via, const Route& route) const {
    const auto link = links_.find(via);
    const std::uint64_t delay = route.delay_ms + (link == links_.end() ? 0U : link->second.delay_ms);
    return std::uint64_t{total_airtime(via, route)} + std::uint64_t{route.price} * config_.us_per_msat +
           delay * config_.us_per_ms;
}

bool RouteTable::usable(NeighborId via, const Route& route) const {
    return route.airtime != kUnreachable && route.hops < kMaxHops && total_airtime(via, route) != kUnreachable;
}

void RouteTable::neighbor_up(Instant now, NeighborId neighbor, std::uint32_t airtime, std::uint16_t delay_ms) {
    links_[neighbor] = {std::max(airtime, 1U), delay_ms};
    own_told_.erase(neighbor);
    send_own(neighbor, false);
    for (auto& [id, d] : destinations_) {
        d.told.erase(neighbor);
        select(now, id, d);
        send_update(now, neighbor, id, d, true);
    }
    if (!periodic_at_) {
        periodic_at_ = now + config_.update_interval;
    }
}

void RouteTable::neighbor_changed(Instant now, NeighborId neighbor, std::uint32_t airtime, std::uint16_t delay_ms) {
    const auto it = links_.find(neighbor);
    airtime = std::max(airtime, 1U);
    if (it == links_.end() || (!differs(it->second.airtime, airtime, 20) && it->second.delay_ms == delay_ms)) {
        return;
    }
    if (differs(it->second.airtime, airtime, 20)) {
        it->second.airtime = airtime;
    }
    it->second.delay_ms = delay_ms;
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
    own_told_.erase(neighbor);
    for (auto& [id, d] : destinations_) {
        d.told.erase(neighbor);
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
    Destination& d = destinations_[id];
    if (!d.certificate || d.certificate->serial < certificate.serial) {
        d.certificate = certificate;
        d.proofs.clear();
    }
    by_address_[address_of(id)] = id;
}

bool RouteTable::prove(Destination& d, const RouteUpdate& u) {
    if (u.certificate && (!d.certificate || d.certificate->serial < u.certificate->serial) &&
        u.certificate->id() == u.destination) {
        Bytes encoded;
        u.certificate->encode(encoded);
        ++counters_.verified;
        if (const auto c = Certificate::decode(encoded)) {
            d.certificate = c;
            d.proofs.clear();
            d.told.clear();
        }
    }
    if (!d.certificate || d.certificate->serial != u.serial) {
        return false;
    }
    for (const Proof& p : d.proofs) {
        if (p.seqno == u.seqno && p.serial == u.serial) {
            return true;
        }
    }
    if (!u.signature) {
        return false;
    }
    ++counters_.verified;
    if (!verify(d.certificate->signing, kRouteContext, RouteUpdate::signed_part(u.destination, u.seqno, u.serial),
                *u.signature)) {
        return false;
    }
    d.proofs.push_back({u.seqno, u.serial, *u.signature});
    if (d.proofs.size() > kProofs) {
        d.proofs.pop_front();
    }
    return true;
}

void RouteTable::on_update(Instant now, NeighborId from, const RouteUpdate& u) {
    if (links_.count(from) == 0) {
        return;
    }
    ++counters_.updates;
    if (u.destination == self_) {
        // Our own signature over a number we do not remember giving: we lost our memory. Go on above it.
        if (u.signature && u.airtime_us_per_kib != kUnreachable && u.serial == certificate_.serial &&
            seqno_newer(u.seqno, seqno_) &&
            verify(device_.public_key(), kRouteContext, RouteUpdate::signed_part(self_, u.seqno, u.serial),
                   *u.signature)) {
            seqno_ = u.seqno;
            next_seqno();
            triggered_at_ = now + kUrgentDelay;
        }
        return;
    }
    auto it = destinations_.find(u.destination);
    if (u.airtime_us_per_kib == kUnreachable) {
        if (it != destinations_.end() && it->second.routes.erase(from) != 0) {
            select(now, u.destination, it->second);
        }
        return;
    }
    if (it == destinations_.end()) {
        if (destinations_.size() >= config_.max_destinations) {
            ++counters_.overflow;
            return;
        }
        it = destinations_.emplace(u.destination, Destination{}).first;
        it->second.forget_at = now + kForget;
    }
    Destination& d = it->second;
    if (!prove(d, u)) {
        ++counters_.refused;
        if (!u.signature || !d.certificate) {
            push(from, RouteRequest{u.destination}.encode());
        }
        return;
    }
    by_address_[address_of(u.destination)] = u.destination;
    const Route heard{
        u.seqno, u.airtime_us_per_kib, u.price_msat_per_mib, u.delay_ms, u.hops, now + config_.update_interval * 7 / 2};
    if (!feasible(u.destination, d, from, heard) && d.selected == from) {
        // 3.5.3: an unfeasible update of the chosen route may be ignored; it then expires unless a new seqno comes.
        request_seqno(now, u.destination, d);
        return;
    }
    d.routes[from] = heard;
    select(now, u.destination, d);
}

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
        const std::uint64_t c = cost(via, route);
        if (!best || c < best_cost) {
            best = via;
            best_cost = c;
        }
    }
    const auto before = d.selected;
    if (d.selected && best && *best != *d.selected) {
        const auto current = d.routes.find(*d.selected);
        if (current != d.routes.end() && usable(current->first, current->second) &&
            feasible(id, d, current->first, current->second)) {
            const std::uint64_t current_cost = cost(current->first, current->second);
            const bool better = best_cost * 10 < current_cost * 9;
            const bool much_better = best_cost * 2 < current_cost;
            if (!much_better && (!better || now - d.selected_since < config_.hold)) {
                best = d.selected;
            }
        }
    }
    d.selected = best;
    if (best) {
        const Route& route = d.routes.at(*best);
        const std::uint32_t airtime = total_airtime(*best, route);
        if (best != before) {
            d.selected_since = now;
        }
        d.request_repeats = 0;
        d.retractions = kRetractions;
        if (best != before || route.seqno != d.said_seqno || differs(airtime, d.said_airtime, 25) ||
            route.price != d.said_price) {
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

void RouteTable::announce(Instant now, Destination& d, bool urgent) {
    d.announce = true;
    const Instant at = now + (urgent ? kUrgentDelay : kTriggerDelay);
    triggered_at_ = triggered_at_ ? std::min(*triggered_at_, at) : at;
}

void RouteTable::request_seqno(Instant now, const NodeId& id, Destination& d) {
    if (!d.feasible || now < d.request_again) {
        return;
    }
    d.requested_seqno = static_cast<std::uint16_t>(d.feasible->seqno + 1);
    d.request_again = now + kRequestInterval;
    ++d.request_repeats;
    ++counters_.seqno_requests;
    for (const auto& [via, route] : d.routes) {
        push(via, SeqnoRequest{id, d.requested_seqno, kMaxHops}.encode());
    }
}

void RouteTable::on_route_request(Instant now, NeighborId from, const RouteRequest& request) {
    if (links_.count(from) == 0) {
        return;
    }
    if (request.destination == self_) {
        send_own(from, true);
        return;
    }
    const auto it = destinations_.find(request.destination);
    if (it != destinations_.end()) {
        send_update(now, from, it->first, it->second, true);
    }
}

void RouteTable::on_seqno_request(Instant now, NeighborId from, const SeqnoRequest& request) {
    if (links_.count(from) == 0) {
        return;
    }
    if (request.destination == self_) {
        const auto ahead = static_cast<std::uint16_t>(request.seqno - seqno_);
        if (ahead != 0 && ahead <= kLongestJump) {
            seqno_ = static_cast<std::uint16_t>(request.seqno - 1);
            next_seqno();
            triggered_at_ = now + kUrgentDelay;
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
    if (d.selected && !seqno_newer(request.seqno, d.routes.at(*d.selected).seqno)) {
        send_update(now, from, it->first, d, false);
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

void RouteTable::send_own(NeighborId to, bool complete) {
    RouteUpdate u;
    u.destination = self_;
    u.seqno = seqno_;
    u.serial = certificate_.serial;
    const auto told = own_told_.find(to);
    if (complete || told == own_told_.end() || told->second != seqno_) {
        u.signature = own_proof_;
        own_told_[to] = seqno_;
    }
    if (complete) {
        u.certificate = certificate_;
    }
    push(to, u.encode());
}

void RouteTable::send_update(Instant now, NeighborId to, const NodeId& id, Destination& d, bool complete) {
    (void)now;
    RouteUpdate u;
    u.destination = id;
    if (!d.selected) {
        if (d.retractions > 0) {
            u.airtime_us_per_kib = kUnreachable;
            push(to, u.encode());
        }
        return;
    }
    if (*d.selected == to) {
        return;  // split horizon
    }
    const Route& route = d.routes.at(*d.selected);
    const auto proof =
        std::find_if(d.proofs.begin(), d.proofs.end(), [&](const Proof& p) { return p.seqno == route.seqno; });
    const auto link = links_.find(*d.selected);
    const std::uint32_t airtime = total_airtime(*d.selected, route);
    if (!d.certificate || proof == d.proofs.end() || link == links_.end() || airtime == kUnreachable) {
        return;
    }
    if (!d.ceiling || seqno_newer(route.seqno, *d.ceiling)) {
        if (!d.asked || seqno_newer(route.seqno, *d.asked)) {
            d.asked = static_cast<std::uint16_t>(route.seqno + kSeqnosPerReservation);
            reservations_.push_back({id, d.asked});
        }
        return;  // reserved() announces it
    }
    u.seqno = route.seqno;
    u.airtime_us_per_kib = airtime;
    u.price_msat_per_mib = add(route.price, own_price_);
    u.delay_ms = add16(route.delay_ms, link->second.delay_ms);
    u.hops = static_cast<std::uint8_t>(route.hops + 1);
    u.serial = d.certificate->serial;
    const auto told = d.told.find(to);
    if (complete || told == d.told.end()) {
        u.certificate = d.certificate;
    }
    if (complete || told == d.told.end() || told->second != route.seqno) {
        u.signature = proof->signature;
        d.told[to] = route.seqno;
    }
    if (closer(route.seqno, airtime, d.feasible)) {  // 3.7.3: the source table holds the best we ever advertised
        d.feasible = Distance{route.seqno, airtime};
    }
    push(to, u.encode());
}

void RouteTable::send_all(Instant now, bool only_due) {
    for (const auto& [neighbor, link] : links_) {
        const auto told = own_told_.find(neighbor);
        if (!only_due || told == own_told_.end()) {
            send_own(neighbor, false);
        }
    }
    for (auto& [id, d] : destinations_) {
        if (only_due && !d.announce) {
            continue;
        }
        for (const auto& [neighbor, link] : links_) {
            send_update(now, neighbor, id, d, false);
        }
        if (d.selected) {
            const Route& route = d.routes.at(*d.selected);
            d.said_seqno = route.seqno;
            d.said_airtime = total_airtime(*d.selected, route);
            d.said_price = route.price;
        } else if (d.retractions > 0) {
            --d.retractions;
        }
        d.announce = false;
    }
}

void RouteTable::on_timeout(Instant now) {
    if (triggered_at_ && now >= *triggered_at_) {
        triggered_at_.reset();
        send_all(now, true);
    }
    if (periodic_at_ && now >= *periodic_at_) {
        if (++periods_ % kPeriodsPerSeqno == 0) {
            next_seqno();
        }
        send_all(now, false);
        periodic_at_ = now + config_.update_interval;
    }
    if (now < sweep_at_) {
        return;
    }
    sweep_at_ = now + kSweep;
    for (auto it = destinations_.begin(); it != destinations_.end();) {
        Destination& d = it->second;
        if (d.forget_at == Instant{}) {
            d.forget_at = now + kForget;
        }
        const bool lost = std::erase_if(d.routes, [&](const auto& r) { return now >= r.second.expires; }) != 0;
        if (lost || (!d.selected && !d.routes.empty() && d.request_repeats < kRequestRepeats)) {
            select(now, it->first, d);
        }
        if (d.routes.empty() && now >= d.forget_at && links_.count(link_of(it->first)) == 0) {
            if (d.ceiling || d.asked) {
                reservations_.push_back({it->first, std::nullopt});
            }
            by_address_.erase(address_of(it->first));
            it = destinations_.erase(it);
        } else {
            ++it;
        }
    }
}

std::optional<Instant> RouteTable::next_timeout() const {
    std::optional<Instant> next;
    const auto consider = [&](Instant at) { next = next ? std::min(*next, at) : at; };
    if (triggered_at_) consider(*triggered_at_);
    if (periodic_at_) consider(*periodic_at_);
    if (!destinations_.empty()) consider(sweep_at_);
    return next;
}

std::optional<RouteTable::Selected> RouteTable::lookup(const NodeId& destination) const {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end() || !it->second.selected) {
        return std::nullopt;
    }
    const NeighborId via = *it->second.selected;
    const Route& route = it->second.routes.at(via);
    const auto link = links_.find(via);
    const unsigned delay = link == links_.end() ? 0U : link->second.delay_ms;
    return Selected{via, total_airtime(via, route), route.price, add16(route.delay_ms, delay),
                    static_cast<std::uint8_t>(route.hops + 1)};
}

std::optional<NeighborId> RouteTable::alternative(const NodeId& destination, NeighborId avoid) const {
    const auto it = destinations_.find(destination);
    if (it == destinations_.end()) {
        return std::nullopt;
    }
    std::optional<NeighborId> best;
    for (const auto& [via, route] : it->second.routes) {
        if (via != avoid && usable(via, route) && feasible(destination, it->second, via, route) &&
            (!best || cost(via, route) < cost(*best, it->second.routes.at(*best)))) {
            best = via;
        }
    }
    return best;
}

std::optional<NodeId> RouteTable::id_of(const Address& address) const {
    const auto it = by_address_.find(address);
    return it == by_address_.end() ? std::nullopt : std::optional(it->second);
}

const Certificate* RouteTable::certificate_of(const NodeId& id) const {
    const auto it = destinations_.find(id);
    return it == destinations_.end() || !it->second.certificate ? nullptr : &*it->second.certificate;
}

std::vector<RouteTable::View> RouteTable::routes() const {
    std::vector<View> out;
    for (const auto& [id, d] : destinations_) {
        for (const auto& [via, route] : d.routes) {
            const auto link = links_.find(via);
            View v;
            v.destination = id;
            v.next_hop = via;
            v.seqno = route.seqno;
            v.airtime_us_per_kib = total_airtime(via, route);
            v.price_msat_per_mib = route.price;
            v.delay_ms = add16(route.delay_ms, link == links_.end() ? 0U : link->second.delay_ms);
            v.hops = static_cast<std::uint8_t>(std::min(route.hops + 1, 255));
            v.selected = d.selected == via;
            v.feasible = usable(via, route) && feasible(id, d, via, route);
            out.push_back(v);
        }
    }
    return out;
}

}  // namespace meshnet::net
