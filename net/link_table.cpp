// SPDX-License-Identifier: MIT
#include "net/link_table.hpp"

#include <algorithm>
#include <cassert>

#include "net/deadline.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kMaxNeighbors = 256;
constexpr Duration kHigherStartsAfter = 250ms;  // the higher link number lets the lower one call first
constexpr Duration kSilence = 14s;              // of a neighbour that is heard: new handshake
constexpr Duration kNextHopPatience = 1s;       // a next hop may be gone so long before flows are reopened

}  // namespace

LinkTable::LinkTable(Config config, const Identity::Secrets& self, NeighborId self_link, RandomSource& random,
                     RouterCounters& counters)
    : config_(std::move(config)), self_(self), self_link_(self_link), random_(random), counters_(counters) {}

LinkTable::Neighbor* LinkTable::entry(NeighborId link) {
    const auto it = neighbors_.find(link);
    return it == neighbors_.end() ? nullptr : &it->second;
}

const LinkTable::Neighbor* LinkTable::find(NeighborId link) const {
    const auto it = neighbors_.find(link);
    return it == neighbors_.end() ? nullptr : &it->second;
}

bool LinkTable::reachable(NeighborId link) const {
    const Neighbor* n = find(link);
    return n != nullptr && n->link_up && n->session_up;
}

bool LinkTable::lost(Instant now, NeighborId link) const {
    const Neighbor* n = find(link);
    return !reachable(link) && (n == nullptr || now - n->down_since >= kNextHopPatience);
}

TokenBucket& LinkTable::bucket(Neighbor& n, Effort effort) {
    switch (effort) {
        case Effort::kOpen:
            return n.opens;
        case Effort::kAnswer:
            return n.answers;
        case Effort::kBalance:
            return n.balances;
        case Effort::kHash:
            break;
    }
    return n.hashes;
}

bool LinkTable::within_limit(Instant now, NeighborId link, Effort effort, std::int64_t count) {
    Neighbor* n = entry(link);
    return n != nullptr && bucket(*n, effort).take(now, count);
}

void LinkTable::give_back(NeighborId link, Effort effort, std::int64_t count) {
    if (Neighbor* n = entry(link)) {
        bucket(*n, effort).give_back(count);
    }
}

std::optional<NeighborId> LinkTable::link_of(const NodeId& id) const {
    for (const auto& [link, n] : neighbors_) {
        if (n.session_up && n.id == id) {
            return link;
        }
    }
    return std::nullopt;
}

LinkTable::Up LinkTable::up(Instant now, NeighborId link, const LinkQuality& quality) {
    if (link == 0 || link == kBroadcast || link == self_link_) {
        return Up::kIgnored;
    }
    if (neighbors_.count(link) == 0 && neighbors_.size() >= kMaxNeighbors) {
        return Up::kIgnored;
    }
    Neighbor& n = neighbors_[link];
    if (n.link_up) {
        return Up::kWasUp;
    }
    n.quality = quality;
    n.link_up = true;
    n.last_heard = now;
    if (!n.peer) {
        n.peer = std::make_unique<LinkPeer>(
            self_.certificate, self_.exchange_secret, self_link_, link, random_, [this](const NodeId& id) {
                const auto in = [&](const std::vector<NodeId>& list) {
                    return std::find(list.begin(), list.end(), id) != list.end();
                };
                return !in(config_.refused) && (config_.closed_fleet.empty() || in(config_.closed_fleet));
            });
    }
    if (n.peer->up()) {
        session_up(now, n);  // if the neighbour lost its keys meanwhile, it will start a handshake
        return Up::kSession;
    }
    n.down_since = now;
    n.start_at = now + (self_link_ < link ? Duration{} : Duration{kHigherStartsAfter});
    return Up::kStarting;
}

bool LinkTable::change(NeighborId link, const LinkQuality& quality) {
    Neighbor* n = entry(link);
    if (n == nullptr || !n->link_up) {
        return false;
    }
    n->quality = quality;
    return n->session_up;
}

bool LinkTable::down(Instant now, NeighborId link) {
    Neighbor* n = entry(link);
    if (n == nullptr || !n->link_up) {
        return false;
    }
    n->link_up = false;
    n->session_up = false;
    n->down_since = now;
    n->start_at.reset();
    n->peer->stop();
    n->queue.clear_control();
    return true;
}

void LinkTable::session_up(Instant now, Neighbor& n) {
    n.session_up = true;
    n.id = n.peer->id();
    n.start_at.reset();
    n.last_heard = now;
    ++counters_.handshakes;
}

LinkTable::Heard LinkTable::on_frame(Instant now, NeighborId from, ByteView frame) {
    Neighbor* n = entry(from);
    if (n == nullptr || !n->link_up || !n->peer) {
        ++counters_.dropped_auth;
        return {};
    }
    LinkPeer::Outcome outcome = n->peer->on_frame(now, frame);
    switch (outcome.event) {
        case LinkPeer::Event::kNone:
            break;
        case LinkPeer::Event::kUp:
            session_up(now, *n);
            return {true, std::nullopt, false};
        case LinkPeer::Event::kUpAndData:
            session_up(now, *n);
            return {true, std::move(outcome.plain), false};
        case LinkPeer::Event::kData:
            n->last_heard = now;
            return {false, std::move(outcome.plain), outcome.replaced};
        case LinkPeer::Event::kConfirm:
            send_control(from, {static_cast<std::uint8_t>(MessageType::kKeepalive)});
            break;
        case LinkPeer::Event::kForged:
            ++counters_.dropped_auth;
            break;
        case LinkPeer::Event::kReplayed:
            ++counters_.dropped_replay;
            break;
        case LinkPeer::Event::kRefused:
            ++counters_.handshakes_refused;
            break;
        case LinkPeer::Event::kMalformed:
            ++counters_.dropped_malformed;
            break;
        case LinkPeer::Event::kLimited:
            ++counters_.handshakes_limited;
            break;
    }
    return {};
}

void LinkTable::on_timeout(Instant now) {
    for (auto& [link, n] : neighbors_) {
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
    }
}

std::optional<Instant> LinkTable::next_timeout() const {
    std::optional<Instant> next;
    for (const auto& [link, n] : neighbors_) {
        next = earliest(next, n.start_at);
        if (n.peer) {
            next = earliest(next, n.peer->next_timeout());
        }
        if (n.link_up && n.session_up) {
            next = earliest(next, n.last_heard + kSilence);
        }
    }
    return next;
}

void LinkTable::send_control(NeighborId to, Bytes message) {
    Neighbor* n = entry(to);
    if (n == nullptr || !n->session_up) {
        return;
    }
    if (!n->queue.push_control(std::move(message))) {
        ++counters_.dropped_queue_full;
    }
}

bool LinkTable::push(NeighborId to, FlowClass flow_class, FlowQueue::Packet packet) {
    Neighbor* n = entry(to);
    return n != nullptr && n->queue.push(flow_class, std::move(packet));
}

void LinkTable::drop_flow(NeighborId to, std::uint32_t label) {
    if (Neighbor* n = entry(to)) {
        n->queue.drop_flow(label);
    }
}

std::optional<OutFrame> LinkTable::poll_transmit(Instant now, NeighborId to, std::size_t max_bytes, DataGate& gate) {
    Neighbor* n = entry(to);
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
                   now, flow_class, [&](std::uint32_t label) { return gate.may_send(to, label); },
                   [&](std::size_t size) { return bundle.fits_data(size); })) {
            const bool added =
                bundle.add(DataMessage{packet->label, packet->sequence, packet->hops_left, packet->sealed});
            assert(added);
            (void)added;
            gate.on_sent(now, to, *packet);
        }
        counters_.dropped_old += n->queue.dropped_old() - old_before;
    }
    if (bundle.empty()) {
        return std::nullopt;
    }
    auto frame = n->peer->seal(bundle.bytes());
    if (!frame || n->peer->frames_sent() >= config_.rekey_after_frames) {
        n->peer->start(now);
    }
    if (!frame) {
        return std::nullopt;
    }
    (priority == Priority::kControl ? counters_.control_bytes_sent : counters_.data_bytes_sent) += frame->size();
    return OutFrame{to, priority, std::move(*frame)};
}

std::vector<NeighborId> LinkTable::pending(const DataGate& gate) const {
    std::vector<std::pair<int, NeighborId>> found;
    for (const auto& [link, n] : neighbors_) {
        if (!n.link_up) {
            continue;
        }
        const auto open = [&, to = link](std::uint32_t label) { return gate.may_send(to, label); };
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

}  // namespace meshnet::net
