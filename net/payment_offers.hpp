// SPDX-License-Identifier: MIT
// Which nodes pay for what we send back to them: whoever opened a flow to us may have offered it.
// Spec: docs/spec/payment.md, "Who pays".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

#include "core/time.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

class PaymentOffers {
public:
    static constexpr Duration kKept = 60s;          ///< after the last packet of the node that made it
    static constexpr Duration kFirstPause = 250ms;  ///< after a refusal; doubles with each that follows
    static constexpr Duration kLongestPause = 16s;

    /// `node` pays up to `max_price` msat per MiB, all relays together.
    void put(Instant now, const NodeId& node, std::uint32_t max_price) {
        offers_[node] = {.max_price = max_price, .until = now + kKept};
    }
    /// A packet of `node` arrived: its offer, if it made one, lasts as long as the conversation.
    void renew(Instant now, const NodeId& node) {
        if (const auto it = offers_.find(node); it != offers_.end()) {
            it->second.until = now + kKept;
        }
    }
    /// The most that `node` pays; nothing if it made no offer, or refused a short time ago, or the offer has run out.
    [[nodiscard]] std::optional<std::uint32_t> find(Instant now, const NodeId& node) const {
        const auto it = offers_.find(node);
        return it != offers_.end() && now < it->second.until && now >= it->second.again_at
                   ? std::optional(it->second.max_price)
                   : std::nullopt;
    }
    /// `node` does not pay at the moment: it has lost the offer, for instance by a restart, or its own flow is still
    /// being opened, or its budget is used up. It is asked again after a pause; a new offer ends that.
    void refused(Instant now, const NodeId& node) {
        if (const auto it = offers_.find(node); it != offers_.end()) {
            Offer& o = it->second;
            o.pause = o.pause == Duration{} ? kFirstPause : std::min<Duration>(2 * o.pause, kLongestPause);
            o.again_at = now + o.pause;
        }
    }
    void sweep(Instant now) {
        std::erase_if(offers_, [&](const auto& item) { return now >= item.second.until; });
    }

private:
    struct Offer {
        std::uint32_t max_price = 0;
        Instant until{};
        Instant again_at{};
        Duration pause{};
    };
    std::map<NodeId, Offer> offers_;
};

}  // namespace meshnet::net
