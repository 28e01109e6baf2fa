// SPDX-License-Identifier: MIT
// Packets <-> destinations over many links, encrypted, priced and paid on delivery: the public face of the network
// layer.
//
//     TUN packets -> [Router] -> sealed link frames -> mac          mac frames -> [Router] -> TUN packets, ledger
//     batches
//
// Single-threaded, no clock, no socket, no file, no log. Persist before reveal: what must be on disk before the world
// may see it is polled as a LedgerBatch; whatever depends on it leaves only after on_persisted(). Spec:
// docs/spec/net.md, docs/spec/payment.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/counters.hpp"
#include "core/link.hpp"
#include "core/random.hpp"
#include "core/result.hpp"
#include "core/time.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"

namespace meshnet::net {

/// A neighbour as the link layer names it (mac::StationId). 0 is nobody.
using NeighborId = std::uint32_t;

enum class LinkClass : std::uint8_t { kRadio = 0, kSatellite = 1, kTunnel = 2 };

/// What the link layer says of a neighbour.
struct LinkQuality {
    double rate_bps = 0.0;
    double loss = 0.0;                ///< 0..1 after the link layer chose its mode
    double airtime_us_per_kib = 0.0;  ///< ETT of a KiB, us
    Duration round_trip{};            ///< 0: unknown
    float snr_db = 0.0F;
    LinkClass link_class = LinkClass::kRadio;
};

/// One sealed frame for the link layer: at most kMaxFrameBytes.
struct OutFrame {
    NeighborId to = 0;  ///< or kBroadcast
    Priority priority = Priority::kBulk;
    Bytes bytes;
};
inline constexpr std::size_t kMaxFrameBytes = 8'000;

/// Views for `meshnet status|neighbours|routes|flows|ledger`. Money in millisatoshi unless the name says otherwise.
struct NeighborView {
    NeighborId link = 0;
    NodeId id{};
    Address address{};
    bool session_up = false;
    LinkQuality quality;
    std::int64_t balance_msat = 0;       ///< > 0: the neighbour owes us
    std::uint64_t unresolved_bytes = 0;  ///< forwarded for it and not yet resolved by a receipt
    std::uint64_t window_bytes = 0;
    std::string state;  ///< "open", "soft", "paused", "closed"
};
struct RouteView {
    NodeId destination{};
    Address address{};
    NeighborId next_hop = 0;
    std::uint32_t airtime_us_per_kib = 0;
    std::uint64_t price_msat_per_mib = 0;
    std::uint32_t delay_ms = 0;
    std::uint8_t hops = 0;
    std::uint16_t seqno = 0;
    bool selected = false;
    bool feasible = false;
};
struct FlowView {
    std::uint64_t id = 0;
    NodeId source{}, destination{};
    std::string role;  ///< "source", "relay", "destination"
    std::uint64_t bytes_forwarded = 0;
    std::uint64_t units_paid = 0;
    std::uint32_t unit_bytes = 0;
    std::uint64_t price_in_msat_per_mib = 0, price_out_msat_per_mib = 0;
    std::string state;
};
struct RouterCounters {
    std::uint64_t packets_from_host = 0, packets_to_host = 0, packets_forwarded = 0;
    std::uint64_t dropped_no_route = 0, dropped_queue_full = 0, dropped_hop_limit = 0, dropped_malformed = 0;
    std::uint64_t dropped_auth = 0, dropped_replay = 0, dropped_window = 0;
    std::uint64_t handshakes = 0, words_sent = 0, words_accepted = 0, words_refused = 0;
    std::uint64_t handshakes_refused = 0;  ///< genuine, but not of the closed fleet, or not the station it came from
    std::uint64_t handshakes_limited = 0;  ///< over the limit of unauthenticated messages
    std::uint64_t dropped_old = 0;         ///< waited longer than 1.5 s for the link
    std::uint64_t flows_opened = 0, flows_refused = 0, flow_errors = 0;
    std::uint64_t statements_accepted = 0, statements_refused = 0;
    std::uint64_t balances_accepted = 0, balances_refused = 0;
    std::uint64_t probes_sent = 0;
    std::uint64_t control_bytes_sent = 0, data_bytes_sent = 0;  ///< sealed, by kind of frame
};
template <class Visit>
constexpr void visit_counters(const RouterCounters& c, Visit&& visit) {
    visit("packets_from_host", c.packets_from_host);
    visit("packets_to_host", c.packets_to_host);
    visit("packets_forwarded", c.packets_forwarded);
    visit("dropped_no_route", c.dropped_no_route);
    visit("dropped_queue_full", c.dropped_queue_full);
    visit("dropped_hop_limit", c.dropped_hop_limit);
    visit("dropped_malformed", c.dropped_malformed);
    visit("dropped_auth", c.dropped_auth);
    visit("dropped_replay", c.dropped_replay);
    visit("dropped_window", c.dropped_window);
    visit("handshakes", c.handshakes);
    visit("words_sent", c.words_sent);
    visit("words_accepted", c.words_accepted);
    visit("words_refused", c.words_refused);
    visit("handshakes_refused", c.handshakes_refused);
    visit("handshakes_limited", c.handshakes_limited);
    visit("dropped_old", c.dropped_old);
    visit("flows_opened", c.flows_opened);
    visit("flows_refused", c.flows_refused);
    visit("flow_errors", c.flow_errors);
    visit("statements_accepted", c.statements_accepted);
    visit("statements_refused", c.statements_refused);
    visit("balances_accepted", c.balances_accepted);
    visit("balances_refused", c.balances_refused);
    visit("probes_sent", c.probes_sent);
    visit("control_bytes_sent", c.control_bytes_sent);
    visit("data_bytes_sent", c.data_bytes_sent);
}
static_assert(visits_every_counter<RouterCounters>());

class Router {
public:
    struct Config {
        Identity identity;                               ///< keys of this node (net/node_id.hpp)
        std::uint64_t price_msat_per_mib = 1'000;        ///< what we ask for carrying a MiB one hop
        std::uint64_t max_price_msat_per_mib = 100'000;  ///< what our own flows pay at most, all hops together
        std::uint32_t unit_bytes = 16'384;               ///< payload per delivery word, 1024..65536
        std::uint64_t initial_window_bytes = 262'144;    ///< credit of a neighbour before it has settled anything
        std::uint64_t max_window_bytes = 16'777'216;
        std::vector<NodeId> closed_fleet;  ///< if not empty: only these may be neighbours
        bool pay = true;          ///< false: our own flows are not paid and relays that ask a price refuse them
        std::size_t mtu = 1'400;  ///< IP packet bytes, 1280..1500
        std::uint32_t rekey_after_frames = 1U << 20;  ///< 16..2^31: a link's keys change after so many frames
        Duration update_interval = 4s;                ///< of routes to each neighbour, 100 ms..60 s
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range. `restored` is what the ledger
    /// holds.
    Router(Config config, RandomSource& random, const LedgerState& restored);
    ~Router();
    Router(const Router&) = delete;
    Router& operator=(const Router&) = delete;

    // What happened, and when.
    void on_link_up(Instant now, NeighborId neighbor, const LinkQuality& quality);
    void on_link_changed(Instant now, NeighborId neighbor, const LinkQuality& quality);
    void on_link_down(Instant now, NeighborId neighbor);
    void on_frame(Instant now, NeighborId from, ByteView frame);  ///< any bytes at all
    void on_packet(Instant now, ByteView ip_packet);              ///< from our own host (IPv6, any bytes at all)
    void on_persisted(Instant now, std::uint64_t batch);          ///< every batch up to this number is on disk
    void on_timeout(Instant now);                                 ///< harmless if early or repeated

    // What to do: poll until empty after any call above.
    /// The next frame for `to` (or kBroadcast) that fits `max_bytes`; packets waiting are bundled into one frame when
    /// polled.
    [[nodiscard]] std::optional<OutFrame> poll_transmit(Instant now, NeighborId to, std::size_t max_bytes);
    /// Neighbours (and kBroadcast) for which something waits, by priority of what waits.
    [[nodiscard]] std::vector<NeighborId> pending() const;
    [[nodiscard]] std::optional<Bytes> poll_packet();  ///< an IP packet for our own host
    [[nodiscard]] std::optional<LedgerBatch> poll_persist(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    // For displays and control.
    void set_price(Instant now, std::uint64_t msat_per_mib);
    [[nodiscard]] std::vector<NeighborView> neighbors() const;
    [[nodiscard]] std::vector<RouteView> routes() const;
    [[nodiscard]] std::vector<FlowView> flows() const;
    [[nodiscard]] const RouterCounters& counters() const;
    [[nodiscard]] const NodeId& id() const;
    [[nodiscard]] const Address& address() const;

private:
    friend struct RouterTestAccess;  // tests/net: looks inside, feeds plaintext past the encryption
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::net
