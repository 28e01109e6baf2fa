// SPDX-License-Identifier: MIT
// Which neighbour leads where: a loop-free distance vector that weighs airtime, price and delay.
//
// Rules of RFC 8966 (Babel): the feasibility condition (2.4, 3.5.1), the source table (3.7.3), route acquisition
// (3.5.3), selection (3.6), triggered updates (3.7.2), seqno requests (3.8). One origin per destination: the node
// itself. Feasibility depends on (seqno, airtime) alone; price and delay only choose among feasible routes, so a change
// of price can neither make a loop nor a storm of requests. Tables have caps; what does not fit is ignored and counted.
//
// A node that forgot its source table could close a loop through itself. So it never advertises a seqno above a ceiling
// that is on disk, and after a restart accepts only seqnos above that ceiling, or the destination itself.
// Spec: docs/spec/net.md, "Routing".
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "net/key_alarms.hpp"
#include "net/key_instances.hpp"
#include "net/link.hpp"
#include "net/route_messages.hpp"
#include "net/route_metric.hpp"
#include "net/route_proofs.hpp"
#include "net/router_counters.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

class RouteTable {
public:
    struct Config {
        Duration update_interval = 4s;
        Duration hold = 30s;  ///< a chosen route stays at least so long, unless lost or twice as costly as another
        MetricWeights weights;
        std::size_t max_destinations = 4'096;
        std::uint64_t boot = 0;   ///< drawn at random at each start of the node
        std::uint32_t epoch = 1;  ///< above any of an earlier run, as far as is known
    };
    /// The session in which a message came: the newest with its neighbour, or one that a newer has replaced.
    enum class Session : std::uint8_t { kNewest, kReplaced };
    struct Selected {
        NeighborId next_hop = 0;
        RouteMetric metric;  ///< from here; price: all relays before the destination, ourselves not
    };
    struct View {
        NodeId destination{};
        NeighborId next_hop = 0;
        std::uint32_t seqno = 0;
        RouteMetric metric;  ///< from here
        bool selected = false, feasible = false;
    };

    /// What an earlier run may have advertised of a destination, at most, and the newest epoch it knew.
    struct Ceiling {
        std::uint32_t seqno = 0;
        std::uint32_t epoch = 0;
        bool operator==(const Ceiling&) const = default;
    };
    using Ceilings = std::map<NodeId, Ceiling>;

    /// `first_seqno`: higher than any this node ever used, as far as is known; `ceilings`: what was reserved() before
    /// the restart. References must outlive the table.
    RouteTable(Config config, const Certificate& certificate, const SigningKey& device, std::uint32_t first_seqno,
               const Ceilings& ceilings = {});

    /// A session with `id` is up under this number, also a further one.
    void neighbor_up(Instant now, NeighborId neighbor, const NodeId& id, const LinkMetric& link);
    void neighbor_changed(Instant now, NeighborId neighbor, const LinkMetric& link);
    void neighbor_down(Instant now, NeighborId neighbor);
    /// Our own price for carrying a MiB one hop, added to what we advertise.
    void set_price(Instant now, std::uint32_t msat_per_mib);

    void on_update(Instant now, NeighborId from, const RouteUpdate& update, Session session = Session::kNewest);
    void on_route_request(NeighborId from, const RouteRequest& request);
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
        std::optional<Ceiling> ceiling;
    };
    [[nodiscard]] std::optional<Reservation> poll_reservation();
    /// A reservation is on disk.
    void reserved(Instant now, const NodeId& destination, const Ceiling& ceiling);

    [[nodiscard]] std::optional<Selected> lookup(const NodeId& destination) const;
    /// Neighbours that lead there without a loop, the cheapest first.
    [[nodiscard]] std::vector<NeighborId> successors(const NodeId& destination) const;
    /// Of what was sent to `destination` by `via`, `ratio` (0..1) arrived. Price and airtime of that way count divided
    /// by it; it fades back to 1 in 60 s.
    void on_delivery(Instant now, const NodeId& destination, NeighborId via, double ratio);
    [[nodiscard]] std::optional<NodeId> id_of(const Address& address) const;
    /// Every address that id_of() knows, and how often that set has changed.
    [[nodiscard]] std::vector<Address> addresses() const;
    [[nodiscard]] std::uint64_t address_changes() const noexcept { return address_changes_; }
    /// The verified certificate of a destination we received updates of.
    [[nodiscard]] const Certificate* certificate_of(const NodeId& id) const;
    [[nodiscard]] std::vector<View> routes() const;
    [[nodiscard]] std::uint32_t own_seqno() const noexcept { return seqno_; }
    [[nodiscard]] const Instance& own_instance() const noexcept { return own_instance_; }  ///< as last signed
    [[nodiscard]] const RouteCounters& counters() const noexcept { return counters_; }
    /// Keys that two stations use.
    [[nodiscard]] const KeyAlarms& alarms() const noexcept { return alarms_; }
    /// Once a second: alarms that are over.
    void sweep_alarms(Instant now);

private:
    struct Delivery {  // measured end to end
        float ratio = 1.0F;
        Instant at{};
    };
    struct Route {  // as the neighbour advertised it
        std::uint32_t seqno = 0;
        RouteMetric metric;
        Instant expires{};
        Delivery delivery;
    };
    struct Distance {  // RFC 8966, 2.4: the feasibility distance
        std::uint32_t seqno = 0;
        std::uint32_t airtime = kUnreachable;
    };
    struct Destination {
        RouteProofs proofs;
        KeyInstances instances;
        std::optional<Distance> feasible;
        std::map<NeighborId, Route> routes;
        std::optional<NeighborId> selected;
        Instant selected_since{};
        bool announce = false;  // a triggered update is due
        int retractions = 0;    // how often we still advertise that there is no way
        std::uint32_t advertised_seqno = 0;
        RouteMetric advertised;                       // last, without our own price
        std::map<NeighborId, std::uint32_t> sent_to;  // neighbours that have the certificate and this seqno's signature
        std::optional<std::uint32_t> ceiling;         // on disk: seqnos up to it may be advertised
        std::optional<std::uint32_t> pending_ceiling;  // on its way to the disk
        Instant forget_at{};                           // without any route: when to drop it
        std::uint32_t requested_seqno = 0;
        Instant request_again{};  // a seqno request is out until then
        int request_repeats = 0;
    };
    using Destinations = std::map<NodeId, Destination>;

    [[nodiscard]] static bool closer(std::uint32_t seqno, std::uint32_t airtime, const std::optional<Distance>& than);
    [[nodiscard]] RouteMetric metric_from_here(NeighborId via, const Route& route) const;
    [[nodiscard]] std::uint64_t cost(Instant now, NeighborId via, const Route& route) const;
    [[nodiscard]] bool usable(NeighborId via, const Route& route) const;
    /// May this route be chosen without closing a loop?
    [[nodiscard]] bool feasible(const NodeId& id, const Destination& d, NeighborId via, const Route& route) const;
    /// The neighbour is this destination itself.
    [[nodiscard]] bool is(NeighborId neighbor, const NodeId& id) const;
    [[nodiscard]] bool is_neighbor(const NodeId& id) const;
    void answer_request(Instant now);
    void on_own_update(Instant now, const RouteUpdate& update);
    void on_other_instance(Instant now, const RouteUpdate& update);
    void answer_other_instance(Instant now);
    void raise(Instant now, const NodeId& key);
    void observe(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& update);
    void notify(NeighborId to, const NodeId& id, const Destination& d, const KeyInstances::Statement& statement);
    void on_retraction(Instant now, NeighborId from, const NodeId& id);
    void select(Instant now, const NodeId& id, Destination& d);
    [[nodiscard]] bool keep_selected(Instant now, const NodeId& id, const Destination& d,
                                     std::uint64_t best_cost) const;
    void request_seqno(Instant now, const NodeId& id, Destination& d);
    void announce(Instant now, Destination& d, bool urgent);
    void send_update(NeighborId to, const NodeId& id, Destination& d, bool complete);
    void send_own(NeighborId to, bool complete);
    void send_all(bool only_due);
    void sweep(Instant now);
    void next_seqno(Instant now);
    void push(NeighborId to, Bytes message);

    Config config_;
    const Certificate& certificate_;
    const SigningKey& device_;
    NodeId self_{};
    std::uint32_t seqno_;
    std::optional<std::uint32_t> requested_;  // of us: to be reached step by step
    Instant raise_credit_{};                  // one step costs an interval
    Instance own_instance_;
    Signature own_signature_{};
    // Of another run with our key: a former one of ours, or another station.
    std::optional<std::uint32_t> heard_seqno_;  // newer than ours: to be taken over
    bool answer_ = false;                       // what we sign is to mention it
    Instant answer_after_{};
    int quick_answers_ = 4;  // left of those that need not wait: after a loss of state we hear of it from several
    Instant other_until_{};
    std::map<std::uint64_t, std::uint32_t> others_;  // newest seqno of each
    TokenBucket own_checks_{10, 20};
    KeyAlarms alarms_;
    std::uint32_t own_price_ = 0;
    struct Neighbor {
        NodeId id{};
        LinkMetric metric;
    };
    std::map<NeighborId, Neighbor> links_;
    std::map<NeighborId, std::uint32_t> own_sent_to_;
    Destinations destinations_;
    std::map<Address, NodeId> by_address_;
    std::uint64_t address_changes_ = 0;
    std::deque<Out> out_;
    std::deque<Reservation> reservations_;
    std::optional<Instant> triggered_at_;
    std::optional<Instant> periodic_at_;
    Instant sweep_at_{};
    Instant latest_{};  // of on_timeout()
    Instant epoch_until_{};
    int periods_ = 0;
    RouteCounters counters_;
};

}  // namespace meshnet::net
