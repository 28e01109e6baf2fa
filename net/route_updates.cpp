// SPDX-License-Identifier: MIT
// RouteTable: what neighbours say, from message to route.
#include <algorithm>

#include "net/deadline.hpp"
#include "net/route_table.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kGapPatience = 50ms;  // another path may be bringing what is missing
constexpr Duration kSyncProgress = 2s;
constexpr Duration kPutOff = 1s;  // what was limited is asked for again
constexpr Duration kNoticeInterval = 1s;
constexpr Duration kRecentlyAsked = 600s;

std::uint16_t first_two(const NodeId& id) {
    return static_cast<std::uint16_t>(id[0] << 8U | id[1]);
}

}  // namespace

bool RouteTable::on_message(Instant now, NeighborId from, MessageType type, ByteView body, Session session) {
    switch (type) {
        case MessageType::kUpdate:
            if (const auto m = RouteUpdates::decode(body)) {
                on_updates(now, from, *m, session);
                return true;
            }
            return false;
        case MessageType::kRouteRequest:
            if (const auto m = RouteRequest::decode(body)) {
                on_route_request(now, from, *m);
                return true;
            }
            return false;
        case MessageType::kSeqnoRequest:
            if (const auto m = SeqnoRequest::decode(body)) {
                on_seqno_request(now, from, *m);
                return true;
            }
            return false;
        case MessageType::kRouteState:
            if (const auto m = RouteState::decode(body)) {
                on_state(now, from, *m);
                return true;
            }
            return false;
        case MessageType::kRouteSync:
            if (const auto m = RouteSync::decode(body)) {
                advertiser_.on_sync(now, from, *m);
                return true;
            }
            return false;
        default:
            return false;
    }
}

// ---- the journal of a neighbour ----

void RouteTable::expect_run(Instant now, NeighborId from, RouteNeighbor& n, std::uint32_t run) {
    if (n.run == run) {
        return;
    }
    n.have = n.seen = 0;
    if (std::exchange(n.run, run) != 0) {
        drop_routes(now, from);  // it has started again and knows nothing of them
    }
}

void RouteTable::on_state(Instant now, NeighborId from, const RouteState& state) {
    RouteNeighbor* n = shared_.neighbor(from);
    if (n == nullptr) {
        return;
    }
    expect_run(now, from, *n, state.run);
    n->have = state.version < n->have ? 0 : n->have;
    n->seen = state.version;
    if (n->have == n->seen) {
        n->sync_at.reset();
        n->sync_tries = 0;
    } else if (!n->sync_at) {
        n->sync_at = now;
        neighbors_at_ = earliest(neighbors_at_, now);
    }
}

void RouteTable::on_updates(Instant now, NeighborId from, const RouteUpdates& updates, Session session) {
    RouteNeighbor* n = shared_.neighbor(from);
    if (n == nullptr) {
        return;
    }
    const auto& span = updates.span;
    if (span) {
        expect_run(now, from, *n, span->run);
        n->seen = std::max(n->seen, span->upto);
    }
    bool all = true;
    if (!span || span->upto > n->have) {
        for (const RouteUpdate& u : updates.entries) {
            all = apply(now, from, u, session) && all;
        }
    }
    if (!span) {
        return;
    }
    const bool progress = all && span->after <= n->have;
    if (progress) {
        n->have = std::max(n->have, span->upto);
        n->sync_tries = 0;
    }
    if (n->have >= n->seen) {
        n->sync_at.reset();
    } else if (progress) {
        n->sync_at = now + kSyncProgress;
    } else if (!n->sync_at) {
        n->sync_at = now + (all ? kGapPatience : kPutOff);
    }
    neighbors_at_ = earliest(neighbors_at_, n->sync_at);
}

// ---- one update ----

void RouteTable::on_update(Instant now, NeighborId from, const RouteUpdate& u, Session session) {
    if (shared_.links.count(from) != 0) {
        (void)apply(now, from, u, session);
    }
}

bool RouteTable::checks_left(Instant now, NeighborId from, int checks) {
    RouteNeighbor* n = shared_.neighbor(from);
    for (int i = 0; i < checks; ++i) {
        if (n == nullptr || !n->checks.take(now)) {
            ++shared_.counters.limited;
            return false;
        }
    }
    return true;
}

// False if it was put off: the neighbour has to say it again.
bool RouteTable::apply(Instant now, NeighborId from, const RouteUpdate& u, Session session) {
    ++shared_.counters.updates;
    if (u.destination == short_id(origin_.id())) {
        if (u.certificate && !superseded_ && checks_left(now, from, 1)) {
            superseded_ = origin_.supersedes(*u.certificate);
        }
        origin_.on_update(now, u);
        take_news(now);
        return true;
    }
    // What leads through us is no way for us (RFC 8966, 3.7.4: split horizon, on a medium that all hear).
    const bool through_us = u.metric.hops > 0 && u.via == first_two(origin_.id());
    if (!u.notice && (!u.metric.reachable() || through_us)) {
        wanted_.retract(from, u.destination);
        on_retraction(now, from, u.destination);
        if (u.certificate && checks_left(now, from, 1)) {
            take_certificate(now, from, u);
        }
        return true;
    }
    const auto it = shared_.find(u.destination);
    return it == shared_.destinations.end() ? apply_new(now, from, u, session)
                                            : apply_known(now, from, it->first, it->second, u, session);
}

bool RouteTable::apply_new(Instant now, NeighborId from, const RouteUpdate& u, Session session) {
    if (u.notice) {
        return true;
    }
    if (!u.certificate || !u.signature) {
        const bool kept = wanted_.add(now, u.destination, {from, u.seqno, u.run, u.metric}, true);
        shared_.counters.limited += kept ? 0 : 1;
        return kept;
    }
    const NodeId id = u.certificate->id();
    if (id == origin_.id() || short_id(id) != u.destination) {
        ++shared_.counters.refused;
        return true;
    }
    Destination fresh;
    if (!checks_left(now, from, fresh.proofs.effort(id, u))) {
        return false;
    }
    const RouteProofs::Verdict verdict = fresh.proofs.verify(id, u, shared_.counters.verified);
    if (!verdict.genuine) {
        ++shared_.counters.refused;
        return true;
    }
    if (!make_room(shared_.links.at(from).brought)) {
        ++shared_.counters.overflow;
        return true;
    }
    fresh.brought_by = from;
    ++shared_.links.at(from).brought;
    const auto it = shared_.destinations.emplace(id, std::move(fresh)).first;
    ++address_changes_;
    on_certificate(now, id, it->second);
    return proceed(now, from, it->first, it->second, u, session, verdict);
}

bool RouteTable::apply_known(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& u,
                             Session session) {
    if (!checks_left(now, from, d.proofs.effort(id, u))) {
        return false;
    }
    const bool had_certificate = d.proofs.certificate() != nullptr;
    const RouteProofs::Verdict verdict = d.proofs.verify(id, u, shared_.counters.verified);
    if (verdict.new_certificate) {
        address_changes_ += had_certificate ? 0 : 1;
        on_certificate(now, id, d);
    }
    return proceed(now, from, id, d, u, session, verdict);
}

// What follows from an update that was verified, or could not be.
bool RouteTable::proceed(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& u,
                         Session session, const RouteProofs::Verdict& verdict) {
    const RouteProofs::Proof* newest = d.proofs.newest();
    const auto correct = [&] {
        if (newest != nullptr && now >= d.notice_again) {
            d.notice_again = now + kNoticeInterval;
            notify(now, from, id, d, newest->seqno, newest->instance, newest->signature);
        }
    };
    if (!verdict.genuine) {
        if (verdict.needs_certificate || verdict.needs_signature) {
            const bool kept = u.notice || wanted_.add(now, u.destination, {from, u.seqno, u.run, u.metric},
                                                      verdict.needs_certificate);
            shared_.counters.limited += kept ? 0 : 1;
            return kept;
        }
        if (verdict.outdated) {
            correct();  // its destination has lost its state, or somebody plays old signatures
        }
        ++shared_.counters.refused;
        return true;
    }
    if (verdict.new_signature) {
        observe(now, from, id, d, u);
    }
    if (!u.notice) {
        const bool from_itself = shared_.is(from, id) && u.metric.airtime_us_per_kib == 0;
        if (u.signature && from_itself && session == Session::kNewest && d.instances.back_again(u.instance.boot)) {
            raise(now, id);
        }
        accept(now, id, d, {from, u.seqno, u.run, u.metric});
        if (newest != nullptr && u.seqno < newest->seqno && (from_itself || !d.selected)) {
            correct();
        }
    }
    if (verdict.new_signature) {
        for (const RouteWanted::Candidate& c : wanted_.take(u.destination)) {
            if (d.proofs.covers(c.seqno, c.run)) {
                if (c.via != from || u.notice) {
                    accept(now, id, d, c);
                }
            } else {
                (void)wanted_.add(now, u.destination, c, false);
            }
        }
    }
    return true;
}

// RFC 8966, 3.5.3: route acquisition, of a proven seqno.
void RouteTable::accept(Instant now, const NodeId& id, Destination& d, const RouteWanted::Candidate& c) {
    const NeighborId from = c.via;
    if (shared_.links.count(from) == 0) {
        return;
    }
    Route fresh;
    fresh.via = from;
    fresh.seqno = c.seqno;
    fresh.run = c.run;
    fresh.metric = c.metric;
    fresh.accepted = c.metric.airtime_us_per_kib;
    if (Route* known = d.find(from)) {
        if (d.selected == from && known->seqno == c.seqno) {
            fresh.accepted = std::min(fresh.accepted, known->accepted);
        }
        fresh.delivered = known->delivered;
        fresh.answers = known->answers;
        fresh.silent_at = known->silent_at;
        fresh.measured = known->measured;
        *known = fresh;
    } else if (d.routes.size() < Destination::kMostRoutes) {
        d.routes.push_back(fresh);
    } else {
        d.more = true;
        const auto rank = [&](const Route& r) {  // the chosen one first, then what could follow it, by cost
            const int kind = d.selected == r.via ? 0 : selection_.usable(r) && selection_.feasible(id, d, r) ? 1 : 2;
            return std::pair(kind, selection_.cost(now, r));
        };
        Route& worst = *std::max_element(d.routes.begin(), d.routes.end(),
                                         [&](const Route& a, const Route& b) { return rank(a) < rank(b); });
        if (rank(worst) <= rank(fresh)) {
            return;
        }
        worst = fresh;
    }
    select(now, id, d);
}

void RouteTable::on_retraction(Instant now, NeighborId from, const ShortId& id) {
    const auto it = shared_.find(id);
    if (it != shared_.destinations.end() && it->second.erase(from)) {
        select(now, it->first, it->second);
    }
}

// ---- room ----

// A full table takes from whoever has brought most, and clearly more than the one who brings this; never what is used
// here and never a neighbour.
bool RouteTable::make_room(std::uint32_t brought) {
    if (shared_.destinations.size() < shared_.config.max_destinations) {
        return true;
    }
    const auto richest = std::max_element(shared_.links.begin(), shared_.links.end(), [](const auto& a, const auto& b) {
        return a.second.brought < b.second.brought;
    });
    if (richest == shared_.links.end() || richest->second.brought <= brought + 1) {
        return false;
    }
    auto it = shared_.destinations.upper_bound(evicted_);
    for (std::size_t left = shared_.destinations.size(); left > 0; --left) {
        it = it == shared_.destinations.end() ? shared_.destinations.begin() : it;
        const Destination& d = it->second;
        const bool used = d.asked != Instant{} && latest_ - d.asked < kRecentlyAsked;
        if (d.brought_by == richest->first && !used && !is_neighbor(it->first)) {
            evicted_ = it->first;
            ++shared_.counters.evicted;
            forget(it);
            return true;
        }
        ++it;
    }
    return false;
}

// ---- certificates ----

void RouteTable::on_certificate(Instant now, const NodeId& id, Destination& d) {
    const Certificate& c = *d.proofs.certificate();
    if (c.serial > 1 || c.revokes()) {
        certificates_.push_back(c);
    }
    if (c.revokes()) {
        d.routes.clear();
        select(now, id, d);
        advertiser_.mark(now, id, d, RouteDue::kUrgent);
    }
}

void RouteTable::take_certificate(Instant now, NeighborId from, const RouteUpdate& u) {
    const NodeId id = u.certificate->id();
    auto it = shared_.destinations.find(id);
    if (short_id(id) != u.destination || id == origin_.id()) {
        return;
    }
    Bytes encoded;
    u.certificate->encode(encoded);
    ++shared_.counters.verified;
    const auto c = Certificate::decode(encoded);
    if (!c) {
        ++shared_.counters.refused;
        return;
    }
    if (it == shared_.destinations.end()) {
        if (!c->revokes() || !make_room(shared_.links.at(from).brought)) {
            return;
        }
        it = shared_.destinations.emplace(id, Destination{}).first;
        it->second.brought_by = from;
        ++shared_.links.at(from).brought;
        ++address_changes_;
    }
    if (it->second.proofs.learn(*c)) {
        on_certificate(now, id, it->second);
    }
}

void RouteTable::learn(const Certificate& certificate) {
    const NodeId id = certificate.id();
    if (id == origin_.id()) {
        return;
    }
    if (shared_.destinations.count(id) == 0) {
        (void)make_room(0);  // a neighbour has room in any case
    }
    const auto [it, fresh] = shared_.destinations.try_emplace(id);
    if (fresh) {
        forget_.emplace_back(Instant{}, id);
    }
    address_changes_ += it->second.proofs.certificate() == nullptr ? 1 : 0;
    if (it->second.proofs.learn(certificate) && certificate.serial > 1) {
        certificates_.push_back(certificate);
    }
}

void RouteTable::restore(const Certificate& certificate) {
    const NodeId id = certificate.id();
    if (id != origin_.id() && shared_.destinations.size() < shared_.config.max_destinations) {
        const auto [it, fresh] = shared_.destinations.try_emplace(id);
        (void)it->second.proofs.learn(certificate);
        if (fresh) {
            forget_.emplace_back(Instant{}, id);
        }
    }
}

bool RouteTable::revoked(const Certificate& certificate) const {
    const auto it = shared_.destinations.find(certificate.id());
    const Certificate* c = it == shared_.destinations.end() ? nullptr : it->second.proofs.certificate();
    return c != nullptr && (c->serial > certificate.serial || (c->revokes() && c->serial >= certificate.serial));
}

bool RouteTable::revoke(Instant now, const Certificate& certificate) {
    const NodeId id = certificate.id();
    Bytes encoded;
    certificate.encode(encoded);
    if (id == origin_.id()) {
        const bool news = !superseded_ && origin_.supersedes(certificate);
        superseded_ = superseded_ || news;
        return news;
    }
    if (!Certificate::decode(encoded)) {
        return false;
    }
    Destination& d = shared_.destinations[id];
    if (!d.proofs.learn(certificate)) {
        return false;
    }
    on_certificate(now, id, d);
    return true;
}

// ---- the same key twice ----

void RouteTable::raise(Instant now, const NodeId& key) {
    ++shared_.counters.key_evidence;
    shared_.counters.key_alarms += alarms_.evidence(now, key) ? 1 : 0;
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
        // towards another instance, if that is where the route leads
        notify(now, *d.selected, id, d, statement.seqno, statement.instance, statement.signature);
    }
    if (shared_.is(from, id)) {
        for (const auto& other : others) {
            notify(now, from, id, d, other.seqno, other.instance, other.signature);
        }
        if (recent) {  // a second station, whose session this one has taken, still opens what is sent to everybody
            notify(now, kBroadcast, id, d, statement.seqno, statement.instance, statement.signature);
        }
    }
}

void RouteTable::notify(Instant now, NeighborId to, const NodeId& id, const Destination& d, std::uint32_t seqno,
                        const Instance& instance, const Signature& signature) {
    const Certificate* certificate = d.proofs.certificate();
    if (certificate == nullptr || certificate->revokes()) {
        return;
    }
    RouteUpdate u;
    u.notice = true;
    u.destination = short_id(id);
    u.seqno = seqno;
    u.serial = certificate->serial;
    u.signature = signature;
    u.instance = instance;
    ++shared_.counters.key_notices;
    if (to == kBroadcast) {
        advertiser_.send_to_all(u.encode());
    } else {
        advertiser_.direct(now, to, u.encode());
    }
}

}  // namespace meshnet::net
