// SPDX-License-Identifier: MIT
// The links to all neighbours: which are up, their sessions, and what waits to be sealed and sent on each.
//
// A link comes up twice: first the link layer reports it (up()), then a handshake makes a session (on_frame()). Only
// then does send_control() reach the neighbour. Spec: docs/spec/net.md, "Link handshake".
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/random.hpp"
#include "core/time.hpp"
#include "net/flow_queue.hpp"
#include "net/handshake_shared.hpp"
#include "net/identity_secrets.hpp"
#include "net/link.hpp"
#include "net/link_broadcast.hpp"
#include "net/link_peer.hpp"
#include "net/router_counters.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

/// Decides whether a packet of a flow may leave now, and is notified of those that left.
class DataGate {
public:
    virtual ~DataGate() = default;
    [[nodiscard]] virtual bool may_send(NeighborId to, std::uint32_t label) const = 0;
    virtual void on_sent(Instant now, NeighborId to, const FlowQueue::Packet& packet) = 0;

protected:
    DataGate() = default;
    DataGate(const DataGate&) = default;
    DataGate& operator=(const DataGate&) = default;
};

class LinkTable {
public:
    struct Config {
        std::vector<NodeId> closed_fleet;  ///< if not empty: only these may be neighbours
        std::vector<NodeId> refused;       ///< never neighbours
        std::uint32_t rekey_after_frames = 1U << 20;
        bool pad_frames = false;    ///< Router::Config::pad_frames
        Duration rekey_after = 6h;  ///< and at least so often: numbers of bursts must not come round within a session
    };
    /// Work that unverified messages of a neighbour can cause; each kind has its own limit.
    enum class Effort : std::uint8_t {
        kOpen,     ///< consider a FLOW_OPEN, about 2 ms: 4 per second, 40 at once
        kAnswer,   ///< answer an unknown label, verify a statement, pass a probe on: 20 per second, 20 at once
        kBalance,  ///< verify a balance: 5 per second, 10 at once
        kHash,     ///< a step to a payword that proves to be forged, 0.3 us: 20 000 per second, 8192 at once
    };
    struct Neighbor {
        LinkQuality quality;
        bool link_up = false;
        bool session_up = false;
        NodeId id{};  ///< zero until the first session
        std::unique_ptr<LinkPeer> peer;
        FlowQueue queue;
        std::optional<Instant> start_at;   ///< begin a handshake then
        std::optional<Instant> try_until;  ///< of a handshake although the link is down
        bool greet = false;                ///< our certificate goes first in the new session
        std::optional<Instant> greet_at;   ///< again, while nothing was heard in it
        BroadcastReceiver broadcast;       ///< what it sends to everybody
        unsigned failures = 0;             ///< frames given up in a row by the link layer
        Instant failing_since{};
        Instant last_heard{};
        std::optional<Instant> doubted_at;  ///< a frame to everybody did not open
        Instant down_since{};
        Instant expected_until{};  ///< it goes away and comes back by plan: what waits for it is kept
        TokenBucket opens{4, 40};
        TokenBucket answers{20, 20};
        TokenBucket balances{5, 10};
        TokenBucket hashes{20'000, 8'192};
    };
    using Neighbors = std::map<NeighborId, Neighbor>;
    static constexpr std::size_t kMaxNeighbors = 256;  ///< that have proven who they are
    static constexpr std::size_t kMaxStrangers = 32;   ///< that have not; they never take the place of those

    /// References must outlive the table.
    LinkTable(Config config, const Identity::Secrets& self, NeighborId self_link, RandomSource& random,
              RouterCounters& counters);
    LinkTable(const LinkTable&) = delete;
    LinkTable& operator=(const LinkTable&) = delete;

    enum class Up : std::uint8_t {
        kIgnored,   ///< not a neighbour, or the table is full
        kWasUp,     ///< now with this quality
        kStarting,  ///< a handshake will begin
        kSession,   ///< the keys are still there: the session is up
    };
    /// The link layer hears this neighbour.
    [[nodiscard]] Up up(Instant now, NeighborId link, const LinkQuality& quality);
    /// True if the session is up, so that the new quality matters to routes.
    [[nodiscard]] bool change(NeighborId link, const LinkQuality& quality);
    /// False if the link was not up.
    [[nodiscard]] bool down(Instant now, NeighborId link);

    struct Heard {
        bool session_up = false;     ///< a session was confirmed with this frame (first one, or a new one)
        std::optional<Bytes> plain;  ///< messages of the neighbour
        bool replaced = false;       ///< they came in a session that a newer one has replaced
        bool broadcast = false;      ///< they were sent to everybody
    };
    /// Any bytes at all. What is refused is counted.
    [[nodiscard]] Heard on_frame(Instant now, NeighborId from, ByteView frame);
    /// A frame to everybody counts as a sign that the session stands as well.
    void alive(Instant now, NeighborId link);
    /// Handshakes that are due, and neighbours that fell silent.
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    /// The neighbour is heard, its link is down, and it cannot prove who it is: tries to make a session for a while.
    void unproven(Instant now, NeighborId link);
    /// The link layer sent a frame of ours, or gave it up. True if the link is down because of it: a new session is
    /// being made, and on_frame() will report it.
    [[nodiscard]] bool on_frame_done(Instant now, NeighborId to, bool delivered);
    /// The next change of the link layer's keys.
    [[nodiscard]] std::optional<LinkKeyChange> poll_link_key();
    /// A neighbour's key for what it sends to everybody; false if `body` is none.
    [[nodiscard]] bool on_broadcast_key(NeighborId from, ByteView body);

    /// Queues a control message (type and body) to all neighbours: unacknowledged, in one frame with others.
    void broadcast_control(Bytes message);
    /// Queues a control message (type and body). Without a session it is dropped: whoever needs an answer repeats the
    /// question.
    void send_control(NeighborId to, Bytes message);
    /// False, and nothing taken, if there is no such neighbour or its queue is full.
    [[nodiscard]] bool push(NeighborId to, FlowClass flow_class, FlowQueue::Packet packet);
    /// Forgets what waits for a flow.
    void drop_flow(NeighborId to, std::uint32_t label);
    /// The next frame for `to` (or kBroadcast) that fits `max_bytes`; what waits is bundled. A handshake goes whatever
    /// `max_bytes` is.
    [[nodiscard]] std::optional<OutFrame> poll_transmit(Instant now, NeighborId to, std::size_t max_bytes,
                                                        DataGate& gate);
    /// Neighbours for which something waits that may leave, by priority of what waits.
    [[nodiscard]] std::vector<NeighborId> pending(const DataGate& gate) const;

    [[nodiscard]] const Neighbors& neighbors() const noexcept { return neighbors_; }
    [[nodiscard]] const Neighbor* find(NeighborId link) const;
    /// Where a node is reached, if it has a session that is up, or else the last number it proved.
    [[nodiscard]] std::optional<NeighborId> link_of(const NodeId& id) const;
    /// Link and session are up.
    [[nodiscard]] bool reachable(NeighborId link) const;
    /// Not reachable, and long enough so that a flow through it is worth opening elsewhere.
    [[nodiscard]] bool lost(Instant now, NeighborId link) const;
    /// The neighbour comes back by plan, until then at the latest: flows through it go on waiting.
    void expect(NeighborId link, Instant until);
    /// Bytes of a flow that wait for the link.
    [[nodiscard]] std::size_t waiting(NeighborId link, FlowClass flow_class, std::uint32_t label) const;
    /// Takes one from the neighbour's limit; false if it is used up or there is no such neighbour.
    [[nodiscard]] bool within_limit(Instant now, NeighborId link, Effort effort, std::int64_t count = 1);
    /// Work that turned out to be useful does not count.
    void give_back(NeighborId link, Effort effort, std::int64_t count);

private:
    [[nodiscard]] Neighbor* entry(NeighborId link);
    [[nodiscard]] static TokenBucket& bucket(Neighbor& n, Effort effort);
    void session_up(Instant now, Neighbor& n);
    void take_keys(NeighborId link, Neighbor& n);
    void forget(Neighbors::iterator it);
    /// Neighbours that are down: the numbers that the node of `link` had before, and who is too many.
    void forget_old(NeighborId link);
    /// The entry of `link`, made if there is room for one more stranger; null otherwise.
    [[nodiscard]] Neighbor* stranger(NeighborId link);
    [[nodiscard]] Heard on_broadcast(Instant now, Neighbor& n, ByteView frame);
    static void doubt(Instant now, Neighbor& n);
    [[nodiscard]] std::optional<OutFrame> seal(Instant now, NeighborId to, Neighbor& n, Priority priority,
                                               ByteView plain);

    Config config_;
    const Identity::Secrets& self_;
    NeighborId self_link_;
    RandomSource& random_;
    RouterCounters& counters_;
    HandshakeShared shared_;
    LinkBroadcast broadcast_;
    std::deque<LinkKeyChange> key_changes_;
    Neighbors neighbors_;
};

}  // namespace meshnet::net
