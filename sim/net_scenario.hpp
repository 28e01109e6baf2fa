// SPDX-License-Identifier: MIT
// What a simulated network of routers is made of: who is joined with whom, by which links, what its hosts send, and
// what goes wrong. Read from a file (TOML), or made by a program.
//
//     topology = "random"                    # random, chain, islands, satellite, mesh, ring
//     nodes = 20                             # 2 to 1000
//     [link]   rate_kbps, delay_ms, loss     [traffic]  pairs, interval_ms, bytes
//     [faults] kills_per_min, ...            [prices]   walks_per_min, ...      [hostile] share
//
// `meshnet-lab net --print-scenario` writes one with every key and its default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "sim/router_world.hpp"

namespace meshnet::sim {

struct NetScenario {
    enum class Topology : std::uint8_t { kRandom, kChain, kIslands, kSatellite, kMesh, kRing };

    Topology topology = Topology::kRandom;
    std::size_t nodes = 20;      ///< 2..1000
    double degree = 7.0;         ///< neighbours of a node on average (random, islands), 1..64
    std::size_t islands = 3;     ///< 1..nodes
    std::size_t satellites = 2;  ///< of the nodes, in topology satellite, 1..16
    double period_s = 600.0;     ///< of a satellite, 10..100 000
    double pass_s = 60.0;        ///< how long each of them is heard by a node, below the period
    bool contacts = true;        ///< the nodes know when the passes are

    double idle_s = 60.0;     ///< without traffic, after all routes are there, 0..100 000
    double warm_up_s = 60.0;  ///< the most that all routes may take, 1..10 000
    double active_s = 120.0;  ///< with traffic and faults, 0..1 000 000
    double calm_s = 30.0;     ///< after them, until books must agree and routes be complete, 1..10 000

    double rate_kbps = 3'170.0;  ///< of a link, 1..1e6
    double rate_spread = 0.0;    ///< rates are drawn from this share less to as much more, 0..0.9
    double delay_ms = 1.0;       ///< one way, 0..2000
    double loss = 0.0;           ///< of frames, after what the link layer repairs, 0..0.5
    double death_ms = 300.0;     ///< until a link layer misses a neighbour that is gone, 10..60 000

    std::size_t pairs = 10;        ///< of hosts that send, 0..10 000
    double interval_ms = 1'000.0;  ///< between the packets of a pair, 1..1e6
    std::size_t bytes = 400;       ///< payload of a packet, 16..1300

    double kills_per_min = 0.0;       ///< nodes killed, 0..600
    double away_s = 10.0;             ///< until such a node is back, 0.1..10 000
    double fades_per_min = 0.0;       ///< links that lose nearly all and are reported so late, 0..600
    double fade_s = 10.0;             ///< 0.1..10 000
    double partitions_per_min = 0.0;  ///< the network falls in two parts, 0..60
    double partition_s = 10.0;        ///< 0.1..10 000

    std::uint32_t price = 1'000;  ///< msat per MiB of every node at first
    double walks_per_min = 0.0;   ///< price changes of each node, 0..600
    std::uint32_t price_low = 100, price_high = 10'000;

    double hostile_share = 0.0;  ///< of the nodes: they drop data, overcharge or throw their keys away, 0..0.9
};

/// `file`: how messages call it. The error is one line.
[[nodiscard]] Result<NetScenario> parse_net_scenario(std::string_view text, const std::string& file);
[[nodiscard]] Result<NetScenario> load_net_scenario(const std::string& path);
/// As a file, every key with its value and what it means.
[[nodiscard]] std::string to_toml(const NetScenario& scenario);

/// Who is joined with whom.
struct NetPlan {
    struct Edge {
        std::size_t a = 0, b = 0;
        RouterLink link;
        bool pass = false;  ///< up during passes only
    };
    /// One time that a satellite is heard.
    struct Pass {
        std::size_t edge = 0;
        Duration from{}, until{};  ///< since the start
    };
    std::vector<Edge> edges;
    std::vector<Pass> passes;
    std::vector<std::pair<double, double>> places;  ///< of the nodes, in a unit square
};
/// The same for the same `random`. All nodes hang together, islands and satellites apart. Passes up to `length`.
[[nodiscard]] NetPlan draw_plan(const NetScenario& scenario, Rng& random, Duration length);

}  // namespace meshnet::sim
