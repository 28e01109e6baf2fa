// SPDX-License-Identifier: MIT
// Authenticated only: what of a received burst its sender has proven, and what happens to the rest.
//
//     burst -> proven, new:      all that it says to us counts
//           -> of a stranger:    it is listed in our hellos, and the layer above may begin a session
//           -> anything else:    counted; a reservation is believed as far as it may cost
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr std::size_t kMostWatches = 8;

/// Drops what is not in `keep`, from a list and from the proofs that go with it.
template <class Item>
void keep_only(std::vector<Item>& items, const std::vector<bool>& keep) {
    std::size_t i = 0;
    std::erase_if(items, [&](const Item&) { return !keep[i++]; });
}

}  // namespace

// Takes everything for us out of the burst that is not proven. All tags of one burst are made with the same keys.
Mac::Impl::Proof Mac::Impl::prove(Instant now, Burst& burst, Neighbor& n) {
    Proof out;
    std::optional<LinkKeys> used;
    const auto holds = [&](TagKind kind, const TaggedEntry& proof, std::uint64_t& forged) {
        const auto keys = n.auth.made_by(kind, burst.common, proof.entry, proof.tag);
        if (!keys || (used && *keys != *used)) {
            ++forged;
            out.forged = true;
            return false;
        }
        used = keys;
        return true;
    };
    const bool possible = n.auth.known() && burst.header.authenticated;
    std::vector<bool> targets;
    for (std::size_t i = 0; i < burst.header.targets.size(); ++i) {
        targets.push_back(possible && burst.header.targets[i].peer == config.self &&
                          holds(TagKind::kTarget, burst.target_proofs[i], counters.forged_targets));
    }
    std::vector<bool> acks;
    for (std::size_t i = 0; i < burst.acks.size(); ++i) {
        acks.push_back(possible && burst.acks[i].peer == config.self &&
                       holds(TagKind::kAck, burst.ack_proofs[i], counters.forged_acks));
    }
    for (std::size_t i = 0; possible && burst.hello && i < burst.hello->heard.size(); ++i) {
        // A station that has lost its keys lists us without a tag: no proof, and no forgery.
        const ByteView tag = burst.heard_proofs[i].tag;
        const bool empty = std::all_of(tag.begin(), tag.end(), [](std::uint8_t b) { return b == 0; });
        if (burst.hello->heard[i].peer == config.self && !empty) {
            out.hello = holds(TagKind::kHeard, burst.heard_proofs[i], counters.forged_hellos);
        }
    }
    for (std::size_t i = 0; possible && burst.beacon && i < burst.beacon->members.size(); ++i) {
        if (burst.beacon->members[i] == config.self) {
            out.beacon = holds(TagKind::kBeacon, burst.beacon_proofs[i], counters.forged_beacons);
        }
    }
    const bool was_confirmed = n.auth.confirmed();
    if (used) {
        out.proven = n.auth.accept(now, *used, burst.header.burst);
        out.replayed = !out.proven;
        counters.replayed += out.replayed ? 1U : 0U;
    }
    if (out.proven && !was_confirmed) {
        // It holds keys that were made just now: an echo of the newest we sent.
        note_echo(now, now, n);
    }
    if (!out.proven) {
        targets.assign(targets.size(), false);
        acks.assign(acks.size(), false);
        out.hello = false;
        out.beacon = false;
    }
    keep_only(burst.acks, acks);
    std::erase_if(burst.fragments, [&](const FragmentView& f) { return !targets[f.target]; });
    for (std::size_t i = 0; i < targets.size(); ++i) {
        if (!targets[i]) {
            burst.header.targets[i].peer = 0;  // nobody: indices of fragments stay
        }
    }
    return out;
}

void Mac::Impl::on_checked_frame(Instant now, const RxFrame& frame, Burst& burst) {
    const BurstHeader& header = burst.header;
    const Instant heard_end = std::min(frame.end, now);
    const bool has_open =
        std::any_of(burst.opens.begin(), burst.opens.end(), [&](const OpenFrame& f) { return f.to == config.self; });
    Neighbor* n = stranger_for(now, header.sender, burst.hello.has_value() || has_open);
    Proof proof;
    if (n != nullptr) {
        proof = prove(now, burst, *n);
    }
    if (proof.forged) {
        doubt(now, burst, *n);
    }
    if (proof.replayed || proof.forged) {
        contention.on_unbelieved(now);
        return;
    }
    if (n != nullptr && header.backlog_bytes >= kMuch) {
        n->much_claimed_at = now;
    }
    note_reservation(now, heard_end, header, n, proof.proven);
    deliver_opens(burst);
    if (n == nullptr) {
        return;
    }
    if (proof.proven) {
        if (!proof.hello) {
            burst.hello.reset();
        }
        if (!proof.beacon) {
            burst.beacon.reset();
        }
        on_trusted(now, heard_end, frame, burst, *n);
        return;
    }
    if (header.grantee == config.self) {
        ++counters.unproven_grants;
    }
    if (n->auth.known()) {
        n->unproven_at = now;
        doubt(now, burst, *n);
    } else {
        on_stranger(now, frame, burst, *n);
    }
}

// Nothing of it is proven: we say that we hear it, and report it to the layer above, which may make a session.
void Mac::Impl::on_stranger(Instant now, const RxFrame& frame, const Burst& burst, Neighbor& n) {
    n.hear(now, frame.snr_db);
    ++n.heard_bursts;
    if (std::isfinite(frame.snr_db)) {
        n.weakest_db = n.heard_bursts == 1 ? frame.snr_db : std::min(n.weakest_db + 0.5F, frame.snr_db);
    }
    if (!burst.hello) {
        return;
    }
    n.ranging.on_hello(frame.start, *burst.hello, std::nullopt, sent_hellos);
    for (const Heard& h : burst.hello->heard) {
        if (h.peer == config.self) {
            n.rate.on_report(h.snr_db);
            if (!n.announced) {
                n.announced = true;
                n.reported = quality(now, n);
                n.reported_at = now;
                events.emplace_back(LinkUp{n.reported});
            }
        }
    }
}

// It says that it hears us, and cannot prove that it is who we have keys of.
void Mac::Impl::doubt(Instant now, const Burst& burst, Neighbor& n) {
    const auto is_us = [&](const Heard& h) { return h.peer == config.self; };
    if (n.up || now - n.doubted_at < kDoubtEvery || !burst.hello ||
        std::none_of(burst.hello->heard.begin(), burst.hello->heard.end(), is_us)) {
        return;
    }
    n.doubted_at = now;
    events.emplace_back(LinkUnproven{n.id});
}

// It has heard what we sent then: it is there, and so are we for it.
void Mac::Impl::note_echo(Instant now, Instant sent, Neighbor& n) {
    n.echoed_at = std::max(n.echoed_at, sent);
    if (!n.up && now - n.echoed_at < kEchoedHellos * hello_round(n)) {
        link_up(now, n);
    }
}

// The air of stations that do not hear each other is protected by reservations of others, which are proven to those
// they are for only. So they are believed, until too many were made and not used; from then on only if somebody is
// sensed in time.
void Mac::Impl::note_reservation(Instant now, Instant heard_end, const BurstHeader& header, const Neighbor* n,
                                 bool proven) {
    settle_watches(now, proven ? header.sender : 0);
    const bool for_us = header.grantee == config.self;
    const Instant until = for_us ? now : heard_end + std::min(header.nav, Duration{1s});
    if (proven) {
        contention.on_header(now, header.sender, header.grantee, until);
        return;
    }
    if (for_us || until <= now) {
        contention.on_unproven(now, header.sender, header.grantee, now, heard_end, std::nullopt);
        return;
    }
    if (strangers.unused.open(now)) {
        contention.on_unproven(now, header.sender, header.grantee, until, heard_end, std::nullopt);
        if (watches.size() < kMostWatches) {
            watches.push_back({header.sender, header.grantee, now, until, busy_time(now)});
        }
        return;
    }
    Instant sense_by = now;
    if (n != nullptr && n->auth.known()) {
        const Duration answer = std::min(n->gap, host.gap() + 20ms) + host.turnaround() +
                                phy.airtime(static_cast<ModeIndex>(phy.mode_count() - 1), 1);
        sense_by = std::max(now, heard_end + 2 * config.max_propagation + answer);
    }
    contention.on_unproven(now, header.sender, header.grantee, until, heard_end, sense_by);
}

Duration Mac::Impl::busy_time(Instant now) const {
    return carrier_time + (contention.carrier_busy() ? now - contention.busy_since() : Duration::zero());
}

// What counts is that somebody is sensed: a burst that only claims to use a reservation is as cheap as the reservation.
void Mac::Impl::settle_watches(Instant now, StationId proven_by) {
    std::erase_if(watches, [&](const Watch& w) {
        const bool replaced = proven_by != 0 && (proven_by == w.sender || proven_by == w.grantee);
        if (now < w.until && !replaced) {
            return false;
        }
        const Instant end = std::min(now, w.until);
        const Duration quiet = end - std::max(w.from, charged_until) - (busy_time(now) - w.busy_before);
        if (quiet > Duration::zero()) {
            strangers.unused.spend(now, quiet);
            charged_until = end;
            counters.unused_reservations += 2 * quiet > w.until - w.from ? 1U : 0U;
        }
        return true;
    });
}

// ---- who is a neighbour ----

Neighbor* Mac::Impl::stranger_for(Instant now, StationId id, bool create) {
    Neighbor* known = table.find(id);
    if (known != nullptr || !create) {
        return known;
    }
    if (const Neighbor* victim = table.surplus_stranger()) {
        if (victim->announced) {
            events.emplace_back(LinkDown{victim->id});
        }
        table.remove(victim->id);
    }
    Neighbor& fresh = add_neighbor(id);
    welcome(now);
    return &fresh;
}

// Somebody new should hear soon that we hear it, but all new ones together not oftener than strangers may cost.
void Mac::Impl::welcome(Instant now) {
    if (!strangers.welcomes.open(now) || now - welcomed_at < config.hello_interval / 2) {
        return;
    }
    welcomed_at = now;
    const Instant early = early_hello(now);
    if (early >= hello_at && early >= robust_hello_at) {
        return;
    }
    const Duration cost = phy.airtime(config.fixed_mode.value_or(0), header_bytes(0, true) + hello_bytes(4, true));
    strangers.welcomes.spend(now, cost);
    counters.airtime_strangers += cost;
    hello_at = std::min(hello_at, early);
    robust_hello_at = std::min(robust_hello_at, early);
}

void Mac::Impl::set_link_keys(Instant now, StationId peer, const LinkKeys& keys, bool in_use) {
    if (!config.authenticated || peer == 0 || peer == kBroadcast || peer == config.self) {
        return;
    }
    Neighbor* n = stranger_for(now, peer, true);
    if (!n->auth.known()) {
        const Neighbor* victim = nullptr;
        if (!table.room_for_keys(&victim)) {
            return;
        }
        if (victim != nullptr) {
            table.remove(victim->id);
        }
    }
    n->auth.set(now, keys, in_use);
    if (in_use) {
        // It has just proven who it is: what it cost is no longer for a stranger.
        strangers.attempts.refund(n->attempt_airtime);
        strangers.answers.refund(n->answer_airtime);
        n->attempt_airtime = n->answer_airtime = Duration::zero();
        note_echo(now, now, *n);
        hello_at = std::min(hello_at, early_hello(now));
    }
}

void Mac::Impl::forget_link_keys(Instant now, StationId peer) {
    Neighbor* n = table.find(peer);
    if (n == nullptr || !n->auth.known()) {
        return;
    }
    link_down(*n);
    n->auth.forget();
    n->unicast.reset();
    n->sender.restart();
    n->ack_due = false;
    n->heard_at = std::max(n->heard_at, n->unproven_at);
    // One table of each kind, each with its own bound.
    while (const Neighbor* victim = table.surplus_stranger()) {
        const bool last = victim == n;
        if (victim->announced) {
            events.emplace_back(LinkDown{victim->id});
        }
        table.remove(victim->id);
        if (last) {
            break;
        }
    }
    (void)now;
}

}  // namespace meshnet::mac
