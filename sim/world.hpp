// SPDX-License-Identifier: MIT
// A network of whole nodes in virtual time: real MAC, real router, real payment, a radio made of tables.
//
//     inject(packet) -> Node -> TxRequest -> [TableMedium: delay, SINR, collisions, half duplex] -> RxFrame -> Node ->
//     delivered
//
// Every node has its own clock (offset and error); no node sees world time. One
// seed fixes everything that happens: same seed, same calls, same hash().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "node/node.hpp"
#include "phy/profile.hpp"
#include "sim/memory_ledger.hpp"
#include "sim/table_medium.hpp"

namespace meshnet::sim {

class World {
public:
    struct Config {
        std::uint64_t seed = 1;
        const phy::Profile* profile = nullptr;
        Duration latency = 2ms;         ///< antenna to node: frames and carrier sense, [0, 1 s]
        Duration shortest_lead = 1ms;   ///< a TxRequest for sooner than this is late, [0, 1 s]
        Duration persist_delay = 3ms;   ///< a batch is on disk so long after it was polled, [0, 1 min]
        double clock_error_ppm = 10.0;  ///< each node's is uniform within +- this, [0, 200]
        double decade_db = 0.5;         ///< steepness of the error curve (sim/table_phy.hpp)
        double frame_loss = 0.0;        ///< share of frames missed whatever their SINR, [0, 1]
    };
    /// A packet that reached the host behind a node.
    struct Delivery {
        Instant at{};
        std::size_t node = 0;
        Bytes packet;
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    explicit World(const Config& config);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// A new node with an identity from the seed; the index counts from 0. `make` gives its configuration at every
    /// start; the identity in it is replaced.
    std::size_t add_node(std::function<node::Node::Config()> make = [] { return node::Node::Config{}; });
    /// A second node with the key of `node`, and an empty ledger of its own: what nobody should do.
    std::size_t add_copy(std::size_t node);
    /// Radio path in both directions; `snr_db` in the occupied band. Called again: replaces it. Nodes not connected
    /// hear nothing.
    void connect(std::size_t a, std::size_t b, double snr_db, Duration delay);
    void disconnect(std::size_t a, std::size_t b);

    /// The host behind `node` sends `packet` now.
    void inject(std::size_t node, ByteView packet);
    /// The node loses all that is not committed to its ledger. What its radio was given already still goes out.
    void kill(std::size_t node);
    /// It comes back with its identity and what its ledger holds.
    void restart(std::size_t node);

    /// Moves virtual time on and lets everything in between happen.
    void run_for(Duration time);
    [[nodiscard]] Instant now() const noexcept;
    /// Packets that came out, in order; poll until empty.
    [[nodiscard]] std::optional<Delivery> poll_delivery();

    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] bool alive(std::size_t node) const noexcept;
    /// Of a living node. Reading is free; whatever changes it must go through the world.
    [[nodiscard]] node::Node& node(std::size_t node);
    [[nodiscard]] const net::NodeId& id(std::size_t node) const noexcept;
    [[nodiscard]] const net::Address& address(std::size_t node) const noexcept;
    [[nodiscard]] const MemoryLedger& ledger(std::size_t node) const noexcept;
    [[nodiscard]] const MediumCounters& counters() const noexcept;
    /// Steps of the simulation so far.
    [[nodiscard]] std::uint64_t events() const noexcept;
    /// Of everything that happened so far: times, frames, packets, batches.
    [[nodiscard]] std::uint64_t hash() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// An IPv6 packet (next header 59: nothing but bytes) for tests and tools: `payload` behind the fixed header.
[[nodiscard]] Bytes make_ipv6_packet(const net::Address& source, const net::Address& destination, ByteView payload);

}  // namespace meshnet::sim
