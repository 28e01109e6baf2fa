// SPDX-License-Identifier: MIT
// What a received burst changes.
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {

namespace {

constexpr float kPresumedLess = 10.0F;      // dB: one we hear this well hears us, before it says how well
constexpr Duration kEpochRemembered = 60s;  // after another took its place

}  // namespace

void Mac::Impl::on_frame(Instant now, const RxFrame& frame) {
    refresh(now);
    while (!pending.empty() && now >= pending.front().end && frame.start >= pending.front().end) {
        // We receive again, so it is over, whatever the radio reports later.
        on_transmitted(now, pending.front().id, TxOutcome::kSent);
    }
    auto burst = parse_burst(frame.payload, nullptr, config.self);
    if (!burst || burst->header.sender == config.self) {
        ++counters.frames_unreadable;
        counters.own_number += burst ? 1U : 0U;
        return;
    }
    ++counters.frames_received;
    note_follower(frame.start, burst->header.sender);
    host.on_delivered(now - frame.end);
    contention.reconfigure(now, contention_config());
    if (config.authenticated) {
        on_checked_frame(now, frame, *burst);
        return;
    }
    const BurstHeader& header = burst->header;
    const Instant heard_end = std::min(frame.end, now);
    // A reservation beyond the longest burst there can be is not believed.
    const Duration nav = std::min(header.nav, Duration{1s});
    const bool for_us = header.grantee == config.self;
    contention.on_header(now, header.sender, header.grantee, for_us ? now : heard_end + nav);

    if (Neighbor* n = neighbor_for(now, header.sender)) {
        on_trusted(now, heard_end, frame, *burst, *n);
    }
}

// A burst all of which counts.
void Mac::Impl::on_trusted(Instant now, Instant heard_end, const RxFrame& frame, const Burst& burst, Neighbor& n) {
    n.hear(now, frame.snr_db);
    n.rate.presume(n.snr_db - kPresumedLess);
    n.doppler.hear(frame.end, static_cast<double>(frame.cfo_hz), static_cast<double>(frame.cfo_deviation_hz));
    on_header(now, heard_end, burst.header, n);
    for (const BlockAck& ack : burst.acks) {
        if (ack.peer == config.self) {
            on_ack(now, ack, n);
        }
    }
    if (burst.hello) {
        on_hello(now, frame.start, *burst.hello, n);
    }
    note_turn(now, frame, burst, n);
    if (burst.beacon) {
        on_beacon(now, frame.start, *burst.beacon, n);
    }
    on_content(now, burst, n);
    if (wait && wait->grantee == n.id) {
        on_answer(n);
    }
    collect_done(n);
    report_changes(now, n);
}

// Whom its data is for, and how fast it sends: what a superframe is planned by. Without tags nobody proves this to us,
// and whoever has keys is believed as far as a share of the air goes.
void Mac::Impl::note_turn(Instant now, const RxFrame& frame, const Burst& burst, Neighbor& n) {
    n.owes_ack = false;
    const auto& targets = burst.header.targets;
    for (std::size_t i = 0; i + burst.header.witnesses < targets.size(); ++i) {
        const StationId peer = targets[i].peer;
        Neighbor* other = table.find(peer);
        if (other != nullptr) {
            other->owes_ack = true;
        }
        if ((other != nullptr || peer == config.self) &&
            (n.targets_heard.size() < NeighborTable::kCapacity || n.targets_heard.contains(peer))) {
            n.targets_heard[peer] = now;
        }
    }
    if (!targets.empty()) {
        n.data_mode_heard = frame.mode;
    }
}

Neighbor* Mac::Impl::neighbor_for(Instant now, StationId id) {
    if (Neighbor* known = table.find(id)) {
        return known;
    }
    if (!table.make_room(now, 3 * config.hello_interval)) {
        return nullptr;
    }
    Neighbor& fresh = add_neighbor(id);
    // Somebody new: it should hear soon that we hear it.
    const Instant early = early_hello(now);
    hello_at = std::min(hello_at, early);
    robust_hello_at = std::min(robust_hello_at, early);
    return &fresh;
}

Neighbor& Mac::Impl::add_neighbor(StationId id) {
    Neighbor fresh(id, static_cast<std::uint16_t>(random.next_u64()), resend_after(), Ranging(),
                   RateControl(phy, config.snr_margin_db, config.fixed_mode));
    fresh.gap = host.gap();
    return table.add(std::move(fresh));
}

Instant Mac::Impl::early_hello(Instant now) {
    const auto soon = static_cast<std::uint64_t>((config.hello_interval / 4).count());
    return now + Duration{static_cast<std::int64_t>(random.below(soon))};
}

void Mac::Impl::on_header(Instant now, Instant heard_end, const BurstHeader& header, Neighbor& n) {
    // Where neighbours have keys, one that starts anew makes new ones.
    const bool changed = !config.authenticated && n.epoch_known && n.epoch != header.epoch;
    // An epoch that comes back is no restart: two stations use one number, or somebody invents epochs. Without a link
    // to it, what tells the layer above which of the two it is would never get through.
    const bool back = changed && n.replaced_epoch == header.epoch && now - n.replaced_at < kEpochRemembered;
    if (changed) {
        n.replaced_epoch = n.epoch;
        n.replaced_at = now;
    }
    if (changed && !back) {
        // It started anew and knows nothing of us: neither what we sent nor what we owe it.
        link_down(n);
        n.unicast.reset();
        n.broadcast.reset();
        n.ranging.reset();
        n.sender.restart();
        n.hears_us = false;
        n.ack_due = false;
        n.ack_requests = 0;
    }
    n.epoch = header.epoch;
    n.epoch_known = true;
    n.gap = header.gap;
    n.last_burst = header.burst;
    n.backlog_bytes = header.backlog_bytes;
    n.backlog_at = now;
    if (!header.targets.empty()) {
        n.served_at = now;
    }
    if (header.grantee != config.self || gated(now) || !pending.empty() || (wait && wait->grantee != n.id)) {
        return;
    }
    TxopGrant grant;
    grant.from = n.id;
    grant.heard_end = heard_end;
    grant.delivered_at = now;
    // Not before the grantor receives again.
    const Duration wait_for_it = std::max(host.turnaround(), n.recovery - host.lead());
    grant.decide_at = std::max(now, heard_end + wait_for_it);
    grant.limit = header.grant;
    grant.chain_left = header.chain_left;
    grant.wants_txop = header.wants_txop;
    txop = grant;
    contention.cancel();
}

void Mac::Impl::on_ack(Instant now, const BlockAck& ack, Neighbor& n) {
    if (config.authenticated) {
        const SentBurst& sent = sent_bursts[ack.burst % sent_bursts.size()];
        if (static_cast<std::uint16_t>(sent.number) == ack.burst && sent.at != kLongAgo) {
            note_echo(now, sent.at, n);
        }
    }
    n.ack_requests = 0;
    n.rate.on_report(ack.snr_db);
    const auto fate = n.sender.on_ack(now, ack);
    if (fate.sent > 0) {
        n.rate.on_fate(fate.mode, fate.sent, fate.lost);
    }
}

void Mac::Impl::on_hello(Instant now, Instant start, const Hello& hello, Neighbor& n) {
    std::optional<Heard> about_us;
    if (!hello.truncated) {
        n.heard_there.clear();
    }
    n.hello_interval = hello.interval;
    for (const Heard& h : hello.heard) {
        if (h.peer == config.self) {
            about_us = h;
        } else if (n.heard_there.size() < Neighbor::kMostHeardThere || n.hears(h.peer)) {
            n.heard_there[h.peer] = {now, h.propagation};
        }
    }
    n.jitter = hello.jitter;
    n.recovery = hello.recovery;
    // A start that is not where its stamp says measures no distance.
    const bool exact = hello.jitter == Duration::zero() && host.jitter() == Duration::zero();
    n.ranging.on_hello(start, hello, exact ? about_us : std::nullopt, sent_hellos);
    if (config.authenticated) {
        // Only a hello that lists us is proven.
        if (about_us) {
            n.hears_us = true;
            n.rate.on_report(about_us->snr_db);
            if (const auto sent = sent_hellos.find(about_us->hello)) {
                note_echo(now, *sent, n);
            }
        }
    } else if (about_us) {
        n.hears_us = true;
        n.hellos_without_us = 0;
        n.rate.on_report(about_us->snr_db);
        if (!n.up) {
            link_up(now, n);
        }
    } else if (!hello.truncated && ++n.hellos_without_us >= kMissedHellos) {
        n.hears_us = false;
        link_down(n);
    }
    update_hub();
}

void Mac::Impl::on_content(Instant now, const Burst& burst, Neighbor& n) {
    std::vector<Sdu> complete;
    bool for_us = false;
    bool impossible = false;
    const auto& targets = burst.header.targets;
    for (std::size_t i = 0; i + burst.header.witnesses < targets.size(); ++i) {
        const Target& t = targets[i];
        if (t.peer == config.self) {
            if (!n.unicast.plausible(t)) {
                ++counters.impossible;
                impossible = true;
                continue;
            }
            n.unicast.on_target(t, complete);
            for_us = true;
        } else if (t.peer == kBroadcast) {
            n.broadcast.on_target(t, complete);
        }
    }
    for (const FragmentView& f : burst.fragments) {
        const StationId peer = burst.header.targets[f.target].peer;
        if (peer == config.self && !impossible) {
            n.unicast.on_fragment(f, complete);
        } else if (peer == kBroadcast) {
            n.broadcast.on_fragment(f, complete);
        }
    }
    if (for_us && !n.ack_due) {
        n.ack_due = true;
        // Without a grant now, leave the sender time to grant us one.
        n.ack_at = burst.header.grantee == config.self ? now : now + 3 * contention.config().slot;
    }
    for (Sdu& sdu : complete) {
        sdu.peer = n.id;
        ++n.sdus_received;
        events.emplace_back(Received{std::move(sdu)});
    }
}

// The grantee was received: the attempt was worth it.
void Mac::Impl::on_answer(Neighbor& n) {
    contention.succeeded();
    n.rate.on_answer();
    n.silences = 0;
    n.ack_requests = 0;
    // What the answer did not acknowledge was lost, or the acknowledgement was: once more.
    n.sender.on_silence(wait->burst);
    if (wait->more) {
        n.advertised_at = n.heard_at;
    }
    wait.reset();
}

}  // namespace meshnet::mac
