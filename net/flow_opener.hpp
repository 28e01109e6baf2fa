// SPDX-License-Identifier: MIT
// Opening flows: hop by hop along the routes, priced on the way, accepted by the destination, installed on the way
// back. Packets of our own host wait here until their flow is open.
//
// A conversation is what our host sends to one node in one class; it has one flow in use, one being opened, and, if
// it is more than one way carries, a second one by another neighbour beside it (flow_lanes.cpp).
// Spec: docs/spec/net.md, "Flows", and docs/spec/payment.md, "Who pays".
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "core/random.hpp"
#include "net/contact_plan.hpp"
#include "net/flow_table.hpp"
#include "net/flow_watch.hpp"
#include "net/forwarder.hpp"
#include "net/identity_secrets.hpp"
#include "net/link_table.hpp"
#include "net/noise.hpp"
#include "net/outbox.hpp"
#include "net/payment_offers.hpp"
#include "net/route_table.hpp"
#include "net/undeliverable.hpp"

namespace meshnet::net {

class FlowOpener {
public:
    struct Config {
        std::uint64_t price_msat_per_mib = 1'000;        ///< what we charge for carrying a MiB one hop
        std::uint64_t max_price_msat_per_mib = 100'000;  ///< what our own flows pay at most, all hops together
        std::uint32_t unit_bytes = 65'536;               ///< payload per payword
        bool pay = true;
        std::uint64_t highest_price_msat_per_mib = 1'000'000;  ///< carried through us: ours and all others' together
    };
    /// The other parts of the router that opening a flow needs. They must outlive the opener.
    struct Parts {
        const Identity::Secrets& self;
        RandomSource& random;
        RouteTable& routes;
        const ContactBook& contacts;
        LinkTable& links;
        FlowTable& flows;
        CreditControl& credit;
        Forwarder& forwarder;
        SpendBudget& spend;
        ReturnTraffic& returns;
        PaymentOffers& offers;
        Outbox& outbox;
        UndeliverableQueue& undeliverable;
        RouterCounters& counters;
    };

    FlowOpener(const Config& config, const Parts& parts)
        : config_(config), p_(parts), watch_(parts.routes, parts.links) {}
    void set_price(std::uint64_t msat_per_mib) { config_.price_msat_per_mib = msat_per_mib; }

    /// Sends a packet of our own host, or lets it wait for its flow.
    void send(Instant now, const NodeId& destination, const IpView& packet);

    // Messages of neighbours, any bytes at all.
    void on_open(Instant now, NeighborId from, ByteView body);
    void on_accept(Instant now, NeighborId from, ByteView body);
    void on_reject(Instant now, NeighborId from, ByteView body);
    void on_flow_error(Instant now, NeighborId from, ByteView body);

    /// A session came up: what waits may now have a way.
    void on_session_up();
    /// The neighbour is gone or about to go, and routing knows it: flows through it go on by another way at once, if
    /// there is one.
    void on_hop_lost(Instant now, NeighborId hop);
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    /// Once a second: forgets conversations that are over.
    void sweep(Instant now);

    [[nodiscard]] std::size_t openings() const noexcept { return openings_.size(); }
    [[nodiscard]] bool idle() const noexcept { return conversations_.empty(); }

private:
    static constexpr std::size_t kMaxOpening = 256;
    static constexpr Duration kWaitingAge = 3s;  // of packets without a flow
    struct ConversationKey {
        NodeId destination{};
        FlowClass flow_class{};
        bool answer = false;  // the other end began: we do not pay for it
        auto operator<=>(const ConversationKey&) const = default;
    };
    struct Opening {
        FlowOpen open;
        bool own = false;
        NeighborId prev = 0, next = 0;
        std::uint32_t price_before = 0;  // price_so_far as received from prev
        Instant since{}, again_at{};
        int tries = 0;
        std::optional<NoiseHandshake> noise;  // own only
        ConversationKey conversation{};
        bool second = false;               // a further flow beside the one in use
        bool wanted = false;               // own: there was no flow; the first to be accepted is taken
        bool overdue = false;              // own: another neighbour was asked meanwhile; an answer is still welcome
        std::vector<NeighborId> tried;     // relay: who was asked, `next` last; any of them may answer
        std::vector<NeighborId> silent;    // of those, who did not
        std::optional<Instant> divert_at;  // relay: ask another then
        [[nodiscard]] bool asked(NeighborId link) const {
            return own ? link == next : std::find(tried.begin(), tried.end(), link) != tried.end();
        }
    };
    struct Conversation {
        std::optional<FlowId> active, opening;
        std::optional<FlowId> second, second_opening;  // by another neighbour
        Instant crowded_at{}, second_try{};
        Instant kept_until{};
        Duration kept{};  // packets may wait so long, for a pass
        struct Waiting {
            Bytes plain;  // compressed packet
            Instant since{};
        };
        std::deque<Waiting> waiting;
        std::size_t waiting_bytes = 0;
        Instant next_try{};
        Instant last_used{};
        bool full = false;  // the newest opening was refused for lack of room
        // Neighbours over which opening failed since the last success or kFailedKept ago: not asked again first.
        std::map<NeighborId, Instant> failed{};
    };

    void open(Instant now, Conversation& c, const ConversationKey& key);
    [[nodiscard]] std::optional<FlowId> open_by(Instant now, const ConversationKey& key,
                                                const RouteTable::Selected& route, bool second);
    // flow_lanes.cpp: two flows of one conversation
    [[nodiscard]] Flow* second_of(Conversation& c);
    [[nodiscard]] Flow& lane(Instant now, Conversation& c, const ConversationKey& key, Flow& f);
    [[nodiscard]] bool crowded(Instant now, const Flow& f) const;
    void open_second(Instant now, Conversation& c, const ConversationKey& key, const Flow& f);
    void end_second(Instant now, Conversation& c);
    [[nodiscard]] bool promote_second(Conversation& c, std::optional<NeighborId> next);
    [[nodiscard]] Duration keep_waiting(Instant now, Conversation& c, const ConversationKey& key) const;
    void openings_lost(Instant now, NeighborId hop);
    [[nodiscard]] bool still_good(Instant now, Conversation& c, const ConversationKey& key, Flow& f);
    void watch_flows(Instant now);
    void watch_soon(Instant now, const Flow& f);
    [[nodiscard]] bool try_elsewhere(Instant now, Conversation& c, const Opening& opening);
    [[nodiscard]] std::uint32_t fair_price(std::uint64_t advertised, std::uint64_t tenths) const;
    /// By which neighbour to open: the chosen route, or the best of those that did not fail just now.
    [[nodiscard]] std::optional<RouteTable::Selected> way_to(Instant now, Conversation& c, const NodeId& id) const;
    [[nodiscard]] std::uint64_t advertised_price(const NodeId& other) const;
    [[nodiscard]] std::optional<RejectReason> unwilling_to_carry(NeighborId from, const FlowOpen& open, NeighborId next,
                                                                 std::uint64_t price) const;
    [[nodiscard]] bool honest_total(const FlowAccept& accept, const Opening& opening) const;
    [[nodiscard]] bool alarmed(NeighborId from, const FlowOpen& open) const;
    void relay_open(Instant now, NeighborId from, const FlowOpen& open);
    void accept_open(Instant now, NeighborId from, const FlowOpen& open);
    [[nodiscard]] bool offers_to_pay(Instant now, const NodeId& node) const;
    [[nodiscard]] std::optional<RejectReason> unwilling_to_pay(Instant now, const FlowOpen& open) const;
    void take_offer(Instant now, const NodeId& source, std::uint32_t max_price);
    void accepted_as_source(Instant now, const FlowAccept& accept, Opening opening, const Certificate& destination);
    void accepted_as_relay(Instant now, const FlowAccept& accept, const Opening& opening,
                           const Certificate& destination);
    void install(Instant now, Flow&& flow);
    void installed(Instant now, Flow& f);
    Flow& add_flow(Instant now, Flow&& flow);
    void reject(NeighborId to, const FlowId& flow, RejectReason reason);
    void opening_failed(Instant now, const Opening& opening, RejectReason reason);
    /// Forgets the packet that has waited longest, and reports it.
    void give_up_front(Conversation& c, const ConversationKey& key, Undeliverable reason);
    /// Why packets of this conversation grow old.
    [[nodiscard]] Undeliverable why_waiting(const Conversation& c, const ConversationKey& key) const;
    void break_own_flow(Instant now, Flow& f);
    [[nodiscard]] static ConversationKey key_of(const Flow& f) { return {f.destination, f.flow_class, f.answer}; }
    void retry_openings(Instant now);
    void retry_own(Instant now);
    void ask_another(Instant now, Opening& o);
    [[nodiscard]] bool another_way(const Opening& o) const;
    [[nodiscard]] bool refused_to_relay(Instant now, Opening& o, RejectReason reason);
    [[nodiscard]] bool divert(Instant now, Opening& o);
    /// How long an answer from there takes at most, if nothing is wrong.
    [[nodiscard]] static Duration answer_time(const RouteMetric& metric);
    void retry_conversations(Instant now);

    Config config_;
    Parts p_;
    std::map<FlowId, Opening> openings_;
    std::map<ConversationKey, Conversation> conversations_;
    std::set<ConversationKey> waiting_;  // conversations with packets that wait
    FlowWatch watch_;
    std::optional<Instant> watch_at_;
    std::vector<FlowId> left_;
};

}  // namespace meshnet::net
