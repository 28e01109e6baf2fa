// SPDX-License-Identifier: MIT
// Neighbours: links and sessions come and go; what waits is sealed when it leaves.
#include <algorithm>
#include <cmath>

#include "net/router_impl.hpp"

namespace meshnet::net {

namespace {

/// Airtime of a KiB in whole us, at least 1, whatever the link layer measured.
std::uint32_t airtime_of(const LinkQuality& q) {
    double us = q.airtime_us_per_kib;
    if (!(us > 0.0) && q.rate_bps > 0.0) {
        us = 8'192e6 / q.rate_bps;
    }
    return us >= 1.0 && std::isfinite(us) ? static_cast<std::uint32_t>(std::min(us, 4e9)) : 1U;
}

std::uint16_t delay_of(const LinkQuality& q) {
    const auto ms = q.round_trip.count() / 2'000'000;
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>(ms, 0, 0xFFFF));
}

}  // namespace

Router::Impl::Neighbor* Router::Impl::neighbor(NeighborId link) {
    const auto it = neighbors.find(link);
    return it == neighbors.end() ? nullptr : &it->second;
}

const Router::Impl::Neighbor* Router::Impl::neighbor(NeighborId link) const {
    const auto it = neighbors.find(link);
    return it == neighbors.end() ? nullptr : &it->second;
}

bool Router::Impl::reachable(NeighborId link) const {
    const Neighbor* n = neighbor(link);
    return n != nullptr && n->link_up && n->session_up;
}

void Router::Impl::link_up(Instant now, NeighborId link, const LinkQuality& quality) {
    if (link == 0 || link == kBroadcast || link == self_link) {
        return;
    }
    if (neighbors.count(link) == 0 && neighbors.size() >= kMaxNeighbors) {
        return;
    }
    Neighbor& n = neighbors[link];
    if (n.link_up) {
        return link_changed(now, link, quality);
    }
    n.quality = quality;
    n.link_up = true;
    n.last_heard = now;
    if (n.window == 0) {
        n.window = config.initial_window_bytes;
    }
    if (!n.peer) {
        n.peer = std::make_unique<LinkPeer>(
            self.certificate, self.exchange_secret, self_link, link, random, [this](const NodeId& id) {
                const auto& fleet = config.closed_fleet;
                return fleet.empty() || std::find(fleet.begin(), fleet.end(), id) != fleet.end();
            });
    }
    if (n.peer->up()) {
        session_up(now, link, n);  // the keys outlived the gap; if the neighbour's did not, it will call
    } else {
        n.down_since = now;
        n.start_at = now + (self_link < link ? Duration{} : Duration{kHigherStartsAfter});
        neighbor_timeouts(now);
    }
}

void Router::Impl::link_changed(Instant now, NeighborId link, const LinkQuality& quality) {
    Neighbor* n = neighbor(link);
    if (n == nullptr || !n->link_up) {
        return;
    }
    n->quality = quality;
    if (n->session_up) {
        routes.neighbor_changed(now, link, airtime_of(quality), delay_of(quality));
        settle_routes(now);
    }
}

void Router::Impl::link_down(Instant now, NeighborId link) {
    Neighbor* n = neighbor(link);
    if (n == nullptr || !n->link_up) {
        return;
    }
    n->link_up = false;
    n->session_up = false;
    n->down_since = now;
    n->start_at.reset();
    n->peer->stop();
    n->queue.clear_control();
    routes.neighbor_down(now, link);
    settle_routes(now);
}

void Router::Impl::session_up(Instant now, NeighborId link, Neighbor& n) {
    n.session_up = true;
    n.id = n.peer->id();
    n.start_at.reset();
    n.last_heard = now;
    ++counters.handshakes;
    routes.learn(n.peer->certificate());
    routes.neighbor_up(now, link, airtime_of(n.quality), delay_of(n.quality));
    for (auto& [id, f] : flows) {
        if (f.role != FlowRole::kSource && f.prev == link && f.durable.bytes > f.upstream_acked) {
            f.receipt_interval = {};
            send_receipt(now, f);
        }
        if (f.prev == link || f.next == link) {
            refresh_unresolved(now, f);
        }
    }
    if (const auto* b = book_.find(n.id);
        b != nullptr && (b->claimed_nsat != b->stated_claimed_nsat || b->owed_nsat != b->stated_owed_nsat)) {
        n.balance_at = now + 1s;
    }
    for (const auto& [key, c] : conversations) {
        if (!c.waiting.empty()) {
            waiting.insert(key);
        }
    }
    settle_routes(now);
}

void Router::Impl::send_control(NeighborId to, Bytes message) {
    Neighbor* n = neighbor(to);
    if (n == nullptr || !n->session_up) {
        return;  // whoever needs an answer repeats the question
    }
    if (!n->queue.push_control(std::move(message))) {
        ++counters.dropped_queue_full;
    }
}

bool Router::Impl::gate(NeighborId to, std::uint32_t label) const {
    const Flow* f = flow_by_out(to, label);
    if (f == nullptr || f->claim_price == 0) {
        return true;
    }
    const Neighbor* payer = neighbor(f->claims_from());
    return payer == nullptr || payer->unresolved < payer->window;
}

std::optional<OutFrame> Router::Impl::poll_transmit(Instant now, NeighborId to, std::size_t max_bytes) {
    Neighbor* n = neighbor(to);
    if (n == nullptr || !n->link_up) {
        return std::nullopt;
    }
    if (n->peer->handshake_pending()) {
        if (n->peer->handshake_bytes() > max_bytes) {
            return std::nullopt;
        }
        return OutFrame{to, Priority::kControl, *n->peer->poll_handshake()};
    }
    const std::size_t limit = std::min(max_bytes, kMaxFrameBytes);
    if (!n->session_up || limit <= LinkSession::kOverheadBytes) {
        return std::nullopt;
    }
    MessageBundle bundle(limit - LinkSession::kOverheadBytes);
    Priority priority = Priority::kControl;
    while (const Bytes* message = n->queue.front_control()) {
        if (!bundle.add_control(*message)) {
            break;
        }
        n->queue.pop_control();
    }
    // A frame holds one class, so that the link layer can send the urgent first without tearing a flow's order apart.
    for (const FlowClass flow_class : {FlowClass::kInteractive, FlowClass::kBulk}) {
        if (!bundle.empty()) {
            break;
        }
        priority = flow_class == FlowClass::kInteractive ? Priority::kInteractive : Priority::kBulk;
        const std::uint64_t old_before = n->queue.dropped_old();
        while (auto packet = n->queue.pop(
                   now, flow_class, [&](std::uint32_t label) { return gate(to, label); },
                   [&](std::size_t size) { return bundle.fits_data(size); })) {
            const bool added =
                bundle.add(DataMessage{packet->label, packet->sequence, packet->hops_left, packet->sealed});
            assert(added);
            (void)added;
            handed_on(now, to, *packet);
        }
        counters.dropped_old += n->queue.dropped_old() - old_before;
    }
    if (bundle.empty()) {
        return std::nullopt;
    }
    auto frame = n->peer->seal(bundle.bytes());
    if (!frame || n->peer->frames_sent() >= config.rekey_after_frames) {
        n->peer->start(now);
    }
    if (!frame) {
        return std::nullopt;
    }
    (priority == Priority::kControl ? counters.control_bytes_sent : counters.data_bytes_sent) += frame->size();
    return OutFrame{to, priority, std::move(*frame)};
}

std::vector<NeighborId> Router::Impl::pending() const {
    std::vector<std::pair<int, NeighborId>> found;
    for (const auto& [link, n] : neighbors) {
        if (!n.link_up) {
            continue;
        }
        const auto open = [&, to = link](std::uint32_t label) { return gate(to, label); };
        if (n.peer->handshake_pending() || (n.session_up && n.queue.front_control() != nullptr)) {
            found.emplace_back(0, link);
        } else if (n.session_up && n.queue.ready(FlowClass::kInteractive, open)) {
            found.emplace_back(1, link);
        } else if (n.session_up && n.queue.ready(FlowClass::kBulk, open)) {
            found.emplace_back(2, link);
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<NeighborId> out;
    out.reserve(found.size());
    for (const auto& [priority, link] : found) {
        out.push_back(link);
    }
    return out;
}

void Router::Impl::neighbor_timeouts(Instant now) {
    for (auto& [link, n] : neighbors) {
        if (n.start_at && now >= *n.start_at) {
            n.start_at.reset();
            n.peer->start(now);
        }
        if (n.peer) {
            n.peer->on_timeout(now);
        }
        if (n.link_up && n.session_up && now >= n.last_heard + kSilence) {
            n.last_heard = now;
            n.peer->start(now);
        }
        if (n.balance_at && now >= *n.balance_at) {
            n.balance_at.reset();
            state_balance(now, n);
        }
    }
}

}  // namespace meshnet::net
