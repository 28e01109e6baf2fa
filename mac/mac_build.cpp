// SPDX-License-Identifier: MIT
// Putting one burst together: the plan, its content, whom it grants the answer, its header, and what must be remembered
// of it.
#include <algorithm>
#include <cassert>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr std::uint8_t kMostWitnesses = 3;
constexpr unsigned kRobustEvery = 8;        // hellos: one in so many goes alone in the most robust mode
constexpr std::int64_t kRobustShare = 100;  // or more rarely: all of these take one part in so many of time

}  // namespace

std::optional<TxRequest> Mac::Impl::build(Instant now, const std::optional<TxopGrant>& by) {
    const Instant at = std::max(now + host.lead(), by ? by->not_before : kLongAgo);
    Draft draft = plan(now, by);
    add_content(now, by, draft);
    choose_answer(now, by, draft);
    const bool empty =
        draft.burst.acks.empty() && !draft.burst.hello && draft.burst.fragments.empty() && draft.burst.opens.empty();
    if (empty && by && by->reserved && !by->beacon && !draft.continues) {
        return std::nullopt;
    }
    if (empty && draft.grantee == nullptr && draft.grantor == nullptr && !draft.burst.beacon) {
        // Nothing fits now, whatever waits: try again a slot later.
        duty_at = now + contention.config().slot;
        contention.cancel();
        return std::nullopt;
    }
    Pending p;
    p.chain_left = by ? static_cast<std::uint8_t>(by->chain_left - (by->chain_left > 0 ? 1 : 0)) : kChainLength;
    p.by_contention = !by;
    p.retake = by && by->retake;
    if (by && by->reserved) {
        p.reserved = true;
        p.beacon = by->beacon.has_value();
        p.slot_end = by->slot_end;
        p.chain_left = 0;
    } else if (in_window(now)) {
        p.chain_left = 0;
    }
    write_header(now, draft, p);
    TxRequest request = encode(at, draft);
    p.id = request.id;
    p.at = at;
    p.airtime = phy.airtime(draft.mode, request.payload.size());
    p.end = at + p.airtime;
    counters.frames_empty += empty ? 1U : 0U;
    account(now, draft, p);
    pending.push_back(std::move(p));
    return request;
}

// To whom, how fast, how long.
Mac::Impl::Draft Mac::Impl::plan(Instant now, const std::optional<TxopGrant>& by) {
    Draft draft;
    draft.grantor = by && by->from != 0 ? table.find(by->from) : nullptr;
    draft.foreign = by && by->from != 0 && contention.reserved_until() > now && contention.reserved_by() != by->from;
    draft.robust_alone = !by && now >= robust_hello_at;
    const Instant at = std::max(now + host.lead(), by ? by->not_before : kLongAgo);
    const Duration longest = by && by->reserved ? kLongestTurn : burst_limit();
    draft.limit = std::min(longest, duty.available(now));
    if (by) {
        draft.limit = std::min(draft.limit, by->limit);
    } else if (in_window(now)) {
        draft.limit = std::min(draft.limit, reserve->begin + reserve->period - at - config.max_propagation);
    }
    sending_from = at;
    sending_until = at + std::min(draft.limit, kLongestFrameAhead);
    const bool without_data = draft.robust_alone || draft.foreign || (by && by->beacon);
    draft.primary = without_data ? nullptr : choose_primary();
    if ((!by || (by->reserved && !by->beacon)) && !draft.robust_alone) {
        plan_opens(now, draft);
    }
    if (by && by->reserved) {
        plan_reserved(*by, draft);
    }
    if (draft.opens) {
        // Chosen there.
    } else if (draft.robust_alone) {
        draft.mode = config.fixed_mode.value_or(0);
        draft.limit = std::min(draft.limit, std::max(kWithBroadcast, phy.airtime(draft.mode, kSmallestBurstBytes)));
    } else {
        if (draft.grantor != nullptr && draft.primary != nullptr &&
            worth_splitting(draft, *by, *draft.grantor, *draft.primary)) {
            draft.primary = nullptr;
            draft.continues = true;
        }
        choose_mode(draft);
    }
    draft.limit = std::max(draft.limit, Duration::zero());
    draft.budget = bytes_within(draft.mode, draft.limit);
    // An acknowledgement goes whatever the grant was counted at.
    if (by && !by->reserved) {
        draft.budget = std::max(draft.budget, std::min(bytes_within(draft.mode, burst_limit()), kAnswerBytes));
    }
    if (by && by->beacon) {
        // It goes whole, or nobody has a slot.
        draft.burst.beacon = by->beacon;
        const std::size_t size =
            beacon_bytes(by->beacon->members.size(), by->beacon->slots.size(), config.authenticated);
        draft.budget -= std::min(draft.budget, size);
    }

    BurstHeader& header = draft.burst.header;
    header.sender = config.self;
    header.epoch = epoch;
    header.burst = burst_number + 1;
    header.gap = host.gap();
    header.authenticated = config.authenticated;
    const std::size_t headers = 2 * header_bytes(kMaxTargets, config.authenticated);
    const std::size_t little = header_bytes(2, config.authenticated);
    draft.budget -= std::min(draft.budget, draft.budget > 4 * headers ? headers : little);
    return draft;
}

// In a slot acknowledgements, and what the coordinator must know, go first in a frame of their own if those they are
// for cannot read the data that follows.
void Mac::Impl::plan_reserved(const TxopGrant& by, Draft& draft) const {
    if (by.beacon) {
        draft.continues = choose_primary() != nullptr;
        return;
    }
    if (draft.opens) {
        draft.continues = true;
        return;
    }
    if (draft.primary == nullptr || by.continued) {
        return;
    }
    const ModeIndex mode = draft.primary->rate.data_mode();
    const bool slow = std::any_of(table.begin(), table.end(), [&](const auto& item) {
        const Neighbor& n = item.second;
        const bool must_read = n.ack_due || (reserve && reserve->coordinator == n.id);
        return n.up && must_read && n.rate.data_mode() < mode;
    });
    if (slow && draft.limit > kLongBurst) {
        draft.primary = nullptr;
        draft.continues = true;
    }
}

// Acknowledgements, a hello if one is due, data.
void Mac::Impl::add_content(Instant now, const std::optional<TxopGrant>& by, Draft& draft) {
    add_acks(draft);
    if (now >= hello_at || draft.robust_alone) {
        add_hello(now, draft);
    }
    if (draft.opens) {
        add_opens(now, draft);
        return;
    }
    Neighbor* primary = draft.primary;
    const bool reserved = by && by->reserved;
    draft.request_only = !reserved && primary != nullptr &&
                         (primary->ack_requests > 0 || primary->silences > 0 || (by && by->retake) ||
                          (!by && needs_request(now, draft, *primary)));
    if (draft.request_only) {
        draft.budget = std::min(draft.budget, kSmallestBurstBytes);
    }
    if (!draft.foreign) {
        add_data(now, draft, primary != nullptr && primary->ack_requests == 0 ? primary : nullptr);
    }
}

// Who may answer, or whether we send once more first.
void Mac::Impl::choose_answer(Instant now, const std::optional<TxopGrant>& by, Draft& draft) {
    if (by && by->reserved) {
        add_coordinator_witness(draft);
        // Nobody answers in a slot; what is left of it is for more frames.
        const Duration more =
            draft.primary != nullptr && !draft.opens ? more_frames(draft, *draft.primary) : Duration::zero();
        draft.continues = draft.continues || more > Duration::zero();
        draft.limit = more > Duration::zero() ? more : draft.limit;
        return;
    }
    if (draft.foreign || draft.robust_alone || draft.continues || draft.opens || in_window(now)) {
        return;
    }
    draft.grantee = draft.request_only ? draft.primary : choose_grantee(now, draft, by);
    const bool may_continue = !draft.request_only && draft.grantee != nullptr && draft.grantee == draft.primary &&
                              (!by || by->chain_left > 0);
    const Duration more = may_continue ? more_frames(draft, *draft.primary) : Duration::zero();
    if (more > Duration::zero()) {
        draft.continues = true;
        draft.grantee = nullptr;
        draft.limit = more;
    }
    prove_grant(draft);
    add_witnesses(now, draft);
}

// A grant counts for a station that finds a tag of its own in the burst.
void Mac::Impl::prove_grant(Draft& draft) {
    const Neighbor* grantee = draft.grantee;
    if (!config.authenticated || grantee == nullptr) {
        return;
    }
    auto& targets = draft.burst.header.targets;
    const auto is_it = [&](const auto& entry) { return entry.peer == grantee->id; };
    if (std::any_of(targets.begin(), targets.end(), is_it) ||
        std::any_of(draft.burst.acks.begin(), draft.burst.acks.end(), is_it)) {
        return;
    }
    if (targets.size() == kMaxTargets) {
        draft.grantee = nullptr;
        return;
    }
    targets.push_back({grantee->id, grantee->sender.session(), grantee->sender.floor()});
}

// Who cannot hear the grantee cannot sense that it answers, so a long reservation is proven to it.
void Mac::Impl::add_witnesses(Instant now, Draft& draft) {
    const Neighbor* grantee = draft.grantee;
    if (!config.authenticated || grantee == nullptr || !grantee->has_backlog(now)) {
        return;
    }
    BurstHeader& header = draft.burst.header;
    for (const auto& [id, n] : table) {
        const auto is = [id = id](const auto& entry) { return entry.peer == id; };
        const bool hears = n.hears(grantee->id) || grantee->hears(id);
        const bool proven = std::any_of(header.targets.begin(), header.targets.end(), is) ||
                            std::any_of(draft.burst.acks.begin(), draft.burst.acks.end(), is);
        if (n.up && &n != grantee && !hears && !proven && header.targets.size() < kMaxTargets &&
            header.witnesses < kMostWitnesses) {
            header.targets.push_back({id, n.sender.session(), n.sender.floor()});
            ++header.witnesses;
        }
    }
}

// The fields that depend on the content and on the grant.
void Mac::Impl::write_header(Instant now, Draft& draft, Pending& p) {
    BurstHeader& header = draft.burst.header;
    header.chain_left = p.chain_left;
    const std::size_t backlog = own_backlog();
    advertised_backlog = backlog;
    header.backlog_bytes = backlog;
    p.more = backlog > 0;
    Neighbor* grantee = draft.grantee;
    header.wants_txop = backlog > 0 || (hub && others_wait(now, grantee != nullptr ? grantee->id : 0));
    if (grantee != nullptr) {
        header.grantee = grantee->id;
        header.grant = answer_airtime(now, *grantee, p.chain_left > 0);
        header.nav = answer_gap(*grantee) + header.grant + 2 * config.max_propagation + kMargin;
        grantee->served_at = now;
        ++counters.grants;
        p.answer_start = 2 * config.max_propagation + answer_gap(*grantee) + host.turnaround() +
                         phy.airtime(config.fixed_mode.value_or(mode_at(grantee->snr_db - 4.0F)), 1) + kMargin;
    }
    if (draft.continues) {
        header.grantee = config.self;
        header.grant = draft.limit;
        header.nav = host.gap() + header.grant + kMargin;
        p.continues = std::max(draft.limit, Duration{1});
    }
    if (p.reserved && reserve) {
        // Those who do not know of the superframe keep silent to its end.
        const Instant end = std::min(p.slot_end, sending_from + kLongestFrameAhead);
        const Duration left = reserve->begin + reserve->open - end;
        header.grantee = 0;
        header.grant = Duration::zero();
        header.nav = std::clamp(left, Duration::zero(), Duration{1s});
    }
    // Whoever speaks while we cannot receive yet is not heard.
    header.nav = std::max(header.nav, host.recovery());
    p.burst = static_cast<std::uint8_t>(header.burst);
    p.grantee = header.grantee;
    p.nav = header.nav;
}

// It answers no sooner than we can receive, and starts up to its jitter later than it means to.
Duration Mac::Impl::answer_gap(const Neighbor& grantee) const {
    return std::max(grantee.gap, host.recovery() + grantee.jitter);
}

TxRequest Mac::Impl::encode(Instant at, Draft& draft) {
    if (draft.burst.hello) {
        draft.burst.hello->sent = at.time_since_epoch();
    }
    std::size_t content = 0;
    for (const FragmentView& f : draft.burst.fragments) {
        content += f.data.size();
    }
    TxRequest request;
    request.id = next_id++;
    const SendKeys keys = [this](StationId peer) -> const TagKey* {
        const Neighbor* n = table.find(peer);
        return n != nullptr ? n->auth.send_key() : nullptr;
    };
    request.payload = encode_burst(draft.burst, content > kRepeatHeaderBeyond, keys);
    request.mode = draft.mode;
    request.at = at;
    assert(request.payload.size() <= phy.max_bytes());
    return request;
}

// What the burst uses up, and what is undone if the radio turns out to be late (on_transmitted).
void Mac::Impl::account(Instant now, const Draft& draft, Pending& p) {
    p.long_data = draft.data && p.airtime > kLongBurst;
    p.robust_hello = draft.robust_alone;
    for (const BlockAck& a : draft.burst.acks) {
        p.acked.push_back(a.peer);
        table.find(a.peer)->ack_due = false;
    }
    if (draft.burst.hello) {
        account_hello(now, draft, p);
    }
    ++burst_number;
    sent_bursts[burst_number % sent_bursts.size()] = {burst_number, p.at};
    if (draft.opens) {
        account_opens(now, draft, p.airtime);
    }
    duty.spend(now, p.airtime);
    contention.on_own_burst(now, p.end);
}

void Mac::Impl::account_hello(Instant now, const Draft& draft, Pending& p) {
    p.hello = hello_number;
    sent_hellos.add(hello_number, p.at);
    ++hello_number;
    // Jittered by a tenth, so that two stations do not meet for ever.
    const Duration period = hello_period();
    const auto tenth = static_cast<std::uint64_t>((period / 10).count());
    hello_at = now + period - Duration{static_cast<std::int64_t>(random.below(tenth))};
    if (draft.robust_alone || draft.mode == 0) {
        std::int64_t up = 0;
        for (const auto& [id, n] : table) {
            up += n.up ? 1 : 0;
        }
        // All robust hellos of those who hear each other take a bounded share of the air.
        const Duration shared = kRobustShare * (up + 1) * p.airtime;
        robust_hello_at = up > 0 ? now + std::max(kRobustEvery * period - period / 2, shared) : hello_at;
    }
}

}  // namespace meshnet::mac
