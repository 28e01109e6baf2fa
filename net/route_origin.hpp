// SPDX-License-Identifier: MIT
// What this node announces of itself: its sequence number, signed, and what other runs with its key make of it.
// Spec: docs/spec/net.md, "Routing", "The same key twice".
#pragma once

#include <map>
#include <optional>

#include "core/time.hpp"
#include "net/key_alarms.hpp"
#include "net/route_messages.hpp"
#include "net/router_counters.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

class RouteOrigin {
public:
    struct Config {
        Duration update_interval{};  ///< our seqno grows by one in it at most, in the long run
        std::uint64_t boot = 0;
        std::uint32_t epoch = 0;
        std::uint32_t first_seqno = 0;
    };
    /// References must outlive it.
    RouteOrigin(const Config& config, const Certificate& certificate, const SigningKey& device, KeyAlarms& alarms,
                RouteCounters& counters);

    [[nodiscard]] const NodeId& id() const noexcept { return id_; }
    [[nodiscard]] std::uint32_t seqno() const noexcept { return seqno_; }
    [[nodiscard]] const Instance& instance() const noexcept { return instance_; }  ///< as last signed
    [[nodiscard]] RouteUpdate update(bool with_signature, bool with_certificate) const;

    /// Genuine, of our own node, and newer than ours.
    [[nodiscard]] bool supersedes(const Certificate& certificate) const;
    /// A signature of our own key: an echo of ours, one of an earlier run of ours, or of another station.
    void on_update(Instant now, const RouteUpdate& update);
    /// A neighbour requests this seqno. False if it has come already.
    [[nodiscard]] bool on_request(Instant now, std::uint32_t seqno);
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    /// Another run with our key is known: a former one of ours, or a second station.
    [[nodiscard]] bool disputed(Instant now) const;

    enum class News : std::uint8_t { kNone, kRenewed, kUrgent };
    /// Whether a new seqno was signed since the last call, and somebody waits for it.
    [[nodiscard]] News take_news() noexcept { return std::exchange(news_, News::kNone); }

private:
    void next(Instant now, News news, std::uint32_t raise = 1);
    void answer_request(Instant now);
    void on_other_instance(Instant now, const RouteUpdate& update);
    void answer_other_instance(Instant now);

    Config config_;
    const Certificate& certificate_;
    const SigningKey& device_;
    KeyAlarms& alarms_;
    RouteCounters& counters_;
    NodeId id_{};
    std::uint32_t seqno_;
    Instance instance_;
    Signature signature_{};
    News news_ = News::kNone;
    std::optional<Instant> renew_at_;
    Instant epoch_until_{};
    std::optional<std::uint32_t> requested_;  // to be reached step by step
    Instant raise_credit_{};                  // a step costs an interval

    // Of another run with our key: a former one of ours, or another station.
    std::optional<std::uint32_t> heard_seqno_;  // newer than ours: to be taken over
    bool answer_ = false;                       // what we sign is to mention it
    Instant answer_after_{};
    int quick_answers_ = 4;  // left of those that need not wait: after a loss of state we hear of it from several
    Instant other_until_{};
    std::map<std::uint64_t, std::uint32_t> others_;  // newest seqno of each
    TokenBucket own_checks_{10, 20};
};

}  // namespace meshnet::net
