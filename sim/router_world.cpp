// SPDX-License-Identifier: MIT
#include "sim/router_world.hpp"

#include <algorithm>
#include <set>

#include "sim/router_access.hpp"

namespace meshnet::sim {

using namespace net;  // NOLINT: a world of routers speaks of little else

RouterWorld::RouterWorld(RouterWorldOptions options)
    : options_(options), rng_(options.seed), key_rng_(options.seed + 1'000'003) {}

namespace {

bool grew(const LedgerRow& old, const LedgerRow& row) {
    return old.peer == row.peer && old.kind == row.kind && row.bytes_delivered >= old.bytes_delivered &&
           std::abs(row.amount_nsat) >= std::abs(old.amount_nsat);
}

}  // namespace

std::size_t RouterWorld::add(std::function<void(Router::Config&)> configure) {
    const std::size_t index = nodes_.size();
    nodes_.emplace_back();
    Node& n = nodes_.back();
    const Identity identity = Identity::generate(key_rng_);
    n.key = identity.to_text();
    n.link = identity.station_id();
    n.id = identity.id();
    n.address = identity.address();
    n.configure = std::move(configure);
    node_rngs_.push_back(std::make_unique<Rng>(options_.seed * 1'000 + index));
    start(index);
    return index;
}

std::size_t RouterWorld::add_twin(std::size_t node) {
    const std::size_t index = nodes_.size();
    nodes_.emplace_back();
    Node& n = nodes_.back();
    n.key = nodes_[node].key;
    n.link = nodes_[node].link;
    n.id = nodes_[node].id;
    n.address = nodes_[node].address;
    n.configure = nodes_[node].configure;
    node_rngs_.push_back(std::make_unique<Rng>(options_.seed * 1'000 + index));
    start(index);
    return index;
}

void RouterWorld::start(std::size_t index) {
    Node& n = nodes_[index];
    LedgerState state;
    for (const auto& [key, row] : n.disk) {
        if (row.table != LedgerRow::Table::kEntry) {
            state.rows.push_back(row);
        }
    }
    Router::Config config;
    if (n.configure) {
        n.configure(config);
    }
    config.identity = std::move(Identity::from_text(n.key)).value();
    n.router = std::make_unique<Router>(std::move(config), *node_rngs_[index], state);
    n.timer.reset();
    ++n.boot_epoch;
}

void RouterWorld::join(std::size_t a, std::size_t b, RouterLink options) {
    for (const std::size_t end : {a, b}) {
        nodes_[end].links.push_back(links_.size());
    }
    links_.push_back({a, b, options, false, {}});
    link_up(a, b);
}

RouterWorld::Link* RouterWorld::link(std::size_t a, std::size_t b) const {
    for (const std::size_t i : nodes_[a].links) {
        if (links_[i].a == b || links_[i].b == b) {
            return &links_[i];
        }
    }
    return nullptr;
}

RouterLink RouterWorld::link_options(std::size_t a, std::size_t b) const {
    return link(a, b)->options;
}

bool RouterWorld::is_up(std::size_t a, std::size_t b) const {
    const Link* l = link(a, b);
    return l != nullptr && l->up;
}

std::vector<std::size_t> RouterWorld::joined(std::size_t node) const {
    std::vector<std::size_t> out;
    for (const std::size_t i : nodes_[node].links) {
        out.push_back(links_[i].a == node ? links_[i].b : links_[i].a);
    }
    return out;
}

LinkQuality RouterWorld::quality(const Link& l) const {
    LinkQuality q;
    q.rate_bps = l.options.rate_bps;
    q.airtime_us_per_kib = l.options.airtime_us_per_kib;
    q.round_trip = 2 * l.options.delay;
    q.loss = l.options.loss;
    q.snr_db = 20.0F;
    return q;
}

void RouterWorld::link_up(std::size_t a, std::size_t b) {
    Link& l = *link(a, b);
    l.up = true;
    for (const auto& [x, y] : {std::pair{l.a, l.b}, std::pair{l.b, l.a}}) {
        if (nodes_[x].router) {
            nodes_[x].router->on_link_up(now_, nodes_[y].link, quality(l));
            pump(x);
        }
    }
}

void RouterWorld::link_down(std::size_t a, std::size_t b) {
    Link& l = *link(a, b);
    l.up = false;
    for (const auto& [x, y] : {std::pair{l.a, l.b}, std::pair{l.b, l.a}}) {
        if (nodes_[x].router) {
            nodes_[x].router->on_link_down(now_, nodes_[y].link);
            pump(x);
        }
    }
}

void RouterWorld::set_loss(std::size_t a, std::size_t b, double loss) {
    link(a, b)->options.loss = loss;
}

void RouterWorld::set_link(std::size_t a, std::size_t b, RouterLink options, bool reported) {
    Link& l = *link(a, b);
    l.options = options;
    for (const auto& [x, y] : {std::pair{l.a, l.b}, std::pair{l.b, l.a}}) {
        if (reported && l.up && nodes_[x].router) {
            nodes_[x].router->on_link_changed(now_, nodes_[y].link, quality(l));
            pump(x);
        }
    }
}

void RouterWorld::kill(std::size_t node) {
    nodes_[node].router.reset();
    const std::uint64_t boot_epoch = ++nodes_[node].boot_epoch;
    mix(0xDEAD);
    if (options_.death_after <= Duration{}) {
        return;
    }
    after(options_.death_after, [this, node, boot_epoch] {
        if (nodes_[node].boot_epoch != boot_epoch) {
            return;  // it is back already
        }
        for (const std::size_t peer : joined(node)) {
            if (nodes_[peer].router && is_up(peer, node)) {
                nodes_[peer].router->on_link_down(now_, nodes_[node].link);
                pump(peer);
            }
        }
    });
}

void RouterWorld::rekey(std::size_t node) {
    const NeighborId former = nodes_[node].link;
    const Identity identity = Identity::generate(key_rng_);
    Node& n = nodes_[node];
    n.key = identity.to_text();
    n.link = identity.station_id();
    n.id = identity.id();
    n.address = identity.address();
    for (const std::size_t i : n.links) {
        if (!links_[i].up) {
            continue;
        }
        const std::size_t peer = links_[i].a == node ? links_[i].b : links_[i].a;
        after(4s, [this, peer, former] {  // the link layer hears nothing from the former number any more
            if (nodes_[peer].router) {
                nodes_[peer].router->on_link_down(now_, former);
                pump(peer);
            }
        });
        after(300ms, [this, i, node, peer] {
            if (nodes_[peer].router && links_[i].up) {
                nodes_[peer].router->on_link_up(now_, nodes_[node].link, quality(links_[i]));
                pump(peer);
            }
        });
    }
}

void RouterWorld::restart(std::size_t node) {
    start(node);
    const std::uint64_t boot_epoch = nodes_[node].boot_epoch;
    for (const std::size_t i : nodes_[node].links) {
        if (!links_[i].up) {
            continue;
        }
        after(300ms, [this, i, node, boot_epoch] {
            if (nodes_[node].boot_epoch != boot_epoch) {
                return;
            }
            const Link& l = links_[i];
            const std::size_t peer = l.a == node ? l.b : l.a;
            nodes_[node].router->on_link_up(now_, nodes_[peer].link, quality(l));
            pump(node);
            if (options_.death_after > Duration{} && nodes_[peer].router) {  // which had missed it
                nodes_[peer].router->on_link_up(now_, nodes_[node].link, quality(l));
                pump(peer);
            }
        });
    }
    pump(node);
}

Bytes RouterWorld::packet(std::size_t a, std::size_t b, const Bytes& payload, std::uint8_t next_header) const {
    Bytes out;
    out.reserve(40 + payload.size());
    ByteWriter w(out);
    w.u32(6U << 28);
    w.u16(static_cast<std::uint16_t>(payload.size()));
    w.u8(next_header);
    w.u8(64);
    w.bytes(ByteView(nodes_[a].address));
    w.bytes(ByteView(nodes_[b].address));
    w.bytes(ByteView(payload));
    return out;
}

void RouterWorld::send(std::size_t a, std::size_t b, const Bytes& payload, std::uint8_t next_header) {
    if (nodes_[a].router) {
        nodes_[a].router->on_packet(now_, packet(a, b, payload, next_header));
        pump(a);
    }
}

void RouterWorld::at(Instant when, std::function<void()> what) {
    queue_.emplace(std::pair{std::max(when, now_), sequence_++}, std::move(what));
}

void RouterWorld::inject(std::size_t node, NeighborId from, ByteView frame) {
    if (nodes_[node].router) {
        nodes_[node].router->on_frame(now_, from, frame);
        pump(node);
    }
}

std::optional<std::size_t> RouterWorld::by_link(NeighborId id) const {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].link == id) {
            return i;
        }
    }
    return std::nullopt;
}

std::vector<std::size_t> RouterWorld::links_to(std::size_t node, NeighborId id) const {
    std::vector<std::size_t> out;
    for (const std::size_t i : nodes_[node].links) {
        const Link& l = links_[i];
        const NeighborId other = nodes_[l.a == node ? l.b : l.a].link;
        if (l.up && (id == kBroadcast || other == id)) {
            out.push_back(i);
        }
    }
    return out;
}

void RouterWorld::send_frame(std::size_t from, std::size_t link_index, OutFrame frame) {
    Link& l = links_[link_index];
    const std::size_t peer = l.a == from ? l.b : l.a;
    Instant& busy = l.busy[l.a == from ? 0 : 1];
    busy = now_ + from_seconds(static_cast<double>(frame.bytes.size()) * 8.0 / l.options.rate_bps);
    at(busy, [this, from] { pump(from); });
    if (tamper) {
        tamper(from, peer, frame.bytes);
    }
    const bool lost = frame.bytes.empty() || rng_.uniform() < l.options.loss;
    if (options_.report_fate && frame.to != kBroadcast && !frame.open) {
        const bool arrives = !lost && l.up && nodes_[peer].router != nullptr;
        at(busy + 2 * l.options.delay, [this, from, to = frame.to, arrives, boot_epoch = nodes_[from].boot_epoch] {
            if (nodes_[from].boot_epoch == boot_epoch && nodes_[from].router) {
                nodes_[from].router->on_frame_done(now_, to, arrives);
                pump(from);
            }
        });
    }
    if (lost) {
        return;
    }
    at(busy + l.options.delay, [this, sender = nodes_[from].link, peer, link_index, bytes = std::move(frame.bytes)] {
        if (links_[link_index].up) {
            inject(peer, sender, bytes);
        }
    });
}

void RouterWorld::pump(std::size_t index) {
    Node& n = nodes_[index];
    if (touched_.empty() || touched_.back() != index) {
        touched_.push_back(index);
    }
    if (!n.router) {
        return;
    }
    while (auto batch = n.router->poll_persist(now_)) {
        ++n.batches;
        after(options_.commit_delay, [this, index, boot_epoch = n.boot_epoch, batch = std::move(*batch)] {
            Node& node = nodes_[index];
            if (node.boot_epoch != boot_epoch) {
                return;  // killed before the disk had it
            }
            for (const LedgerRow& row : batch.rows) {
                const std::pair<int, Bytes> key{static_cast<int>(row.table), row.key};
                if (const auto old = node.disk.find(key);
                    row.table == LedgerRow::Table::kEntry && old != node.disk.end() && !grew(old->second, row)) {
                    std::abort();  // a row of the same number has more in it, or it is another entry
                }
                if (row.value.empty()) {
                    node.disk.erase(key);
                } else {
                    node.disk[key] = row;
                }
            }
            mix(batch.number);
            node.router->on_persisted(now_, batch.number);
            pump(index);
        });
    }
    while (auto packet = n.router->poll_packet()) {
        mix(blake2b<16>({ByteView(*packet)})[0] + packet->size());
        n.received.push_back(*packet);
        if (n.on_packet) {
            n.on_packet(now_, *packet);
        }
    }
    for (const NeighborId to : n.router->pending()) {
        std::vector<std::size_t> idle;  // all links to it, or none
        for (const std::size_t l : links_to(index, to)) {
            if (links_[l].busy[links_[l].a == index ? 0 : 1] > now_) {
                idle.clear();
                break;  // the event at its end pumps again
            }
            idle.push_back(l);
        }
        auto frame = idle.empty() ? std::nullopt : n.router->poll_transmit(now_, to, options_.max_frame);
        if (!frame) {
            continue;
        }
        mix(frame->bytes.size());
        Sent& sent = frame->priority == Priority::kControl ? control_ : data_;
        sent.bytes += frame->bytes.size();
        ++sent.frames;
        for (const std::size_t l : idle) {
            send_frame(index, l, *frame);
        }
    }
    if (const auto next = n.router->next_timeout(); next && (!n.timer || *next < *n.timer)) {
        n.timer = *next;
        at(*next, [this, index, boot_epoch = n.boot_epoch, when = *next] {
            Node& node = nodes_[index];
            if (node.boot_epoch != boot_epoch || node.timer != when) {
                return;
            }
            node.timer.reset();
            node.router->on_timeout(now_);
            pump(index);
        });
    }
}

void RouterWorld::run(Duration d) {
    const Instant end = now_ + d;
    while (!queue_.empty() && queue_.begin()->first.first <= end) {
        auto item = queue_.extract(queue_.begin());
        now_ = item.key().first;
        ++events_;
        touched_.clear();
        item.mapped()();
        if (check) {
            check();
        }
    }
    now_ = end;
}

std::int64_t RouterWorld::disk_balance(std::size_t a, std::size_t b) const {
    const NodeId& peer = nodes_[b].id;
    const auto it =
        nodes_[a].disk.find({static_cast<int>(LedgerRow::Table::kBalance), Bytes(peer.begin(), peer.end())});
    return it == nodes_[a].disk.end() ? 0 : it->second.amount_nsat;
}

std::int64_t RouterWorld::disk_entries(std::size_t a, std::size_t b) const {
    std::int64_t sum = 0;
    for (const auto& [key, row] : nodes_[a].disk) {
        if (row.table == LedgerRow::Table::kEntry && row.peer == nodes_[b].id) {
            sum += row.amount_nsat;
        }
    }
    return sum;
}

std::optional<RouteView> RouterWorld::route(std::size_t a, std::size_t b) const {
    if (!nodes_[a].router) {
        return std::nullopt;
    }
    for (const RouteView& r : nodes_[a].router->routes()) {
        if (r.selected && r.destination == nodes_[b].id) {
            return r;
        }
    }
    return std::nullopt;
}

std::string RouterWorld::find_loop() const {
    std::map<std::pair<std::size_t, NodeId>, std::size_t> next;
    std::set<NodeId> destinations;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!nodes_[i].router) {
            continue;
        }
        for (const RouteView& r : nodes_[i].router->routes()) {
            if (r.selected) {
                if (const auto via = by_link(r.next_hop)) {
                    next[{i, r.destination}] = *via;
                    destinations.insert(r.destination);
                }
            }
        }
    }
    for (const NodeId& d : destinations) {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            std::size_t at = i;
            for (std::size_t hops = 0; hops <= nodes_.size(); ++hops) {
                const auto it = next.find({at, d});
                if (it == next.end()) {
                    break;
                }
                at = it->second;
                if (hops == nodes_.size()) {
                    return "loop to " + to_string(d).substr(0, 8) + " from node " + std::to_string(i);
                }
            }
        }
    }
    return {};
}

std::optional<std::size_t> RouterWorld::neighbor_by_link(std::size_t node, NeighborId id) const {
    for (const std::size_t i : nodes_[node].links) {
        const std::size_t peer = links_[i].a == node ? links_[i].b : links_[i].a;
        if (nodes_[peer].link == id) {
            return peer;
        }
    }
    return std::nullopt;
}

// A loop that this node's choice closes passes through it.
bool RouterWorld::leads_back(std::size_t node, const NodeId& destination) const {
    std::size_t at = node;
    for (std::size_t hops = 0; hops <= nodes_.size() && nodes_[at].router; ++hops) {
        const auto via = RouterTestAccess::routes(*nodes_[at].router).next_hop(destination);
        const auto next = via ? neighbor_by_link(at, *via) : std::nullopt;
        if (!next) {
            return false;
        }
        if (*next == node) {
            return true;
        }
        at = *next;
    }
    return false;
}

std::string RouterWorld::find_new_loop() {
    choices_seen_.resize(nodes_.size());
    for (const std::size_t i : touched_) {
        if (!nodes_[i].router) {
            choices_seen_[i] = 0;
            continue;
        }
        const RouteTable& table = RouterTestAccess::routes(*nodes_[i].router);
        if (table.choices() < choices_seen_[i]) {
            choices_seen_[i] = 0;  // it was started anew
        }
        std::string loop;
        table.visit_choices_since(choices_seen_[i], [&](const NodeId& destination) {
            if (loop.empty() && leads_back(i, destination)) {
                loop = "loop to " + to_string(destination).substr(0, 8) + " through node " + std::to_string(i);
            }
        });
        choices_seen_[i] = table.choices();
        if (!loop.empty()) {
            return loop;
        }
    }
    return {};
}

std::string RouterWorld::find_disagreement() const {
    for (const Link& l : links_) {
        const std::int64_t a = disk_balance(l.a, l.b);
        const std::int64_t b = disk_balance(l.b, l.a);
        if (a + b != 0) {
            return "node " + std::to_string(l.a) + " has " + std::to_string(a) + " nsat, node " + std::to_string(l.b) +
                   " has " + std::to_string(b);
        }
        if (disk_entries(l.a, l.b) != a || disk_entries(l.b, l.a) != b) {
            return "entries of nodes " + std::to_string(l.a) + ", " + std::to_string(l.b) + " do not add up";
        }
    }
    return {};
}

}  // namespace meshnet::sim
