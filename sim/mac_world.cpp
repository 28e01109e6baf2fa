// SPDX-License-Identifier: MIT
#include "sim/mac_world.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace meshnet::sim {
namespace {

using Medium = TableMedium;

constexpr unsigned kMostRounds = 10'000;          // at one instant: a MAC that never ends is found out
constexpr std::uint64_t kMostAtOnce = 1'000'000;  // events at one instant
constexpr Duration kMoveEvery = 20ms;
constexpr Duration kCheckEvery = 1s;
constexpr std::size_t kWatched = 1'000;  // bursts that may still be under way
constexpr Duration kOutcomesIn = 2s;     // after its start every burst has been received
constexpr mac::StationId kFirstId = 0x1000;

Duration from_ms(double ms) {
    return from_seconds(ms * 1e-3);
}

std::size_t count_of(const MacScenario& s) {
    return s.chain > 0 ? s.chain + 1 : s.stations;
}

}  // namespace

MacWorld::MacWorld(const MacScenario& s, const TablePhy& phy)
    : scenario_(s),
      random_(s.seed),
      geometry_(s),
      medium_(phy, std::max(from_ms(s.lead_ms) - 10us, Duration::zero()), s.loss, random_),
      flows_(s, medium_.phy().payload_rate_bps(static_cast<mac::ModeIndex>(medium_.phy().mode_count() - 1)),
             random_.next_u64(),
             {[this](std::size_t a, std::size_t b) {
                  return stations_[a]->mac->room(kFirstId + static_cast<mac::StationId>(b));
              },
              [this](std::size_t a, std::size_t b, TrafficClass traffic, std::uint32_t flow, std::uint64_t tag,
                     Bytes& packet) {
                  Station& st = *stations_[a];
                  const auto peer = kFirstId + static_cast<mac::StationId>(b);
                  if (submitted_.empty() || submitted_.back() != a) {
                      submitted_.push_back(a);
                  }
                  if (traffic == TrafficClass::kBulk) {  // there is room: it was asked for
                      return st.mac->submit(st.time.local(now_), peer, traffic, std::move(packet), flow, tag);
                  }
                  return st.mac->submit(st.time.local(now_), peer, traffic, packet, flow, tag);
              },
              [this](Instant at, std::size_t flow) {
                  Event e;
                  e.at = at;
                  e.kind = Kind::kFlow;
                  e.station = flow;
                  schedule(std::move(e));
              },
              [this](std::string what) { checks_.violation(std::move(what)); }}),
      air_(geometry_.longest()),
      checks_(count_of(s),
              {s.duty_cycle, 2 * from_ms(s.turnaround_ms + s.lead_ms + s.carrier_late_ms) + 2 * geometry_.longest() +
                                 3 * from_ms(s.class_b > 0 ? s.switch_ms : 0) + 20ms}) {
    add_stations();
}

mac::Mac::Config MacWorld::config_of(std::size_t station) const {
    mac::Mac::Config c;
    c.self = kFirstId + static_cast<mac::StationId>(station);
    c.turnaround = from_ms(scenario_.turnaround_ms);
    c.transmit_lead = from_ms(scenario_.lead_ms);
    c.max_propagation = std::max<Duration>(1ms, geometry_.longest() + geometry_.longest() / 50);
    c.queue_bytes = scenario_.queue;
    c.max_burst = from_ms(scenario_.max_burst_ms);
    c.duty_cycle = scenario_.duty_cycle;
    c.regime = static_cast<mac::Regime>(scenario_.regime);
    return c;
}

void MacWorld::add_stations() {
    const std::size_t n = count_of(scenario_);
    for (std::size_t i = 0; i < n; ++i) {
        medium_.add_radio();
        const auto offset = static_cast<std::int64_t>(random_.below(1'000'000'000'000));
        const double ppm = (2.0 * random_.uniform() - 1.0) * scenario_.clock_error_ppm;
        stations_.push_back(std::make_unique<Station>(
            NodeTime(offset, static_cast<std::int64_t>(std::llround(ppm * 1e3))), random_.next_u64()));
        Station& st = *stations_.back();
        st.mac = std::make_unique<mac::Mac>(config_of(i), medium_.phy(), st.random);
        if (i + scenario_.class_b >= n) {
            // A third until it sends, two thirds until it receives again: as measured with slow transceivers.
            st.timing.turnaround = from_ms(scenario_.turnaround_ms);
            st.timing.lead = from_ms(scenario_.lead_ms);
            st.timing.jitter = from_ms(scenario_.switch_ms / 3.0);
            st.timing.recovery = from_ms(scenario_.switch_ms * 2.0 / 3.0);
            st.mac->set_radio_timing(st.time.local(now_), st.timing);
        }
    }
    connect_all();
}

void MacWorld::connect_all() {
    const TablePhy& phy = medium_.phy();
    const double snr_db =
        scenario_.snr_db + static_cast<double>(phy.required_snr_db(static_cast<mac::ModeIndex>(phy.mode_count() - 1)));
    for (std::size_t a = 0; a < stations_.size(); ++a) {
        for (std::size_t b = a + 1; b < stations_.size(); ++b) {
            if (const auto path = geometry_.path(a, b, now_); path.heard) {
                medium_.connect(a, b, snr_db, path.delay, path.cfo_hz);
            }
        }
    }
}

void MacWorld::begin() {
    for (const Kind kind : {Kind::kMove, Kind::kCheck, Kind::kKill}) {
        Event e;
        e.at = now_ + (kind == Kind::kMove ? kMoveEvery : kCheckEvery);
        e.kind = kind;
        if (kind == Kind::kKill) {
            e.at = now_ + from_seconds(scenario_.warmup_s + scenario_.kill_s);
        }
        if (kind == Kind::kCheck || (kind == Kind::kMove && geometry_.changes()) ||
            (kind == Kind::kKill && scenario_.kill_s > 0.0)) {
            schedule(std::move(e));
        }
    }
    for (std::size_t n = 0; n < stations_.size(); ++n) {
        pump(n);
    }
}

void MacWorld::schedule(Event event) {
    event.sequence = sequence_++;
    queue_.push_back(std::move(event));
    std::push_heap(queue_.begin(), queue_.end(), Later{});
}

// ---- what a station wants ----

void MacWorld::pump(std::size_t n) {
    Station& st = *stations_[n];
    if (st.dead) {
        return;
    }
    const Instant local = st.time.local(now_);
    unsigned rounds = 0;
    for (bool more = true; more; ++rounds) {
        more = false;
        while (auto request = st.mac->poll_transmit(local)) {
            transmit(n, std::move(*request));
            more = true;
            if (++rounds > kMostRounds) {
                throw std::runtime_error("station " + std::to_string(n) + " transmits without end at " +
                                         std::to_string(to_seconds(now_.time_since_epoch())) + " s");
            }
        }
        more |= take_events(n);
        if (st.room_changed) {
            st.room_changed = false;
            flows_.fill(now_, n);
            more = true;
        }
    }
    if (const auto next = st.mac->next_timeout()) {
        const Instant at = std::max(now_, st.time.world(*next) + 1ns);
        if (!st.wake || at < *st.wake) {
            st.wake = at;
            Event e;
            e.at = at;
            e.kind = Kind::kWake;
            e.station = n;
            schedule(std::move(e));
        }
    }
}

bool MacWorld::take_events(std::size_t n) {
    Station& st = *stations_[n];
    bool any = false;
    while (const auto event = st.mac->poll_event()) {
        any = true;
        if (const auto* got = std::get_if<mac::Received>(&*event)) {
            hash_.add(static_cast<std::uint64_t>(to_ns(now_)));
            hash_.add(got->sdu.bytes.size());
            st.room_changed |= flows_.receive(now_, n, got->sdu.bytes).has_value();
        } else if (const auto* done = std::get_if<mac::SduDone>(&*event)) {
            flows_.on_done(n, done->tag, done->delivered);
            st.room_changed = true;
        } else {
            const bool up = std::holds_alternative<mac::LinkUp>(*event);
            const bool down = std::holds_alternative<mac::LinkDown>(*event);
            link_ups_ += up && measuring_ ? 1U : 0U;
            if (down && killed_at_ && std::get<mac::LinkDown>(*event).peer == stations_.back()->mac->self()) {
                link_death_ms_.push_back(to_seconds(now_ - *killed_at_) * 1e3);
            } else {
                link_downs_ += down && measuring_ ? 1U : 0U;
            }
            st.room_changed = true;
        }
    }
    return any;
}

void MacWorld::transmit(std::size_t n, mac::TxRequest&& request) {
    Station& st = *stations_[n];
    const Instant at = st.time.world(request.at);
    Instant start = std::max(at, now_);
    if (st.timing.jitter > Duration::zero()) {
        // The frames of a turn follow one another; the first begins as soon as the radio has switched.
        if (at > st.planned_end + 5ms || at < st.planned_end) {
            st.shift = Duration{
                static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(st.timing.jitter.count())))};
        }
        start += st.shift;
    }
    st.room_changed = true;
    if (scenario_.late > 0.0 && random_.uniform() < scenario_.late) {
        Event e;
        e.at = at;
        e.kind = Kind::kLate;
        e.station = n;
        e.number = request.id;
        return schedule(std::move(e));
    }
    put_on_air(n, now_, start, std::move(request));
}

void MacWorld::put_on_air(std::size_t n, Instant decided, Instant start, mac::TxRequest&& request) {
    Station& st = *stations_[n];
    Event sent;
    sent.station = n;
    sent.number = request.id;
    const MacAirUse::Content content = MacAirUse::content_of(request.payload);
    auto out = medium_.transmit(decided, n, start, {std::move(request.payload), request.mode});
    if (!out) {
        sent.at = std::max(now_, start);
        sent.kind = Kind::kLate;
        return schedule(std::move(sent));
    }
    const std::uint64_t number = ++bursts_;
    watched_.push_back({content.receivers, content.grantee});
    hash_.add(static_cast<std::uint64_t>(to_ns(start)));
    hash_.add(out->burst->frame.payload);
    if (st.timing.recovery > Duration::zero()) {
        st.planned_end = out->end - st.shift;
        medium_.blind(n, start - st.shift, out->end + st.timing.recovery);
    }
    checks_.on_transmit({n, decided, start, out->end,
                         st.mac->regime() != mac::Regime::kInvite && st.mac->regime() != mac::Regime::kAuto});
    air_.add(number, st.mac->self(), start, out->burst->airtime, out->burst->before_payload, content);
    sent.at = out->end;
    sent.kind = Kind::kSent;
    schedule(std::move(sent));
    const Duration latency = from_ms(scenario_.turnaround_ms);
    const Duration carrier_latency = latency + from_ms(scenario_.carrier_late_ms);
    const bool in_slot = content.data > 0 && st.mac->regime() == mac::Regime::kReserve;
    for (auto& arrival : out->arrivals) {
        Event e;
        e.station = arrival->radio;
        if (in_slot && stations_[arrival->radio]->mac->regime() == mac::Regime::kReserve) {
            checks_.on_granted_arrival(arrival->radio, n, arrival->start, arrival->end);
        }
        if (arrival->sensed) {
            e.kind = Kind::kBusy;
            e.at = arrival->start + carrier_latency;
            schedule(e);
            e.kind = Kind::kIdle;
            e.at = arrival->end + carrier_latency;
            schedule(e);
        }
        e.kind = Kind::kArrived;
        e.number = number;
        e.at = arrival->end;
        e.arrival = std::move(arrival);
        schedule(std::move(e));
    }
}

// ---- what happens ----

void MacWorld::on_arrived(Event& event) {
    Medium::Arrival& arrival = *event.arrival;
    auto got = medium_.receive(now_, arrival, !stations_[event.station]->dead);
    const mac::StationId self = stations_[event.station]->mac->self();
    const Watched& of = watched_[event.number - first_watched_];
    if (std::find(of.receivers.begin(), of.receivers.end(), self) != of.receivers.end()) {
        air_.on_outcome(event.number, static_cast<double>(arrival.intact), arrival.disturbed);
    }
    if (got) {
        Event e;
        e.at = got->end + from_ms(scenario_.turnaround_ms);
        e.kind = Kind::kHeard;
        e.station = event.station;
        e.number = of.grantee == self ? 1 : 0;
        e.reception = std::make_shared<Medium::Reception>(std::move(*got));
        schedule(std::move(e));
    }
}

void MacWorld::on_heard(Event& event) {
    Station& st = *stations_[event.station];
    const Medium::Reception& got = *event.reception;
    Duration off{};
    if (st.timing.jitter > Duration::zero()) {  // no time stamps: as late as the host got the samples
        off = Duration{static_cast<std::int64_t>(random_.below(2'000'000))};
        off = std::min(off, from_ms(scenario_.turnaround_ms));
    }
    if (event.number != 0) {
        checks_.on_granted(now_, event.station);
    }
    st.mac->on_frame(st.time.local(now_), got.frame(st.time.local(got.start + off), st.time.local(got.end + off)));
}

void MacWorld::handle_at_station(Event& event) {
    Station& st = *stations_[event.station];
    if (st.dead) {
        return;
    }
    const Instant local = st.time.local(now_);
    switch (event.kind) {
        case Kind::kBusy:
            if (st.sensed++ > 0) {
                return;
            }
            st.mac->on_carrier(local, true);
            checks_.on_carrier(now_, event.station, true);
            break;
        case Kind::kIdle:
            assert(st.sensed > 0);
            if (--st.sensed > 0) {
                return;
            }
            st.mac->on_carrier(local, false);
            checks_.on_carrier(now_, event.station, false);
            break;
        case Kind::kWake:
            if (!st.wake || *st.wake != event.at) {
                return;
            }
            st.wake.reset();
            st.mac->on_timeout(local);
            break;
        case Kind::kHeard:
            on_heard(event);
            break;
        default:
            st.mac->on_transmitted(local, event.number,
                                   event.kind == Kind::kLate ? mac::TxOutcome::kLate : mac::TxOutcome::kSent);
            break;
    }
    pump(event.station);
}

void MacWorld::handle(Event& event) {
    ++events_;
    at_once_ = event.at > last_event_ ? 0 : at_once_ + 1;
    last_event_ = now_;
    if (at_once_ > kMostAtOnce) {
        throw std::runtime_error("time does not go on after " + std::to_string(to_seconds(now_.time_since_epoch())) +
                                 " s: station " + std::to_string(event.station) + " is woken again and again");
    }
    switch (event.kind) {
        case Kind::kArrived:
            return on_arrived(event);
        case Kind::kFlow: {
            submitted_.clear();
            flows_.on_timer(now_, event.station);
            const auto touched = submitted_;
            for (const std::size_t n : touched) {
                pump(n);
            }
            return;
        }
        case Kind::kKill:
            killed_at_ = now_;
            stations_.back()->dead = true;
            return flows_.on_killed(stations_.size() - 1);
        case Kind::kMove:
            connect_all();
            event.at += kMoveEvery;
            return schedule(std::move(event));
        case Kind::kCheck:
            check_now();
            event.at += kCheckEvery;
            return schedule(std::move(event));
        default:
            return handle_at_station(event);
    }
}

void MacWorld::check_now() {
    flows_.check_starvation(now_);
    air_.settle(now_ - kOutcomesIn);
    for (; watched_.size() > kWatched; ++first_watched_) {
        watched_.pop_front();
    }
    if (!measuring_) {
        return;
    }
    for (std::size_t n = 0; n < stations_.size(); ++n) {
        const Station& st = *stations_[n];
        for (const mac::NeighborView& v : st.mac->neighbors(st.time.local(now_))) {
            const auto path = geometry_.path(n, v.quality.peer - kFirstId, now_);
            if (v.up && v.quality.propagation > Duration::zero() && path.heard) {
                ranging_us_.push_back(std::abs(to_seconds(v.quality.propagation - path.delay)) * 1e6);
            }
        }
    }
}

void MacWorld::begin_measuring() {
    measuring_ = true;
    flows_.measure(now_);
    air_.measure(now_);
    for (auto& st : stations_) {
        st->before = st->mac->counters();
    }
}

}  // namespace meshnet::sim
