// SPDX-License-Identifier: MIT
// Links that come and go by plan, as those to satellites do: when a neighbour will be heard, who will be reached over
// it then, and what neighbours say of theirs.
//
//     set_plan() -> own contacts        RouteContacts of neighbours -> what they will reach        next(destination)
//
// Nothing here makes a route: what is expected only decides how long packets are kept, and which link is left a moment
// before its pass ends. Times are told as seconds from now, so no clock is shared. Spec: docs/spec/net.md, "Passes".
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "net/link.hpp"
#include "net/node_id.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {

/// A neighbour will be heard.
struct Contact {
    NodeId neighbor{};
    Instant from{}, until{};
    double rate_bps = 0.0;  ///< expected; 0: unknown
};
using ContactPlan = std::vector<Contact>;

/// What a neighbour will reach, and when: all it expects, in place of what it said before.
struct RouteContacts {
    struct Entry {
        ShortId destination{};
        std::uint32_t begins_s = 0;  ///< from now
        std::uint32_t lasts_s = 0;
        std::uint32_t airtime_us_per_kib = 0;
        std::uint8_t hops = 0;
    };
    static constexpr std::size_t kEntryBytes = 21;
    static constexpr std::size_t kMostEntries = 18;  ///< one message of at most 384 bytes
    std::vector<Entry> entries;

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<RouteContacts> decode(ByteView body);
};

class ContactBook {
public:
    static constexpr std::size_t kMostContacts = 256;  ///< of our own plan, the soonest
    static constexpr std::size_t kMostBehind = 1'024;  ///< destinations remembered behind one neighbour
    static constexpr Duration kHorizon = 3'600s;       ///< nothing is kept for what comes later
    static constexpr std::uint8_t kMostHops = 8;       ///< a contact is passed on so far
    static constexpr Duration kLeaveBefore = 500ms;    ///< the end of a pass
    static constexpr Duration kRepeat = 60s;           ///< of what neighbours are told
    static constexpr Duration kSoonest = 10s;          ///< between two such messages

    /// Something will be reached.
    struct Expected {
        NeighborId via = 0;  ///< who said so; 0: our own plan
        NodeId neighbor{};   ///< of our own plan: over whom
        Instant from{}, until{};
        std::uint32_t airtime_us_per_kib = 0;
        std::uint8_t hops = 0;
    };

    void set_plan(Instant now, ContactPlan plan);
    [[nodiscard]] const ContactPlan& plan() const noexcept { return plan_; }
    [[nodiscard]] bool empty() const noexcept { return plan_.empty() && said_.empty(); }

    /// The link to `neighbor` went down with these behind it: they will be reached over it again.
    void left(Instant now, const NodeId& neighbor, const std::vector<NodeId>& behind);
    /// A neighbour says what it will reach; a neighbour that is gone takes back what it said.
    void on_message(Instant now, NeighborId from, const RouteContacts& message);
    void forget(NeighborId neighbor) { said_.erase(neighbor); }

    /// When a node will be reached next: the contact that is open or begins first, within the horizon.
    [[nodiscard]] std::optional<Expected> next(Instant now, const NodeId& destination) const;
    /// The contact with this very node that is open or begins first.
    [[nodiscard]] std::optional<Contact> next_contact(Instant now, const NodeId& neighbor) const;

    /// A pass is about to end, or has gone on beyond its plan.
    struct Edge {
        NodeId neighbor{};
        bool leave = true;  ///< false: it is heard still, use it again
    };
    [[nodiscard]] std::vector<Edge> take_edges(Instant now);
    /// What to tell `to`, if it is due.
    [[nodiscard]] bool message_due(Instant now);
    [[nodiscard]] RouteContacts message_for(Instant now, NeighborId to) const;
    [[nodiscard]] std::optional<Instant> next_timeout() const;

private:
    struct Said {
        ShortId destination{};
        Instant from{}, until{};
        std::uint32_t airtime_us_per_kib = 0;
        std::uint8_t hops = 0;
    };
    void drop_old(Instant now);
    void changed(Instant now);

    ContactPlan plan_;  // by beginning
    std::map<NodeId, std::vector<NodeId>> behind_;
    std::map<NeighborId, std::vector<Said>> said_;
    Instant edges_until_{};
    std::optional<Instant> message_at_;
    Instant messaged_at_{};
};

}  // namespace meshnet::net
