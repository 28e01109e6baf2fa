// SPDX-License-Identifier: MIT
// Who spoke first, and how much of what comes back we pay for.
//
// We pay, both ways, for what our host begins, and never for an answer: whoever asks pays for what he asked for. Return
// traffic is paid up to a share of what we sent ourselves, so that nobody can send us more than that at our expense.
// Spec: docs/spec/payment.md, "Who pays".
#pragma once

#include <cstdint>
#include <map>

#include "core/time.hpp"
#include "net/ip_header.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

class ReturnTraffic {
public:
    static constexpr std::uint64_t kShare = 200;       ///< bytes back that we pay for each byte sent
    static constexpr std::uint64_t kFirst = 1U << 20;  ///< and this much in any case once we spoke first
    static constexpr Duration kKept = 600s;            ///< a conversation of which nothing is heard
    static constexpr std::size_t kNodes = 256;         ///< remembered; the longest silent goes first
    static constexpr std::size_t kConversations = 64;  ///< of each

    /// A packet of `node` arrived for our host.
    void heard(Instant now, const NodeId& node, const IpView& packet);
    /// Our host sends this to `node`: true if it answers what `node` began. Remembers it if not.
    [[nodiscard]] bool answers(Instant now, const NodeId& node, const IpView& packet);

    /// Bytes that we sent at our own expense.
    void sent(const NodeId& node, std::uint64_t bytes);
    /// True if we pay for `bytes` more from `node`.
    [[nodiscard]] bool may_pay(const NodeId& node, std::uint64_t bytes) const;
    void paid(const NodeId& node, std::uint64_t bytes);
    void sweep(Instant now);

private:
    struct Tuple {
        std::uint8_t protocol = 0;
        std::uint16_t ours = 0, theirs = 0;  // ports, or 0 and an ICMPv6 identifier
        auto operator<=>(const Tuple&) const = default;
    };
    struct Talk {
        bool they_began = false;
        Instant at{};
    };
    struct Node {
        std::map<Tuple, Talk> talks;
        std::uint64_t sent = 0, paid = 0;
        Instant at{};
    };
    [[nodiscard]] static Tuple tuple_of(const IpView& packet, bool outgoing) noexcept;
    [[nodiscard]] Node& node(Instant now, const NodeId& id);
    static void remember(Node& n, const Tuple& tuple, bool they_began, Instant now);

    std::map<NodeId, Node> nodes_;
};

}  // namespace meshnet::net
