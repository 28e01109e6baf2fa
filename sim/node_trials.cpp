// SPDX-License-Identifier: MIT
#include "sim/node_trials.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "phy/profile.hpp"
#include "sim/world.hpp"

namespace meshnet::sim {
namespace {

constexpr Duration kStep = 20ms;
constexpr double kMetersPerSecond = 299'792'458.0;

World::Config config_of(std::uint64_t seed) {
    World::Config c;
    c.profile = phy::find_profile("1M");
    c.seed = seed;
    return c;
}

node::Node::Config node_config(std::uint64_t price) {
    node::Node::Config c;
    c.mac.max_burst = 400ms;  // 400 bytes fit in the most robust mode of the 1M profile
    c.router.price_msat_per_mib = price;
    return c;
}

Bytes numbered(const World& world, std::size_t from, std::size_t to, std::uint32_t number, std::size_t bytes) {
    Bytes payload(bytes, 0);
    for (std::size_t i = 0; i < 4; ++i) payload[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return make_ipv6_packet(world.address(from), world.address(to), payload);
}

std::uint32_t number_of(const Bytes& packet) {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4 && packet.size() > 43; ++i) n |= std::uint32_t{packet[40 + i]} << (8 * i);
    return n;
}

class Relays {
public:
    enum : std::size_t { kA, kB, kFirst, kSecond };

    explicit Relays(const RelayTrial& t, std::uint64_t price_first = 1'000, std::uint64_t price_second = 1'000)
        : world(config_of(t.seed)), t_(t) {
        world.add_node([] { return node_config(1'000); });
        world.add_node([] { return node_config(1'000); });
        world.add_node([price_first] { return node_config(price_first); });
        world.add_node([price_second] { return node_config(price_second); });
        delay_ = from_seconds(t.distance_km * 1e3 / kMetersPerSecond);
    }
    void connect(std::size_t relay) {
        world.connect(kA, relay, t_.snr_db, delay_);
        world.connect(relay, kB, t_.snr_db, delay_);
    }
    void far_link(std::size_t relay, double snr_db) { world.connect(relay, kB, snr_db, delay_); }
    /// Sends for `time`, and notes when packets arrive.
    void send_for(Duration time) {
        for (Duration t{}; t < time; t += kStep) {
            sent_at[++sent] = world.now();
            world.inject(kA, numbered(world, kA, kB, sent, 200));
            world.run_for(kStep);
            while (const auto d = world.poll_delivery()) {
                if (d->node == kB) arrived_at.emplace(number_of(d->packet), d->at);
            }
        }
    }
    /// The relay that a packet of now would go by; kA if there is none.
    [[nodiscard]] std::size_t in_use() {
        for (const auto& route : world.node(kA).router().routes()) {
            if (!route.selected || route.destination != world.id(kB)) continue;
            for (const auto& n : world.node(kA).router().neighbors()) {
                if (n.link == route.next_hop) {
                    return n.id == world.id(kFirst) ? kFirst : n.id == world.id(kSecond) ? kSecond : kA;
                }
            }
        }
        return kA;
    }
    [[nodiscard]] std::uint64_t carried(std::size_t relay) {
        return world.node(relay).router().counters().packets_forwarded;
    }
    /// When the first packet sent after `since` arrived; < 0: none did.
    [[nodiscard]] double first_after(Instant since) const {
        double best = -1.0;
        for (const auto& [number, at] : arrived_at) {
            const double s = to_seconds(at - since);
            if (sent_at.at(number) > since && (best < 0.0 || s < best)) best = s;
        }
        return best;
    }

    World world;
    std::uint32_t sent = 0;
    std::map<std::uint32_t, Instant> sent_at, arrived_at;

private:
    RelayTrial t_;
    Duration delay_{};
};

}  // namespace

double repair_seconds(const RelayTrial& trial) {
    Relays r(trial);
    r.connect(Relays::kFirst);
    r.connect(Relays::kSecond);
    r.world.run_for(10s);
    r.send_for(5s);
    const std::size_t relay = r.in_use();
    if (relay == Relays::kA) return -1.0;
    const Instant died = r.world.now();
    r.world.kill(relay);
    r.send_for(10s);
    return r.first_after(died);
}

FadeResult fade(const RelayTrial& trial, double faded_snr_db) {
    Relays r(trial);
    r.connect(Relays::kFirst);
    r.connect(Relays::kSecond);
    r.world.run_for(10s);
    r.send_for(5s);
    const std::size_t relay = r.in_use();
    FadeResult result;
    if (relay == Relays::kA) return result;
    const std::size_t other = relay == Relays::kFirst ? Relays::kSecond : Relays::kFirst;
    const Instant faded = r.world.now();
    const std::uint64_t before = r.carried(other);
    const std::uint32_t first = r.sent + 1;
    r.far_link(relay, faded_snr_db);
    while (r.world.now() - faded < 20s) {
        r.send_for(kStep);
        if (result.moved_s < 0.0 && r.carried(other) > before) result.moved_s = to_seconds(r.world.now() - faded);
    }
    for (std::uint32_t n = first; n < first + 500; ++n) result.delivered += r.arrived_at.count(n) / 500.0;
    return result;
}

bool cheaper_chosen(const RelayTrial& trial) {
    Relays r(trial, 1'000, 500);
    r.connect(Relays::kFirst);
    r.connect(Relays::kSecond);
    r.world.run_for(5s);
    r.send_for(30s);
    return r.in_use() == Relays::kSecond;
}

double newcomer_seconds(const RelayTrial& trial) {
    Relays r(trial, 50'000, 500);
    r.connect(Relays::kFirst);
    r.world.run_for(10s);
    r.send_for(5s);
    r.connect(Relays::kSecond);
    const Instant came = r.world.now();
    while (r.world.now() - came < 20s) {
        r.send_for(kStep);
        if (r.carried(Relays::kSecond) > 0) return to_seconds(r.world.now() - came);
    }
    return -1.0;
}

SmallNetworkResult small_network(std::uint64_t seed, std::size_t nodes, double per_second, double seconds) {
    World world(config_of(seed));
    Rng random(seed * 31 + 7);
    for (std::size_t i = 0; i < nodes; ++i) world.add_node([] { return node_config(1'000); });
    // A ring in which everybody hears the next three on either side: degree 6; chords make some of it 7 and 8.
    std::set<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t a = 0; a < nodes; ++a) {
        for (std::size_t step = 1; step <= 3; ++step) pairs.emplace(std::minmax(a, (a + step) % nodes));
    }
    for (std::size_t k = 0; k < nodes / 4; ++k) {
        const std::size_t a = random.below(nodes);
        pairs.emplace(std::minmax(a, (a + 4) % nodes));
    }
    for (const auto& [a, b] : pairs) world.connect(a, b, 25.0, 100us);
    world.run_for(30s);
    SmallNetworkResult r;
    std::map<std::uint32_t, Instant> sent_at;
    std::vector<double> delays;
    const auto collect = [&] {
        while (const auto d = world.poll_delivery()) {
            const auto it = sent_at.find(number_of(d->packet));
            if (it == sent_at.end()) continue;
            delays.push_back(to_seconds(d->at - it->second) * 1e3);
            sent_at.erase(it);
        }
    };
    const auto packets = static_cast<std::size_t>(seconds * per_second);
    for (std::size_t k = 0; k < packets; ++k) {
        const std::size_t a = random.below(nodes);
        const std::size_t b = (a + 1 + random.below(nodes - 1)) % nodes;
        const auto number = static_cast<std::uint32_t>(k + 1);
        sent_at[number] = world.now();
        world.inject(a, numbered(world, a, b, number, 400));
        world.run_for(from_seconds(1.0 / per_second));
        collect();
    }
    world.run_for(5s);
    collect();
    r.sent = packets;
    r.delivered = delays.size();
    std::sort(delays.begin(), delays.end());
    if (!delays.empty()) {
        r.p50_ms = delays[delays.size() / 2];
        r.p95_ms = delays[delays.size() * 95 / 100];
    }
    return r;
}

}  // namespace meshnet::sim
