// SPDX-License-Identifier: MIT
#include "net/route_selection.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr float kBadDelivery = 0.8F;   // below it no hold counts
constexpr unsigned kEqualPercent = 5;  // airtime and delay within it: price alone decides
constexpr std::uint32_t kEqualDelayMs = 5;
constexpr double kLeastDelivery = 1e-3;
constexpr unsigned kMostDoublings = 5;  // of the airtime of a way that delivers little
constexpr unsigned kTooExpensiveDoublings =
    12;  // of one that nobody pays: more than several that deliver little together

}  // namespace

// RFC 8966, 3.5.1: feasible if there is no source entry, or the seqno is newer, or it is equal and the metric strictly
// smaller.
bool RouteSelection::closer(std::uint32_t seqno, std::uint32_t airtime, const std::optional<RouteDistance>& than) {
    return !than || seqno > than->seqno || (seqno == than->seqno && airtime < than->airtime);
}

RouteMetric RouteSelection::metric_from_here(const Route& route) const {
    const auto link = shared_.links.find(route.via);
    return link == shared_.links.end() ? RouteMetric{} : route.metric.over(link->second.link.metric());
}

// Also the distance under which we stay feasible for our neighbours, and they for us: a way that delivers little, or
// costs more than is paid, must not stand in the way of those that are longer.
RouteMetric RouteSelection::to_advertise(const Route& route) const {
    RouteMetric m = metric_from_here(route);
    std::uint64_t airtime = m.airtime_us_per_kib;
    if (!affordable(route)) {
        airtime <<= kTooExpensiveDoublings;
    }
    for (float ratio = std::min(route.delivered, route.answers);
         ratio < 0.5F && airtime < std::uint64_t{m.airtime_us_per_kib} << kMostDoublings; ratio *= 2.0F) {
        airtime *= 2;
    }
    if (m.reachable()) {
        m.airtime_us_per_kib = static_cast<std::uint32_t>(std::min<std::uint64_t>(airtime, kUnreachable - 1));
    }
    return m;
}

float RouteSelection::delivered(Instant now, const Route& route) const {
    const auto fading = [now](float value, Instant since) {
        const Duration age = now - since;
        if (value >= 1.0F || age >= kDeliveryKept) {
            return 1.0;
        }
        return value + (1.0 - value) * std::clamp(std::chrono::duration<double>(age) / kDeliveryKept, 0.0, 1.0);
    };
    const double both = fading(route.delivered, route.measured) * fading(route.answers, route.silent_at);
    return static_cast<float>(std::max(kLeastDelivery, both));
}

bool RouteSelection::affordable(const Route& route) const {
    return metric_from_here(route).price_msat_per_mib <= shared_.config.affordable_msat_per_mib;
}

// A route that costs more than we would pay delivers nothing of ours, and little of what others send: few pay so much.
std::uint64_t RouteSelection::cost(Instant now, const Route& route) const {
    const RouteMetric m = metric_from_here(route);
    const std::uint64_t whole = m.cost(shared_.config.weights);
    const float ratio = affordable(route) ? delivered(now, route) : static_cast<float>(kLeastDelivery);
    if (ratio >= 1.0F) {
        return whole;
    }
    RouteMetric still = m;  // delay is what it is
    still.airtime_us_per_kib = 0;
    still.price_msat_per_mib = 0;
    const std::uint64_t delay = still.cost(shared_.config.weights);
    return delay + static_cast<std::uint64_t>(static_cast<double>(whole - delay) / ratio);
}

bool RouteSelection::usable(const Route& route) const {
    return route.metric.reachable() && route.metric.hops < kMaxHops && metric_from_here(route).reachable();
}

bool RouteSelection::feasible(const NodeId& id, const RouteDestination& d, const Route& route) const {
    // A destination that announces itself is never behind us.
    const std::uint32_t airtime = route.metric.airtime_us_per_kib;
    const std::uint32_t counted = d.selected == route.via ? std::min(airtime, route.accepted) : airtime;
    return (airtime == 0 && shared_.is(route.via, id)) || closer(route.seqno, counted, d.feasible);
}

// Changing often costs more than it gains (RFC 8966, 3.6): better by 10 %, or as good and cheaper, and not soon after
// the last change; at once if twice as good, or if the present one does not deliver.
RouteSelection::Compared RouteSelection::compare(Instant now, const RouteDestination& d, const Route& best,
                                                 const Route& present) const {
    const std::uint64_t best_cost = cost(now, best);
    const std::uint64_t present_cost = cost(now, present);
    const RouteMetric a = metric_from_here(best);
    const RouteMetric b = metric_from_here(present);
    const bool equal = !differs_by(a.airtime_us_per_kib, b.airtime_us_per_kib, kEqualPercent) &&
                       std::max(a.delay_ms, b.delay_ms) - std::min(a.delay_ms, b.delay_ms) <= kEqualDelayMs;
    const bool cheaper = equal && a.price_msat_per_mib < b.price_msat_per_mib && best_cost < present_cost;
    if (best_cost * 10 >= present_cost * 9 && !cheaper) {
        return Compared::kNo;
    }
    const bool at_once = best_cost * 2 < present_cost || delivered(now, present) < kBadDelivery;
    return at_once || now >= d.held_until ? Compared::kYes : Compared::kHeld;
}

RouteSelection::Choice RouteSelection::choose(Instant now, const NodeId& id, const RouteDestination& d) const {
    Choice choice;
    const Route* present = nullptr;
    std::uint64_t best_cost = 0;
    std::optional<std::uint64_t> blocked_cost;
    for (const Route& route : d.routes) {
        if (!usable(route)) {
            continue;
        }
        if (!feasible(id, d, route)) {
            choice.blocked = true;
            blocked_cost = std::min(cost(now, route), blocked_cost.value_or(cost(now, route)));
            continue;
        }
        if (d.selected == route.via) {
            present = &route;
        }
        if (delivered(now, route) < 1.0F) {
            const Duration step = kDeliveryKept / 12;
            choice.again = Instant{(now.time_since_epoch() / step + 1) * step};
        }
        const std::uint64_t c = cost(now, route);
        if (choice.best == nullptr || c < best_cost) {
            choice.best = &route;
            best_cost = c;
        }
    }
    choice.better_blocked = choice.best != nullptr && blocked_cost && *blocked_cost * 2 < best_cost &&
                            (delivered(now, *choice.best) < kBadDelivery || !affordable(*choice.best));
    if (present != nullptr && choice.best != present) {
        const Compared compared = compare(now, d, *choice.best, *present);
        choice.voluntary = compared == Compared::kYes;
        if (compared == Compared::kHeld) {
            choice.again = d.held_until;
        }
        choice.best = choice.voluntary ? choice.best : present;
    }
    return choice;
}

std::vector<NeighborId> RouteSelection::successors(Instant now, const NodeId& id, const RouteDestination& d) const {
    std::vector<std::pair<std::uint64_t, NeighborId>> found;
    for (const Route& route : d.routes) {
        if (usable(route) && feasible(id, d, route)) {
            found.emplace_back(cost(now, route), route.via);
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<NeighborId> out;
    for (const auto& [c, via] : found) {
        out.push_back(via);
    }
    return out;
}

}  // namespace meshnet::net
