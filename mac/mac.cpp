// SPDX-License-Identifier: MIT
#include "mac/mac.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr Duration kLeastTurn = 60ms;  // that the queue holds twice, in superframes

void check(bool good, const std::string& what) {
    if (!good) {
        throw std::invalid_argument("mac: " + what);
    }
}

const Mac::Config& checked(const Mac::Config& c, const PhyModel& phy) {
    check(c.self != 0 && c.self != kBroadcast, "self must be neither 0 nor the broadcast id");
    check(phy.mode_count() >= 1 && phy.mode_count() <= 256, "phy must have 1..256 modes");
    check(phy.max_bytes() >= 1'500, "phy must carry 1500 bytes in a frame");
    check(c.turnaround >= Duration::zero() && c.turnaround <= RadioTiming::kMostTurnaround,
          "turnaround must be 0..200 ms");
    check(c.transmit_lead >= Duration::zero() && c.transmit_lead <= RadioTiming::kMostLead,
          "transmit_lead must be 0..300 ms");
    check(c.max_propagation >= Duration::zero() && c.max_propagation <= 150ms, "max_propagation must be 0..150 ms");
    check(c.hello_interval >= 50ms && c.hello_interval <= 4s, "hello_interval must be 50 ms..4 s");
    check(c.max_burst <= 800ms, "max_burst must be at most 800 ms");
    check(c.max_burst >= phy.airtime(0, kSmallestBurstBytes),
          "max_burst must hold " + std::to_string(kSmallestBurstBytes) + " bytes in the most robust mode");
    check(c.queue_bytes >= kMaxSduBytes && c.queue_bytes <= 64U * 1'024 * 1'024, "queue_bytes must be 8192..67108864");
    check(std::isfinite(c.snr_margin_db) && c.snr_margin_db >= -10.0 && c.snr_margin_db <= 30.0,
          "snr_margin_db must be -10..30");
    check(std::isfinite(c.duty_cycle) && c.duty_cycle > 0.0 && c.duty_cycle <= 1.0, "duty_cycle must be in (0, 1]");
    check(DutyCycle(c.duty_cycle).depth() >= phy.airtime(0, kSmallestBurstBytes),
          "duty_cycle is too small for one hello of the most robust mode");
    check(!c.fixed_mode || *c.fixed_mode < phy.mode_count(), "fixed_mode is not a mode of the phy");
    return c;
}

}  // namespace

Contention::Config Mac::Impl::contention_config() const {
    Contention::Config out;
    // A quarter of the preamble and header is taken for being sensed.
    const Duration sensed = phy.airtime(static_cast<ModeIndex>(phy.mode_count() - 1), 1) / 4;
    out.slot = 2 * config.max_propagation + host.gap() + sensed;
    out.idle_before = host.turnaround() + config.max_propagation;
    out.unread_wait = 2 * config.max_propagation + host.gap();
    return out;
}

// Receivers that are not granted the answer acknowledge in a later burst: a few bursts of the others, never less than a
// round trip.
Duration Mac::Impl::resend_after() const {
    return 4 * burst_limit() + 4 * (host.gap() + config.max_propagation);
}

// What two turns of the longest kind hold at the present rate, and a quarter more: one waits while the other is not yet
// acknowledged. A queue of less would leave turns short, one of more only adds delay.
std::size_t Mac::Impl::turn_bytes(const Neighbor& n) const {
    // In superframes a turn is a slot.
    Duration turn = burst_limit();
    if (reserve && reserve->given > Duration::zero()) {
        turn = std::max(reserve->given, kLeastTurn);
    }
    const double bytes = to_seconds(turn) * phy.payload_rate_bps(n.rate.data_mode()) / 8.0;
    return static_cast<std::size_t>(2.25 * bytes);
}

// A radio slow to switch pays for it at each turn: longer bursts keep that share small.
Duration Mac::Impl::burst_limit() const {
    constexpr int kTurns = 8;
    constexpr Duration kLongest = 800ms;
    return std::max(config.max_burst, std::min(kTurns * (host.jitter() + host.recovery()), kLongest));
}

Mac::Impl::Impl(const Config& c, const PhyModel& p, RandomSource& r)
    : config(checked(c, p)),
      phy(p),
      random(r),
      host(RadioTiming{c.turnaround, c.transmit_lead, {}, {}, {}}),
      contention(contention_config(), r),
      duty(c.duty_cycle),
      broadcast(static_cast<std::uint16_t>(r.next_u64()), resend_after()),
      epoch(broadcast.session()) {}

// Something may have changed: see that the contention runs exactly when there is something to send without a grant.
void Mac::Impl::refresh(Instant now) {
    if (started && now > refreshed_at) {
        Duration& spent = regime == Regime::kReserve  ? counters.time_reserve
                          : regime == Regime::kPaired ? counters.time_paired
                                                      : counters.time_invite;
        spent += now - refreshed_at;
    }
    refreshed_at = std::max(refreshed_at, now);
    if (!started) {
        started = true;
        hello_at = now + Duration{static_cast<std::int64_t>(
                             random.below(static_cast<std::uint64_t>(config.hello_interval.count())))} /
                             2;
        robust_hello_at = hello_at;
        expire_at = now + config.hello_interval;
    }
    consider_leading(now);
    if (!pending.empty() || txop || wait) {
        return;
    }
    if (may_contend(now) && (lead_wanted || has_work(now))) {
        std::size_t others = 0;
        for (const auto& [id, n] : table) {
            others += n.has_backlog(now) ? 1U : 0U;
        }
        contention.expect(others + 1);
        if (!contention.wanted()) {
            contention.request(now, lead_wanted ? 2 * lead_rank : extra_slots(now));
        }
    } else {
        contention.cancel();
    }
}

std::size_t Mac::Impl::held_bytes() const {
    std::size_t sum = broadcast.held_bytes();
    for (const auto& [id, n] : table) {
        sum += n.sender.held_bytes();
    }
    return sum;
}

std::size_t Mac::Impl::room(StationId peer, std::size_t limit) const {
    const ArqSender* queue = &broadcast;
    if (peer == kBroadcast && config.authenticated) {
        return room_to_all();
    }
    if (peer != kBroadcast) {
        const Neighbor* n = table.find(peer);
        if (n == nullptr || !n->up) {
            return 0;
        }
        queue = &n->sender;
        limit = std::max(limit, turn_bytes(*n));
    }
    const std::size_t own = queue->held_bytes();
    const std::size_t all = held_bytes();
    const std::size_t own_room = own < limit ? limit - own : 0;
    const std::size_t all_room = all < 4 * limit ? 4 * limit - all : 0;
    return std::min(own_room, all_room);
}

bool Mac::Impl::enqueue(Instant now, Sdu sdu) {
    if (config.authenticated && (sdu.open || sdu.peer == kBroadcast)) {
        return enqueue_open(now, std::move(sdu));
    }
    const std::size_t size = sdu.bytes.size();
    // Control finds room where bulk has filled the queue.
    const std::size_t extra = sdu.priority == Priority::kControl ? config.queue_bytes / 8 : 0;
    const std::size_t free = room(sdu.peer, config.queue_bytes + extra);
    const bool known = sdu.peer == kBroadcast || (table.find(sdu.peer) != nullptr && table.find(sdu.peer)->up);
    if (!known || size == 0 || size > kMaxSduBytes || size > free || sdu.priority > Priority::kBulk) {
        ++counters.sdus_refused;
        return false;
    }
    if (sdu.peer == kBroadcast) {
        broadcast.push(now, std::move(sdu));
    } else {
        Neighbor& n = *table.find(sdu.peer);
        ++n.sdus_sent;
        n.sender.push(now, std::move(sdu));
    }
    refresh(now);
    return true;
}

void Mac::Impl::on_timeout(Instant now) {
    while (!pending.empty() && now > pending.front().end + 500ms) {
        // The radio never reported it: as good as not sent.
        on_transmitted(now, pending.front().id, TxOutcome::kLate);
    }
    if (wait && pending.empty()) {
        if (contention.carrier_busy() && contention.busy_since() > wait->deadline - 1s) {
            wait->carrier_seen = true;
        }
        const bool busy = contention.carrier_busy() && now < wait->hard_deadline;
        if (now >= wait->deadline && !busy) {
            on_no_answer(now);
        }
    }
    if (txop && now > txop->decide_at + host.gap() + 5ms) {
        txop.reset();  // nobody polled in time
    }
    for (auto& [id, n] : table) {
        n.sender.on_timeout(now);
        collect_done(n);
    }
    expire_opens(now);
    settle_watches(now, 0);
    on_reserve_timeout(now);
    if (started && now >= expire_at) {
        expire_at = now + config.hello_interval / 2;
        expire_links(now);
    }
    refresh(now);
}

std::optional<Instant> Mac::Impl::next_timeout() const {
    if (!started) {
        return Instant{};
    }
    Instant first = expire_at;
    const auto earlier = [&](Instant t) { first = std::min(first, t); };
    if (!pending.empty()) {
        earlier(pending.front().end + 501ms);
        if (pending.back().continues > Duration::zero()) {
            earlier(continue_at());
        }
        return first;
    }
    if (const auto slot = reserve_wake()) {
        earlier(*slot);
    }
    if (txop) {
        earlier(txop->decide_at);
    } else if (gated(refreshed_at)) {
        // Slots only.
    } else if (wait) {
        earlier(contention.carrier_busy() ? std::max(wait->hard_deadline, wait->deadline) : wait->deadline);
    } else {
        if (contention.wanted()) {
            // Whatever is due waits for this.
            if (const auto ready = contention.ready_at()) {
                earlier(std::max(*ready, duty_at));
            }
        } else if (may_contend(refreshed_at)) {
            earlier(hello_at);
            if (const auto open = open_at(refreshed_at)) {
                earlier(*open);
            }
            for (const auto& [id, n] : table) {
                if (n.ack_due) {
                    earlier(n.ack_at);
                }
            }
        }
    }
    for (const auto& [id, n] : table) {
        if (const auto t = n.sender.next_timeout()) {
            earlier(*t);
        }
    }
    return first;
}

Mac::Mac(const Config& config, const PhyModel& phy, RandomSource& random)
    : impl_(std::make_unique<Impl>(config, phy, random)) {}
Mac::~Mac() = default;

void Mac::on_frame(Instant now, const RxFrame& frame) {
    impl_->on_frame(now, frame);
    impl_->refresh(now);
}

void Mac::on_carrier(Instant now, bool busy) {
    if (!busy) {
        impl_->carrier_time = impl_->busy_time(now);
    }
    impl_->contention.on_carrier(now, busy);
    if (impl_->wait && impl_->pending.empty()) {
        impl_->wait->carrier_seen = true;
        if (!busy) {
            // What was sensed may have been the answer: time to decode it.
            impl_->wait->deadline = std::max(impl_->wait->deadline,
                                             now + impl_->host.turnaround() + impl_->config.max_propagation + kMargin);
        }
    }
    impl_->refresh(now);
}

void Mac::on_transmitted(Instant now, std::uint64_t id, TxOutcome outcome) {
    impl_->on_transmitted(now, id, outcome);
    impl_->refresh(now);
}

void Mac::on_timeout(Instant now) {
    impl_->on_timeout(now);
}

void Mac::set_link_keys(Instant now, StationId peer, const LinkKeys& keys, bool in_use) {
    impl_->set_link_keys(now, peer, keys, in_use);
    impl_->refresh(now);
}

void Mac::forget_link_keys(Instant now, StationId peer) {
    impl_->forget_link_keys(now, peer);
    impl_->refresh(now);
}

void Mac::set_radio_timing(Instant now, const RadioTiming& timing) {
    impl_->host.set_radio(timing);
    impl_->contention.reconfigure(now, impl_->contention_config());
}

bool Mac::enqueue(Instant now, Sdu sdu) {
    return impl_->enqueue(now, std::move(sdu));
}

bool Mac::submit(Instant now, StationId peer, TrafficClass traffic, Bytes bytes, std::uint32_t flow,
                 std::uint64_t tag) {
    Sdu sdu;
    sdu.peer = peer;
    sdu.priority = traffic;
    sdu.tag = tag;
    sdu.bytes = std::move(bytes);
    sdu.flow = flow;
    return enqueue(now, std::move(sdu));
}

std::size_t Mac::room(StationId peer) const {
    return impl_->room(peer, impl_->config.queue_bytes);
}

std::optional<TxRequest> Mac::poll_transmit(Instant now) {
    impl_->refresh(now);
    auto request = impl_->poll_transmit(now);
    impl_->refresh(now);
    return request;
}

std::optional<Event> Mac::poll_event() {
    if (impl_->events.empty()) {
        return std::nullopt;
    }
    Event e = std::move(impl_->events.front());
    impl_->events.pop_front();
    return e;
}

std::optional<Instant> Mac::next_timeout() const {
    return impl_->next_timeout();
}

std::vector<NeighborView> Mac::neighbors(Instant now) const {
    std::vector<NeighborView> out;
    for (const auto& [id, n] : impl_->table) {
        NeighborView v;
        v.quality = impl_->quality(now, n);
        v.up = n.up;
        v.heard_ago = now - n.heard_at;
        v.queued_bytes = n.sender.held_bytes();
        v.sdus_sent = n.sdus_sent;
        v.sdus_acknowledged = n.sdus_acknowledged;
        v.sdus_failed = n.sdus_failed;
        v.sdus_received = n.sdus_received;
        v.duplicates = n.unicast.duplicates();
        v.retransmissions = n.sender.retransmissions();
        v.doppler = n.doppler.at(now);
        out.push_back(v);
    }
    return out;
}

std::vector<DopplerEstimate> Mac::doppler(Instant now) const {
    std::vector<DopplerEstimate> out;
    for (const auto& [id, n] : impl_->table) {
        if (const auto estimate = n.doppler.at(now)) {
            out.push_back(*estimate);
        }
    }
    return out;
}

StationId Mac::self() const noexcept {
    return impl_->config.self;
}

Regime Mac::regime() const {
    return impl_->regime;
}

const MacCounters& Mac::counters() const {
    return impl_->counters;
}

}  // namespace meshnet::mac
