// SPDX-License-Identifier: MIT
#include "net/link_table.hpp"

#include <algorithm>

#include "net/deadline.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kHigherStartsAfter = 250ms;  // the higher link number lets the lower one call first
constexpr Duration kSilence = 40s;         // of a neighbour that is heard: new handshake; routing speaks more often
constexpr Duration kDoubtAfter = 5s;       // without anything that the session opens
constexpr Duration kNextHopPatience = 1s;  // a next hop may be gone so long before flows are reopened
constexpr Duration kTryUnproven = 5s;
constexpr Duration kGreetAgain = 400ms;
constexpr unsigned kFailuresToRekey = 2;  // frames given up in a row: new handshake
constexpr unsigned kFailuresToDown = 3;   // the link is down until it is done

}  // namespace

LinkTable::LinkTable(Config config, const Identity::Secrets& self, NeighborId self_link, RandomSource& random,
                     RouterCounters& counters)
    : config_(std::move(config)),
      self_(self),
      self_link_(self_link),
      random_(random),
      counters_(counters),
      shared_(random),
      broadcast_(self.device, random) {}

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
    return !reachable(link) && (n == nullptr || (now - n->down_since >= kNextHopPatience && now >= n->expected_until));
}

void LinkTable::expect(NeighborId link, Instant until) {
    if (Neighbor* n = entry(link)) {
        n->expected_until = until;
    }
}

std::size_t LinkTable::waiting(NeighborId link, FlowClass flow_class, std::uint32_t label) const {
    const Neighbor* n = find(link);
    return n == nullptr ? 0 : n->queue.waiting(flow_class, label);
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
    if (id == NodeId{}) {
        return std::nullopt;
    }
    const auto rank = [](const Neighbor& n) { return std::pair{n.link_up && n.session_up, n.peer->since()}; };
    auto best = neighbors_.end();
    for (auto it = neighbors_.begin(); it != neighbors_.end(); ++it) {
        if (it->second.id == id && (best == neighbors_.end() || rank(it->second) > rank(best->second))) {
            best = it;
        }
    }
    return best == neighbors_.end() ? std::nullopt : std::optional(best->first);
}

void LinkTable::forget(Neighbors::iterator it) {
    key_changes_.push_back({it->first, std::nullopt, false});
    neighbors_.erase(it);
}

// A node that draws a new number at each start leaves its old ones behind.
void LinkTable::forget_old(NeighborId link) {
    const NodeId id = neighbors_.at(link).id;
    std::size_t proven = 0;
    auto oldest = neighbors_.end();
    for (auto it = neighbors_.begin(); it != neighbors_.end();) {
        const auto here = it++;
        const Neighbor& n = here->second;
        if (here->first == link || n.id == NodeId{} || n.link_up) {
            proven += n.id != NodeId{} ? 1U : 0U;
        } else if (n.id == id) {
            forget(here);
        } else {
            ++proven;
            oldest = oldest == neighbors_.end() || n.last_heard < oldest->second.last_heard ? here : oldest;
        }
    }
    if (proven > kMaxNeighbors && oldest != neighbors_.end()) {
        forget(oldest);
    }
}

LinkTable::Neighbor* LinkTable::stranger(NeighborId link) {
    if (link == 0 || link == kBroadcast || link == self_link_) {
        return nullptr;
    }
    if (Neighbor* n = entry(link)) {
        return n;
    }
    std::size_t strangers = 0;
    auto victim = neighbors_.end();
    for (auto it = neighbors_.begin(); it != neighbors_.end(); ++it) {
        if (it->second.id == NodeId{}) {
            ++strangers;
            // Who is not heard any more goes first, then who has had the most time.
            const auto rank = [](const Neighbor& n) { return std::pair{n.link_up, n.last_heard}; };
            if (victim == neighbors_.end() || rank(it->second) < rank(victim->second)) {
                victim = it;
            }
        }
    }
    if (strangers >= kMaxStrangers) {
        neighbors_.erase(victim);
    }
    Neighbor& n = neighbors_[link];
    n.peer = std::make_unique<LinkPeer>(
        self_.certificate, self_.exchange_secret, self_link_, link, random_, shared_, [this](const NodeId& id) {
            const auto in = [&](const std::vector<NodeId>& list) {
                return std::find(list.begin(), list.end(), id) != list.end();
            };
            return !in(config_.refused) && (config_.closed_fleet.empty() || in(config_.closed_fleet));
        });
    return &n;
}

LinkTable::Up LinkTable::up(Instant now, NeighborId link, const LinkQuality& quality) {
    Neighbor* const made = stranger(link);
    if (made == nullptr) {
        return Up::kIgnored;
    }
    Neighbor& n = *made;
    if (n.link_up) {
        return Up::kWasUp;
    }
    n.quality = quality;
    n.link_up = true;
    n.last_heard = now;
    if (n.peer->up()) {
        // If the link layer has forgotten the keys, the neighbour shows that it still has them; if the neighbour has
        // lost them, it will start a handshake.
        key_changes_.push_back({link, n.peer->link_keys(), false});
        session_up(now, n);
        forget_old(link);
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
    n->failures = 0;
    const auto now_at = link_of(n->id);
    if (now_at && *now_at != link) {
        forget(neighbors_.find(link));  // it goes by another number now
    }
    return true;
}

void LinkTable::alive(Instant now, NeighborId link) {
    if (Neighbor* n = entry(link)) {
        n->last_heard = now;
    }
}

void LinkTable::unproven(Instant now, NeighborId link) {
    Neighbor* n = entry(link);
    if (n == nullptr || n->link_up) {
        return;
    }
    n->try_until = now + kTryUnproven;
    n->peer->start(now);
}

bool LinkTable::on_frame_done(Instant now, NeighborId to, bool delivered) {
    Neighbor* n = entry(to);
    if (n == nullptr || !n->link_up || !n->session_up) {
        return false;
    }
    if (delivered) {
        n->failures = 0;
        return false;
    }
    ++n->failures;
    if (n->failures == kFailuresToRekey) {
        n->peer->start(now);
    }
    if (n->failures < kFailuresToDown) {
        return false;
    }
    n->failures = 0;
    n->session_up = false;
    n->down_since = now;
    n->queue.clear_control();
    n->peer->start(now);
    return true;
}

void LinkTable::take_keys(NeighborId link, Neighbor& n) {
    while (auto change = n.peer->poll_keys()) {
        key_changes_.push_back({link, change->keys, change->in_use});
    }
}

std::optional<LinkKeyChange> LinkTable::poll_link_key() {
    if (key_changes_.empty()) {
        return std::nullopt;
    }
    LinkKeyChange change = key_changes_.front();
    key_changes_.pop_front();
    return change;
}

bool LinkTable::on_broadcast_key(NeighborId from, ByteView body) {
    Neighbor* n = entry(from);
    return n != nullptr && LinkBroadcast::on_key(body, n->broadcast);
}

// A frame to everybody that the session cannot open: the neighbour may have another key since, or another station may
// have its key and a session of its own. A new handshake finds out; whoever forges such frames gets one in 40 s.
void LinkTable::doubt(Instant now, Neighbor& n) {
    if (n.link_up && n.session_up && now >= n.last_heard + kDoubtAfter &&
        (!n.doubted_at || now >= *n.doubted_at + kSilence)) {
        n.doubted_at = now;
        n.peer->start(now);
    }
}

LinkTable::Heard LinkTable::on_broadcast(Instant now, Neighbor& n, ByteView frame) {
    if (!n.peer->up()) {
        ++counters_.dropped_auth;
        return {};
    }
    auto opened = LinkBroadcast::open(now, frame, n.peer->certificate().signing, n.broadcast);
    switch (opened.refusal) {
        case LinkBroadcast::Refusal::kNone:
            return {false, std::move(opened.plain), false, true};
        case LinkBroadcast::Refusal::kForged:
            ++counters_.dropped_auth;
            doubt(now, n);
            break;
        case LinkBroadcast::Refusal::kReplayed:
            ++counters_.dropped_replay;
            doubt(now, n);
            break;
        case LinkBroadcast::Refusal::kLimited:
            ++counters_.handshakes_limited;
            break;
    }
    return {};
}

void LinkTable::broadcast_control(Bytes message) {
    if (!broadcast_.push(std::move(message))) {
        ++counters_.dropped_queue_full;
    }
}

void LinkTable::session_up(Instant now, Neighbor& n) {
    n.session_up = true;
    n.id = n.peer->id();
    if (n.expected_until > n.down_since) {
        n.queue.renew(now);
        n.expected_until = {};
    }
    n.start_at.reset();
    n.last_heard = now;
    n.failures = 0;
    n.greet = n.greet || n.peer->unheard();
    if (n.greet) {
        n.greet_at = now + kGreetAgain;
    }
    ++counters_.handshakes;
    if (!n.queue.push_control(broadcast_.key_message())) {
        ++counters_.dropped_queue_full;
    }
}

LinkTable::Heard LinkTable::on_frame(Instant now, NeighborId from, ByteView frame) {
    // A handshake may be the first we hear of a neighbour; its link is up once it has proven who it is.
    const bool handshake = !frame.empty() && frame[0] >= 1 && frame[0] <= 3;
    Neighbor* n = handshake ? stranger(from) : entry(from);
    if (n == nullptr || !(n->link_up || handshake || n->peer->up())) {
        ++counters_.dropped_auth;
        return {};
    }
    if (!frame.empty() && frame[0] == LinkBroadcast::kType) {
        return on_broadcast(now, *n, frame);
    }
    LinkPeer::Outcome outcome = n->peer->on_frame(now, frame);
    take_keys(from, *n);
    switch (outcome.event) {
        case LinkPeer::Event::kNone:
            break;
        case LinkPeer::Event::kUp:
        case LinkPeer::Event::kUpAndData:
            n->id = n->peer->id();
            forget_old(from);
            if (!n->link_up) {
                break;  // up() follows, and finds the session
            }
            session_up(now, *n);
            if (outcome.event == LinkPeer::Event::kUp) {
                return {true, std::nullopt, false, false};
            }
            return {true, std::move(outcome.plain), false, false};
        case LinkPeer::Event::kData:
            n->last_heard = now;
            return {false, std::move(outcome.plain), outcome.replaced, false};
        case LinkPeer::Event::kConfirm:
            if (n->peer->unheard()) {
                n->greet = true;
            } else {
                send_control(from, {static_cast<std::uint8_t>(MessageType::kKeepalive)});
            }
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
        if (n.try_until && (n.link_up || now >= *n.try_until)) {
            n.try_until.reset();
            if (!n.link_up) {
                n.peer->stop();
            }
        }
        n.peer->on_timeout(now);
        if (n.greet_at && now >= *n.greet_at) {
            n.greet = n.link_up && n.session_up && n.peer->unheard();
            n.greet_at = n.greet ? std::optional(now + kGreetAgain) : std::nullopt;
        }
        if (n.link_up && n.session_up && now >= n.last_heard + kSilence) {
            n.last_heard = now;
            n.peer->start(now);
        }
        if (n.link_up && n.session_up && now >= n.peer->since() + config_.rekey_after) {
            n.peer->start(now);
        }
        take_keys(link, n);
    }
}

std::optional<Instant> LinkTable::next_timeout() const {
    std::optional<Instant> next;
    for (const auto& [link, n] : neighbors_) {
        next = earliest(next, n.start_at);
        next = earliest(next, n.try_until);
        next = earliest(next, n.greet_at);
        next = earliest(next, n.peer->next_timeout());
        if (n.link_up && n.session_up) {
            next = earliest(next, n.last_heard + kSilence);
            if (!n.peer->next_timeout()) {
                next = earliest(next, n.peer->since() + config_.rekey_after);
            }
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

}  // namespace meshnet::net
