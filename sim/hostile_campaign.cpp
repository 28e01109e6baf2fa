// SPDX-License-Identifier: MIT
#include "sim/hostile_campaign.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <stdexcept>

#include "net/payment/amount.hpp"
#include "sim/router_access.hpp"
#include "sim/router_world.hpp"

namespace meshnet::sim {

namespace {

using net::RouterTestAccess;

enum class Attack : std::uint8_t {
    kDropsData,      // black hole
    kCountsNothing,  // a destination that proves nothing
    kClaimsMore,     // a destination that signs for more than arrived
    kSignsZero,      // a debtor that acknowledges nothing
    kNamesPrices,    // a relay that names the highest price it gets away with
    kOvercharges,    // advertises one price and charges another
    kFloodsOpens,
    kFloodsJunk,
    kForgesReceipts,
    kThrowsKeysAway,  // a new identity whenever it has run up a debt
};
constexpr std::size_t kAttacks = 10;
constexpr const char* kNames[kAttacks] = {"drops-data",      "counts-nothing",  "claims-more",  "signs-zero",
                                          "names-prices",    "overcharges",     "floods-opens", "floods-junk",
                                          "forges-receipts", "throws-keys-away"};
constexpr Duration kWarmUp = 10s;
constexpr Duration kSpacing = 100ms;  // of the packets of one pair
constexpr std::size_t kPayload = 900;

struct Edge {
    std::size_t a = 0, b = 0;
    RouterLink link;
};

class Campaign {
public:
    explicit Campaign(const HostileOptions& o) : options_(o), rng_(o.seed * 7'919 + 13) { draw(); }

    HostileResult run() {
        HostileResult r;
        r.seed = options_.seed;
        r.hostile = static_cast<std::size_t>(std::count(hostile_.begin(), hostile_.end(), true));
        r.honest = options_.nodes - r.hostile;
        r.pairs = pairs_.size();
        for (const auto& [node, attacks] : attacks_) {
            for (const Attack a : attacks) {
                r.attacks.emplace_back(kNames[static_cast<std::size_t>(a)]);
            }
        }
        r.clean = play(false, r);
        r.attacked = play(true, r);
        if (r.clean > 0.0 && r.attacked < 0.8 * r.clean) {
            r.violations.push_back("honest pairs delivered " + std::to_string(r.attacked) + " of their packets, " +
                                   std::to_string(r.clean) + " without attack");
        }
        return r;
    }

private:
    // The same network whether attacked or not: a ring with chords, so that most pairs have an honest route.
    void draw() {
        const std::size_t n = options_.nodes;
        hostile_.assign(n, false);
        const auto bad = static_cast<std::size_t>(options_.hostile_share * static_cast<double>(n) + 0.5);
        for (std::size_t k = 0; k < bad;) {
            const std::size_t node = rng_.below(n);
            if (!hostile_[node]) {
                hostile_[node] = true;
                ++k;
                auto& mine = attacks_[node];
                const std::size_t count = 1 + rng_.below(3);
                while (mine.size() < count) mine.insert(static_cast<Attack>(rng_.below(kAttacks)));
            }
        }
        const auto edge = [&](std::size_t a, std::size_t b) {
            RouterLink link;
            link.delay = Duration{static_cast<std::int64_t>(rng_.below(5'000'000))};
            link.rate_bps = 2e6;
            link.loss = rng_.below(4) == 0 ? 0.02 : 0.0;
            link.airtime_us_per_kib = 4'000.0 + static_cast<double>(rng_.below(4'000));
            edges_.push_back({a, b, link});
        };
        for (std::size_t a = 0; a < n; ++a) {
            edge(a, (a + 1) % n);
        }
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t a = rng_.below(n);
            const std::size_t b = (a + 2 + rng_.below(n - 3)) % n;
            const bool there = std::any_of(edges_.begin(), edges_.end(), [&](const Edge& e) {
                return (e.a == a && e.b == b) || (e.a == b && e.b == a);
            });
            if (!there) edge(a, b);
        }
        for (std::size_t tries = 0; tries < 8 * n && pairs_.size() < n / 2; ++tries) {
            const std::size_t a = rng_.below(n);
            const std::size_t b = rng_.below(n);
            if (a != b && !hostile_[a] && !hostile_[b] && honest_route(a, b)) pairs_.emplace_back(a, b);
        }
        for (const auto& [node, attacks] : attacks_) {  // hostile nodes use the network too: that is how they cost
            const std::size_t other = rng_.below(n);
            if (other != node) bad_pairs_.emplace_back(node, other);
        }
        seed_ = rng_.next_u64() % 1'000'000 + 1;
    }

    [[nodiscard]] bool honest_route(std::size_t from, std::size_t to) const {
        std::set<std::size_t> seen{from};
        std::queue<std::size_t> next;
        next.push(from);
        while (!next.empty()) {
            const std::size_t at = next.front();
            next.pop();
            if (at == to) return true;
            for (const Edge& e : edges_) {
                const std::size_t other = e.a == at ? e.b : e.b == at ? e.a : at;
                if (other != at && !hostile_[other] && seen.insert(other).second) next.push(other);
            }
        }
        return false;
    }

    [[nodiscard]] bool plays(std::size_t node, Attack a) const {
        const auto it = attacks_.find(node);
        return it != attacks_.end() && it->second.count(a) != 0;
    }

    double play(bool attacked, HostileResult& r) {
        RouterWorldOptions o;
        o.seed = seed_;
        RouterWorld w(o);
        for (std::size_t i = 0; i < options_.nodes; ++i) {
            w.add([this, i, attacked](net::Router::Config& c) { configure(i, attacked, c); });
        }
        for (const Edge& e : edges_) w.join(e.a, e.b, e.link);
        w.run(kWarmUp);
        if (attacked) {
            w.check = [&] { check(w, r); };
            w.tamper = [&](std::size_t from, std::size_t, Bytes& frame) {
                if (plays(from, Attack::kDropsData) && frame.size() > 400) frame.clear();
            };
            for (const auto& [node, attacks] : attacks_) {
                for (const Attack a : attacks) schedule(w, node, a);
            }
        }
        std::map<std::size_t, std::size_t> before;
        const std::size_t each = options_.seconds * 1'000'000'000ULL / static_cast<std::size_t>(kSpacing.count());
        std::size_t delivered = 0;
        for (std::size_t i = 0; i < options_.nodes; ++i) {
            w.node(i).on_packet = [&, i](Instant, const Bytes& packet) { delivered += mine(w, i, packet) ? 1 : 0; };
        }
        for (std::size_t k = 0; k < each; ++k) {
            w.after(static_cast<std::int64_t>(k) * kSpacing, [&] {
                for (const auto& [a, b] : pairs_) w.send(a, b, Bytes(kPayload, 7));
                for (const auto& [a, b] : bad_pairs_) {
                    if (attacked) w.send(a, b, Bytes(kPayload, 9));
                }
            });
        }
        w.run(Duration{std::int64_t{options_.seconds} * 1'000'000'000} + 3s);
        if (attacked) {
            settle_accounts(w, r);
            r.events = w.events();
        }
        return pairs_.empty() ? 1.0 : static_cast<double>(delivered) / static_cast<double>(each * pairs_.size());
    }

    // A packet of one of the honest pairs.
    [[nodiscard]] bool mine(RouterWorld& w, std::size_t to, const Bytes& packet) const {
        return packet.size() > 40 && packet[40] == 7 && std::any_of(pairs_.begin(), pairs_.end(), [&](const auto& p) {
                   return p.second == to && std::equal(w.node(p.first).address.begin(), w.node(p.first).address.end(),
                                                       packet.begin() + 8);
               });
    }

    void configure(std::size_t node, bool attacked, net::Router::Config& c) const {
        if (!attacked || !hostile_[node]) return;
        c.max_price_msat_per_mib = 4'000'000'000;
        c.spend.day_msat = c.spend.destination_msat = 1'000'000'000'000;
        c.credit.stranger_msat = c.credit.strangers_msat = 1'000'000'000'000;
        c.credit.highest_price_msat_per_mib = 4'000'000'000;
        if (plays(node, Attack::kNamesPrices)) c.price_msat_per_mib = 900'000;
    }

    void repeat(RouterWorld& w, Duration every, std::function<void()> what) {
        w.after(every, [this, &w, every, what] {
            what();
            repeat(w, every, what);
        });
    }

    void feed(RouterWorld& w, std::size_t from, std::size_t to, const Bytes& message) {
        if (w.node(to).router && w.node(from).router) {
            RouterTestAccess::feed(w.router(to), w.now(), w.node(from).link, message);
            w.pump(to);
        }
    }

    [[nodiscard]] std::vector<std::size_t> honest_neighbours(std::size_t node) const {
        std::vector<std::size_t> out;
        for (const Edge& e : edges_) {
            const std::size_t other = e.a == node ? e.b : e.b == node ? e.a : node;
            if (other != node && !hostile_[other]) out.push_back(other);
        }
        return out;
    }

    void schedule(RouterWorld& w, std::size_t node, Attack attack) {
        const Duration start = Duration{static_cast<std::int64_t>(rng_.below(5'000'000'000))};
        const auto victims = honest_neighbours(node);
        if (victims.empty()) return;
        const auto victim = [this, victims] { return victims[rng_.below(victims.size())]; };
        const auto begin = [&](Duration every, std::function<void()> what) {
            w.after(start, [this, &w, every, what] { repeat(w, every, what); });
        };
        const auto& secrets = [&w, node]() -> const net::Identity::Secrets& {
            return RouterTestAccess::secrets(w.router(node));
        };
        switch (attack) {
            case Attack::kDropsData:
            case Attack::kNamesPrices:
                break;  // settings
            case Attack::kCountsNothing:
                begin(50ms, [&w, node] {
                    for (auto& [id, f] : const_cast<net::FlowTable&>(RouterTestAccess::flows(w.router(node)))) {
                        if (f.role == net::FlowRole::kDestination) f.delivered_bytes = f.best.bytes;
                    }
                });
                break;
            case Attack::kClaimsMore:
                begin(500ms, [this, &w, node, victim, secrets] { claim_more(w, node, victim(), secrets()); });
                break;
            case Attack::kSignsZero:
                begin(100ms, [this, &w, node, victim, secrets] { sign_zero(w, node, victim(), secrets()); });
                break;
            case Attack::kOvercharges:
                begin(1s, [&w, node] { RouterTestAccess::charge(w.router(node), 500'000); });
                break;
            case Attack::kFloodsOpens:
                begin(20ms, [this, &w, node, victim, secrets] { flood_open(w, node, victim(), secrets()); });
                break;
            case Attack::kFloodsJunk:
                begin(10ms, [this, &w, node, victim] {
                    Bytes junk(1 + rng_.below(300));
                    rng_.fill(junk);
                    const std::size_t to = victim();
                    feed(w, node, to, junk);
                    w.inject(to, w.node(node).link, junk);
                });
                break;
            case Attack::kForgesReceipts:
                begin(20ms, [this, &w, node, victim] { forge_receipt(w, node, victim()); });
                break;
            case Attack::kThrowsKeysAway:
                begin(7s, [&w, node] {  // its neighbours meet a station with an empty ledger
                    w.kill(node);
                    w.node(node).disk.clear();
                    w.rekey(node);
                    w.restart(node);
                });
                break;
        }
    }

    void claim_more(RouterWorld& w, std::size_t node, std::size_t victim, const net::Identity::Secrets& secrets) {
        for (const auto& [id, f] : RouterTestAccess::flows(w.router(victim))) {
            if (f.next_id == w.node(node).id && f.destination == w.node(node).id) {
                net::Statement s;
                s.label = f.label_out;
                s.bytes = f.forwarded_bytes + rng_.below(2) * 100'000;
                s.sequence = f.highest_sequence;
                s.signature =
                    secrets.device.sign(net::kStatementContext, net::Statement::signed_part(id, s.bytes, s.sequence));
                return feed(w, node, victim, s.encode());
            }
        }
    }

    void sign_zero(RouterWorld& w, std::size_t node, std::size_t victim, const net::Identity::Secrets& secrets) {
        const auto* b = RouterTestAccess::book(w.router(victim)).find(w.node(node).id);
        if (b == nullptr) return;
        net::BalanceMessage zero;
        zero.generation = b->theirs.generation;
        zero.sequence = b->theirs.sequence + 1;
        zero.signature =
            secrets.device.sign(net::kBalanceContext, zero.signed_part(w.node(node).id, w.node(victim).id));
        feed(w, node, victim, zero.encode());
    }

    void flood_open(RouterWorld& w, std::size_t node, std::size_t victim, const net::Identity::Secrets& secrets) {
        net::FlowOpen open;
        open.destination = w.node(rng_.below(options_.nodes)).id;
        open.unit_bytes = 1'024;
        open.max_units = 1;
        open.max_price = 1'000'000;
        open.source = secrets.certificate;
        rng_.fill(open.nonce);
        open.signature = secrets.device.sign(net::kOpenContext, open.signed_part());
        feed(w, node, victim, open.encode());
    }

    void forge_receipt(RouterWorld& w, std::size_t node, std::size_t victim) {
        for (const auto& [id, f] : RouterTestAccess::flows(w.router(victim))) {
            if (f.next_id == w.node(node).id) {
                net::PaywordReceipt m;
                m.label = f.label_out;
                m.index = f.payword_index + 1 + static_cast<std::uint32_t>(rng_.below(64));
                m.sequence = f.highest_sequence;
                rng_.fill(m.payword);
                return feed(w, node, victim, m.encode());
            }
        }
    }

    // What an honest node would lose if no hostile node ever paid: bounded, whatever happens.
    void check(RouterWorld& w, HostileResult& r) {
        if (++checks_ % 16 != 0 || r.violations.size() >= 5) return;
        for (std::size_t i = 0; i < options_.nodes; ++i) {
            if (hostile_[i] || !w.node(i).router) continue;
            const net::CreditLimits limits;
            const std::int64_t all = static_cast<std::int64_t>(limits.strangers_msat) * net::kNsatPerMsat;
            const std::int64_t one = static_cast<std::int64_t>(limits.stranger_msat) * net::kNsatPerMsat;
            std::int64_t at_risk = 0;
            for (const auto& [peer, b] : RouterTestAccess::book(w.router(i)).balances()) {
                const std::int64_t exposure = RouterTestAccess::exposure(w.router(i), peer).nsat;
                if (exposure > one) {
                    r.violations.push_back("node " + std::to_string(i) + " risks " + std::to_string(exposure) +
                                           " nsat with one neighbour");
                }
                at_risk += exposure;
            }
            if (at_risk > all + one) {
                r.violations.push_back("node " + std::to_string(i) + " risks " + std::to_string(at_risk) + " nsat");
            }
        }
    }

    // At the end: nobody hostile pays. An honest node's loss is what hostile neighbours owe it; between honest
    // neighbours the books agree.
    void settle_accounts(RouterWorld& w, HostileResult& r) {
        w.check = nullptr;
        w.run(15s);
        const net::CreditLimits limits;
        r.may_lose_nsat = static_cast<std::int64_t>(limits.strangers_msat) * net::kNsatPerMsat;
        for (std::size_t i = 0; i < options_.nodes; ++i) {
            if (hostile_[i]) continue;
            std::int64_t lost = 0;
            for (const auto& [peer, b] : RouterTestAccess::book(w.router(i)).balances()) {
                std::size_t other = options_.nodes;
                for (std::size_t k = 0; k < options_.nodes; ++k) {
                    if (w.node(k).id == peer) other = k;
                }
                if (other == options_.nodes || hostile_[other]) {
                    lost += std::max<std::int64_t>(0, b.net_nsat());
                } else {
                    const auto* back = RouterTestAccess::book(w.router(other)).find(w.node(i).id);
                    const std::int64_t theirs = back == nullptr ? 0 : back->net_nsat();
                    if (b.net_nsat() + theirs != 0) {
                        r.violations.push_back("books of " + std::to_string(i) + " and " + std::to_string(other) +
                                               " differ by " + std::to_string(b.net_nsat() + theirs) + " nsat");
                    }
                }
            }
            r.most_lost_nsat = std::max(r.most_lost_nsat, lost);
            if (lost > r.may_lose_nsat) {
                r.violations.push_back("node " + std::to_string(i) + " lost " + std::to_string(lost) + " nsat");
            }
        }
    }

    HostileOptions options_;
    Rng rng_;
    std::uint64_t seed_ = 1;
    std::vector<bool> hostile_;
    std::map<std::size_t, std::set<Attack>> attacks_;
    std::vector<Edge> edges_;
    std::vector<std::pair<std::size_t, std::size_t>> pairs_, bad_pairs_;
    std::uint64_t checks_ = 0;
};

}  // namespace

HostileResult run_hostile(const HostileOptions& o) {
    if (o.nodes < 4 || o.nodes > 64) {
        throw std::invalid_argument("nodes must be 4..64");
    }
    if (!(o.hostile_share >= 0.0 && o.hostile_share <= 1.0)) {
        throw std::invalid_argument("hostile share must be 0..1");
    }
    if (o.seconds < 1 || o.seconds > 3'600) {
        throw std::invalid_argument("seconds must be 1..3600");
    }
    return Campaign(o).run();
}

}  // namespace meshnet::sim
