// SPDX-License-Identifier: MIT
#include "net/flow_watch.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::uint64_t kWorthWatching = 4'096;  // bytes without proof
constexpr std::uint64_t kUnitsToJudge = 4;       // of a flow, before its delivery is reported to routing
constexpr Duration kFast = 1'250ms;              // until a unit of a fast flow is proven
constexpr Duration kSlow = 2'250ms;              // until a slow one is: its destination states what arrived after 1.5 s
constexpr std::uint64_t kFreshBytes = 1'536;     // without proof, of a flow of which nothing was proven yet
constexpr Duration kFresh = 700ms;               // until that is: its destination states the first that arrived soon
constexpr Duration kFreshSourceWaits = 200ms;
constexpr Duration kSourceWaits = 750ms;  // longer than the relays, who know better which hop it is
constexpr Duration kLongestDelay = 2s;    // of the way, that is allowed for

}  // namespace

Duration FlowWatch::patience(const Flow& f, std::uint64_t unproven) const {
    const auto route = routes_.lookup(f.destination);
    const Duration delay = route ? Duration{std::int64_t{route->metric.delay_ms} * 1'000'000} : Duration{};
    if (fresh(f)) {
        return kFresh + 2 * std::min(delay, Duration{kLongestDelay}) +
               (f.role == FlowRole::kSource ? Duration{kFreshSourceWaits} : Duration{});
    }
    const bool fast = unproven >= kWorthWatching + 2 * std::uint64_t{f.unit_bytes};
    return (fast ? kFast : kSlow) + 2 * std::min(delay, Duration{kLongestDelay}) +
           (f.role == FlowRole::kSource ? Duration{kSourceWaits} : Duration{});
}

// A way that was not used before is judged by the first packets, before many are sent.
bool FlowWatch::fresh(const Flow& f) {
    return f.paid() && f.best.bytes == 0;
}

FlowWatch::Verdict FlowWatch::look(Instant now, Flow& f) {
    if (f.next_id == f.destination) {
        return Verdict::kFine;  // nobody is between: the link itself acknowledges
    }
    if (f.watched_at == Instant{}) {  // of an earlier run
        f.watched_at = now;
        f.watched_from = f.forwarded_bytes;
        f.proven_when_watched = f.judged_bytes = f.best.bytes;
        f.watched_bytes = f.accounted_bytes;
    }
    if (f.best.bytes > f.proven_when_watched) {
        const std::uint64_t accounted = f.accounted_bytes - f.watched_bytes;
        if (accounted >= kUnitsToJudge * f.unit_bytes) {  // paywords come in whole units
            const std::uint64_t arrived = f.best.bytes + f.unit_bytes - f.judged_bytes;
            f.arrived = std::min(1.0, static_cast<double>(arrived) / static_cast<double>(accounted));
            f.arrived_at = now;
            routes_.on_delivery(now, f.destination, f.next, f.arrived);
            f.watched_bytes = f.accounted_bytes;
            f.judged_bytes = f.best.bytes;
        }
        f.proven_when_watched = f.best.bytes;
        f.watched_from = f.forwarded_bytes;
        f.watched_at = now;
        return Verdict::kFine;
    }
    const std::uint64_t unproven = f.forwarded_bytes - f.watched_from;
    if (unproven < (fresh(f) ? kFreshBytes : kWorthWatching) || now - f.last_used > patience(f, unproven)) {
        f.watched_at = std::max(f.watched_at, now - kAgain);  // nothing that could have been proven
        f.watched_from = now - f.last_used > kLongestDelay ? f.forwarded_bytes : f.watched_from;
        return fresh(f) && now - f.last_used < kFresh ? Verdict::kWaiting : Verdict::kFine;
    }
    if (now - f.watched_at < patience(f, unproven)) {
        return Verdict::kWaiting;
    }
    routes_.on_delivery(now, f.destination, f.next, 0.0);
    f.watched_at = now;
    f.watched_from = f.forwarded_bytes;
    const auto route = routes_.lookup(f.destination);
    return route && route->next_hop != f.next && links_.reachable(route->next_hop) ? Verdict::kLeave : Verdict::kFine;
}

}  // namespace meshnet::net
