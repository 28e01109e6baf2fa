// SPDX-License-Identifier: MIT
// Which nodes pay for what we send back to them: whoever opened a flow to us may have offered it.
// Spec: docs/spec/payment.md, "Who pays".
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/time.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

class PaymentOffers {
public:
    static constexpr Duration kKept = 60s;  ///< after the last packet of the node that made it

    /// `node` pays up to `max_price` msat per MiB, all relays together.
    void put(Instant now, const NodeId& node, std::uint32_t max_price) { offers_[node] = {max_price, now + kKept}; }
    /// A packet of `node` arrived: its offer, if it made one, lasts as long as the conversation.
    void renew(Instant now, const NodeId& node) {
        if (const auto it = offers_.find(node); it != offers_.end()) {
            it->second.until = now + kKept;
        }
    }
    /// The most that `node` pays; nothing if it made no offer or the offer has run out.
    [[nodiscard]] std::optional<std::uint32_t> find(Instant now, const NodeId& node) const {
        const auto it = offers_.find(node);
        return it != offers_.end() && now < it->second.until ? std::optional(it->second.max_price) : std::nullopt;
    }
    /// `node` has lost it, for instance by a restart.
    void withdraw(const NodeId& node) { offers_.erase(node); }
    void sweep(Instant now) {
        std::erase_if(offers_, [&](const auto& item) { return now >= item.second.until; });
    }

private:
    struct Offer {
        std::uint32_t max_price = 0;
        Instant until{};
    };
    std::map<NodeId, Offer> offers_;
};

}  // namespace meshnet::net
