// SPDX-License-Identifier: MIT
// Routing tables alone, joined in virtual time: no sessions, no payment. A message to all is heard by every neighbour,
// each with its own loss; one to a neighbour arrives, as over the link layer's ARQ. One seed, one history.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "net/identity_secrets.hpp"
#include "net/route_reservations.hpp"

namespace meshnet::net::test {

class RouteNet {
public:
    /// What a message costs on the air beside its bytes: the frame of the link layer and a burst of its own.
    static constexpr std::size_t kUnicastOverhead = 24;
    static constexpr std::size_t kBroadcastOverhead = 88;

    struct Options {
        std::uint64_t seed = 1;
        double rate_bps = 3'170e3;
        double broadcast_loss = 0.0;
        Duration delay = 5ms;
        Duration commit_delay = 60ms;
    };
    struct Node {
        std::unique_ptr<Identity> identity;
        std::unique_ptr<Outbox> outbox;
        std::unique_ptr<RouteTable> table;
        std::unique_ptr<RouteReservations> reservations;
        LedgerState disk;
        std::set<std::size_t> neighbors;
        std::uint64_t run = 0;
        std::optional<Instant> timer;
        std::uint64_t bytes = 0, bursts = 0;
        std::function<void(RouteTable::Config&)> configure;
    };

    explicit RouteNet(Options options) : options_(options), rng_(options.seed), keys_(options.seed + 77) {
        crypto_init();
    }

    std::size_t add(std::function<void(RouteTable::Config&)> configure = {}) {
        nodes_.emplace_back();
        Node& n = nodes_.back();
        n.identity = std::make_unique<Identity>(Identity::generate(keys_));
        n.configure = std::move(configure);
        start(nodes_.size() - 1);
        return nodes_.size() - 1;
    }
    void kill(std::size_t i) {
        Node& n = nodes_[i];
        n.reservations.reset();
        n.table.reset();
        ++n.run;
        for (const std::size_t peer : std::set<std::size_t>(n.neighbors)) down(peer, i);
    }
    /// Starts it from its disk; all its links come up again.
    void restart(std::size_t i) {
        start(i);
        for (const std::size_t peer : std::set<std::size_t>(nodes_[i].neighbors)) {
            up(i, peer);
            up(peer, i);
        }
    }
    void join(std::size_t a, std::size_t b) {
        nodes_[a].neighbors.insert(b);
        nodes_[b].neighbors.insert(a);
        up(a, b);
        up(b, a);
    }
    void part(std::size_t a, std::size_t b) {
        nodes_[a].neighbors.erase(b);
        nodes_[b].neighbors.erase(a);
        down(a, b);
        down(b, a);
    }
    [[nodiscard]] static NeighborId link(std::size_t i) { return static_cast<NeighborId>(i + 1); }
    [[nodiscard]] const NodeId& id(std::size_t i) const { return nodes_[i].identity->id(); }
    [[nodiscard]] Node& node(std::size_t i) { return nodes_[i]; }
    [[nodiscard]] RouteTable& table(std::size_t i) { return *nodes_[i].table; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] Rng& rng() { return rng_; }

    void at(Instant when, std::function<void()> what) { queue_.emplace(std::pair(when, ++sequence_), std::move(what)); }
    void run(Duration d) {
        const Instant end = now_ + d;
        while (!queue_.empty() && queue_.begin()->first.first <= end) {
            auto item = queue_.extract(queue_.begin());
            now_ = item.key().first;
            item.mapped()();
            if (check) check();
        }
        now_ = end;
    }
    std::function<void()> check;

    /// What follows from any call of a table: messages, rows, timers.
    void pump(std::size_t i) {
        Node& n = nodes_[i];
        if (!n.table) return;
        n.table->on_timeout(now_);
        n.reservations->advance();
        while (const auto batch = n.outbox->poll()) commit(i, *batch);
        while (auto out = n.table->poll_message()) send(i, std::move(*out));
        const auto next = n.table->next_timeout();
        if (next && (!n.timer || *next < *n.timer)) {
            n.timer = std::max(*next, now_ + 100us);
            at(*n.timer, [this, i, run = n.run, when = *n.timer] {
                if (nodes_[i].run == run && nodes_[i].timer == when) {
                    nodes_[i].timer.reset();
                    pump(i);
                }
            });
        }
    }

    [[nodiscard]] std::size_t missing_pairs() const {
        std::size_t missing = 0;
        for (const Node& a : nodes_) {
            for (const Node& b : nodes_) {
                missing += a.table && b.table && &a != &b && !a.table->lookup(b.identity->id()) ? 1 : 0;
            }
        }
        return missing;
    }
    /// Empty, or where the chosen routes to a node loop.
    [[nodiscard]] std::string find_loop() const {
        for (const Node& d : nodes_) {
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                std::size_t at = i;
                for (std::size_t hops = 0; nodes_[at].table; ++hops) {
                    const auto route = nodes_[at].table->lookup(d.identity->id());
                    if (!route) break;
                    at = route->next_hop - 1;
                    if (hops > nodes_.size()) return "a loop from node " + std::to_string(i);
                }
            }
        }
        return {};
    }
    [[nodiscard]] std::uint64_t total(std::uint64_t Node::*counter) const {
        std::uint64_t sum = 0;
        for (const Node& n : nodes_) sum += n.*counter;
        return sum;
    }
    void clear_counters() {
        for (Node& n : nodes_) n.bytes = n.bursts = 0;
    }
    [[nodiscard]] LinkQuality quality() const {
        LinkQuality q;
        q.rate_bps = options_.rate_bps;
        q.airtime_us_per_kib = 8'192e6 / options_.rate_bps;
        return q;
    }
    Options& options() { return options_; }

private:
    void start(std::size_t i) {
        Node& n = nodes_[i];
        RouteTable::Config config;
        config.broadcast = true;
        config.boot = rng_.next_u64() | 1U;
        config.epoch = RouteReservations::restored_epoch(n.disk) + 1;
        if (n.configure) n.configure(config);
        n.outbox = std::make_unique<Outbox>();
        n.table = std::make_unique<RouteTable>(config, n.identity->secrets().certificate, n.identity->secrets().device,
                                               RouteReservations::restored_seqno(n.disk),
                                               RouteReservations::restored_ceilings(n.disk));
        for (const Certificate& c : RouteReservations::restored_certificates(n.disk)) n.table->restore(c);
        n.reservations = std::make_unique<RouteReservations>(*n.table, *n.outbox);
        n.outbox->add_source([r = n.reservations.get()](Outbox::Rows& rows) { r->take_rows(rows); });
        n.timer.reset();
        ++n.run;
        pump(i);
    }
    void up(std::size_t i, std::size_t peer) {
        if (nodes_[i].table && nodes_[peer].table) {
            nodes_[i].table->learn(nodes_[peer].identity->secrets().certificate);
            nodes_[i].table->neighbor_up(now_, link(peer), id(peer), quality());
            pump(i);
        }
    }
    void down(std::size_t i, std::size_t peer) {
        if (nodes_[i].table) {
            nodes_[i].table->neighbor_down(now_, link(peer));
            pump(i);
        }
    }
    void commit(std::size_t i, const LedgerBatch& batch) {
        at(now_ + options_.commit_delay, [this, i, batch, run = nodes_[i].run] {
            Node& n = nodes_[i];
            if (n.run != run) return;
            for (const LedgerRow& row : batch.rows) {
                auto& rows = n.disk.rows;
                const auto it = std::find_if(rows.begin(), rows.end(), [&](const LedgerRow& r) {
                    return r.table == row.table && r.key == row.key;
                });
                if (it != rows.end()) rows.erase(it);
                if (!row.value.empty()) rows.push_back(row);
            }
            n.outbox->persisted(now_, batch.number);
            pump(i);
        });
    }
    void send(std::size_t i, RouteTable::Out out) {
        Node& n = nodes_[i];
        const bool all = out.to == kBroadcast;
        n.bytes += out.message.size() + (all ? kBroadcastOverhead : kUnicastOverhead);
        // Messages of one instant share a burst.
        n.bursts += n.bursts == 0 || last_burst_[i] != now_ ? 1 : 0;
        last_burst_[i] = now_;
        const auto message = std::make_shared<Bytes>(std::move(out.message));
        const auto air =
            Duration{static_cast<std::int64_t>(static_cast<double>(message->size()) * 8e9 / options_.rate_bps)};
        busy_[i] = std::max(busy_[i], now_) + air;
        for (const std::size_t peer : n.neighbors) {
            if (!all && link(peer) != out.to) continue;
            if (all && options_.broadcast_loss > 0.0 && rng_.uniform() < options_.broadcast_loss) continue;
            at(busy_[i] + options_.delay, [this, i, peer, message, runs = std::pair(n.run, nodes_[peer].run)] {
                Node& to = nodes_[peer];
                if (to.table && nodes_[i].run == runs.first && to.run == runs.second && to.neighbors.count(i) != 0) {
                    (void)to.table->on_message(now_, link(i), static_cast<MessageType>((*message)[0]),
                                               ByteView(*message).subspan(1));
                    pump(peer);
                }
            });
        }
    }

    Options options_;
    Rng rng_, keys_;
    std::deque<Node> nodes_;
    std::map<std::size_t, Instant> busy_, last_burst_;
    std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> queue_;
    std::uint64_t sequence_ = 0;
    Instant now_ = instant_from_ns(1'000'000'000);
};

}  // namespace meshnet::net::test
