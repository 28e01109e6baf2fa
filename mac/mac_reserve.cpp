// SPDX-License-Identifier: MIT
// The regimes of superframes: leading one, following one, and coming and going between them and invitations.
//
//     beacon heard or made -> own slots -> [poll_reserved] -> bursts at known instants
//
// Spec: docs/spec/mac.md, 10 "Superframes".
#include <algorithm>
#include <cmath>
#include <utility>

#include "mac/mac_impl.hpp"
#include "mac/superframe.hpp"

namespace meshnet::mac {
namespace {

constexpr Duration kSlotEarly = 1ms;     // before the radio must have a burst: the host's scheduling
constexpr Duration kGuard = 150us;       // between bursts of two stations
constexpr Duration kFrameSlot = 65ms;    // one full frame of the modes that matter for throughput
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
constexpr unsigned kMostMissed = 3;          // beacons, then somebody else leads
constexpr unsigned kUnusedRounds = 2;        // of a leader
constexpr unsigned kUnfairRounds = 8;        // a leader that gives us far less than others is left
constexpr Duration kDistrusted = 60s;
constexpr Duration kLeastDeath = 500ms;  // of silence, whatever the slots
constexpr double kSlotLossPart = 0.05;
constexpr double kWrongDeath = 1e-4;  // chance that a living station is taken for dead

Duration at_rate(Duration d, std::int64_t ppb) {
    return d + d / 1'000 * ppb / 1'000'000;
}

}  // namespace

bool Mac::Impl::superframes_allowed() const {
    return config.regime != Regime::kInvite;
}

// Slots are given, or the next beacon is awaited, missed or not.
bool Mac::Impl::gated(Instant now) const {
    return reserve && !in_window(now) && !(reserve->last && now >= reserve->begin + reserve->period);
}

// The window for those without a slot. One that a beacon did not come after is not believed in.
bool Mac::Impl::in_window(Instant now) const {
    if (!reserve || reserve->missed > 0) {
        return false;
    }
    return now >= reserve->begin + reserve->open && now < reserve->begin + reserve->period;
}

// Without a beacon until then it is missed.
Instant Mac::Impl::beacon_due() const {
    const Superframe& s = *reserve;
    const Duration late = s.open < s.period ? kOpenOverrun : Duration::zero();
    return s.begin + (s.missed + 1) * s.period + late + config.max_propagation + host.turnaround() + 60ms;
}

// In the window whoever has no slot of its own, and what is for strangers.
bool Mac::Impl::may_contend(Instant now) const {
    if (!reserve) {
        return true;
    }
    if (gated(now)) {
        return false;
    }
    const auto open = open_at(now);
    const Duration left = reserve->begin + reserve->period - now - host.lead() - config.max_propagation;
    if (in_window(now) && left < phy.airtime(config.fixed_mode.value_or(0), kRobustHelloBytes)) {
        return false;
    }
    return !in_window(now) || reserve->slots_given == 0 || now >= robust_hello_at || (open && *open <= now);
}

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
    if (!reserve || reserve->anchor != config.self || reserve->followed) {
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
            // It starts late and is deaf for long: that is no share of its own.
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

// The beacon opens our own slot; data follows it in the same turn.
std::optional<TxRequest> Mac::Impl::lead(Instant now, Instant not_before) {
    if (reserve) {
        settle_superframe(now);
        if (unused_rounds >= kUnusedRounds && !reserve->last) {
            unused_rounds = 0;
            leave_superframes(now);
            // Not at once again, and not both at the same time.
            loaded_since = now + Duration{static_cast<std::int64_t>(random.below(1'000'000'000))};
            return std::nullopt;
        }
    }
    Duration own{};
    Beacon beacon = make_beacon(now, &own);
    TxopGrant by;
    by.heard_end = by.decide_at = now;
    by.not_before = not_before;
    by.limit = own;
    by.reserved = true;
    by.beacon = std::move(beacon);
    Superframe s;
    s.anchor = config.self;
    s.begin = std::max(now + host.lead(), not_before);
    adopt(now, *by.beacon, s, 0);
    by.slot_end = s.begin + own;
    lead_wanted = false;
    ++counters.beacons_sent;
    return build(now, by);
}

// ---- following ----

// A beacon that its sender has proven to us.
void Mac::Impl::on_beacon(Instant now, Instant start, const Beacon& beacon, Neighbor& n) {
    if (!superframes_allowed() || now < n.distrusted_until) {
        return;
    }
    // Of two that lead, whoever hears the other yields; who follows one changes to one with a smaller number only.
    const bool alive = reserve && reserve->missed == 0 && reserve->anchor != config.self;
    if (alive && reserve->anchor != n.id && reserve->anchor < n.id) {
        return;
    }
    if (reserve) {
        settle_superframe(now);
    }
    Superframe s;
    s.anchor = n.id;
    s.begin = start - n.ranging.propagation(now).value_or(Duration::zero());
    lead_wanted = false;
    adopt(now, beacon, s, n.ranging.rate_ppb());
    judge_share(now, beacon, n);
}

void Mac::Impl::adopt(Instant now, const Beacon& beacon, Superframe s, std::int64_t rate_ppb) {
    s.number = beacon.number;
    s.period = at_rate(beacon.period, rate_ppb);
    s.open = at_rate(beacon.open, rate_ppb);
    s.last = beacon.last;
    s.paired = beacon.paired;
    bool first = true;
    for (const Slot& slot : beacon.slots) {
        const StationId id = beacon.members[slot.member];
        const Instant at = s.begin + at_rate(slot.start, rate_ppb);
        if (id != config.self) {
            s.others.push_back({id, at, slot.length});
        } else {
            ++s.slots_given;
            s.given += slot.length;
            // The first of ours is the beacon's own.
            if (!(first && s.anchor == config.self)) {
                s.own.push_back({at, slot.length});
            }
            first = false;
        }
    }
    // A slot of a pair that begins with the next beacon.
    if (reserve) {
        for (const OwnSlot& o : reserve->own) {
            if (o.start >= reserve->begin + reserve->period && o.start + o.length > now) {
                s.own.push_front(o);
            }
        }
    }
    reserve = std::move(s);
    regime = reserve->paired ? Regime::kPaired : Regime::kReserve;
    ++counters.superframes;
    contention.cancel();
    txop.reset();
    wait.reset();
    const Duration rto = std::max(resend_after(), 5 * reserve->period / 2 + 4 * config.max_propagation + 200ms);
    for (auto& [id, n] : table) {
        n.sender.set_rto(rto);
        n.ack_requests = 0;
        n.silences = 0;
    }
}

// One that has much to send and is given far less than others, again and again, is not well led.
void Mac::Impl::judge_share(Instant now, const Beacon& beacon, Neighbor& anchor) {
    Duration ours{};
    Duration most{};
    std::map<std::uint8_t, Duration> sums;
    for (const Slot& s : beacon.slots) {
        sums[s.member] += s.length;
    }
    for (const auto& [member, length] : sums) {
        (beacon.members[member] == config.self ? ours : most) =
            std::max(beacon.members[member] == config.self ? ours : most, length);
    }
    const bool unfair = advertised_backlog >= kMuch && own_backlog() >= kMuch && 4 * ours < most;
    anchor.unfair_rounds = unfair ? anchor.unfair_rounds + 1 : 0;
    if (anchor.unfair_rounds >= kUnfairRounds) {
        anchor.unfair_rounds = 0;
        anchor.distrusted_until = now + kDistrusted;
        leave_superframes(now);
    }
}

void Mac::Impl::leave_superframes(Instant now) {
    reserve.reset();
    regime = Regime::kInvite;
    lead_wanted = false;
    loaded_since.reset();
    for (auto& [id, n] : table) {
        n.sender.set_rto(resend_after());
    }
    contention.failed();  // all leave at once: they draw
    contention.hold_until(now, now);
}

// Who had a slot and was not heard: after some of these in a row, the fewer the less is lost otherwise, its link is
// down.
void Mac::Impl::settle_superframe(Instant now) {
    const Duration bid = bid_slot();
    const bool unused = reserve->anchor == config.self && !reserve->others.empty() && !reserve->followed;
    unused_rounds = unused ? unused_rounds + 1 : 0;
    const bool lonely = unused_rounds >= kUnusedRounds;
    // Nobody followed: our beacon met another one, and all that we know of the stations is of before.
    for (const OtherSlot& slot : reserve->others) {
        if (lonely) {
            break;
        }
        Neighbor* n = table.find(slot.station);
        // Over long ways we may have been sending ourselves: hellos decide there.
        const Instant heard_by =
            slot.start + std::min(slot.length, kFrameSlot) + config.max_propagation + host.turnaround();
        if (n == nullptr || !n->up || slot.length <= bid || config.max_propagation > kFar || heard_by > now) {
            continue;
        }
        const bool heard = std::max(n->heard_at, n->unproven_at) >= slot.start;
        // What is lost of a living station is known when it is heard again.
        for (unsigned k = 0; heard && k < std::min(n->slot_misses, 20U); ++k) {
            n->slot_loss += (1.0 - n->slot_loss) * kSlotLossPart;
        }
        n->slot_loss -= heard ? n->slot_loss * kSlotLossPart : 0.0;
        n->slot_misses = heard ? 0 : n->slot_misses + 1;
        const double p = std::clamp(n->slot_loss, 0.02, 0.5);
        const double enough = std::max(std::log(kWrongDeath) / std::log(p), static_cast<double>(kMostMissed));
        if (static_cast<double>(n->slot_misses) >= enough &&
            now - std::max(n->heard_at, n->unproven_at) > kLeastDeath) {
            n->slot_misses = 0;
            n->echoed_at = kLongAgo;
            link_down(*n);
        }
    }
}

// ---- on time ----

void Mac::Impl::on_reserve_timeout(Instant now) {
    if (!reserve || reserve->anchor == config.self) {
        return;
    }
    if (reserve->last && now >= reserve->begin + reserve->period) {
        leave_superframes(now);
        return;
    }
    if (now >= beacon_due()) {
        ++counters.beacons_missed;
        if (reserve->missed == 0) {
            settle_superframe(now);
            reserve->others.clear();
        }
        if (++reserve->missed >= kMostMissed) {
            leave_superframes(now);
        }
    }
}

std::optional<Instant> Mac::Impl::reserve_wake() const {
    if (!reserve) {
        return std::nullopt;
    }
    const Instant end = reserve->begin + reserve->period;
    Instant first = reserve->last ? end : beacon_due();
    if (reserve->anchor == config.self) {
        // Asked in time and not answered: it ends here, or waits for a carrier's end.
        first = end - host.lead() - kSlotEarly;
        first = refreshed_at < first ? first : std::max(end, refreshed_at + 1ms);
    }
    if (!reserve->own.empty()) {
        first = std::min(first, reserve->own.front().start - host.lead() - kSlotEarly);
    }
    if (const Instant window = reserve->begin + reserve->open;
        reserve->open < reserve->period && refreshed_at < window) {
        first = std::min(first, window);
    }
    return first;
}

std::optional<TxRequest> Mac::Impl::poll_reserved(Instant now) {
    auto& own = reserve->own;
    const auto least = [](const OwnSlot& o) { return std::min(kLeastUse, o.length / 4); };
    while (!own.empty() && now + host.lead() + least(own.front()) > own.front().start + own.front().length) {
        own.pop_front();  // nobody polled in time
    }
    if (!own.empty() && now >= own.front().start - host.lead() - kSlotEarly) {
        const OwnSlot slot = own.front();
        own.pop_front();
        TxopGrant by;
        by.heard_end = by.decide_at = now;
        by.not_before = slot.start;
        by.slot_end = slot.start + slot.length - host.jitter();
        by.limit = by.slot_end - std::max(slot.start, now + host.lead());
        by.reserved = true;
        if (duty.available(now) >= by.limit) {
            if (auto request = build(now, by)) {
                return request;
            }
        }
    }
    if (reserve->anchor != config.self || now < reserve->begin + reserve->period - host.lead() - kSlotEarly) {
        return std::nullopt;
    }
    if (reserve->last || !may_lead(now)) {
        if (now >= reserve->begin + reserve->period) {
            leave_superframes(now);
        }
        return std::nullopt;
    }
    const Instant next = reserve->begin + reserve->period;
    // Somebody who knows nothing of superframes began in the window: let it end.
    const bool overrun = reserve->open < reserve->period && contention.carrier_busy() &&
                         contention.busy_since() > reserve->begin + reserve->open && now < next + kOpenOverrun;
    return overrun ? std::nullopt : lead(now, next);
}

// A bid counts if it is proven to the anchor.
void Mac::Impl::add_anchor_witness(Draft& draft) const {
    const Neighbor* anchor = reserve ? table.find(reserve->anchor) : nullptr;
    BurstHeader& header = draft.burst.header;
    const auto is_it = [&](const auto& entry) { return entry.peer == reserve->anchor; };
    if (!config.authenticated || anchor == nullptr || header.targets.size() == kMaxTargets ||
        std::any_of(header.targets.begin(), header.targets.end(), is_it) ||
        std::any_of(draft.burst.acks.begin(), draft.burst.acks.end(), is_it)) {
        return;
    }
    header.targets.push_back({anchor->id, anchor->sender.session(), anchor->sender.floor()});
    ++header.witnesses;
}

// The radio was late: what is left of the slot is still ours.
void Mac::Impl::on_late_slot(Instant now, const Pending& p) {
    if (!reserve) {
        return;
    }
    if (p.beacon) {
        // Nobody knows of this superframe: begin it anew at once.
        reserve->period = reserve->open = std::max(now - reserve->begin, Duration::zero());
        reserve->own.clear();
        reserve->others.clear();
        return;
    }
    const Instant start = now + host.lead();
    if (p.slot_end > start + kLeastUse) {
        reserve->own.push_front({start, p.slot_end - start + host.jitter()});
    }
}

// A station that is sending cannot hear us, and we know when it sends.
bool Mac::Impl::deaf(const Neighbor& n) const {
    if (!reserve || config.max_propagation <= kFar) {
        return false;
    }
    const Duration tau = n.ranging.propagation(refreshed_at).value_or(config.max_propagation);
    return std::any_of(reserve->others.begin(), reserve->others.end(), [&](const OtherSlot& s) {
        return s.station == n.id && sending_from + tau < s.start + s.length && s.start < sending_until + tau;
    });
}

}  // namespace meshnet::mac
