// SPDX-License-Identifier: MIT
#include "net/route_table.hpp"

#include <algorithm>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kForget = 180s;  // a source table entry outlives its routes (RFC 8966, 3.7.3)
constexpr Duration kRequestInterval = 500ms;
constexpr int kRequestDoublings = 6;
constexpr std::size_t kRequestsAtOnce = 2;
constexpr std::uint32_t kPromptDestinations = 256;  // of a neighbour; what it brings beyond is passed on unhurriedly
constexpr Duration kSyncAgain = 2s;
constexpr int kSyncDoublings = 4;
constexpr float kSilence = 0.25F;  // of a way that did not answer an open, each time
constexpr float kLeastAnswers = 0.001F;

}  // namespace

RouteTable::RouteTable(Config config, const Certificate& certificate, const SigningKey& device,
                       std::uint32_t first_seqno, const Ceilings& ceilings)
    : shared_{config, {}, {}, {}, 0, {}},
      alarms_(certificate.id()),
      origin_({config.update_interval, config.boot, config.epoch, first_seqno}, certificate, device, alarms_,
              shared_.counters),
      selection_(shared_),
      advertiser_(shared_, origin_, selection_),
      wanted_(shared_, advertiser_) {
    for (const auto& [id, ceiling] : ceilings) {
        if (id != origin_.id() && shared_.destinations.size() < config.max_destinations) {
            Destination& d = shared_.destinations[id];
            d.ceiling = ceiling.seqno;
            d.proofs.restore(ceiling.epoch, ceiling.serial, ceiling.proof);
            // Anything up to it may be an echo of what we advertised ourselves.
            d.feasible = RouteDistance{ceiling.seqno, 0};
            forget_.emplace_back(Instant{}, id);
        }
    }
}

// ---- neighbours ----

void RouteTable::neighbor_up(Instant now, NeighborId neighbor, const NodeId& id, const LinkQuality& link) {
    const auto known = shared_.links.find(neighbor);
    bool was_up = known != shared_.links.end();
    if (was_up && known->second.id != id) {
        neighbor_down(now, neighbor);
        was_up = false;
    }
    RouteNeighbor& n = shared_.links[neighbor];
    n.id = id;
    if (!was_up) {
        n.link = LinkEstimate(now, link);
    }
    advertiser_.neighbor_up(now, neighbor, was_up);
    n.sync_at = now;
    n.sync_tries = 0;
    neighbors_at_ = earliest(neighbors_at_, now);
    if (const auto it = shared_.destinations.find(id); it != shared_.destinations.end()) {
        Destination& d = it->second;
        if (d.instances.several()) {
            for (const auto& s : d.instances.others(now, 0)) {
                notify(now, neighbor, id, d, s.seqno, s.instance, s.signature);
            }
        }
    }
}

void RouteTable::neighbor_changed(Instant now, NeighborId neighbor, const LinkQuality& link) {
    RouteNeighbor* n = shared_.neighbor(neighbor);
    if (n == nullptr) {
        return;
    }
    const bool changed = n->link.update(now, link);
    if (n->link.next_settle()) {
        neighbors_at_ = earliest(neighbors_at_, *n->link.next_settle());
    }
    if (changed) {
        for (auto& [id, d] : shared_.destinations) {
            if (d.find(neighbor) != nullptr) {
                select(now, id, d);
            }
        }
    }
}

void RouteTable::drop_routes(Instant now, NeighborId via) {
    for (auto& [id, d] : shared_.destinations) {
        if (d.erase(via)) {
            select(now, id, d);
        }
    }
}

void RouteTable::neighbor_down(Instant now, NeighborId neighbor) {
    if (shared_.links.count(neighbor) == 0) {
        return;
    }
    advertiser_.neighbor_down(neighbor);
    shared_.links.erase(neighbor);
    wanted_.neighbor_down(neighbor);
    drop_routes(now, neighbor);
    for (auto& [id, d] : shared_.destinations) {
        if (d.brought_by == neighbor) {
            d.brought_by = d.selected.value_or(0);
            if (RouteNeighbor* n = shared_.neighbor(d.brought_by)) {
                ++n->brought;
            }
        }
    }
}

bool RouteTable::is_neighbor(const NodeId& id) const {
    return std::any_of(shared_.links.begin(), shared_.links.end(), [&](const auto& n) { return n.second.id == id; });
}

void RouteTable::set_price(Instant now, std::uint32_t msat_per_mib) {
    if (std::exchange(shared_.own_price, msat_per_mib) == msat_per_mib) {
        return;
    }
    for (auto& [id, d] : shared_.destinations) {
        if (d.selected) {
            advertiser_.mark(now, id, d, RouteDue::kNormal);
        }
    }
}

// ---- selection ----

RouteDue RouteTable::due_of(const Destination& d, const Route& best, bool changed) const {
    const bool new_here = d.version == 0 || !d.advertised.reachable();
    if (new_here || selection_.to_advertise(best).differs_notably(d.advertised)) {
        const auto by = shared_.links.find(d.brought_by);
        const bool crowd = by != shared_.links.end() && by->second.brought > kPromptDestinations;
        return new_here && crowd && d.asked == Instant{} ? RouteDue::kLazy : RouteDue::kNormal;
    }
    if (best.seqno != d.advertised_seqno) {
        const bool requested = d.requested_seqno != 0 && best.seqno >= d.requested_seqno;
        return requested ? RouteDue::kNormal : RouteDue::kLazy;
    }
    return changed ? RouteDue::kLazy : RouteDue::kNone;
}

void RouteTable::select(Instant now, const NodeId& id, Destination& d) {
    for (Route& route : d.routes) {
        if (now - route.measured >= RouteSelection::kDeliveryKept) {
            route.delivered = 1.0F;
        }
        if (now - route.silent_at >= RouteSelection::kDeliveryKept) {
            route.answers = 1.0F;
        }
    }
    const RouteSelection::Choice choice = selection_.choose(now, id, d);
    const auto before = d.selected;
    if (choice.better_blocked) {
        request_seqno(now, id, d);
    }
    if (choice.again) {
        reconsider_.emplace(*choice.again, id);
    }
    if (choice.best == nullptr) {
        d.selected.reset();
        if (before) {
            note_choice(id);
            lost(now, id, d);
        }
        if (choice.blocked) {
            request_seqno(now, id, d);
        }
        return;
    }
    const bool changed = before != choice.best->via;
    d.selected = choice.best->via;
    if (changed) {
        note_choice(id);
        if (choice.voluntary) {
            d.held_until = now + shared_.config.hold;
        }
        for (Route& r : d.routes) {
            r.accepted = r.metric.airtime_us_per_kib;
        }
    }
    if (stuck(id, d)) {
        request_seqno(now, id, d);
    } else if (!choice.better_blocked) {
        d.request_repeats = 0;
    }
    advertiser_.mark(now, id, d, due_of(d, *choice.best, changed));
}

// No way is left of those we know.
void RouteTable::lost(Instant now, const NodeId& id, Destination& d) {
    d.forget_at = now + kForget;
    forget_.emplace_back(d.forget_at, id);
    if (d.version != 0) {
        advertiser_.mark(now, id, d, RouteDue::kUrgent);
    }
    if (std::exchange(d.more, false)) {
        for (const auto& [link, n] : shared_.links) {
            advertiser_.ask(now, link, short_id(id), false);
        }
    }
}

// RFC 8966, 3.8.2: no feasible route is left, or the chosen one has become worse than what was feasible.
bool RouteTable::stuck(const NodeId& id, const Destination& d) const {
    if (const Route* r = d.chosen()) {
        return !(r->metric.airtime_us_per_kib == 0 && shared_.is(r->via, id)) &&
               !RouteSelection::closer(r->seqno, r->metric.airtime_us_per_kib, d.feasible);
    }
    return std::any_of(d.routes.begin(), d.routes.end(), [&](const Route& r) { return selection_.usable(r); });
}

void RouteTable::request_seqno(Instant now, const NodeId& id, Destination& d) {
    blocked_.insert(id);
    if (!d.feasible || now < d.request_again || d.feasible->seqno == 0xFFFF'FFFF) {
        blocked_at_ = earliest(blocked_at_, std::max(d.request_again, now + 1ms));
        return;
    }
    d.requested_seqno = d.feasible->seqno + 1;
    d.request_again = now + kRequestInterval * (std::int64_t{1} << std::min(d.request_repeats, kRequestDoublings));
    blocked_at_ = earliest(blocked_at_, d.request_again);
    ++shared_.counters.seqno_requests;
    const Bytes message = SeqnoRequest{short_id(id), d.requested_seqno, kMaxHops}.encode();
    const std::size_t count = std::min(d.routes.size(), kRequestsAtOnce);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = (i + static_cast<std::size_t>(d.request_repeats) * kRequestsAtOnce) % d.routes.size();
        advertiser_.direct(now, d.routes[at].via, message);
    }
    ++d.request_repeats;
}

void RouteTable::on_route_request(Instant now, NeighborId from, const RouteRequest& request) {
    for (const ShortId& id : request.destinations) {
        if (id == short_id(origin_.id()) || shared_.find(id) != shared_.destinations.end()) {
            advertiser_.answer(now, from, id, request.certificates);
        }
    }
}

void RouteTable::on_seqno_request(Instant now, NeighborId from, const SeqnoRequest& request) {
    if (shared_.links.count(from) == 0) {
        return;
    }
    if (request.destination == short_id(origin_.id())) {
        if (!origin_.on_request(now, request.seqno)) {
            advertiser_.answer(now, from, request.destination, false);
        }
        return take_news(now);
    }
    const auto it = shared_.find(request.destination);
    if (it == shared_.destinations.end()) {
        return;
    }
    Destination& d = it->second;
    const Route* chosen = d.chosen();
    if (chosen != nullptr && request.seqno <= chosen->seqno) {
        return advertiser_.answer(now, from, request.destination, false);
    }
    if (request.hops_left == 0 || (d.requested_seqno >= request.seqno && now < d.request_again)) {
        return;
    }
    for (const Route& route : d.routes) {
        if (route.via != from && selection_.usable(route) && (chosen == nullptr || &route == chosen)) {
            d.requested_seqno = request.seqno;
            d.request_again = now + kRequestInterval;
            const auto left = static_cast<std::uint8_t>(request.hops_left - 1);
            return advertiser_.direct(now, route.via, SeqnoRequest{request.destination, request.seqno, left}.encode());
        }
    }
}

// ---- persistence ----

std::optional<RouteTable::Reservation> RouteTable::poll_reservation() {
    if (shared_.reservations.empty()) {
        return std::nullopt;
    }
    Reservation r = shared_.reservations.front();
    shared_.reservations.pop_front();
    return r;
}

void RouteTable::reserved(Instant now, const NodeId& destination, std::uint32_t ceiling) {
    const auto it = shared_.destinations.find(destination);
    if (it == shared_.destinations.end()) {
        return;
    }
    Destination& d = it->second;
    d.ceiling = ceiling;
    if (d.pending_ceiling == ceiling) {
        d.pending_ceiling.reset();
    }
    if (const Route* r = d.chosen()) {
        advertiser_.mark(now, destination, d, due_of(d, *r, true));
    }
}

std::optional<Certificate> RouteTable::poll_certificate() {
    if (certificates_.empty()) {
        return std::nullopt;
    }
    const Certificate c = certificates_.front();
    certificates_.pop_front();
    return c;
}

// ---- time ----

void RouteTable::take_news(Instant now) {
    switch (origin_.take_news()) {
        case RouteOrigin::News::kNone:
            return;
        case RouteOrigin::News::kRenewed:
            return advertiser_.mark_own(now, RouteDue::kLazy);
        case RouteOrigin::News::kUrgent:
            return advertiser_.mark_own(now, RouteDue::kUrgent);
    }
}

void RouteTable::neighbor_timeouts(Instant now) {
    if (!neighbors_at_ || now < *neighbors_at_) {
        return;
    }
    neighbors_at_.reset();
    for (auto& [link, n] : shared_.links) {
        if (n.sync_at && now >= *n.sync_at) {
            advertiser_.direct(now, link, RouteSync{n.run, n.have}.encode());
            n.sync_at = now + kSyncAgain * (std::int64_t{1} << std::min(n.sync_tries, kSyncDoublings));
            ++n.sync_tries;
        }
        neighbors_at_ = earliest(neighbors_at_, n.sync_at);
        if (n.link.next_settle() && now >= *n.link.next_settle() && n.link.settle(now)) {
            for (auto& [id, d] : shared_.destinations) {
                if (d.find(link) != nullptr) {
                    select(now, id, d);
                }
            }
        }
        neighbors_at_ = earliest(neighbors_at_, n.link.next_settle());
    }
}

void RouteTable::on_timeout(Instant now) {
    latest_ = std::max(latest_, now);
    origin_.on_timeout(now);
    take_news(now);
    neighbor_timeouts(now);
    wanted_.on_timeout(now);
    if (blocked_at_ && now >= *blocked_at_) {
        blocked_at_.reset();
        for (auto it = blocked_.begin(); it != blocked_.end();) {
            const auto d = shared_.destinations.find(*it);
            if (d == shared_.destinations.end() ||
                (!stuck(d->first, d->second) && !selection_.choose(now, d->first, d->second).better_blocked)) {
                it = blocked_.erase(it);
                continue;
            }
            if (now >= d->second.request_again) {
                request_seqno(now, d->first, d->second);
            } else {
                blocked_at_ = earliest(blocked_at_, d->second.request_again);
            }
            ++it;
        }
    }
    while (!reconsider_.empty() && reconsider_.begin()->first <= now) {
        const NodeId id = reconsider_.begin()->second;
        reconsider_.erase(reconsider_.begin());
        if (const auto it = shared_.destinations.find(id); it != shared_.destinations.end()) {
            select(now, id, it->second);
        }
    }
    while (!forget_.empty() && forget_.front().first <= now) {
        const auto [at, id] = forget_.front();
        forget_.pop_front();
        const auto it = shared_.destinations.find(id);
        if (it == shared_.destinations.end() || !it->second.routes.empty()) {
            continue;
        }
        const Certificate* certificate = it->second.proofs.certificate();
        const bool kept =
            is_neighbor(id) || now < it->second.kept_until || (certificate != nullptr && certificate->revokes());
        if (at == Instant{} || (kept && it->second.forget_at <= now)) {
            it->second.forget_at = now + kForget;
            forget_.emplace_back(now + kForget, id);
        } else if (it->second.forget_at <= now) {
            forget(it);
        }
    }
    advertiser_.on_timeout(now);
}

std::optional<Instant> RouteTable::next_timeout() const {
    std::optional<Instant> next = earliest(advertiser_.next_timeout(), wanted_.next_timeout());
    next = earliest(next, earliest(neighbors_at_, blocked_at_));
    if (!reconsider_.empty()) {
        next = earliest(next, reconsider_.begin()->first);
    }
    if (!forget_.empty()) {
        next = earliest(next, forget_.front().first);
    }
    return shared_.links.empty() ? next : earliest(next, origin_.next_timeout());
}

void RouteTable::forget(Destinations::iterator it) {
    Destination& d = it->second;
    if (d.ceiling || d.pending_ceiling) {
        shared_.reservations.push_back({it->first, std::nullopt});
    }
    if (RouteNeighbor* n = shared_.neighbor(d.brought_by)) {
        n->brought -= std::min(n->brought, 1U);
    }
    advertiser_.forget(d);
    address_changes_ += d.proofs.certificate() != nullptr ? 1 : 0;
    shared_.destinations.erase(it);
}

// ---- what others ask ----

std::optional<RouteTable::Selected> RouteTable::lookup(const NodeId& destination) const {
    const auto it = shared_.destinations.find(destination);
    if (it == shared_.destinations.end()) {
        return std::nullopt;
    }
    it->second.asked = std::max(latest_, Instant{1ns});
    const Route* route = it->second.chosen();
    return route == nullptr ? std::nullopt : std::optional(Selected{route->via, selection_.metric_from_here(*route)});
}

std::optional<NeighborId> RouteTable::next_hop(const NodeId& destination) const {
    const auto it = shared_.destinations.find(destination);
    return it == shared_.destinations.end() ? std::nullopt : it->second.selected;
}

std::vector<NeighborId> RouteTable::successors(const NodeId& destination) const {
    const auto it = shared_.destinations.find(destination);
    return it == shared_.destinations.end() ? std::vector<NeighborId>{}
                                            : selection_.successors(latest_, destination, it->second);
}

std::vector<RouteTable::Selected> RouteTable::ways(const NodeId& destination) const {
    const auto it = shared_.destinations.find(destination);
    std::vector<Selected> out;
    if (it == shared_.destinations.end()) {
        return out;
    }
    std::vector<std::pair<std::uint64_t, const Route*>> found;
    for (const Route& route : it->second.routes) {
        if (selection_.usable(route)) {
            found.emplace_back(selection_.cost(latest_, route), &route);
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first, a.second->via) < std::pair(b.first, b.second->via);
    });
    for (const auto& [cost, route] : found) {
        out.push_back({route->via, selection_.metric_from_here(*route)});
    }
    return out;
}

void RouteTable::on_delivery(Instant now, const NodeId& destination, NeighborId via, double ratio) {
    const auto it = shared_.destinations.find(destination);
    Route* route = it == shared_.destinations.end() ? nullptr : it->second.find(via);
    if (route != nullptr && ratio >= 0.0) {
        route->delivered = static_cast<float>(std::min(ratio, 1.0));
        route->measured = now;
        select(now, destination, it->second);
    }
}

void RouteTable::on_answer(Instant now, const NodeId& destination, NeighborId via, bool answered) {
    const auto it = shared_.destinations.find(destination);
    Route* route = it == shared_.destinations.end() ? nullptr : it->second.find(via);
    if (route == nullptr || (answered && route->answers >= 1.0F)) {
        return;
    }
    route->answers = answered ? 1.0F : std::max(kLeastAnswers, route->answers * kSilence);
    route->silent_at = now;
    select(now, destination, it->second);
}

std::vector<NodeId> RouteTable::chosen_over(NeighborId neighbor) const {
    std::vector<NodeId> out;
    for (const auto& [id, d] : shared_.destinations) {
        if (d.selected == neighbor) {
            out.push_back(id);
        }
    }
    return out;
}

void RouteTable::keep(const NodeId& destination, Instant until) {
    const auto it = shared_.destinations.find(destination);
    if (it != shared_.destinations.end()) {
        it->second.kept_until = std::max(it->second.kept_until, until);
    }
}

void RouteTable::keep(const ShortId& destination, Instant until) {
    const auto it = shared_.find(destination);
    if (it != shared_.destinations.end()) {
        keep(it->first, until);
    }
}

std::optional<NodeId> RouteTable::id_of(const Address& address) const {
    NodeId low{};
    std::copy(address.begin() + 1, address.end(), low.begin());
    const auto it = shared_.destinations.lower_bound(low);
    return it != shared_.destinations.end() && address_of(it->first) == address && it->second.proofs.certificate()
               ? std::optional(it->first)
               : std::nullopt;
}

std::vector<Address> RouteTable::addresses() const {
    std::vector<Address> out;
    for (const auto& [id, d] : shared_.destinations) {
        if (d.proofs.certificate() != nullptr) {
            out.push_back(address_of(id));
        }
    }
    return out;
}

const Certificate* RouteTable::certificate_of(const NodeId& id) const {
    const auto it = shared_.destinations.find(id);
    const Certificate* c = it == shared_.destinations.end() ? nullptr : it->second.proofs.certificate();
    return c == nullptr || c->revokes() ? nullptr : c;
}

std::vector<RouteTable::View> RouteTable::routes() const {
    std::vector<View> out;
    for (const auto& [id, d] : shared_.destinations) {
        for (const Route& route : d.routes) {
            View v;
            v.destination = id;
            v.next_hop = route.via;
            v.seqno = route.seqno;
            v.metric = selection_.metric_from_here(route);
            v.selected = d.selected == route.via;
            v.feasible = selection_.usable(route) && selection_.feasible(id, d, route);
            out.push_back(v);
        }
    }
    return out;
}

}  // namespace meshnet::net
