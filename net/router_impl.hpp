// SPDX-License-Identifier: MIT
// What a Router is inside. Five files share it: router.cpp (doors and timers), router_links.cpp (neighbours, sealing),
// router_opening.cpp and router_flows.cpp (flows), router_payment.cpp (receipts, balances, windows). Only they include
// this.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "net/flow.hpp"
#include "net/flow_queue.hpp"
#include "net/identity_secrets.hpp"
#include "net/ip_header.hpp"
#include "net/link_peer.hpp"
#include "net/noise.hpp"
#include "net/payment/amount.hpp"
#include "net/payment/book.hpp"
#include "net/route_table.hpp"
#include "net/router.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

struct Router::Impl {
    // Limits of tables (R2) and times.
    static constexpr std::size_t kMaxNeighbors = 256;
    static constexpr std::size_t kMaxFlows = 1'024;
    static constexpr std::size_t kMaxOpening = 256;
    static constexpr std::size_t kMaxConversations = 512;
    static constexpr std::size_t kWaitingBytes = 65'536;  ///< of a conversation without a flow
    static constexpr std::size_t kHostPackets = 4'096;
    static constexpr std::uint32_t kChainUnits = 4'096;
    static constexpr Duration kWaitingAge = 3s;
    static constexpr Duration kHigherStartsAfter = 250ms;  ///< the higher link number lets the lower one call first
    static constexpr Duration kSilence = 14s;              ///< of a neighbour that is heard: new handshake
    static constexpr Duration kOpenRetry = 900ms;
    static constexpr int kOpenTries = 4;
    static constexpr Duration kReopenPause = 500ms;   ///< between attempts to open a flow
    static constexpr Duration kOpeningKept = 15s;     ///< a relay waits so long for an answer
    static constexpr Duration kNextHopPatience = 1s;  ///< a next hop may be gone so long before flows are reopened
    static constexpr Duration kOfferKept = 60s;
    static constexpr Duration kWordSpacing = 100ms;
    static constexpr Duration kIdleStatement = 1'200ms;
    static constexpr Duration kProbeDelay = 200ms;
    static constexpr Duration kFlowIdle = 600s;
    static constexpr Duration kProofKept = 30s;  ///< a broken flow may still be proven so long
    static constexpr Duration kDebtKept = 86'400s;
    static constexpr Duration kBalanceAfter = 10s;
    static constexpr std::uint64_t kBalanceBytes = 262'144;
    static constexpr std::uint64_t kLeastWindow = 16'384;
    static constexpr std::uint64_t kWindowFloor = 65'536;
    static constexpr std::uint64_t kDeliveryFloor = 4;  ///< at least 1/4 must arrive for bytes to count as resolved
    static constexpr std::uint16_t kSeqnoReserve = 64;

    using ConversationKey = std::pair<NodeId, FlowClass>;

    struct Neighbor {
        LinkQuality quality;
        bool link_up = false;
        bool session_up = false;
        std::unique_ptr<LinkPeer> peer;
        NodeId id{};  ///< zero until a session stood once
        FlowQueue queue;
        std::optional<Instant> start_at;  ///< begin a handshake then
        Instant last_heard{};
        Instant down_since{};
        std::uint64_t unresolved = 0;  ///< bytes we carried for it (it pays) that are not proven, or not acknowledged
        std::uint64_t window = 0;
        std::uint64_t settled_in_window = 0;
        std::uint64_t most_in_flight = 0;  ///< slowly falling maximum: an estimate of rate x round trip
        std::optional<Instant> paused_since;
        std::optional<Instant> balance_at;
        TokenBucket opens{20, 40};
        TokenBucket errors{20, 20};
        TokenBucket balances{5, 10};
    };
    struct Opening {
        FlowOpen open;
        bool own = false;
        NeighborId prev = 0, next = 0;
        std::uint32_t price_before = 0;  ///< price_so_far as prev told us
        Instant since{}, again_at{};
        int tries = 0;
        std::optional<NoiseHandshake> noise;  ///< own only
        ConversationKey conversation{};
    };
    struct Conversation {
        std::optional<FlowId> active, opening;
        struct Waiting {
            Bytes plain;  ///< compressed packet
            Instant since{};
        };
        std::deque<Waiting> waiting;
        std::size_t waiting_bytes = 0;
        Instant next_try{};
        Instant last_used{};
        bool pay_ourselves = false;  ///< the other end refused to pay
    };
    struct Offer {  ///< a node that opened a flow to us also pays for what we send back
        std::uint32_t max_price = 0;
        Instant until{};
    };
    struct InFlight {  ///< something to do when a batch is on disk
        std::uint64_t batch = 0;
        enum class Kind : std::uint8_t { kEvidence, kInstall, kBalance, kCeiling } kind{};
        FlowId flow{};
        Evidence evidence;
        NodeId peer{};
        BalanceMessage balance;
        std::uint16_t ceiling = 0;
    };

    Impl(Config config, RandomSource& random, const LedgerState& restored);

    // router.cpp
    void on_frame(Instant now, NeighborId from, ByteView frame);
    void on_plain(Instant now, NeighborId from, ByteView plain);
    void on_control(Instant now, NeighborId from, Neighbor& n, MessageType type, ByteView body);
    void on_packet(Instant now, ByteView packet);
    void on_timeout(Instant now);
    void settle_routes(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    [[nodiscard]] std::optional<LedgerBatch> poll_persist();
    void on_persisted(Instant now, std::uint64_t batch);
    [[nodiscard]] std::vector<NeighborView> neighbor_views() const;
    [[nodiscard]] std::vector<RouteView> route_views() const;
    [[nodiscard]] std::vector<FlowView> flow_views() const;

    // router_links.cpp
    Neighbor* neighbor(NeighborId link);
    [[nodiscard]] const Neighbor* neighbor(NeighborId link) const;
    [[nodiscard]] bool reachable(NeighborId link) const;
    void link_up(Instant now, NeighborId link, const LinkQuality& quality);
    void link_changed(Instant now, NeighborId link, const LinkQuality& quality);
    void link_down(Instant now, NeighborId link);
    void session_up(Instant now, NeighborId link, Neighbor& n);
    void send_control(NeighborId to, Bytes message);
    [[nodiscard]] std::optional<OutFrame> poll_transmit(Instant now, NeighborId to, std::size_t max_bytes);
    [[nodiscard]] std::vector<NeighborId> pending() const;
    void neighbor_timeouts(Instant now);
    [[nodiscard]] bool gate(NeighborId to, std::uint32_t label) const;

    // router_opening.cpp, router_flows.cpp
    Flow* flow(const FlowId& id);
    Flow* flow_by_in(NeighborId prev, std::uint32_t label);
    Flow* flow_by_out(NeighborId next, std::uint32_t label);
    [[nodiscard]] const Flow* flow_by_out(NeighborId next, std::uint32_t label) const;
    Flow* add_flow(Instant now, Flow&& flow);
    void remove_flow(const FlowId& id);
    bool make_room();
    [[nodiscard]] std::uint32_t unused_label(NeighborId prev);
    void on_data(Instant now, NeighborId from, const DataMessage& data);
    void deliver(Instant now, Flow& f, const DataMessage& data);
    void queue_data(Instant now, Flow& f, FlowQueue::Packet packet);
    void send_packet(Instant now, Conversation& c, const ConversationKey& key, Bytes plain);
    void seal_packet(Instant now, Flow& f, ByteView plain);
    void flush(Instant now, Conversation& c, Flow& f);
    void try_open(Instant now, Conversation& c, const ConversationKey& key);
    void on_open(Instant now, NeighborId from, Neighbor& n, ByteView body);
    void accept_open(Instant now, NeighborId from, const FlowOpen& open);
    void relay_open(Instant now, NeighborId from, const FlowOpen& open);
    void on_accept(Instant now, NeighborId from, ByteView body);
    void accepted_as_source(Instant now, const FlowAccept& accept, Opening opening);
    void accepted_as_relay(Instant now, const FlowAccept& accept, const Opening& opening, const Key32& destination_key);
    void installed(Instant now, Flow& f);
    void on_reject(Instant now, NeighborId from, ByteView body);
    void reject(NeighborId to, const FlowId& flow, RejectReason reason);
    void opening_failed(Instant now, const Opening& opening, RejectReason reason);
    void on_flow_error(Instant now, NeighborId from, ByteView body);
    void break_flow(Instant now, Flow& f);
    void conversation_timeouts(Instant now);
    void sweep(Instant now);

    // router_payment.cpp
    void schedule(Flow& f);
    void flow_timeout(Instant now, Flow& f);
    void consider_word(Instant now, Flow& f);
    void make_statement(Instant now, Flow& f, std::uint32_t sequence_at_least);
    void book(Instant now, Flow& f, const Evidence& evidence);
    void durable(Instant now, Flow& f, const Evidence& evidence);
    void send_receipt(Instant now, Flow& f);
    void send_evidence(Flow& f, const Evidence& evidence);
    void on_word(Instant now, NeighborId from, ByteView body);
    void on_statement(Instant now, NeighborId from, ByteView body);
    void on_receipt_ack(Instant now, NeighborId from, ByteView body);
    void on_probe(Instant now, NeighborId from, ByteView body);
    void on_balance(Instant now, NeighborId from, Neighbor& n, ByteView body);
    void state_balance(Instant now, Neighbor& n);
    void balance_changed(Instant now, const NodeId& peer);
    [[nodiscard]] static bool plausible(const Flow& f, std::uint64_t bytes);
    void handed_on(Instant now, NeighborId to, const FlowQueue::Packet& packet);
    void resolve(Instant now, Flow& f, std::uint32_t sequence);
    void refresh_unresolved(Instant now, Flow& f);
    void consider_probe(Instant now, Flow& f);
    void write_off(Instant now, Flow& f);
    [[nodiscard]] std::string state_of(const Neighbor& n) const;

    Config config;
    RandomSource& random;
    const Identity::Secrets& self;
    NeighborId self_link;
    Address own_address{};
    RouteTable routes;
    Book book_;
    RouterCounters counters;

    std::map<NeighborId, Neighbor> neighbors;
    std::map<FlowId, Flow> flows;
    std::map<std::pair<NeighborId, std::uint32_t>, FlowId> by_in, by_out;
    std::map<FlowId, Opening> openings;
    std::map<ConversationKey, Conversation> conversations;
    std::set<ConversationKey> waiting;  ///< conversations with something to do
    std::map<NodeId, Offer> offers;
    std::set<std::pair<Instant, FlowId>> flow_timers;
    std::set<FlowId> dirty_flows;
    std::set<FlowId> removed_flows;
    std::vector<InFlight> to_store;  ///< goes with the next batch
    std::deque<InFlight> in_flight;
    std::deque<Bytes> to_host;
    std::uint64_t last_batch = 0;
    std::uint16_t seqno_reserved = 0;
    bool reserve_dirty = false;
    std::optional<Instant> sweep_at;
};

}  // namespace meshnet::net
