// SPDX-License-Identifier: MIT
// When to send, what a burst carries, whom it invites to answer.
#include <algorithm>
#include <cassert>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr std::size_t kRequestBytes = 400;        // a first burst that only asks
constexpr Duration kLongBurst = 30ms;             // beyond this a burst is worth asking for
constexpr Duration kWithBroadcast = 60ms;         // a burst slowed down for a broadcast ends after this
constexpr std::size_t kAnswerBytes = 200;         // header, acknowledgement and a little more
constexpr std::size_t kUnannouncedBytes = 2'000;  // room in an answer for what has come up since
constexpr unsigned kAsk = 2;                      // times to ask after a long burst without an answer
constexpr unsigned kRobustEvery = 8;              // hellos: one in so many goes alone in the most robust mode

}  // namespace

bool Mac::Impl::hidden_beyond(Instant now, const Neighbor& n) const {
    for (const StationId id : n.hears) {
        const Neighbor* known = table.find(id);
        if (known == nullptr || now - known->heard_at > kMissedHellos * config.hello_interval) {
            return true;
        }
    }
    return false;
}

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

std::size_t Mac::Impl::bytes_within(ModeIndex mode, Duration limit) const {
    std::size_t low = 0;
    std::size_t high = phy.max_bytes();
    while (low < high) {
        const std::size_t middle = (low + high + 1) / 2;
        if (phy.airtime(mode, middle) <= limit) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

// About 8 ms of air each, so that a code block lost costs little and slow modes are not all delimiters.
std::size_t Mac::Impl::fragment_bytes(ModeIndex mode) const {
    return static_cast<std::size_t>(std::clamp(phy.payload_rate_bps(mode) * 1e-3, 200.0, 1'000.0));
}

ModeIndex Mac::Impl::mode_at(float snr_db) const {
    ModeIndex best = 0;
    for (std::size_t i = 1; i < phy.mode_count(); ++i) {
        const auto mode = static_cast<ModeIndex>(i);
        if (phy.required_snr_db(mode) <= snr_db && phy.payload_rate_bps(mode) > phy.payload_rate_bps(best)) {
            best = mode;
        }
    }
    return best;
}

// The fastest mode that every neighbour that is up can read; the most robust if there is none.
ModeIndex Mac::Impl::base_mode() const {
    std::optional<ModeIndex> least;
    for (const auto& [id, n] : table) {
        if (n.up) {
            const ModeIndex m = n.rate.control_mode();
            least = least ? std::min(*least, m) : m;
        }
    }
    return least.value_or(0);
}

// How long the answer of `n` may take, as far as can be told from here: it hears our report of its SNR and keeps a
// margin.
Duration Mac::Impl::answer_airtime(Instant now, const Neighbor& n, bool with_data) const {
    const auto margin = static_cast<float>(config.snr_margin_db);
    const ModeIndex careful = config.fixed_mode.value_or(mode_at(n.snr_db - margin - 3.0F));
    Duration time = phy.airtime(careful, kAnswerBytes);
    if (with_data) {
        const ModeIndex fast = config.fixed_mode.value_or(mode_at(n.snr_db - margin - 1.0F));
        const std::size_t bytes = kUnannouncedBytes + (n.has_backlog(now) ? n.backlog_bytes + n.backlog_bytes / 8 : 0);
        time = std::max(time, phy.airtime(fast, std::min(bytes, phy.max_bytes())));
    }
    return std::min(time, config.max_burst);
}

bool Mac::Impl::others_wait(Instant now, StationId except) const {
    for (const auto& [id, n] : table) {
        if (id != except && n.up && (n.sender.ready() || n.has_backlog(now))) {
            return true;
        }
    }
    return false;
}

// A long burst without invitation is asked for first where it would be likely to meet another.
bool Mac::Impl::needs_request(Instant now, const Draft& draft, const Neighbor& primary) const {
    const Duration planned =
        std::min(draft.limit, phy.airtime(draft.mode, std::min(primary.sender.backlog_bytes(), phy.max_bytes())));
    if (planned <= kLongBurst) {
        return false;
    }
    if (hidden_beyond(now, primary)) {
        return true;
    }
    for (const auto& [id, n] : table) {
        const bool about = now - n.heard_at < kMissedHellos * config.hello_interval;
        if (id != primary.id && (n.has_backlog(now) || (contention.contended() && about))) {
            return true;
        }
    }
    return false;
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
    if (wait || !has_work(now)) {
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

Neighbor* Mac::Impl::choose_primary() {
    Neighbor* best = nullptr;
    for (auto& [id, n] : table) {
        if (!wants_to_send(n)) {
            continue;
        }
        if (best == nullptr || n.sender.urgency() < best->sender.urgency() ||
            (n.sender.urgency() == best->sender.urgency() && n.primary_at < best->primary_at)) {
            best = &n;
        }
    }
    return best;
}

void Mac::Impl::choose_mode(Instant now, Draft& draft, Neighbor* primary, Neighbor* inviter) {
    ModeIndex mode = static_cast<ModeIndex>(phy.mode_count() - 1);
    if (primary != nullptr) {
        mode = primary->rate.data_mode();
    } else {
        // Short and for the ears of all: acknowledgements, invitations, hellos.
        mode = base_mode();
        for (const auto& [id, n] : table) {
            if (n.ack_due) {
                mode = std::min(mode, n.rate.control_mode());
            }
        }
    }
    if (inviter != nullptr) {
        // A long burst repeats its header and costs too much to slow down for one acknowledgement; a short one can
        // afford it.
        mode = std::min(mode, primary != nullptr ? inviter->rate.data_mode() : inviter->rate.control_mode());
    }
    if (broadcast.ready() && base_mode() < mode) {
        mode = base_mode();
        draft.limit = std::min(draft.limit, kWithBroadcast);
    }
    (void)now;
    draft.mode = config.fixed_mode.value_or(mode);
}

void Mac::Impl::add_acks(Draft& draft, const Neighbor* inviter) {
    for (auto& [id, n] : table) {
        const bool heard = &n == inviter || n.rate.data_mode() >= draft.mode;
        if (!n.unicast.synchronised() || !(n.ack_due || &n == inviter) || !heard) {
            continue;
        }
        BlockAck ack;
        ack.peer = id;
        ack.burst = n.last_burst;
        ack.snr_db = n.snr_db;
        n.unicast.fill(ack);
        const std::size_t size = ack_bytes(ack.bitmap.size());
        if (size > draft.budget) {
            continue;
        }
        draft.budget -= size;
        draft.burst.acks.push_back(std::move(ack));
    }
}

void Mac::Impl::add_hello(Instant now, Draft& draft) {
    Hello hello;
    hello.number = hello_number;
    hello.interval = config.hello_interval;
    // The most recently heard first, if there are more than fit.
    std::vector<const Neighbor*> heard;
    for (const auto& [id, n] : table) {
        if (n.ranging.heard() && now - n.heard_at < kMissedHellos * config.hello_interval) {
            heard.push_back(&n);
        }
    }
    std::stable_sort(heard.begin(), heard.end(),
                     [](const Neighbor* a, const Neighbor* b) { return a->heard_at > b->heard_at; });
    const std::size_t space =
        draft.budget > hello_bytes(0) ? (draft.budget - hello_bytes(0)) / (hello_bytes(1) - hello_bytes(0)) : 0;
    if (draft.budget < hello_bytes(0)) {
        return;
    }
    const std::size_t count = std::min({heard.size(), kMaxHeard, space});
    hello.truncated = count < heard.size();
    for (std::size_t i = 0; i < count; ++i) {
        const Neighbor& n = *heard[i];
        hello.heard.push_back({n.id, n.snr_db, n.ranging.last_number(), n.ranging.last_received().time_since_epoch()});
    }
    draft.budget -= hello_bytes(count);
    draft.burst.hello = std::move(hello);
}

void Mac::Impl::add_data(Instant now, Draft& draft, Neighbor* primary) {
    auto& targets = draft.burst.header.targets;
    auto& fragments = draft.burst.fragments;
    const std::size_t piece = fragment_bytes(draft.mode);
    const std::uint8_t number = draft.burst.header.burst;
    const auto add = [&](StationId peer, ArqSender& sender, std::size_t budget) {
        if (targets.size() == kMaxTargets || budget > draft.budget || draft.budget < 200) {
            return false;
        }
        const std::size_t used =
            sender.take(now, budget, piece, static_cast<std::uint8_t>(targets.size()), number, draft.mode, fragments);
        if (used > 0) {
            targets.push_back({peer, sender.session(), sender.floor()});
            draft.budget -= used;
        }
        return used > 0;
    };
    if (broadcast.ready()) {
        add(kBroadcast, broadcast, draft.budget);
    }
    if (primary == nullptr) {
        return;
    }
    // What is little for others rides along, to at most half of the burst.
    std::size_t shared = draft.budget / 2;
    for (auto& [id, n] : table) {
        if (&n == primary || !n.up || n.ask > 0 || !n.sender.ready() || n.rate.data_mode() < draft.mode ||
            targets.size() + 1 >= kMaxTargets) {
            continue;
        }
        const std::size_t before = draft.budget;
        add(id, n.sender, std::min(shared, draft.budget / 4));
        shared -= before - draft.budget;
        if (shared < 300) {
            break;
        }
    }
    if (add(primary->id, primary->sender, draft.budget)) {
        primary->primary_at = now;
        draft.data = true;
    }
}

// Who answers. The main receiver of data always; else whoever has waited longest of those that owe an acknowledgement,
// have told of a backlog, or asked to have the channel back.
Neighbor* Mac::Impl::choose_grantee(Instant now, const Draft& draft, Neighbor* primary,
                                    const std::optional<Invitation>& by) {
    if (draft.data) {
        return primary;
    }
    if (by && by->chain_left == 0) {
        return nullptr;
    }
    Neighbor* longest = nullptr;
    for (auto& [id, n] : table) {
        const bool asked = by && by->from == id && by->wants_floor;
        if (n.up && (n.sender.in_flight() || n.has_backlog(now) || asked) &&
            (longest == nullptr || n.served_at < longest->served_at)) {
            longest = &n;
        }
    }
    return longest;
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
    if (by && by->from != 0) {
        draft.limit = std::min(draft.limit, by->limit);
    }
    if (robust_alone) {
        draft.mode = config.fixed_mode.value_or(0);
        draft.robust_hello = true;
        draft.limit = std::min(draft.limit, std::max(kWithBroadcast, phy.airtime(draft.mode, kRequestBytes)));
    } else {
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
    if (!foreign && !robust_alone) {
        grantee = asking ? primary : choose_grantee(now, draft, primary, by);
        if (by && by->retake && grantee == nullptr) {
            return std::nullopt;
        }
    }
    const bool empty = draft.burst.acks.empty() && !draft.burst.hello && draft.burst.fragments.empty();
    if (empty && grantee == nullptr && inviter == nullptr) {
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
