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

constexpr unsigned kMostMissed = 3;    // beacons, then somebody else leads
constexpr unsigned kUnusedRounds = 2;  // of a leader
constexpr unsigned kUnfairRounds = 8;  // a leader that gives us far less than others is left
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

// ---- leading ----

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
    s.coordinator = config.self;
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
    const bool alive = reserve && reserve->missed == 0 && reserve->coordinator != config.self;
    if (alive && reserve->coordinator != n.id && reserve->coordinator < n.id) {
        return;
    }
    if (reserve) {
        settle_superframe(now);
    }
    Superframe s;
    s.coordinator = n.id;
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
            if (!(first && s.coordinator == config.self)) {
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
void Mac::Impl::judge_share(Instant now, const Beacon& beacon, Neighbor& coordinator) {
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
    coordinator.unfair_rounds = unfair ? coordinator.unfair_rounds + 1 : 0;
    if (coordinator.unfair_rounds >= kUnfairRounds) {
        coordinator.unfair_rounds = 0;
        coordinator.distrusted_until = now + kDistrusted;
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
    const bool unused = reserve->coordinator == config.self && !reserve->others.empty() && !reserve->followed;
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
    if (!reserve || reserve->coordinator == config.self) {
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
    if (reserve->coordinator == config.self) {
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
    if (reserve->coordinator != config.self || now < reserve->begin + reserve->period - host.lead() - kSlotEarly) {
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

// A bid counts if it is proven to the coordinator.
void Mac::Impl::add_coordinator_witness(Draft& draft) const {
    const Neighbor* coordinator = reserve ? table.find(reserve->coordinator) : nullptr;
    BurstHeader& header = draft.burst.header;
    const auto is_it = [&](const auto& entry) { return entry.peer == reserve->coordinator; };
    if (!config.authenticated || coordinator == nullptr || header.targets.size() == kMaxTargets ||
        std::any_of(header.targets.begin(), header.targets.end(), is_it) ||
        std::any_of(draft.burst.acks.begin(), draft.burst.acks.end(), is_it)) {
        return;
    }
    header.targets.push_back({coordinator->id, coordinator->sender.session(), coordinator->sender.floor()});
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
bool Mac::Impl::blind_to_us(const Neighbor& n) const {
    if (!reserve || config.max_propagation <= kFar) {
        return false;
    }
    const Duration tau = n.ranging.propagation(refreshed_at).value_or(config.max_propagation);
    return std::any_of(reserve->others.begin(), reserve->others.end(), [&](const OtherSlot& s) {
        return s.station == n.id && sending_from + tau < s.start + s.length && s.start < sending_until + tau;
    });
}

}  // namespace meshnet::mac
