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

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "net/certificate.hpp"
#include "net/contact_plan.hpp"
#include "net/credit_limits.hpp"
#include "net/link.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"
#include "net/route_metric.hpp"
#include "net/router_counters.hpp"
#include "net/spend_budget.hpp"
#include "net/undeliverable.hpp"

namespace meshnet::net {

/// Views for `meshnet status|neighbours|routes|flows|ledger`. Money in millisatoshi unless the name has another unit.
struct NeighborView {
    NeighborId link = 0;
    NodeId id{};
    Address address{};
    bool session_up = false;
    LinkQuality quality;
    std::int64_t balance_msat = 0;       ///< > 0: the neighbour owes us
    std::int64_t exposure_msat = 0;      ///< what we would lose if it never paid: balance and what is on its way
    std::int64_t credit_msat = 0;        ///< the most that may become
    std::uint64_t unproven_bytes = 0;    ///< carried for it and never proven
    std::uint64_t allowance_bytes = 0;   ///< what more may stay unproven
    std::uint64_t unresolved_bytes = 0;  ///< forwarded for it and not yet resolved by a receipt
    std::uint64_t window_bytes = 0;
    std::string state;  ///< "open", "soft", "paused", "closed"
    std::string hold;   ///< why it is paused: "window", "credit", "unsigned", "strangers"; empty if it is not
    bool trusted = false;
    bool alarm = false;  ///< two stations use its key
};
struct RouteView {
    NodeId destination{};
    Address address{};
    NeighborId next_hop = 0;
    RouteMetric metric;
    std::uint32_t seqno = 0;
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
/// Two stations use this key: what it would pay for is refused.
struct AlarmView {
    NodeId id{};
    Address address{};
    bool own = false;           ///< it is our own key
    Instant since{}, newest{};  ///< the first and the newest evidence
    std::uint64_t evidence = 0;
};
/// What this station risks and spends in all.
struct MoneyView {
    std::int64_t strangers_msat = 0, strangers_limit_msat = 0;  ///< exposure to all neighbours that are not trusted
    std::int64_t spent_msat = 0, spend_limit_msat = 0;          ///< for our own traffic, of a day's budget
};
enum class MessageType : std::uint8_t;
class Payments;

class Router {
public:
    struct Config {
        Identity identity;                               ///< keys of this node (net/node_id.hpp)
        NeighborId link = 0;                             ///< our own link number; 0: Identity::station_id()
        std::uint64_t price_msat_per_mib = 1'000;        ///< what we charge for carrying a MiB one hop
        std::uint64_t max_price_msat_per_mib = 100'000;  ///< what our own flows pay at most, all hops together
        std::uint32_t unit_bytes = 65'536;               ///< payload per payword, 1024..65536
        std::uint64_t initial_window_bytes = 262'144;    ///< credit of a neighbour before it has settled anything
        std::uint64_t max_window_bytes = 16'777'216;
        CreditLimits credit;
        SpendBudget::Config spend;
        std::vector<NodeId> closed_fleet;  ///< if not empty: only these may be neighbours
        bool pay = true;                   ///< false: our own flows are not paid and relays that charge refuse them
        std::size_t mtu = 1'400;           ///< IP packet bytes, 1280..1500
        std::uint32_t rekey_after_frames = 1U << 20;  ///< 16..2^31: a link's keys change after so many frames
        bool pad_frames = false;  ///< fill link frames up to size classes, so that packets cannot be told by their size
        Duration update_interval = 4s;  ///< of routes to each neighbour, 100 ms..60 s
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
    /// A neighbour that has a session is heard, and the link layer's keys prove nothing of it: a new session is tried.
    void on_link_unproven(Instant now, NeighborId neighbor);
    /// The fate of a frame that poll_transmit() gave for `neighbor`, open ones apart.
    void on_frame_done(Instant now, NeighborId neighbor, bool delivered);
    void on_packet(Instant now, ByteView ip_packet);      ///< from our own host (IPv6, any bytes at all)
    void on_persisted(Instant now, std::uint64_t batch);  ///< every batch up to this number is on disk
    void on_timeout(Instant now);                         ///< harmless if early or repeated

    // What to do: poll until empty after any call above.
    /// The next frame for `to` (or kBroadcast) that fits `max_bytes`; packets waiting are bundled into one frame when
    /// polled. A handshake (OutFrame::open, at most 511 bytes) goes whatever `max_bytes` is.
    [[nodiscard]] std::optional<OutFrame> poll_transmit(Instant now, NeighborId to, std::size_t max_bytes);
    /// New or no keys for the link layer.
    [[nodiscard]] std::optional<LinkKeyChange> poll_link_key();
    /// Neighbours (and kBroadcast) for which something waits, by priority of what waits.
    [[nodiscard]] std::vector<NeighborId> pending() const;
    [[nodiscard]] std::optional<Bytes> poll_packet();  ///< an IP packet for our own host
    /// A packet of our own host that was given up, and why. Not polled: the oldest are forgotten.
    [[nodiscard]] std::optional<UndeliverablePacket> poll_undeliverable();
    [[nodiscard]] std::optional<LedgerBatch> poll_persist(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    // For displays and control.
    void set_price(Instant now, std::uint64_t msat_per_mib);
    /// Takes a certificate that replaces another, or a revocation, and spreads it. False if it is not genuine, or
    /// nothing new here.
    bool publish(Instant now, const Certificate& certificate);
    /// A newer certificate of our own node, or a revocation, is known: nobody deals with this device any more.
    [[nodiscard]] bool superseded() const;
    /// When neighbours that come and go by plan will be heard; replaces the plan given before.
    void set_contacts(Instant now, ContactPlan contacts);
    /// The contact by which a station will be reached next, own or of neighbours: open now, or the first to begin
    /// within the hour. For what stores packets and forwards them later.
    [[nodiscard]] std::optional<ContactBook::Expected> next_contact(Instant now, const NodeId& destination) const;
    [[nodiscard]] std::vector<NeighborView> neighbors() const;
    [[nodiscard]] std::vector<RouteView> routes() const;
    [[nodiscard]] std::vector<FlowView> flows() const;
    [[nodiscard]] std::vector<AlarmView> alarms() const;
    [[nodiscard]] MoneyView money(Instant now) const;
    /// The stations packets can be sent to, also those to which no way leads at the moment.
    [[nodiscard]] std::vector<Address> stations() const;
    /// Another number whenever stations() has changed.
    [[nodiscard]] std::uint64_t station_changes() const;
    [[nodiscard]] const RouterCounters& counters() const;
    [[nodiscard]] const RouteCounters& route_counters() const;
    [[nodiscard]] const NodeId& id() const;
    [[nodiscard]] const Address& address() const;
    /// Payments made outside the mesh: what operators and adapters say of them. Poll everything afterwards.
    [[nodiscard]] Payments& payments();

private:
    friend struct RouterTestAccess;  // tests/net: feeds plaintext past the encryption, reads the parts
    struct Parts;

    /// `replaced`: sealed in a session that a newer one has replaced. `broadcast`: sent to everybody.
    void on_plain(Instant now, NeighborId from, ByteView plain, bool replaced = false, bool broadcast = false);
    void on_control(Instant now, NeighborId from, MessageType type, ByteView body, bool replaced);
    void on_session_up(Instant now, NeighborId link);
    void link_timeouts(Instant now);
    void settle_routes(Instant now);
    void sweep(Instant now);
    [[nodiscard]] bool disputed(Instant now, NeighborId link) const;
    void hop_lost(Instant now, NeighborId neighbor);
    void prepare_return(Instant now, NeighborId neighbor);
    void on_contacts(Instant now, NeighborId from, const RouteContacts& message);
    void contact_timeouts(Instant now);

    std::unique_ptr<Parts> parts_;
};

}  // namespace meshnet::net
