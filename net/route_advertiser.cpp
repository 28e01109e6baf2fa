// SPDX-License-Identifier: MIT
#include "net/route_advertiser.hpp"

#include <algorithm>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kOutLimit = 2'048;
constexpr std::size_t kDirectLimit = 256;  // messages, per neighbour
constexpr std::size_t kAskLimit = 1'024;
constexpr std::uint32_t kAnswerLimit = 512;  // per neighbour
constexpr double kOverheadBytes = 32.0;      // of a message on the link, counted with it
constexpr double kSecondsInAdvance = 4.0;    // of the share of a link
constexpr double kLeastDepthBytes = 4'096.0;
constexpr Duration kUrgentDelay = 5ms;   // a lost route
constexpr Duration kNormalDelay = 40ms;  // lets several changes share a message
constexpr Duration kLazyDelay = 5s;      // a renewed seqno for which nobody waits
constexpr Duration kFirstState = 1s;
constexpr Duration kLastState = 10s;  // a sign of life as well: silence makes the link look for a new session
constexpr Duration kLastStatePerNeighbor = 400ms;
constexpr Duration kLazyState = 8s;
constexpr Duration kSyncAgain = 2s;
constexpr std::uint32_t kSeqnosInAdvance = 2;  // a restarted node has to request so many more than one
constexpr std::uint32_t kLastSeqno = 0xFFFF'FFFF;

}  // namespace

RouteAdvertiser::RouteAdvertiser(RouteShared& shared, const RouteOrigin& origin, const RouteSelection& selection)
    : shared_(shared),
      origin_(origin),
      selection_(selection),
      jitter_(shared.config.boot),
      run_(static_cast<std::uint32_t>(shared.config.boot ^ (shared.config.boot >> 32U))) {
    own_version_ = ++version_;
    journal_[own_version_] = origin_.id();
}

void RouteAdvertiser::wake(Instant at) {
    flush_at_ = earliest(flush_at_, at);
}

void RouteAdvertiser::neighbor_up(Instant now, NeighborId link, bool was_up) {
    RouteNeighbor& n = shared_.links.at(link);
    if (!was_up) {
        n.tokens = depth(n);
        n.refilled = now;
    }
    if (!state_at_) {
        state_interval_ = kFirstState;
        state_at_ = now + state_interval_;
    }
}

void RouteAdvertiser::neighbor_down(NeighborId link) {
    busy_.erase(link);
    syncing_.erase(link);
    if (shared_.links.empty()) {
        state_at_.reset();
    }
}

// ---- what has changed ----

void RouteAdvertiser::mark(Instant now, const NodeId& id, RouteDestination& d, RouteDue due) {
    if (due <= d.due) {
        return;
    }
    d.due = due;
    switch (due) {
        case RouteDue::kNone:
            return;
        case RouteDue::kLazy:
            lazy_.push_back(id);
            lazy_at_ = lazy_at_ ? lazy_at_ : now + kLazyDelay;
            return;
        case RouteDue::kNormal:
            normal_[d.selected.value_or(0)].push_back(id);
            return wake(now + kNormalDelay);
        case RouteDue::kUrgent:
            urgent_.push_back(id);
            return wake(now + kUrgentDelay);
    }
}

void RouteAdvertiser::mark_own(Instant now, RouteDue due) {
    own_due_ = std::max(own_due_, due);
    if (due == RouteDue::kLazy) {
        lazy_at_ = lazy_at_ ? lazy_at_ : now + kLazyDelay;
    } else {
        wake(now + kUrgentDelay);
    }
}

void RouteAdvertiser::forget(RouteDestination& d) {
    if (d.version != 0) {
        journal_.erase(d.version);
        d.version = 0;
    }
    d.due = RouteDue::kNone;  // queues skip it
}

void RouteAdvertiser::direct(Instant now, NeighborId to, Bytes message) {
    RouteNeighbor* n = shared_.neighbor(to);
    if (n == nullptr) {
        return;
    }
    if (n->direct.size() >= kDirectLimit) {
        ++shared_.counters.overflow;
        return;
    }
    n->direct.push_back(std::move(message));
    busy_.insert(to);
    wake(now);
}

void RouteAdvertiser::ask(Instant now, NeighborId to, const ShortId& destination, bool certificate) {
    RouteNeighbor* n = shared_.neighbor(to);
    if (n == nullptr) {
        return;
    }
    auto& asks = certificate ? n->asks_certificate : n->asks;
    if (asks.size() < kAskLimit) {
        asks.push_back(destination);
        busy_.insert(to);
        wake(now + kUrgentDelay);
    }
}

void RouteAdvertiser::answer(Instant now, NeighborId to, const ShortId& destination, bool certificate) {
    RouteNeighbor* n = shared_.neighbor(to);
    if (n == nullptr || n->answers >= kAnswerLimit) {
        return;
    }
    const auto [it, fresh] = answers_.try_emplace(destination, Answer{to, certificate});
    if (fresh) {
        answer_order_.push_back(destination);
        ++n->answers;
    } else if (it->second.to != to && it->second.to != kBroadcast) {
        if (RouteNeighbor* first = shared_.neighbor(it->second.to)) {
            first->answers -= std::min(first->answers, 1U);
        }
        it->second.to = kBroadcast;
    }
    it->second.certificate = it->second.certificate || certificate;
    wake(now + kUrgentDelay);
}

void RouteAdvertiser::on_sync(Instant now, NeighborId from, const RouteSync& request) {
    RouteNeighbor* n = shared_.neighbor(from);
    if (n == nullptr) {
        return;
    }
    const std::uint32_t since = request.run == run_ && request.have <= version_ ? request.have : 0;
    if (n->syncing && n->cursor >= since && now - n->sync_sent < kSyncAgain) {
        return;  // it is on its way
    }
    n->syncing = true;
    n->from = n->cursor = since;
    n->sync_sent = now;
    syncing_.insert(from);
    wake(now + kUrgentDelay);
}

// ---- a destination as a message has it ----

// True if this seqno may be advertised: a ceiling above it is on disk.
bool RouteAdvertiser::reserve(const NodeId& id, RouteDestination& d, std::uint32_t seqno) {
    if (d.ceiling && seqno <= *d.ceiling) {
        return true;
    }
    if (!d.pending_ceiling || seqno > *d.pending_ceiling) {
        RouteCeiling c;
        c.seqno = seqno > kLastSeqno - kSeqnosInAdvance ? kLastSeqno : seqno + kSeqnosInAdvance;
        c.epoch = d.proofs.epoch();
        c.serial = d.proofs.certificate() == nullptr ? 0 : d.proofs.certificate()->serial;
        if (const RouteProofs::Proof* proof = d.proofs.find(seqno)) {
            c.proof = *proof;
        }
        d.pending_ceiling = c.seqno;
        shared_.reservations.push_back({id, c});
    }
    return false;
}

std::optional<RouteUpdate> RouteAdvertiser::update(const NodeId& id, RouteDestination& d, Proof proof) {
    RouteUpdate u;
    u.destination = short_id(id);
    const Certificate* certificate = d.proofs.certificate();
    const Route* route = d.chosen();
    const RouteMetric metric = route == nullptr ? RouteMetric{} : selection_.to_advertise(*route);
    if (certificate != nullptr && (certificate->revokes() || proof == Proof::kCertificate)) {
        u.certificate = *certificate;
    }
    if (!metric.reachable()) {
        return u;  // a retraction
    }
    if (certificate == nullptr || !reserve(id, d, route->seqno)) {
        return std::nullopt;
    }
    u.seqno = route->seqno;
    u.metric = metric.charging(shared_.own_price);
    const NodeId& next = shared_.links.at(route->via).id;
    u.run = route->run;
    u.via = static_cast<std::uint16_t>(next[0] << 8U | next[1]);
    if (const RouteProofs::Proof* p = proof == Proof::kNone ? nullptr : d.proofs.find(route->seqno, route->run)) {
        u.serial = certificate->serial;
        u.signature = p->signature;
        u.instance = p->instance;
    }
    // 3.7.3: the source table holds the best we ever advertised.
    if (RouteSelection::closer(route->seqno, metric.airtime_us_per_kib, d.feasible)) {
        d.feasible = RouteDistance{route->seqno, metric.airtime_us_per_kib};
    }
    return u;
}

// A proof travels with the first update of a seqno if more neighbours seem to lack it than have it. Those who hear the
// destination itself have it, so next to it nothing is sent unasked.
RouteAdvertiser::Proof RouteAdvertiser::proof_for_all(const RouteDestination& d) const {
    const Certificate* certificate = d.proofs.certificate();
    if (certificate == nullptr) {
        return Proof::kNone;
    }
    if (d.certificate_sent != 0 && d.certificate_sent != certificate->serial + 1) {
        return Proof::kCertificate;
    }
    const Route* route = d.chosen();
    if (route == nullptr || route->metric.hops == 0 || (d.version != 0 && route->seqno <= d.advertised_seqno)) {
        return Proof::kNone;
    }
    const auto have = static_cast<std::size_t>(
        std::count_if(d.routes.begin(), d.routes.end(), [&](const Route& r) { return r.seqno >= route->seqno; }));
    const std::size_t all = shared_.links.size();
    if (have >= 3 || have >= all || (all - have) * 2 < all) {
        return Proof::kNone;
    }
    return d.certificate_sent == 0 ? Proof::kCertificate : Proof::kSignature;
}

void RouteAdvertiser::advertised(const NodeId& id, RouteDestination& d) {
    if (d.version != 0) {
        journal_.erase(d.version);
    }
    d.version = ++version_;
    journal_[version_] = id;
    d.due = RouteDue::kNone;
    if (const Route* route = d.chosen()) {
        d.advertised_seqno = route->seqno;
        d.advertised = selection_.to_advertise(*route);
    } else {
        d.advertised = {};
    }
    if (const Certificate* certificate = d.proofs.certificate()) {
        d.certificate_sent = certificate->serial + 1;
    }
}

// ---- the share of a link ----

double RouteAdvertiser::depth(const RouteNeighbor& n) const {
    return std::max(kLeastDepthBytes, kSecondsInAdvance * shared_.config.control_share * n.link.bytes_per_second());
}

void RouteAdvertiser::refill(Instant now) {
    for (auto& [link, n] : shared_.links) {
        const double elapsed = std::chrono::duration<double>(now - n.refilled).count();
        n.refilled = std::max(n.refilled, now);
        n.tokens = std::min(
            depth(n), n.tokens + std::max(0.0, elapsed) * shared_.config.control_share * n.link.bytes_per_second());
    }
}

// A quarter is kept for what is urgent.
bool RouteAdvertiser::affords(const RouteNeighbor& n, bool urgent) const {
    return n.tokens > (urgent ? 0.0 : depth(n) / 4);
}

// Most neighbours suffice: the others, on slower links, ask for what they missed when they can afford it.
bool RouteAdvertiser::all_afford(bool urgent) const {
    std::size_t able = 0;
    for (const auto& [link, n] : shared_.links) {
        able += affords(n, urgent) ? 1 : 0;
    }
    const std::size_t all = shared_.links.size();
    return all != 0 && able * 4 >= all * (shared_.config.broadcast ? 3 : 2);
}

void RouteAdvertiser::send(NeighborId to, Bytes message) {
    RouteNeighbor& n = shared_.links.at(to);
    n.tokens -= static_cast<double>(message.size()) + kOverheadBytes;
    shared_.counters.bytes_sent += message.size();
    out_.push_back({to, std::move(message)});
}

// The one place that knows whether the link layer can broadcast.
void RouteAdvertiser::send_to_all(const Bytes& message) {
    if (!shared_.config.broadcast) {
        for (auto& [link, n] : shared_.links) {
            if (affords(n, true)) {
                send(link, message);
            }
        }
        return;
    }
    for (auto& [link, n] : shared_.links) {
        n.tokens -= static_cast<double>(message.size()) + kOverheadBytes;
    }
    shared_.counters.bytes_sent += message.size();
    out_.push_back({kBroadcast, message});
}

// ---- changes, to all ----

std::optional<NodeId> RouteAdvertiser::next_of_normal() {
    while (!normal_.empty()) {
        auto it = normal_.upper_bound(served_);
        it = it == normal_.end() ? normal_.begin() : it;
        served_ = it->first;
        if (it->second.empty()) {
            normal_.erase(it);
            continue;
        }
        const NodeId id = it->second.front();
        it->second.pop_front();
        return id;
    }
    return std::nullopt;
}

std::optional<NodeId> RouteAdvertiser::next_due(Instant now, bool message_begun) {
    const auto due = [&](const NodeId& id, RouteDue as) {
        const auto it = shared_.destinations.find(id);
        return it != shared_.destinations.end() && it->second.due == as;
    };
    const auto pop = [&](std::deque<NodeId>& queue, RouteDue as) -> std::optional<NodeId> {
        while (!queue.empty()) {
            const NodeId id = queue.front();
            queue.pop_front();
            if (due(id, as)) {
                return id;
            }
        }
        return std::nullopt;
    };
    if (auto id = pop(urgent_, RouteDue::kUrgent)) {
        return id;
    }
    if (!all_afford(false)) {
        return std::nullopt;
    }
    while (const auto id = next_of_normal()) {
        if (due(*id, RouteDue::kNormal)) {
            return id;
        }
    }
    if (message_begun || (lazy_at_ && now >= *lazy_at_)) {
        return pop(lazy_, RouteDue::kLazy);
    }
    return std::nullopt;
}

bool RouteAdvertiser::send_changes(Instant now) {
    if (!all_afford(true)) {
        return false;
    }
    RouteUpdates m;
    m.span = RouteUpdates::Span{run_, version_, version_};
    std::size_t size = RouteUpdates::kHeaderBytes;
    bool only_lazy = true;
    if (own_due_ > RouteDue::kLazy || (own_due_ == RouteDue::kLazy && lazy_at_ && now >= *lazy_at_)) {
        only_lazy = own_due_ == RouteDue::kLazy;
        own_due_ = RouteDue::kNone;
        m.entries.push_back(origin_.update(true, false));
        size += m.entries.back().bytes();
        journal_.erase(own_version_);
        own_version_ = ++version_;
        journal_[own_version_] = origin_.id();
    }
    while (const auto id = next_due(now, !m.entries.empty())) {
        RouteDestination& d = shared_.destinations.at(*id);
        auto u = update(*id, d, proof_for_all(d));
        if (!u) {
            d.due = RouteDue::kNone;  // marked again once it may be said
            continue;
        }
        if (!m.entries.empty() && size + u->bytes() > kMessageBytes) {
            auto& queue = d.due == RouteDue::kUrgent ? urgent_ : d.due == RouteDue::kLazy ? lazy_ : normal_[served_];
            queue.push_front(*id);
            break;
        }
        only_lazy = only_lazy && d.due == RouteDue::kLazy;
        size += u->bytes();
        m.entries.push_back(std::move(*u));
        advertised(*id, d);
    }
    if (lazy_.empty() && own_due_ != RouteDue::kLazy) {
        lazy_at_.reset();
    }
    if (m.entries.empty()) {
        return false;
    }
    m.span->upto = version_;
    send_to_all(m.encode());
    state_interval_ = std::min(only_lazy ? kLazyState : kFirstState, std::max(state_interval_, kFirstState));
    state_at_ = now + state_interval_ * static_cast<std::int64_t>(768 + jitter_.below(512)) / 1'024;
    return true;
}

void RouteAdvertiser::send_state(Instant now) {
    send_to_all(RouteState{run_, version_}.encode());
    const auto neighbors = static_cast<std::int64_t>(shared_.links.size());
    const Duration last =
        shared_.config.broadcast ? std::max(kLastState, neighbors * kLastStatePerNeighbor) : kLastState;
    state_interval_ = std::min(2 * state_interval_, last);
    state_at_ = now + state_interval_ * static_cast<std::int64_t>(768 + jitter_.below(512)) / 1'024;
}

// ---- time ----

bool RouteAdvertiser::anything_waits() const {
    return !shared_.links.empty() && (!busy_.empty() || !syncing_.empty() || !answers_.empty() || !urgent_.empty() ||
                                      !normal_.empty() || own_due_ > RouteDue::kLazy);
}

void RouteAdvertiser::on_timeout(Instant now) {
    if (state_at_ && now >= *state_at_) {
        refill(now);
        send_state(now);
    }
    const bool lazy = lazy_at_ && now >= *lazy_at_;
    if (!lazy && (!flush_at_ || now < *flush_at_)) {
        return;
    }
    flush_at_.reset();
    refill(now);
    bool progress = true;
    while (progress && out_.size() < kOutLimit) {
        progress = send_direct(now);
        progress = send_changes(now) || progress;
        progress = send_answer() || progress;
        progress = send_syncs(now) || progress;
    }
    if (lazy && lazy_at_) {
        lazy_at_ = now + kLazyDelay / 10;  // no room on the links
    }
    if (anything_waits()) {
        double wait = 2.0;
        bool waiting = false;
        for (const auto& [link, n] : shared_.links) {
            const double missing = depth(n) / 4 - n.tokens;
            if (missing >= 0.0) {
                waiting = true;
                wait = std::min(wait, missing / (shared_.config.control_share * n.link.bytes_per_second()));
            }
        }
        wait = waiting ? std::max(0.02, wait) : 0.02;
        wake(now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wait)));
    }
}

std::optional<Instant> RouteAdvertiser::next_timeout() const {
    if (shared_.links.empty()) {
        return std::nullopt;
    }
    return earliest(earliest(flush_at_, lazy_at_), state_at_);
}

std::optional<RouteAdvertiser::Out> RouteAdvertiser::poll() {
    if (out_.empty()) {
        return std::nullopt;
    }
    Out out = std::move(out_.front());
    out_.pop_front();
    return out;
}

}  // namespace meshnet::net
