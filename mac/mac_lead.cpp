// SPDX-License-Identifier: MIT
// Leading superframes: when, and who gets how much.
//
//     backlogs, delays -> [consider_leading, make_beacon] -> Beacon
//
// Spec: docs/spec/mac.md, 10 "Superframes".
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"
#include "mac/superframe.hpp"

namespace meshnet::mac {
namespace {

constexpr Duration kGuard = 150us;       // between bursts of two stations
constexpr Duration kShortRound = 300ms;  // few stations: longer slots, up to this for all
constexpr Duration kLongestRound = 2s;   // many stations: shorter slots
constexpr Duration kLeastSlot = 20ms;
constexpr Duration kFarSlot = 250ms;         // long delays: longer slots, up to this
constexpr Duration kLoadFor = 300ms;         // that load must last before somebody leads
constexpr Duration kIdleFor = 700ms;         // that it must be gone before the leader stops
constexpr Duration kDomainFor = 5s;          // a leader goes on so long although it seems that not all hear all
constexpr Duration kElection = 400ms;        // each candidate before us has so long
constexpr Duration kClaimed = 2s;            // a header that says much waits counts so long
constexpr std::size_t kUnannounced = 2'000;  // bytes: room for what has come up since
constexpr Duration kBidEvery = 500ms;        // an idle station has a slot of its own
constexpr int kBidShare = 20;                // or more rarely: all of these take one part in so many of time
constexpr int kOpenShare = 50;               // so do the windows for strangers

}  // namespace

// ---- how much who wants ----

std::size_t Mac::Impl::own_backlog() const {
    std::size_t sum = 0;
    for (const auto& [id, n] : table) {
        sum += n.up ? n.sender.backlog_bytes() : 0;
    }
    for (const OpenWaiting& w : opens) {
        sum += open_bytes(w.bytes.size());
    }
    return sum;
}

Duration Mac::Impl::report_age() const {
    return reserve ? std::max<Duration>(1s, 3 * reserve->period + 2 * config.max_propagation) : Duration{1s};
}

std::size_t Mac::Impl::backlog_of(Instant now, const Neighbor& n) const {
    return n.up && now - n.backlog_at < report_age() ? n.backlog_bytes : 0;
}

// How many stations want much of the air.
std::size_t Mac::Impl::demand(Instant now) const {
    std::size_t count = own_backlog() >= kMuch ? 1 : 0;
    for (const auto& [id, n] : table) {
        // Whether superframes are worth it is no secret: what nobody has proven to us counts as well.
        const bool claims = n.up && now - n.much_claimed_at < kClaimed;
        count += claims || backlog_of(now, n) >= kMuch ? 1 : 0;
    }
    return count;
}

Duration Mac::Impl::need_of(Instant now, const Neighbor& n) const {
    const std::size_t bytes = backlog_of(now, n);
    if (bytes == 0) {
        return Duration::zero();
    }
    const auto margin = static_cast<float>(config.snr_margin_db);
    const ModeIndex mode = config.fixed_mode.value_or(n.data_mode_heard.value_or(mode_at(n.snr_db - margin - 1.0F)));
    return turn_airtime(mode, bytes + kUnannounced);
}

Duration Mac::Impl::turn_airtime(ModeIndex mode, std::size_t bytes) const {
    bytes += bytes / 20 + 300;  // headers
    const std::size_t frames = std::min<std::size_t>(bytes / phy.max_bytes(), 50);
    const Duration full = phy.airtime(mode, phy.max_bytes()) + HostDelay::kLeastSpacing;
    return static_cast<std::int64_t>(frames) * full + phy.airtime(mode, bytes % phy.max_bytes() + 1);
}

// Of so much time what full frames fill, if too little for one more would be left.
Duration Mac::Impl::whole_frames(const Neighbor* n, Duration most) const {
    const Neighbor* primary = n == nullptr ? choose_primary() : nullptr;
    const auto margin = static_cast<float>(config.snr_margin_db);
    const ModeIndex mode = primary != nullptr ? primary->rate.data_mode()
                           : n != nullptr     ? n->data_mode_heard.value_or(mode_at(n->snr_db - margin - 1.0F))
                                              : ModeIndex{0};
    const Duration full =
        phy.airtime(config.fixed_mode.value_or(mode), phy.max_bytes()) + HostDelay::kLeastSpacing + kGuard;
    return most > full && most % full < kLeastUse ? most - most % full : most;
}

// A bid, an acknowledgement and a hello.
Duration Mac::Impl::bid_slot() const {
    return phy.airtime(config.fixed_mode.value_or(base_mode()), kSmallestBurstBytes);
}

// ---- who leads ----

// Everybody around us hears everybody: what one station plans holds for all.
bool Mac::Impl::one_domain(Instant now) const {
    if (hub) {
        return false;
    }
    // Under load a station may come to the air rarely: one that was heard lately is not hidden.
    const auto hidden = [&](StationId id) {
        const Neighbor* known = table.find(id);
        return known == nullptr ||
               now - std::max(known->heard_at, known->unproven_at) > 3 * kMissedHellos * hello_round(*known);
    };
    return std::none_of(table.begin(), table.end(), [&](const auto& item) {
        const auto& there = item.second.heard_there;
        return item.second.up &&
               std::any_of(there.begin(), there.end(), [&](const auto& entry) { return hidden(entry.first); });
    });
}

bool Mac::Impl::may_lead(Instant now) {
    const bool any = std::any_of(table.begin(), table.end(), [](const auto& item) { return item.second.up; });
    if (one_domain(now)) {
        domain_at = now;
    }
    const bool domain = now - domain_at <= (reserve ? kDomainFor : Duration::zero());
    return superframes_allowed() && any && host.jitter() == Duration::zero() && duty.available(now) >= 1s && domain;
}

// Superframes pay for their beacons where two stations or more want much, or where each turn is a long way.
bool Mac::Impl::enough_load(Instant now) const {
    if (config.regime != Regime::kAuto) {
        return true;
    }
    const std::size_t wanting = demand(now);
    return wanting >= 2 || (wanting >= 1 && config.max_propagation > kFar);
}

// Whether to begin, and to end, leading.
void Mac::Impl::consider_leading(Instant now) {
    if (!superframes_allowed()) {
        return;
    }
    if (!enough_load(now)) {
        if (now - loaded_at > kLoadFor) {
            loaded_since.reset();
            lead_wanted = false;
        }
        return;
    }
    loaded_at = now;
    if (!loaded_since) {
        loaded_since = now;
    }
    if (reserve || lead_wanted) {
        return;
    }
    std::int64_t before = 0;
    for (const auto& [id, n] : table) {
        before += n.up && id < config.self && n.jitter == Duration::zero() ? 1 : 0;
    }
    const Duration turn = kElection + 4 * config.max_propagation;
    if (now - *loaded_since >= kLoadFor + std::min<std::int64_t>(before, 8) * turn && may_lead(now)) {
        lead_wanted = true;
        lead_rank = static_cast<unsigned>(std::min<std::int64_t>(before, 8));
        contention.cancel();  // drawn anew, those before us first
    }
}

// ---- leading ----

Beacon Mac::Impl::make_beacon(Instant now, Duration* own_slot) {
    Beacon out;
    out.number = ++superframe_number;
    std::vector<Neighbor*> others;
    for (auto& [id, n] : table) {
        if (n.up && others.size() + 1 < kMaxMembers) {
            others.push_back(&n);
        }
    }
    out.members.push_back(config.self);
    for (const Neighbor* n : others) {
        out.members.push_back(n->id);
    }
    std::vector<Member> members = wanted_slots(now, others);
    PlanLimits limits;
    limits.guard = kGuard;
    limits.max_propagation = config.max_propagation;
    limits.near = kFar;
    limits.beacon = phy.airtime(config.fixed_mode.value_or(base_mode()),
                                header_bytes(2, config.authenticated) +
                                    beacon_bytes(out.members.size(), out.members.size(), config.authenticated) + 200);
    members.front().length = std::max(members.front().length, limits.beacon);
    SuperframePlan plan = plan_for(now, members, others, limits, out);
    const Duration window = contention.config().idle_before + 3 * contention.config().slot +
                            phy.airtime(config.fixed_mode.value_or(0), kRobustHelloBytes);
    out.open = std::min(plan.end, kMostBeaconTime);
    out.period = out.open;
    if (now - opened_at >= kOpenShare * window && out.open + window < kMostBeaconTime) {
        opened_at = now;
        out.period = out.open + window;
    }
    for (const auto& e : plan.entries) {
        if (out.slots.size() < kMaxSlots && e.start <= out.period) {
            out.slots.push_back({static_cast<std::uint8_t>(e.member), e.start, e.length});
            counters.grants += e.member != 0 ? 1U : 0U;
        }
    }
    *own_slot = plan.entries.front().length;
    out.last = config.regime == Regime::kAuto && now - loaded_at > kIdleFor;
    return out;
}

// A burst where we gave its sender a slot.
void Mac::Impl::note_follower(Instant start, StationId sender) {
    if (!reserve || reserve->coordinator != config.self || reserve->followed) {
        return;
    }
    reserve->followed = std::any_of(reserve->others.begin(), reserve->others.end(), [&](const OtherSlot& s) {
        return s.station == sender && start >= s.start - kSlotEarly &&
               start <= s.start + 2 * config.max_propagation + kLeastUse + host.turnaround();
    });
}

// What each gets: as much as it wants up to a share, an idle one the room for a bid from time to time.
std::vector<Member> Mac::Impl::wanted_slots(Instant now, const std::vector<Neighbor*>& others) {
    std::vector<Member> out(others.size() + 1);
    out[0].gap = Duration::zero();
    const Neighbor* primary = choose_primary();
    if (primary != nullptr) {
        out[0].length = turn_airtime(config.fixed_mode.value_or(primary->rate.data_mode()), own_backlog());
    }
    const Duration bid = bid_slot();
    const auto idle_share = static_cast<std::int64_t>(others.size()) * kBidShare * bid;
    std::int64_t wanting = out[0].length > bid ? 1 : 0;
    for (std::size_t i = 0; i < others.size(); ++i) {
        Neighbor& n = *others[i];
        Member& m = out[i + 1];
        m.length = need_of(now, n);
        m.gap = n.gap;
        m.recovery = std::max(n.recovery, n.jitter);
        wanting += m.length > bid ? 1 : 0;
        if (m.length < bid && (n.owes_ack || now - n.slot_at >= std::max(kBidEvery, idle_share))) {
            m.length = bid;
        }
    }
    const Duration far = std::min<Duration>(10 * config.max_propagation, kFarSlot);
    Duration most = std::clamp(kShortRound / std::max<std::int64_t>(wanting, 1), kFrameSlot, burst_limit());
    most = std::max(most, config.max_propagation > kFar ? far : Duration::zero());
    most = std::max(std::min(most, kLongestRound / std::max<std::int64_t>(wanting, 1)), kLeastSlot);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].length = std::min(out[i].length, whole_frames(i == 0 ? nullptr : others[i - 1], most));
        if (i > 0 && out[i].length > Duration::zero()) {
            others[i - 1]->slot_at = now;
            // It starts late and is blind for long: that is no share of its own.
            out[i].length += others[i - 1]->jitter;
        }
    }
    return out;
}

SuperframePlan Mac::Impl::plan_for(Instant now, std::vector<Member>& members, const std::vector<Neighbor*>& others,
                                   const PlanLimits& limits, Beacon& beacon) {
    const auto delay = [&](std::size_t a, std::size_t b) -> std::optional<Duration> {
        if (a == 0 || b == 0) {
            return others[std::max(a, b) - 1]->ranging.propagation(now);
        }
        const Neighbor& one = *others[a - 1];
        const auto found = one.heard_there.find(others[b - 1]->id);
        if (found != one.heard_there.end() && found->second.propagation) {
            return found->second.propagation;
        }
        const auto back = others[b - 1]->heard_there.find(one.id);
        return back != others[b - 1]->heard_there.end() ? back->second.propagation : std::nullopt;
    };
    const auto only = others.size() == 1 ? others[0]->ranging.propagation(now) : std::nullopt;
    const bool both_want = only && own_backlog() >= kMuch && backlog_of(now, *others[0]) >= kMuch;
    const bool pair = only && *only > kFar && others[0]->jitter == Duration::zero() &&
                      (both_want || config.regime == Regime::kPaired) && *only > 2 * limits.beacon;
    if (pair) {
        beacon.paired = true;
        const auto rounds = std::clamp<std::int64_t>(500ms / *only, 1, 16);
        return plan_pair(*only, burst_limit(), static_cast<std::size_t>(rounds), limits);
    }
    // Where delays are long, who is for whom decides what may overlap.
    if (config.max_propagation > kFar) {
        for (std::size_t i = 0; i < others.size(); ++i) {
            Neighbor& n = *others[i];
            if (n.sender.ready() || n.sender.in_flight()) {
                members[0].targets.push_back(i + 1);
            }
            std::erase_if(n.targets_heard, [&](const auto& item) { return now - item.second > report_age(); });
            for (std::size_t k = 0; k < others.size(); ++k) {
                if (n.targets_heard.contains(others[k]->id)) {
                    members[i + 1].targets.push_back(k + 1);
                }
            }
            if (n.targets_heard.contains(config.self)) {
                members[i + 1].targets.push_back(0);
            }
        }
    }
    return plan_superframe(members, delay, limits);
}

}  // namespace meshnet::mac
