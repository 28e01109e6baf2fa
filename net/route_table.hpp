// SPDX-License-Identifier: MIT
// Which neighbour leads where: a loop-free distance vector that weighs airtime, price and delay.
//
// Rules of RFC 8966 (Babel): the feasibility condition (2.4, 3.5.1), the source table (3.7.3), route acquisition
// (3.5.3), selection (3.6), triggered updates (3.7.2), seqno requests (3.8). One origin per destination: the node
// itself, which signs. Instead of periodic updates there is a journal of changes (route_advertiser.hpp).
//
// A node that forgot its source table could close a loop through itself. So it never advertises a seqno above a ceiling
// that is on disk, and after a restart accepts only seqnos above that ceiling, or the destination itself.
//
// Nothing is kept of a destination before its signature was verified. Tables have caps and are shared out: a full one
// makes room at the cost of the neighbour that has brought most. Spec: docs/spec/net.md, "Routing".
#pragma once

#include <array>

#include "net/route_advertiser.hpp"
#include "net/route_wanted.hpp"

namespace meshnet::net {

class RouteTable {
public:
    using Config = RouteConfig;
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
    using Ceiling = RouteCeiling;
    using Ceilings = std::map<NodeId, Ceiling>;
    using Reservation = RouteReservation;
    using Out = RouteAdvertiser::Out;

    /// `first_seqno`: higher than any this node ever used, as far as is known; `ceilings`: what was reserved() before
    /// the restart. References must outlive the table.
    RouteTable(Config config, const Certificate& certificate, const SigningKey& device, std::uint32_t first_seqno,
               const Ceilings& ceilings = {});
    RouteTable(const RouteTable&) = delete;
    RouteTable& operator=(const RouteTable&) = delete;

    /// A session with `id` is up under this number, also a further one.
    void neighbor_up(Instant now, NeighborId neighbor, const NodeId& id, const LinkQuality& link);
    void neighbor_changed(Instant now, NeighborId neighbor, const LinkQuality& link);
    void neighbor_down(Instant now, NeighborId neighbor);
    /// Our own price for carrying a MiB one hop, added to what we advertise.
    void set_price(Instant now, std::uint32_t msat_per_mib);

    /// A routing message; false if it is not one, or malformed.
    [[nodiscard]] bool on_message(Instant now, NeighborId from, MessageType type, ByteView body,
                                  Session session = Session::kNewest);
    /// One update outside of any journal.
    void on_update(Instant now, NeighborId from, const RouteUpdate& update, Session session = Session::kNewest);
    void on_route_request(Instant now, NeighborId from, const RouteRequest& request);
    void on_seqno_request(Instant now, NeighborId from, const SeqnoRequest& request);
    /// Remembers a verified certificate that came by another way (a neighbour's handshake).
    void learn(const Certificate& certificate);
    /// Certificate or revocation from the ledger.
    void restore(const Certificate& certificate);
    /// A newer certificate of this node is known, or a revocation.
    [[nodiscard]] bool revoked(const Certificate& certificate) const;
    /// A newer certificate of our own node was received, or a revocation: this device acts for it no more.
    [[nodiscard]] bool superseded() const noexcept { return superseded_; }
    /// Enters a revocation, or a certificate that replaces another, and passes it on. False if it is not genuine or
    /// nothing new.
    bool revoke(Instant now, const Certificate& certificate);

    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    [[nodiscard]] std::optional<Out> poll_message() { return advertiser_.poll(); }

    /// To be stored before the route may be advertised; nothing: the row may be deleted.
    [[nodiscard]] std::optional<Reservation> poll_reservation();
    /// A reservation is on disk.
    void reserved(Instant now, const NodeId& destination, std::uint32_t ceiling);
    /// To be stored and given to restore() ever after.
    [[nodiscard]] std::optional<Certificate> poll_certificate();

    [[nodiscard]] std::optional<Selected> lookup(const NodeId& destination) const;
    /// Neighbours that lead there without a loop, the cheapest first.
    [[nodiscard]] std::vector<NeighborId> successors(const NodeId& destination) const;
    /// All usable ways there, the cheapest first, also those that could make a loop of packets that are forwarded hop
    /// by hop. A flow may be opened by any of them: its open never passes a node twice.
    [[nodiscard]] std::vector<Selected> ways(const NodeId& destination) const;
    /// Of what was sent to `destination` by `via`, `ratio` (0..1) arrived. Price and airtime of that way count divided
    /// by it; it fades back to 1 in 60 s.
    void on_delivery(Instant now, const NodeId& destination, NeighborId via, double ratio);
    /// A flow open to `destination` by `via` was answered, or was not in time. Counts like a measured delivery.
    void on_answer(Instant now, const NodeId& destination, NeighborId via, bool answered);
    /// Destinations whose chosen route is over this neighbour.
    [[nodiscard]] std::vector<NodeId> chosen_over(NeighborId neighbor) const;
    /// The destination will be reached again by plan: it stays known until then.
    void keep(const NodeId& destination, Instant until);
    void keep(const ShortId& destination, Instant until);
    /// Any message for a neighbour, within the share of the link.
    void tell(Instant now, NeighborId neighbor, Bytes message) {
        advertiser_.direct(now, neighbor, std::move(message));
    }
    [[nodiscard]] std::optional<NodeId> id_of(const Address& address) const;
    /// Every address that id_of() knows, and how often that set has changed.
    [[nodiscard]] std::vector<Address> addresses() const;
    [[nodiscard]] std::uint64_t address_changes() const noexcept { return address_changes_; }
    /// The verified certificate of a destination we received updates of.
    [[nodiscard]] const Certificate* certificate_of(const NodeId& id) const;
    [[nodiscard]] std::vector<View> routes() const;
    [[nodiscard]] std::uint32_t own_seqno() const noexcept { return origin_.seqno(); }
    [[nodiscard]] const Instance& own_instance() const noexcept { return origin_.instance(); }  ///< as last signed
    [[nodiscard]] const RouteCounters& counters() const noexcept { return shared_.counters; }
    /// Keys that two stations use.
    [[nodiscard]] const KeyAlarms& alarms() const noexcept { return alarms_; }
    /// Our key, or that of `id`, may be in use by two stations.
    [[nodiscard]] bool disputed(Instant now, const NodeId& id) const {
        return origin_.disputed(now) || alarms_.standing(id);
    }
    /// Once a second: alarms that are over.
    void sweep_alarms(Instant now) { alarms_.sweep(now); }
    [[nodiscard]] std::size_t destinations() const noexcept { return shared_.destinations.size(); }
    /// The chosen neighbour, without any effect on what is kept or advertised.
    [[nodiscard]] std::optional<NeighborId> next_hop(const NodeId& destination) const;
    /// How often a chosen neighbour has changed, for any destination.
    [[nodiscard]] std::uint64_t choices() const noexcept { return choices_; }
    /// Calls f(destination) for those whose chosen neighbour has changed since choices() was `since`; for all if that
    /// is too long ago.
    template <class F>
    void visit_choices_since(std::uint64_t since, F&& f) const {
        if (choices_ - since <= recent_choices_.size()) {
            for (std::uint64_t k = since; k < choices_; ++k) f(recent_choices_[k % recent_choices_.size()]);
            return;
        }
        for (const auto& [id, d] : shared_.destinations) f(id);
    }

private:
    using Destination = RouteDestination;
    using Destinations = RouteDestinations;

    // route_updates.cpp: what neighbours say
    void on_updates(Instant now, NeighborId from, const RouteUpdates& updates, Session session);
    void on_state(Instant now, NeighborId from, const RouteState& state);
    void expect_run(Instant now, NeighborId from, RouteNeighbor& n, std::uint32_t run);
    [[nodiscard]] bool apply(Instant now, NeighborId from, const RouteUpdate& u, Session session);
    [[nodiscard]] bool apply_new(Instant now, NeighborId from, const RouteUpdate& u, Session session);
    [[nodiscard]] bool apply_known(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& u,
                                   Session session);
    [[nodiscard]] bool proceed(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& u,
                               Session session, const RouteProofs::Verdict& verdict);
    void accept(Instant now, const NodeId& id, Destination& d, const RouteWanted::Candidate& c);
    void take_certificate(Instant now, NeighborId from, const RouteUpdate& u);
    void on_certificate(Instant now, const NodeId& id, Destination& d);
    void on_retraction(Instant now, NeighborId from, const ShortId& id);
    [[nodiscard]] bool make_room(std::uint32_t brought);
    [[nodiscard]] bool checks_left(Instant now, NeighborId from, int checks);
    void observe(Instant now, NeighborId from, const NodeId& id, Destination& d, const RouteUpdate& update);
    void notify(Instant now, NeighborId to, const NodeId& id, const Destination& d, std::uint32_t seqno,
                const Instance& instance, const Signature& signature);
    void raise(Instant now, const NodeId& key);

    void select(Instant now, const NodeId& id, Destination& d);
    [[nodiscard]] RouteDue due_of(const Destination& d, const Route& best, bool changed) const;
    void request_seqno(Instant now, const NodeId& id, Destination& d);
    [[nodiscard]] bool stuck(const NodeId& id, const Destination& d) const;
    void lost(Instant now, const NodeId& id, Destination& d);
    void note_choice(const NodeId& id) { recent_choices_[choices_++ % recent_choices_.size()] = id; }
    void forget(Destinations::iterator it);
    void drop_routes(Instant now, NeighborId via);
    [[nodiscard]] bool is_neighbor(const NodeId& id) const;
    void take_news(Instant now);
    void neighbor_timeouts(Instant now);

    RouteShared shared_;
    KeyAlarms alarms_;
    RouteOrigin origin_;
    RouteSelection selection_;
    RouteAdvertiser advertiser_;
    RouteWanted wanted_;
    bool superseded_ = false;
    std::uint64_t address_changes_ = 0;
    std::deque<Certificate> certificates_;
    std::set<NodeId> blocked_;  // a request for a newer seqno is out, or due
    std::optional<Instant> blocked_at_;
    std::set<std::pair<Instant, NodeId>> reconsider_;
    std::deque<std::pair<Instant, NodeId>> forget_;
    std::optional<Instant> neighbors_at_;
    NodeId evicted_{};  // where the last search for room ended
    Instant latest_{};
    std::uint64_t choices_ = 0;
    std::array<NodeId, 32> recent_choices_{};
};

}  // namespace meshnet::net
