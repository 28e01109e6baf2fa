// SPDX-License-Identifier: MIT
#include "sim/net_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>

#include "net/contact_plan.hpp"
#include "net/payment/amount.hpp"
#include "sim/net_invariants.hpp"
#include "sim/router_access.hpp"

namespace meshnet::sim {
namespace {

using net::RouterTestAccess;

constexpr double kBurstSeconds = 2e-3;  // preamble, header and gap of a burst on a channel of 1 MHz
constexpr Duration kStep = 250ms;
constexpr double kFadedLoss = 0.95;

double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double resident_mib() {
    std::size_t pages = 0, resident = 0;
    if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(f, "%zu %zu", &pages, &resident) != 2) resident = 0;
        std::fclose(f);
    }
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1048576.0;
}

enum class Attack : std::uint8_t { kDropsData, kOvercharges, kThrowsKeysAway };

class NetRun {
public:
    NetRun(const NetScenario& scenario, std::uint64_t seed, bool check)
        : s_(scenario), random_(seed * 6'364'136'223'846'793'005ULL + 1'442'695), seed_(seed), check_(check) {
        length_ = from_seconds(s_.warm_up_s + s_.idle_s + s_.active_s + s_.calm_s);
        plan_ = draw_plan(s_, random_, length_);
        hostile_.assign(s_.nodes, false);
        const auto bad = static_cast<std::size_t>(s_.hostile_share * static_cast<double>(s_.nodes) + 0.5);
        for (std::size_t k = 0; k < bad;) {
            const std::size_t node = random_.below(s_.nodes);
            k += hostile_[node] ? 0 : 1;
            hostile_[node] = true;
        }
        RouterWorldOptions o;
        o.seed = random_.next_u64() % 1'000'000'000 + 1;
        o.report_fate = true;
        o.death_after = from_seconds(s_.death_ms * 1e-3);
        world_ = std::make_unique<RouterWorld>(o);
        invariants_ = std::make_unique<NetInvariants>(*world_, hostile_);
    }

    NetResult run() {
        const double cpu = cpu_seconds();
        build();
        converge();
        idle();
        const Instant began = world_->now();
        start_traffic();
        start_faults();
        world_->run(from_seconds(s_.active_s));
        active_ = false;
        calm_down();
        r_.seed = seed_;
        r_.nodes = s_.nodes;
        r_.links = plan_.edges.size();
        r_.hostile = static_cast<std::size_t>(std::count(hostile_.begin(), hostile_.end(), true));
        r_.events = world_->events();
        r_.hash = world_->digest();
        r_.virtual_s = to_seconds(world_->now() - start_);
        r_.cpu_s = cpu_seconds() - cpu;
        r_.speed = r_.cpu_s > 0.0 ? r_.virtual_s / r_.cpu_s : 0.0;
        r_.memory_mib = resident_mib();
        percentiles();
        earnings();
        (void)began;
        for (const auto& v : invariants_->violations()) r_.violations.push_back(v);
        return r_;
    }

private:
    void build() {
        RouterWorld& w = *world_;
        for (std::size_t i = 0; i < s_.nodes; ++i) {
            w.add([this](net::Router::Config& c) { c.price_msat_per_mib = s_.price; });
            w.node(i).on_packet = [this, i](Instant, const Bytes& packet) { arrived(i, packet); };
        }
        start_ = w.now();
        for (const NetPlan::Edge& e : plan_.edges) {
            w.join(e.a, e.b, e.link);
            if (e.pass) w.link_down(e.a, e.b);
        }
        for (const NetPlan::Pass& pass : plan_.passes) {
            const NetPlan::Edge& e = plan_.edges[pass.edge];
            w.at(start_ + pass.from, [this, &e] {
                world_->link_up(e.a, e.b);
                ++r_.passes;
            });
            w.at(start_ + pass.until, [this, &e] { world_->link_down(e.a, e.b); });
        }
        for (std::size_t i = 0; i < s_.nodes; ++i) give_contacts(i);
        attack();
        if (check_) w.check = [this] { invariants_->after_event(); };
    }

    void give_contacts(std::size_t i) {
        net::ContactPlan contacts;
        for (const NetPlan::Pass& pass : plan_.passes) {
            const NetPlan::Edge& e = plan_.edges[pass.edge];
            if (e.a == i || e.b == i) {
                contacts.push_back(
                    {world_->node(e.a == i ? e.b : e.a).id, start_ + pass.from, start_ + pass.until, e.link.rate_bps});
            }
        }
        if (s_.contacts && !contacts.empty()) {
            world_->router(i).set_contacts(world_->now(), contacts);
            world_->pump(i);
        }
    }

    void attack() {
        RouterWorld& w = *world_;
        for (std::size_t i = 0; i < s_.nodes; ++i) {
            if (hostile_[i]) attacks_[i] = static_cast<Attack>(random_.below(3));
        }
        if (attacks_.empty()) return;
        w.tamper = [this](std::size_t from, std::size_t, Bytes& frame) {
            const auto it = attacks_.find(from);
            if (it != attacks_.end() && it->second == Attack::kDropsData && frame.size() > 300) frame.clear();
        };
        for (const auto& [node, a] : attacks_) {
            if (a == Attack::kOvercharges) {
                every(10s, [this, node = node] {
                    if (world_->node(node).router) RouterTestAccess::charge(world_->router(node), 500'000);
                });
            } else if (a == Attack::kThrowsKeysAway) {
                every(20s, [this, node = node] {
                    if (!world_->node(node).router) return;
                    world_->kill(node);
                    world_->node(node).disk.clear();
                    world_->rekey(node);
                    world_->restart(node);
                });
            }
        }
    }

    void every(Duration interval, std::function<void()> what) {
        world_->after(interval, [this, interval, what = std::move(what)] {
            if (over_) return;
            what();
            every(interval, what);
        });
    }
    // `per_minute` times a minute, at random, while there is traffic.
    void at_random(double per_minute, std::function<void()> what) {
        if (per_minute <= 0.0) return;
        const double wait = -std::log(1.0 - random_.uniform()) * 60.0 / per_minute;
        world_->after(from_seconds(wait), [this, per_minute, what = std::move(what)] {
            if (!active_) return;
            what();
            at_random(per_minute, what);
        });
    }

    // ---- who hangs together ----

    [[nodiscard]] std::vector<std::size_t> groups(bool honest_only) const {
        std::vector<std::size_t> group(s_.nodes, s_.nodes);
        for (std::size_t first = 0; first < s_.nodes; ++first) {
            if (group[first] != s_.nodes || !takes_part(first, honest_only)) continue;
            std::vector<std::size_t> next{first};
            group[first] = first;
            while (!next.empty()) {
                const std::size_t at = next.back();
                next.pop_back();
                for (const std::size_t peer : world_->joined(at)) {
                    if (group[peer] == s_.nodes && takes_part(peer, honest_only) && world_->is_up(at, peer) &&
                        world_->link_options(at, peer).loss < 0.5) {
                        group[peer] = first;
                        next.push_back(peer);
                    }
                }
            }
        }
        return group;
    }
    [[nodiscard]] bool takes_part(std::size_t node, bool honest_only) const {
        return world_->node(node).router && !(honest_only && hostile_[node]);
    }
    [[nodiscard]] std::size_t missing_routes() const {
        const auto group = groups(false);
        std::size_t missing = 0;
        for (std::size_t a = 0; a < s_.nodes; ++a) {
            if (!world_->node(a).router || hostile_[a]) continue;
            const net::RouteTable& table = RouterTestAccess::routes(world_->router(a));
            for (std::size_t b = 0; b < s_.nodes; ++b) {
                missing += a != b && !hostile_[b] && group[a] == group[b] && group[b] != s_.nodes &&
                                   !table.next_hop(world_->node(b).id)
                               ? 1
                               : 0;
            }
        }
        return missing;
    }

    // ---- phases ----

    void converge() {
        const Instant end = start_ + from_seconds(s_.warm_up_s);
        r_.converged_s = -1.0;
        while (world_->now() < end) {
            world_->run(s_.nodes > 300 ? 4 * kStep : kStep);
            if (missing_routes() == 0) {
                r_.converged_s = to_seconds(world_->now() - start_);
                break;
            }
        }
        if (r_.converged_s < 0.0) {
            r_.violations.push_back(std::to_string(missing_routes()) + " pairs had no route after the warm-up");
        }
    }

    void idle() {
        if (s_.idle_s <= 0.0) return;
        world_->run(std::min(Duration{20s}, from_seconds(s_.idle_s)));  // what was put off
        const auto before = world_->sent_control();
        world_->run(from_seconds(s_.idle_s));
        const auto after = world_->sent_control();
        const auto n = static_cast<double>(s_.nodes);
        r_.idle_bytes_s = static_cast<double>(after.bytes - before.bytes) / s_.idle_s / n;
        r_.idle_frames_s = static_cast<double>(after.frames - before.frames) / s_.idle_s / n;
        // A node and all it hears share the air.
        const double hears = 2.0 * static_cast<double>(plan_.edges.size()) / n + 1.0;
        r_.idle_share = hears * (r_.idle_bytes_s * 8.0 / (s_.rate_kbps * 1e3) + r_.idle_frames_s * kBurstSeconds);
    }

    void start_traffic() {
        if (s_.active_s <= 0.0) return;
        for (std::size_t k = 0; k < s_.pairs; ++k) {
            std::size_t a = 0, b = 0;
            for (int tries = 0; tries < 100 && (a == b || hostile_[a] || hostile_[b]); ++tries) {
                a = random_.below(s_.nodes);
                b = random_.below(s_.nodes);
            }
            if (a == b || hostile_[a] || hostile_[b]) continue;
            const Duration interval = from_seconds(s_.interval_ms * 1e-3);
            const Duration phase{
                static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(interval.count())))};
            world_->after(phase, [this, a, b, interval] {
                send(a, b);
                every(interval, [this, a, b] { send(a, b); });
            });
        }
    }

    void send(std::size_t a, std::size_t b) {
        if (!active_ || !world_->node(a).router) return;
        const std::uint64_t number = ++packets_;
        const auto group = groups(true);
        if (group[a] == group[b] && group[b] != s_.nodes) {
            expected_.emplace(number, world_->now());
            ++r_.sent;
        }
        Bytes payload;
        ByteWriter w(payload);
        w.u64(number);
        payload.resize(s_.bytes, 0x5a);
        world_->send(a, b, payload);
    }

    void arrived(std::size_t node, const Bytes& packet) {
        if (packet.size() < 48) return;
        const std::uint64_t number = ByteReader(ByteView(packet).subspan(40)).u64();
        invariants_->delivered(node, number);
        if (const auto it = expected_.find(number); it != expected_.end()) {
            ++r_.delivered;
            delays_ms_.push_back(to_seconds(world_->now() - it->second) * 1e3);
            expected_.erase(it);
        }
    }

    void start_faults() {
        at_random(s_.kills_per_min, [this] {
            const std::size_t node = random_.below(s_.nodes);
            if (!world_->node(node).router) return;
            ++r_.kills;
            world_->kill(node);
            world_->after(from_seconds(s_.away_s), [this, node] { revive(node); });
        });
        at_random(s_.fades_per_min, [this] {
            const NetPlan::Edge& e = plan_.edges[random_.below(plan_.edges.size())];
            if (world_->link_options(e.a, e.b).loss >= 0.5) return;
            ++r_.fades;
            RouterLink faded = e.link;
            faded.loss = kFadedLoss;
            faded.airtime_us_per_kib /= 1.0 - kFadedLoss;
            world_->set_link(e.a, e.b, faded);
            world_->after(from_seconds(s_.fade_s), [this, &e] { world_->set_link(e.a, e.b, e.link); });
        });
        at_random(s_.partitions_per_min, [this] { partition(); });
        at_random(s_.walks_per_min * static_cast<double>(s_.nodes), [this] {
            const std::size_t node = random_.below(s_.nodes);
            if (!world_->node(node).router || hostile_[node]) return;
            ++r_.price_changes;
            world_->router(node).set_price(world_->now(),
                                           s_.price_low + random_.below(s_.price_high - s_.price_low + 1));
            world_->pump(node);
        });
    }

    void revive(std::size_t node) {
        if (world_->node(node).router) return;
        world_->restart(node);
        give_contacts(node);
    }

    // All links over a line through the middle are down for a while.
    void partition() {
        if (parted_) return;
        parted_ = true;
        ++r_.partitions;
        std::vector<const NetPlan::Edge*> cut;
        for (const NetPlan::Edge& e : plan_.edges) {
            const bool crosses = (plan_.places[e.a].first < 0.5) != (plan_.places[e.b].first < 0.5);
            if (crosses && !e.pass && world_->is_up(e.a, e.b)) {
                cut.push_back(&e);
                world_->link_down(e.a, e.b);
            }
        }
        world_->after(from_seconds(s_.partition_s), [this, cut] {
            for (const NetPlan::Edge* e : cut) world_->link_up(e->a, e->b);
            parted_ = false;
        });
    }

    void calm_down() {
        const Duration longest = from_seconds(std::max({s_.away_s, s_.fade_s, s_.partition_s}));
        world_->run((s_.kills_per_min + s_.fades_per_min + s_.partitions_per_min > 0.0 ? longest : Duration{}) +
                    from_seconds(s_.calm_s));
        over_ = true;
        if (const std::size_t missing = missing_routes(); missing != 0 && plan_.passes.empty()) {
            r_.violations.push_back(std::to_string(missing) + " pairs have no route although all is calm");
        }
        if (plan_.passes.empty()) invariants_->at_rest();
    }

    void percentiles() {
        std::sort(delays_ms_.begin(), delays_ms_.end());
        const auto at = [this](double share) {
            return delays_ms_.empty()
                       ? 0.0
                       : delays_ms_[static_cast<std::size_t>(share * static_cast<double>(delays_ms_.size() - 1))];
        };
        r_.p50_ms = at(0.5);
        r_.p95_ms = at(0.95);
        r_.p99_ms = at(0.99);
    }

    void earnings() {
        std::int64_t nsat = 0;
        for (std::size_t i = 0; i < s_.nodes; ++i) {
            if (hostile_[i]) continue;
            for (const std::size_t peer : world_->joined(i)) {
                nsat += std::max<std::int64_t>(0, world_->disk_balance(i, peer));
            }
        }
        r_.earned_msat = static_cast<double>(nsat) / static_cast<double>(net::kNsatPerMsat);
    }

    NetScenario s_;
    Rng random_;
    std::uint64_t seed_;
    bool check_;
    Duration length_{};
    NetPlan plan_;
    std::vector<bool> hostile_;
    std::map<std::size_t, Attack> attacks_;
    std::unique_ptr<RouterWorld> world_;
    std::unique_ptr<NetInvariants> invariants_;
    NetResult r_;
    Instant start_{};
    bool active_ = true, over_ = false, parted_ = false;
    std::uint64_t packets_ = 0;
    std::map<std::uint64_t, Instant> expected_;  // not yet delivered
    std::vector<double> delays_ms_;
};

}  // namespace

NetResult run_net(const NetScenario& scenario, std::uint64_t seed, bool check) {
    return NetRun(scenario, seed, check).run();
}

}  // namespace meshnet::sim
