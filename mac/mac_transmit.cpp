// SPDX-License-Identifier: MIT
// When to send, and what follows from what became of it.
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr unsigned kAckRequests = 2;      // after a long burst without an answer
constexpr Duration kContinueEarly = 3ms;  // before the radio must have the next frame of a turn: the host's scheduling

}  // namespace

bool Mac::Impl::has_work(Instant now) const {
    if (now >= hello_at || broadcast.ready()) {
        return true;
    }
    if (const auto open = open_at(now); open && *open <= now) {
        return true;
    }
    for (const auto& [id, n] : table) {
        if (wants_to_send(n) || (n.ack_due && now >= n.ack_at)) {
            return true;
        }
    }
    return poll_target(now) != nullptr;
}

// Between stations that are hidden from each other we poll: both hear us.
const Neighbor* Mac::Impl::poll_target(Instant now) const {
    const Neighbor* longest = nullptr;
    if (!hub) {
        return longest;
    }
    for (const auto& [id, n] : table) {
        if (n.has_backlog(now) && (longest == nullptr || n.served_at < longest->served_at)) {
            longest = &n;
        }
    }
    return longest;
}

// A station in the middle that knows of our backlog grants us a burst; to contend as well would only collide.
unsigned Mac::Impl::extra_slots(Instant now) const {
    for (const auto& [id, n] : table) {
        if (n.up && n.sender.ready() && now - n.advertised_at < 1s && hidden_beyond(now, n)) {
            return 3;
        }
    }
    return 0;
}

// When the next frame of the turn is put together: late, so that what became urgent meanwhile goes first. A radio that
// is blind while it sends has no time of its own until the turn is over, so it gets all frames at once.
Instant Mac::Impl::continue_at() const {
    return host.jitter() > Duration::zero() ? kLongAgo : pending.back().end - host.lead() - kContinueEarly;
}

std::optional<TxRequest> Mac::Impl::continue_turn(Instant now) {
    Pending& last = pending.back();
    if (last.continues == Duration::zero() || now < continue_at()) {
        return std::nullopt;
    }
    TxopGrant own;
    own.heard_end = own.decide_at = now;
    own.not_before = last.end + host.spacing();
    own.limit = last.continues;
    own.chain_left = static_cast<std::uint8_t>(last.chain_left + 1);  // the same TXOP goes on
    if (last.reserved) {
        own.reserved = own.continued = true;
        own.slot_end = last.slot_end;
        own.limit = own.slot_end - std::max(own.not_before, now + host.lead());
    }
    last.continues = Duration::zero();
    last.grantee = 0;  // what follows is no answer to it
    return build(now, own);
}

std::optional<TxRequest> Mac::Impl::poll_transmit(Instant now) {
    if (!started) {
        return std::nullopt;
    }
    if (!pending.empty()) {
        return continue_turn(now);
    }
    if (reserve) {
        if (auto request = poll_reserved(now); request || gated(now)) {
            return request;
        }
    }
    if (txop) {
        if (now < txop->decide_at) {
            return std::nullopt;
        }
        const TxopGrant grant = *txop;
        txop.reset();
        const bool too_late = now > grant.decide_at + host.gap() + 5ms;
        // Somebody else began meanwhile: to answer would only harm both. A carrier that was told of before the burst
        // that grants is that burst's own, whenever its end is told.
        const bool taken =
            contention.carrier_busy() &&
            contention.busy_since() > std::max(grant.heard_end + config.max_propagation, grant.delivered_at);
        const bool affordable = duty.available(now) >= phy.airtime(0, kAnswerBytes);
        if (!too_late && !taken && affordable && lead_wanted) {
            return lead(now, grant.not_before);
        }
        if (!too_late && !taken && affordable) {
            if (auto request = build(now, grant)) {
                return request;
            }
        }
        refresh(now);
    }
    if (wait || now < duty_at || !may_contend(now) || !(lead_wanted || has_work(now))) {
        return std::nullopt;
    }
    const auto ready = contention.ready_at();
    if (!ready || now < *ready) {
        return std::nullopt;
    }
    const Duration least = phy.airtime(0, kSmallestBurstBytes);
    if (duty.available(now) < least) {
        duty_at = duty.when(now, least);
        return std::nullopt;
    }
    return lead_wanted ? lead(now, kLongAgo) : build(now, std::nullopt);
}

void Mac::Impl::on_transmitted(Instant now, std::uint64_t id, TxOutcome outcome) {
    const auto found = std::find_if(pending.begin(), pending.end(), [&](const Pending& p) { return p.id == id; });
    if (found == pending.end()) {
        return;
    }
    const Pending p = std::move(*found);
    pending.erase(found);
    if (outcome == TxOutcome::kLate) {
        ++counters.frames_late;
        host.on_late();
        duty.refund(p.airtime);
        broadcast.on_not_sent(p.burst);
        for (auto& [peer, n] : table) {
            n.sender.on_not_sent(p.burst);
        }
        for (const StationId peer : p.acked) {
            if (Neighbor* n = table.find(peer)) {
                n->ack_due = true;
                n->ack_at = now;
            }
        }
        if (p.hello) {
            sent_hellos.forget(*p.hello);
            hello_at = std::min(hello_at, now);
            if (p.robust_hello) {
                robust_hello_at = std::min(robust_hello_at, now);
            }
        }
        if (p.reserved) {
            on_late_slot(now, p);
        }
        return;
    }
    ++counters.frames_sent;
    host.on_sent();
    counters.airtime_used += p.airtime;
    broadcast.on_sent_unacknowledged(p.burst);
    while (broadcast.poll_done()) {
    }
    if (p.continues > Duration::zero() && p.reserved) {
        const Instant next = now + host.lead();
        if (reserve && p.slot_end > next + kLeastUse) {
            reserve->own.push_front({next, p.slot_end - next + host.jitter()});
        }
        return;
    }
    if (p.continues > Duration::zero()) {
        TxopGrant own;
        own.heard_end = own.decide_at = now;
        own.limit = p.continues;
        own.chain_left = static_cast<std::uint8_t>(p.chain_left + 1);  // the same TXOP goes on
        txop = own;
        return;
    }
    if (p.grantee == 0) {
        if (pending.empty()) {
            contention.succeeded();
        }
        return;
    }
    const Instant end = std::max(p.end, std::min(now, p.end + 50ms + host.jitter()));
    Wait w;
    w.grantee = p.grantee;
    w.burst = p.burst;
    w.deadline = end + p.answer_start;
    w.hard_deadline = std::max(w.deadline, end + p.nav + host.turnaround() + kMargin);
    w.by_contention = p.by_contention;
    w.retake = p.retake;
    w.chain_left = p.chain_left;
    w.more = p.more;
    w.long_data = p.long_data;
    wait = w;
}

// The grantee did not answer, or we could not read its answer.
void Mac::Impl::on_no_answer(Instant now) {
    const Wait w = *wait;
    wait.reset();
    if (Neighbor* n = table.find(w.grantee)) {
        // Perhaps only the answer was lost: an acknowledgement request is cheaper than a long burst.
        if (w.long_data) {
            n->ack_requests = kAckRequests;
        } else if (n->ack_requests > 0 && --n->ack_requests == 0) {
            n->sender.on_silence();
        } else if (n->ack_requests == 0) {
            n->sender.on_silence(w.burst);
        }
        n->rate.on_silence();
        n->backlog_bytes = 0;
        if (n->silences++ == 0) {
            n->silent_since = now;
        }
        collect_done(*n);
    }
    if (!w.by_contention && !w.retake && !w.carrier_seen && w.chain_left > 0 && !contention.carrier_busy()) {
        // The channel was granted to us, and nobody took it: it is still ours.
        TxopGrant own;
        own.decide_at = now;
        own.limit = burst_limit();
        own.chain_left = w.chain_left;
        own.retake = true;
        txop = own;
        return;
    }
    contention.failed();
}

}  // namespace meshnet::mac
