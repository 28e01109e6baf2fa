// SPDX-License-Identifier: MIT
// When to send, and what follows from what became of it.
#include <algorithm>
#include <cassert>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr unsigned kAsk = 2;          // times to ask after a long burst without an answer
constexpr unsigned kRobustEvery = 8;  // hellos: one in so many goes alone in the most robust mode

}  // namespace

bool Mac::Impl::has_work(Instant now) const {
    if (now >= hello_at || broadcast.ready()) {
        return true;
    }
    for (const auto& [id, n] : table) {
        if (wants_to_send(n) || (n.ack_due && now >= n.ack_at)) {
            return true;
        }
    }
    return poll_target(now) != nullptr;
}

// Between stations that cannot hear each other it is for us to say whose turn it is.
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

// Whoever has told a station in the middle what waits is invited by it; to ask again would only collide.
unsigned Mac::Impl::extra_slots(Instant now) const {
    for (const auto& [id, n] : table) {
        if (n.up && n.sender.ready() && now - n.advertised_at < 1s && hidden_beyond(now, n)) {
            return 3;
        }
    }
    return 0;
}

std::optional<TxRequest> Mac::Impl::poll_transmit(Instant now) {
    if (pending || !started) {
        return std::nullopt;
    }
    if (invitation) {
        if (now < invitation->decide_at) {
            return std::nullopt;
        }
        const Invitation i = *invitation;
        invitation.reset();
        const bool too_late = now > i.decide_at + host.gap() + 5ms;
        // Somebody else began meanwhile: to answer would only harm both.
        const bool taken = contention.carrier_busy() && contention.busy_since() > i.heard_end + config.max_propagation;
        const bool affordable = duty.available(now) >= phy.airtime(0, kAnswerBytes);
        if (!too_late && !taken && affordable) {
            if (auto request = build(now, i)) {
                return request;
            }
        }
        refresh(now);
    }
    if (wait || now < duty_at || !has_work(now)) {
        return std::nullopt;
    }
    const auto ready = contention.ready_at();
    if (!ready || now < *ready) {
        return std::nullopt;
    }
    const Duration least = phy.airtime(0, kRequestBytes);
    if (duty.available(now) < least) {
        duty_at = duty.when(now, least);
        return std::nullopt;
    }
    return build(now, std::nullopt);
}

std::optional<TxRequest> Mac::Impl::build(Instant now, const std::optional<Invitation>& by) {
    const Instant at = now + host.lead();
    Neighbor* inviter = by && by->from != 0 ? table.find(by->from) : nullptr;
    Draft draft;
    draft.limit = std::min(config.max_burst, duty.available(now));
    const bool foreign =
        by && by->from != 0 && contention.reserved_until() > now && contention.reserved_by() != by->from;
    const bool robust_alone = !by && now >= robust_hello_at;
    Neighbor* primary = robust_alone || foreign ? nullptr : choose_primary();
    bool goes_on = false;
    if (by) {
        draft.limit = std::min(draft.limit, by->limit);
    }
    if (robust_alone) {
        draft.mode = config.fixed_mode.value_or(0);
        draft.robust_hello = true;
        draft.limit = std::min(draft.limit, std::max(kWithBroadcast, phy.airtime(draft.mode, kRequestBytes)));
    } else {
        if (inviter != nullptr && primary != nullptr && worth_splitting(draft, *by, *inviter, *primary)) {
            primary = nullptr;
            goes_on = true;
        }
        choose_mode(now, draft, primary, inviter);
    }
    draft.budget = bytes_within(draft.mode, draft.limit);
    // An acknowledgement goes whatever the grant was counted at.
    draft.budget = std::max(draft.budget, std::min(bytes_within(draft.mode, config.max_burst), kAnswerBytes));

    BurstHeader& header = draft.burst.header;
    header.sender = config.self;
    header.epoch = epoch;
    header.burst = static_cast<std::uint8_t>(burst_number + 1);
    header.gap = host.gap();
    const std::size_t reserve = 2 * header_bytes(kMaxTargets);
    draft.budget -= std::min(draft.budget, draft.budget > 4 * reserve ? reserve : header_bytes(2));
    add_acks(draft, inviter);
    if (now >= hello_at || robust_alone) {
        add_hello(now, draft);
    }
    const bool asking = primary != nullptr && (primary->ask > 0 || primary->silences > 0 || (by && by->retake) ||
                                               (!by && needs_request(now, draft, *primary)));
    if (asking) {
        draft.budget = std::min(draft.budget, kRequestBytes);
    }
    if (!foreign) {
        add_data(now, draft, primary != nullptr && primary->ask == 0 ? primary : nullptr);
    }
    Neighbor* grantee = nullptr;
    if (!foreign && !robust_alone && !goes_on) {
        grantee = asking ? primary : choose_grantee(now, draft, primary, by);
        const bool may_go_on = !asking && grantee != nullptr && grantee == primary && (!by || by->chain_left > 0);
        if (const Duration more = may_go_on ? more_frames(draft, *primary) : Duration::zero();
            more > Duration::zero()) {
            goes_on = true;
            grantee = nullptr;
            draft.limit = more;
        }
    }
    const bool empty = draft.burst.acks.empty() && !draft.burst.hello && draft.burst.fragments.empty();
    if (empty && grantee == nullptr && inviter == nullptr) {
        // Nothing fits now, whatever waits: look again a slot later.
        duty_at = now + contention.config().slot;
        contention.cancel();
        return std::nullopt;
    }

    Pending p;
    p.chain_left = by ? static_cast<std::uint8_t>(by->chain_left - (by->chain_left > 0 ? 1 : 0)) : kChainLength;
    header.chain_left = p.chain_left;
    std::size_t backlog = 0;
    for (const auto& [id, n] : table) {
        backlog += n.up ? n.sender.backlog_bytes() : 0;
    }
    header.backlog_bytes = backlog;
    header.wants_floor = backlog > 0 || (hub && others_wait(now, grantee != nullptr ? grantee->id : 0));
    if (grantee != nullptr) {
        header.grantee = grantee->id;
        header.grant = answer_airtime(now, *grantee, p.chain_left > 0);
        header.nav = grantee->gap + header.grant + 2 * config.max_propagation + kMargin;
        grantee->served_at = now;
        p.answer_start = 2 * config.max_propagation + grantee->gap + host.turnaround() +
                         phy.airtime(config.fixed_mode.value_or(mode_at(grantee->snr_db - 4.0F)), 1) + kMargin;
    }
    if (goes_on) {
        header.grantee = config.self;
        header.grant = draft.limit;
        header.nav = host.gap() + header.grant + kMargin;
        p.goes_on = draft.limit;
    }
    if (draft.burst.hello) {
        draft.burst.hello->sent = at.time_since_epoch();
    }
    std::size_t content = 0;
    for (const FragmentView& f : draft.burst.fragments) {
        content += f.data.size();
    }

    TxRequest request;
    request.id = next_id++;
    request.payload = encode_burst(draft.burst, content > kRepeatHeaderBeyond);
    request.mode = draft.mode;
    request.at = at;
    assert(request.payload.size() <= phy.max_bytes());

    p.id = request.id;
    p.burst = header.burst;
    p.at = at;
    p.airtime = phy.airtime(draft.mode, request.payload.size());
    p.end = at + p.airtime;
    p.by_contention = !by;
    p.retake = by && by->retake;
    p.grantee = header.grantee;
    p.nav = header.nav;
    p.more = backlog > 0;
    p.long_data = draft.data && p.airtime > kLongBurst;
    p.robust_hello = draft.robust_hello;
    for (const BlockAck& a : draft.burst.acks) {
        p.acked.push_back(a.peer);
        table.find(a.peer)->ack_due = false;
    }
    if (draft.burst.hello) {
        p.hello = hello_number;
        sent_hellos.add(hello_number, at);
        ++hello_number;
        // Jittered by a tenth, so that two stations do not meet for ever.
        const auto tenth = static_cast<std::uint64_t>((config.hello_interval / 10).count());
        hello_at = now + config.hello_interval - Duration{static_cast<std::int64_t>(random.below(tenth))};
        if (draft.robust_hello || draft.mode == 0) {
            bool any_up = false;
            for (const auto& [id, n] : table) {
                any_up = any_up || n.up;
            }
            robust_hello_at =
                any_up ? now + kRobustEvery * config.hello_interval - config.hello_interval / 2 : hello_at;
        }
    }
    ++burst_number;
    duty.spend(now, p.airtime);
    contention.on_own_burst(now, p.end);
    pending = std::move(p);
    return request;
}

void Mac::Impl::on_transmitted(Instant now, std::uint64_t id, TxOutcome outcome) {
    if (!pending || pending->id != id) {
        return;
    }
    const Pending p = std::move(*pending);
    pending.reset();
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
        return;
    }
    ++counters.frames_sent;
    host.on_sent();
    counters.airtime_used += p.airtime;
    broadcast.on_sent_unacknowledged(p.burst);
    while (broadcast.poll_done()) {
    }
    if (p.goes_on > Duration::zero()) {
        Invitation i;
        i.heard_end = i.decide_at = now;
        i.limit = p.goes_on;
        i.chain_left = static_cast<std::uint8_t>(p.chain_left + 1);  // the same turn goes on
        invitation = i;
        return;
    }
    if (p.grantee == 0) {
        contention.succeeded();
        return;
    }
    const Instant end = std::max(p.end, std::min(now, p.end + 50ms));
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

// The station we invited did not answer, or we could not read it.
void Mac::Impl::on_no_answer(Instant now) {
    const Wait w = *wait;
    wait.reset();
    if (Neighbor* n = table.find(w.grantee)) {
        // Perhaps only the answer was lost: asking is cheaper than sending a long burst again.
        if (w.long_data) {
            n->ask = kAsk;
        } else if (n->ask > 0 && --n->ask == 0) {
            n->sender.on_silence();
        } else if (n->ask == 0) {
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
        // Invited ourselves, and nobody took the channel: it is still ours.
        Invitation i;
        i.decide_at = now;
        i.limit = config.max_burst;
        i.chain_left = w.chain_left;
        i.retake = true;
        invitation = i;
        return;
    }
    contention.failed();
}

}  // namespace meshnet::mac
