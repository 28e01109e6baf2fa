// SPDX-License-Identifier: MIT
// What is advertised, to whom, when: changes at once and to all neighbours, differences to those who missed some, all
// of it within a share of each link's rate.
//
// Every change that was advertised has a number in a journal. A neighbour that has a number less than ours asks for
// what changed since (RouteSync); the journal's number travels with every update, and alone at growing intervals
// (RouteState; Trickle, RFC 6206). So an idle network is nearly silent, a lost update is repaired, and a newcomer gets
// everything: the changes since 0. Spec: docs/spec/net.md, "Routing".
#pragma once

#include <set>

#include "core/random.hpp"
#include "net/route_selection.hpp"
#include "net/route_state.hpp"

namespace meshnet::net {

class RouteAdvertiser {
public:
    static constexpr std::size_t kMessageBytes = 384;  ///< fits what the most robust modes carry at once
    struct Out {
        NeighborId to = 0;  ///< or kBroadcast
        Bytes message;
    };
    /// References must outlive it.
    RouteAdvertiser(RouteShared& shared, const RouteOrigin& origin, const RouteSelection& selection);

    void neighbor_up(Instant now, NeighborId link, bool was_up);
    void neighbor_down(NeighborId link);

    /// What we advertise of `d` has changed.
    void mark(Instant now, const NodeId& id, RouteDestination& d, RouteDue due);
    void mark_own(Instant now, RouteDue due);
    /// `d` is about to be deleted.
    void forget(RouteDestination& d);

    /// One message for one neighbour, before all others.
    void direct(Instant now, NeighborId to, Bytes message);
    void send_to_all(const Bytes& message);
    void ask(Instant now, NeighborId to, const ShortId& destination, bool certificate);
    /// Sends our route there with the proof.
    void answer(Instant now, NeighborId to, const ShortId& destination, bool certificate);
    void on_sync(Instant now, NeighborId from, const RouteSync& request);

    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    [[nodiscard]] std::optional<Out> poll();

    [[nodiscard]] std::uint32_t run() const noexcept { return run_; }
    [[nodiscard]] std::uint32_t version() const noexcept { return version_; }

private:
    enum class Proof : std::uint8_t { kNone, kSignature, kCertificate };
    [[nodiscard]] std::optional<RouteUpdate> update(const NodeId& id, RouteDestination& d, Proof proof);
    [[nodiscard]] Proof proof_for_all(const RouteDestination& d) const;
    [[nodiscard]] bool reserve(const NodeId& id, RouteDestination& d, std::uint32_t seqno);
    void advertised(const NodeId& id, RouteDestination& d);

    void refill(Instant now);
    [[nodiscard]] double depth(const RouteNeighbor& n) const;
    [[nodiscard]] bool affords(const RouteNeighbor& n, bool urgent) const;
    [[nodiscard]] bool all_afford(bool urgent) const;
    void send(NeighborId to, Bytes message);

    [[nodiscard]] bool send_changes(Instant now);
    [[nodiscard]] std::optional<NodeId> next_due(Instant now, bool message_begun);
    [[nodiscard]] std::optional<NodeId> next_of_normal();
    [[nodiscard]] bool send_direct(Instant now);
    [[nodiscard]] bool send_asks(NeighborId to, RouteNeighbor& n, bool certificates);
    [[nodiscard]] bool send_answer();
    [[nodiscard]] bool send_syncs(Instant now);
    [[nodiscard]] bool send_sync(Instant now, NeighborId to, RouteNeighbor& n);
    void send_state(Instant now);
    void wake(Instant at);
    [[nodiscard]] bool anything_waits() const;

    RouteShared& shared_;
    const RouteOrigin& origin_;
    const RouteSelection& selection_;
    Rng jitter_;
    std::uint32_t run_;
    std::uint32_t version_ = 0;
    std::map<std::uint32_t, NodeId> journal_;  // by the number of the last change; our own id for ourselves
    std::uint32_t own_version_ = 0;
    RouteDue own_due_ = RouteDue::kNone;

    std::deque<NodeId> urgent_, lazy_;
    std::map<NeighborId, std::deque<NodeId>> normal_;  // by next hop, served in turn: none crowds out the others
    NeighborId served_ = 0;
    struct Answer {
        NeighborId to = 0;  // kBroadcast: several asked
        bool certificate = false;
    };
    std::map<ShortId, Answer> answers_;
    std::deque<ShortId> answer_order_;
    std::set<NeighborId> busy_, syncing_;
    std::optional<Instant> flush_at_, lazy_at_, state_at_;
    Duration state_interval_{};
    std::deque<Out> out_;
};

}  // namespace meshnet::net
