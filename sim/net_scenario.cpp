// SPDX-License-Identifier: MIT
#include "sim/net_scenario.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "core/names.hpp"
#include "host/file.hpp"
#include "host/toml_reader.hpp"

namespace meshnet::sim {
namespace {

using host::TomlTable;

constexpr std::array<std::string_view, 6> kTopologies{"random", "chain", "islands", "satellite", "mesh", "ring"};

/// Every key once: its table ("" is the file itself), where it is kept, its range, what it means.
template <class Visit>
void visit_keys(NetScenario& s, Visit&& v) {
    v("", "nodes", s.nodes, 2.0, 1'000.0, "how many");
    v("", "degree", s.degree, 1.0, 64.0, "neighbours of a node on average (random, islands)");
    v("", "islands", s.islands, 1.0, 1'000.0, "groups of nodes, each joined with the next by one link (islands)");
    v("", "satellites", s.satellites, 1.0, 16.0, "of the nodes (satellite)");
    v("", "period_s", s.period_s, 10.0, 1e5, "of a satellite");
    v("", "pass_s", s.pass_s, 1.0, 1e5, "how long a node hears it each time");
    v("", "contacts", s.contacts, 0.0, 1.0, "the nodes know when the passes are");
    v("", "warm_up_s", s.warm_up_s, 1.0, 1e4, "the most that all routes may take from cold");
    v("", "idle_s", s.idle_s, 0.0, 1e5, "without traffic, after that");
    v("", "active_s", s.active_s, 0.0, 1e6, "with traffic and faults, after that");
    v("", "calm_s", s.calm_s, 1.0, 1e4, "without either; then routes must be complete and books agree");
    v("link", "rate_kbps", s.rate_kbps, 1.0, 1e6, "of each direction");
    v("link", "rate_spread", s.rate_spread, 0.0, 0.9, "rates are drawn from this share less to as much more");
    v("link", "delay_ms", s.delay_ms, 0.0, 2'000.0, "one way");
    v("link", "loss", s.loss, 0.0, 0.5, "of frames, after what the link layer repairs");
    v("link", "death_ms", s.death_ms, 10.0, 6e4, "until a link layer misses a neighbour that is gone");
    v("traffic", "pairs", s.pairs, 0.0, 1e4, "of hosts, one of which sends to the other");
    v("traffic", "interval_ms", s.interval_ms, 1.0, 1e6, "between the packets of a pair");
    v("traffic", "bytes", s.bytes, 16.0, 1'300.0, "payload of a packet");
    v("faults", "kills_per_min", s.kills_per_min, 0.0, 600.0, "nodes killed");
    v("faults", "away_s", s.away_s, 0.1, 1e4, "until such a node is back");
    v("faults", "fades_per_min", s.fades_per_min, 0.0, 600.0, "links that lose nearly everything");
    v("faults", "fade_s", s.fade_s, 0.1, 1e4, "for so long");
    v("faults", "partitions_per_min", s.partitions_per_min, 0.0, 60.0, "the network falls in two");
    v("faults", "partition_s", s.partition_s, 0.1, 1e4, "for so long");
    v("prices", "price", s.price, 0.0, 1e9, "of every node at first, msat per MiB");
    v("prices", "walks_per_min", s.walks_per_min, 0.0, 600.0, "changes of each node's price");
    v("prices", "price_low", s.price_low, 0.0, 1e9, "drawn between this");
    v("prices", "price_high", s.price_high, 0.0, 1e9, "and this");
    v("hostile", "share", s.hostile_share, 0.0, 0.9, "of the nodes: drop data, overcharge, throw keys away");
}

void take(TomlTable& table, std::string_view key, std::size_t& out, double low, double high) {
    table.integer(key, out, {low, high});
}
void take(TomlTable& table, std::string_view key, std::uint32_t& out, double low, double high) {
    table.integer(key, out, {low, high});
}
void take(TomlTable& table, std::string_view key, double& out, double low, double high) {
    table.number(key, out, {low, high});
}
void take(TomlTable& table, std::string_view key, bool& out, double /*low*/, double /*high*/) {
    table.flag(key, out);
}

std::string text_of(bool v) {
    return v ? "true" : "false";
}
std::string text_of(double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.15g", v);
    const std::string text = buffer;
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}
std::string text_of(std::uint64_t v) {
    return std::to_string(v);
}
std::string text_of(std::uint32_t v) {
    return std::to_string(v);
}

NetScenario read_scenario(TomlTable& root) {
    NetScenario s;
    std::string topology{kTopologies[0]};
    root.text("topology", topology);
    const auto known = std::find(kTopologies.begin(), kTopologies.end(), topology);
    if (known == kTopologies.end()) {
        root.fail("topology", "has an " + unknown_name("topology", topology, kTopologies).message);
    }
    s.topology = static_cast<NetScenario::Topology>(known - kTopologies.begin());
    std::string open;
    std::optional<TomlTable> section;
    visit_keys(s, [&](const char* table, const char* key, auto& value, double low, double high, const char*) {
        if (table != open) {
            if (section) section->finish();
            open = table;
            section.reset();
            if (auto found = *table == '\0' ? std::nullopt : root.section(table)) section.emplace(std::move(*found));
        }
        if (*table == '\0') {
            take(root, key, value, low, high);
        } else if (section) {
            take(*section, key, value, low, high);
        }
    });
    if (section) section->finish();
    root.finish();
    if (s.pass_s >= s.period_s) {
        root.fail("pass_s", "must be below period_s");
    }
    if (s.price_low > s.price_high) {
        root.fail_here("prices.price_low must not be above prices.price_high");
    }
    if (s.islands > s.nodes || (s.topology == NetScenario::Topology::kSatellite && s.satellites >= s.nodes)) {
        root.fail_here("there must be more nodes than islands and satellites");
    }
    return s;
}

class Drawing {
public:
    Drawing(const NetScenario& scenario, Rng& random) : s_(scenario), random_(random) {}

    [[nodiscard]] NetPlan draw(Duration length) {
        using Topology = NetScenario::Topology;
        for (std::size_t i = 0; i < s_.nodes; ++i) {
            plan_.places.emplace_back(random_.uniform(), random_.uniform());
        }
        switch (s_.topology) {
            case Topology::kRandom:
                geometric(0, s_.nodes);
                break;
            case Topology::kChain:
                chain();
                break;
            case Topology::kIslands:
                islands();
                break;
            case Topology::kSatellite:
                satellites(length);
                break;
            case Topology::kMesh:
                for (std::size_t a = 0; a < s_.nodes; ++a) {
                    for (std::size_t b = 0; b < a; ++b) edge(a, b);
                }
                break;
            case Topology::kRing:
                for (std::size_t a = 0; a < s_.nodes; ++a) edge(a, (a + 1) % s_.nodes);
                break;
        }
        return std::move(plan_);
    }

private:
    void edge(std::size_t a, std::size_t b, bool pass = false) {
        const bool there = a == b || std::any_of(plan_.edges.begin(), plan_.edges.end(), [&](const NetPlan::Edge& e) {
                               return (e.a == a && e.b == b) || (e.a == b && e.b == a);
                           });
        if (there) return;
        RouterLink link;
        link.delay = from_seconds(s_.delay_ms * 1e-3);
        link.rate_bps = s_.rate_kbps * 1e3 * (1.0 + s_.rate_spread * (2.0 * random_.uniform() - 1.0));
        link.loss = s_.loss;
        link.airtime_us_per_kib = 8'192e6 / link.rate_bps;
        plan_.edges.push_back({a, b, link, pass});
    }
    [[nodiscard]] double distance(std::size_t a, std::size_t b) const {
        return std::hypot(plan_.places[a].first - plan_.places[b].first,
                          plan_.places[a].second - plan_.places[b].second);
    }
    // The distance within which there are as many pairs as the degree asks for.
    [[nodiscard]] double reach_of(std::size_t first, std::size_t end) const {
        std::vector<double> all;
        for (std::size_t a = first; a < end; ++a) {
            for (std::size_t b = first; b < a; ++b) all.push_back(distance(a, b));
        }
        const auto wanted = static_cast<std::size_t>(s_.degree * static_cast<double>(end - first) / 2.0);
        if (wanted >= all.size()) return 2.0;
        const auto at = all.begin() + static_cast<std::ptrdiff_t>(wanted);
        std::nth_element(all.begin(), at, all.end());
        return *at;
    }
    // Who is near is joined; whoever would be alone with the nearest one before it, so that all hang together.
    void geometric(std::size_t first, std::size_t end) {
        const double reach = reach_of(first, end);
        for (std::size_t a = first + 1; a < end; ++a) {
            std::size_t nearest = first;
            bool any = false;
            for (std::size_t b = first; b < a; ++b) {
                nearest = distance(a, b) < distance(a, nearest) ? b : nearest;
                if (distance(a, b) < reach) {
                    edge(a, b);
                    any = true;
                }
            }
            if (!any) edge(a, nearest);
        }
    }
    // Stations along a coast hear the next two on either side, now and then one further.
    void chain() {
        for (std::size_t a = 0; a < s_.nodes; ++a) {
            plan_.places[a] = {static_cast<double>(a) / static_cast<double>(s_.nodes), 0.1 * random_.uniform()};
            for (const std::size_t step : {1U, 2U, 3U}) {
                if (a + step < s_.nodes && (step < 3 || random_.below(4) == 0)) edge(a, a + step);
            }
        }
    }
    void islands() {
        const std::size_t each = (s_.nodes + s_.islands - 1) / s_.islands;
        std::size_t before = s_.nodes;
        for (std::size_t first = 0; first < s_.nodes; first += each) {
            const std::size_t end = std::min(s_.nodes, first + each);
            geometric(first, end);
            const std::size_t gate = first + random_.below(end - first);
            if (before != s_.nodes) edge(before, gate);
            before = gate;
        }
    }
    // The last nodes are satellites; those on the ground are two groups that no link joins.
    void satellites(Duration length) {
        const std::size_t ground = s_.nodes - s_.satellites;
        const std::size_t half = std::max<std::size_t>(1, ground / 2);
        geometric(0, half);
        if (half < ground) geometric(half, ground);
        for (std::size_t k = 0; k < s_.satellites; ++k) {
            const double phase = s_.period_s * static_cast<double>(k) / static_cast<double>(s_.satellites);
            for (const std::size_t gate : {std::size_t{0}, half}) {
                if (gate >= ground) continue;
                const std::size_t index = plan_.edges.size();
                edge(ground + k, gate, true);
                // The second group hears it while the first still does: half of a pass is common.
                const double late = phase + (gate == 0 ? 0.0 : s_.pass_s / 2.0);
                for (double from = late; from < to_seconds(length); from += s_.period_s) {
                    plan_.passes.push_back({index, from_seconds(from), from_seconds(from + s_.pass_s)});
                }
            }
        }
    }

    const NetScenario& s_;
    Rng& random_;
    NetPlan plan_;
};

}  // namespace

Result<NetScenario> parse_net_scenario(std::string_view text, const std::string& file) {
    return host::read_toml(text, file, read_scenario);
}

Result<NetScenario> load_net_scenario(const std::string& path) {
    const auto text = host::read_file(path, host::kMaxTomlBytes);
    if (!text) {
        return text.error();
    }
    return parse_net_scenario(*text, path);
}

std::string to_toml(const NetScenario& scenario) {
    NetScenario s = scenario;
    std::string out = "topology = \"" + std::string(kTopologies[static_cast<std::size_t>(s.topology)]) +
                      "\"  # random, chain, islands, satellite, mesh, ring\n";
    std::string open;
    visit_keys(s, [&](const char* table, const char* key, auto& value, double, double, const char* meaning) {
        if (table != open) {
            open = table;
            out += "\n[" + open + "]\n";
        }
        out += std::string(key) + " = " + text_of(value) + "  # " + meaning + "\n";
    });
    return out;
}

NetPlan draw_plan(const NetScenario& scenario, Rng& random, Duration length) {
    return Drawing(scenario, random).draw(length);
}

}  // namespace meshnet::sim
