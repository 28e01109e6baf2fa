// SPDX-License-Identifier: MIT
// Which neighbour leads where: a loop-free distance vector that weighs airtime, price and delay.
//
// Rules of RFC 8966 (Babel): the feasibility condition (2.4, 3.5.1), the source table (3.7.3), route acquisition
// (3.5.3), selection (3.6), triggered updates (3.7.2), seqno requests (3.8). One origin per destination: the node
// itself. Feasibility looks at (seqno, airtime) alone; price and delay only choose among feasible routes, so a change
// of price can neither make a loop nor a storm of requests. Tables have caps; what does not fit is ignored and counted.
//
// A node that forgot its source table could close a loop through itself. So it never advertises a seqno above a ceiling
// that is on disk, and after a restart believes only seqnos above that ceiling, or the destination itself.
// Spec: docs/spec/net.md, "Routing".
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "net/link_peer.hpp"
#include "net/route_messages.hpp"
#include "net/router_counters.hpp"

namespace meshnet::net {

class RouteTable {
public:
    struct Config {
        Duration update_interval = 4s;
        Duration hold = 30s;            ///< a chosen route stays at least so long, unless lost or halved
        std::uint32_t us_per_msat = 1;  ///< weight of price: airtime (us per KiB) a msat per MiB is worth
        std::uint32_t us_per_ms = 10;   ///< weight of delay
        std::size_t max_destinations = 4'096;
    };
    struct Selected {
        NeighborId next_hop = 0;
        std::uint32_t airtime_us_per_kib = 0;
        std::uint32_t price_msat_per_mib = 0;  ///< all relays on the way, ourselves not
        std::uint16_t delay_ms = 0;
        std::uint8_t hops = 0;
    };
    struct View {
        NodeId destination{};
        NeighborId next_hop = 0;
        std::uint16_t seqno = 0;
        std::uint32_t airtime_us_per_kib = 0;
        std::uint32_t price_msat_per_mib = 0;
        std::uint16_t delay_ms = 0;
        std::uint8_t hops = 0;
        bool selected = false, feasible = false;
    };
    using Ceilings = std::map<NodeId, std::uint16_t>;

    /// `first_seqno`: higher than any this node ever used, as far as is known; `ceilings`: what was reserved() before
    /// the restart. References must outlive the table.
    RouteTable(Config config, const Certificate& certificate, const SigningKey& device, std::uint16_t first_seqno,
               const Ceilings& ceilings = {});

    void neighbor_up(Instant now, NeighborId neighbor, std::uint32_t airtime_us_per_kib, std::uint16_t delay_ms);
    void neighbor_changed(Instant now, NeighborId neighbor, std::uint32_t airtime_us_per_kib, std::uint16_t delay_ms);
    void neighbor_down(Instant now, NeighborId neighbor);
    /// Our own price for carrying a MiB one hop, added to what we advertise.
    void set_price(Instant now, std::uint32_t msat_per_mib);

    void on_update(Instant now, NeighborId from, const RouteUpdate& update);
    void on_route_request(Instant now, NeighborId from, const RouteRequest& request);
    void on_seqno_request(Instant now, NeighborId from, const SeqnoRequest& request);
    /// Remembers a verified certificate that came by another way (a neighbour's handshake).
    void learn(const Certificate& certificate);

    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    struct Out {
        NeighborId to = 0;
        Bytes message;
    };
    [[nodiscard]] std::optional<Out> poll_message();

    /// To be stored before the route may be advertised; nothing: the row may be deleted.
    struct Reservation {
        NodeId destination{};
        std::optional<std::uint16_t> ceiling;
    };
    [[nodiscard]] std::optional<Reservation> poll_reservation();
    /// A reservation is on disk.
    void reserved(Instant now, const NodeId& destination, std::uint16_t ceiling);

    [[nodiscard]] std::optional<Selected> lookup(const NodeId& destination) const;
    /// Another feasible way than through `avoid`; nothing if there is none.
    [[nodiscard]] std::optional<NeighborId> alternative(const NodeId& destination, NeighborId avoid) const;
    [[nodiscard]] std::optional<NodeId> id_of(const Address& address) const;
    /// The verified certificate of a destination we heard of.
    [[nodiscard]] const Certificate* certificate_of(const NodeId& id) const;
    [[nodiscard]] std::vector<View> routes() const;
    [[nodiscard]] std::uint16_t own_seqno() const noexcept { return seqno_; }
    [[nodiscard]] const RouteCounters& counters() const noexcept { return counters_; }

private:
    struct Link {
        std::uint32_t airtime = 1;
        std::uint16_t delay_ms = 0;
    };
    struct Route {  // as the neighbour advertised it
        std::uint16_t seqno = 0;
        std::uint32_t airtime = kUnreachable;
        std::uint32_t price = 0;
        std::uint16_t delay_ms = 0;
        std::uint8_t hops = 0;
        Instant expires{};
    };
    struct Distance {
        std::uint16_t seqno = 0;
        std::uint32_t airtime = kUnreachable;
    };
    struct Proof {  // a seqno whose signature was verified
        std::uint16_t seqno = 0;
        std::uint32_t serial = 0;
        Signature signature{};
    };
    struct Destination {
        std::optional<Certificate> certificate;
        std::deque<Proof> proofs;  // newest last, at most kProofs
        std::optional<Distance> feasible;
        std::map<NeighborId, Route> routes;
        std::optional<NeighborId> selected;
        Instant selected_since{};
        bool announce = false;         // a triggered update is due
        int retractions = 0;           // how often we still say that there is no way
        std::uint16_t said_seqno = 0;  // what we last advertised
        std::uint32_t said_airtime = kUnreachable;
        std::uint32_t said_price = 0;
        std::map<NeighborId, std::uint16_t> told;  // neighbours that have certificate and this seqno's proof
        std::optional<std::uint16_t> ceiling;      // on disk: seqnos up to it may be advertised
        std::optional<std::uint16_t> asked;        // ceiling on its way to the disk
        Instant forget_at{};                       // without any route: when to drop it
        std::uint16_t requested_seqno = 0;
        Instant request_again{};  // a seqno request is out until then
        int request_repeats = 0;
    };
    using Destinations = std::map<NodeId, Destination>;

    [[nodiscard]] static bool closer(std::uint16_t seqno, std::uint32_t airtime, const std::optional<Distance>& than);
    [[nodiscard]] std::uint32_t total_airtime(NeighborId via, const Route& route) const;
    [[nodiscard]] std::uint64_t cost(NeighborId via, const Route& route) const;
    [[nodiscard]] bool usable(NeighborId via, const Route& route) const;
    /// May this route be chosen without closing a loop?
    [[nodiscard]] static bool feasible(const NodeId& id, const Destination& d, NeighborId via, const Route& route);
    [[nodiscard]] bool prove(Destination& d, const RouteUpdate& update);
    void select(Instant now, const NodeId& id, Destination& d);
    void request_seqno(Instant now, const NodeId& id, Destination& d);
    void announce(Instant now, Destination& d, bool urgent);
    void send_update(Instant now, NeighborId to, const NodeId& id, Destination& d, bool complete);
    void send_own(NeighborId to, bool complete);
    void send_all(Instant now, bool only_due);
    void next_seqno();
    void push(NeighborId to, Bytes message);

    Config config_;
    const Certificate& certificate_;
    const SigningKey& device_;
    NodeId self_{};
    std::uint16_t seqno_;
    Signature own_proof_{};
    std::uint32_t own_price_ = 0;
    std::map<NeighborId, Link> links_;
    std::map<NeighborId, std::uint16_t> own_told_;
    Destinations destinations_;
    std::map<Address, NodeId> by_address_;
    std::deque<Out> out_;
    std::deque<Reservation> reservations_;
    std::optional<Instant> triggered_at_;
    std::optional<Instant> periodic_at_;
    Instant sweep_at_{};
    int periods_ = 0;
    RouteCounters counters_;
};

}  // namespace meshnet::net
