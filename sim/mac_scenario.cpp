// SPDX-License-Identifier: MIT
#include "sim/mac_scenario.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>

#include "core/random.hpp"
#include "mac/mac.hpp"
#include "phy/profile.hpp"
#include "sim/mac_air_use.hpp"
#include "sim/mac_checks.hpp"
#include "sim/mac_flows.hpp"
#include "sim/mac_geometry.hpp"
#include "sim/node_time.hpp"
#include "sim/run_hash.hpp"
#include "sim/table_medium.hpp"

namespace meshnet::sim {
namespace {

using Medium = TableMedium;

constexpr Duration kMoveEvery = 20ms;
constexpr Duration kCheckEvery = 1s;
constexpr std::size_t kWatched = 1'000;  // bursts that may still be under way
constexpr Duration kOutcomesIn = 2s;     // after its start every burst has been received
constexpr mac::StationId kFirstId = 0x1000;
constexpr mac::ModeIndex kFirstMode = 2;  // as stations are configured: radio.longest_preamble is medium

Duration from_ms(double ms) {
    return from_seconds(ms * 1e-3);
}

void check(bool good, const std::string& what) {
    if (!good) {
        throw std::invalid_argument(what);
    }
}

bool within(double v, double low, double high) {
    return std::isfinite(v) && v >= low && v <= high;
}

void check_scenario(const MacScenario& s) {
    check(s.chain > 0 || (s.stations >= 2 && s.stations <= 64), "stations must be 2..64");
    check(s.chain <= 20, "chain must be 1..20 hops");
    check(within(s.distance_km, 1e-3, 60'000), "distance-km must be 0.001..60000");
    check(within(s.turnaround_ms, 0, 200), "turnaround-ms must be 0..200");
    check(within(s.lead_ms, 0, 300), "lead-ms must be 0..300");
    check(within(s.rate_mbps, 0.05, 1e3), "rate-mbps must be 0.05..1000");
    check(within(s.seconds, 1, 36'000), "seconds must be 1..36000");
    check(within(s.warmup_s, 1, 600), "warmup must be 1..600 s");
    check(s.class_b <= (s.chain > 0 ? s.chain + 1 : s.stations), "class-b must be at most the number of stations");
    check(within(s.switch_ms, 1, 300), "switch-ms must be 1..300");
    check(within(s.loss, 0, 0.95), "loss must be 0..0.95");
    check(within(s.late, 0, 0.95), "late must be 0..0.95");
    check(s.orbit == MacScenario::Orbit::kNone || s.chain == 0, "orbit and chain exclude each other");
    check(s.payload >= 32 && s.payload <= mac::kMaxSduBytes, "payload must be 32..8192 bytes");
    check(within(s.snr_db, -10, 60), "snr-db must be -10..60");
    check(within(s.max_burst_ms, 5, 800), "max-burst-ms must be 5..800");
    check(within(s.clock_error_ppm, 0, 100), "clock-ppm must be 0..100");
    check(s.bulk <= 1'000 && s.voice <= 1'000 && s.tcp <= 1'000, "there are at most 1000 flows of a kind");
    check(within(s.load, 0, 100), "load must be 0..100");
    check(within(s.carrier_late_ms, 0, 100), "carrier-late-ms must be 0..100");
}

/// The modes that stations use: from what their preambles allow up to the rate.
TablePhy phy_of(const MacScenario& s) {
    const phy::Profile& profile = *phy::find_profile("1M");
    const TablePhy all(profile, 0.5, kFirstMode, SIZE_MAX);
    std::size_t modes = 0;
    for (std::size_t m = 0; m < all.mode_count(); ++m) {
        if (all.payload_rate_bps(static_cast<mac::ModeIndex>(m)) <= s.rate_mbps * 1.001e6) {
            modes = m + 1;
        }
    }
    check(modes > 0, "rate-mbps is below the slowest mode's");
    return {profile, 0.5, kFirstMode, modes};
}

enum class Kind : std::uint8_t { kWake, kBusy, kIdle, kArrived, kHeard, kSent, kLate, kFlow, kMove, kCheck };

struct Event {
    Instant at{};
    std::uint64_t sequence = 0;  // first in, first out among equals
    Kind kind{};
    std::size_t station = 0;  // kFlow: the flow
    std::uint64_t number = 0;
    std::shared_ptr<Medium::Arrival> arrival{};
    std::shared_ptr<Medium::Reception> reception{};
};
struct Later {
    bool operator()(const Event& a, const Event& b) const {
        return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
    }
};

struct Station {
    Station(NodeTime t, std::uint64_t seed) : time(t), random(seed) {}
    NodeTime time;
    Rng random;
    mac::RadioTiming timing;  // zeros for class A
    std::unique_ptr<mac::Mac> mac;
    std::optional<Instant> wake;
    int sensed = 0;
    bool room_changed = true;
    Duration shift{};       // class B: how late the present turn began
    Instant planned_end{};  // class B: of the last burst, without shift
    mac::MacCounters before{};
};

class MacWorld {
public:
    explicit MacWorld(const MacScenario& s);
    MacReport run();

private:
    void schedule(Event event);
    void add_stations();
    [[nodiscard]] mac::Mac::Config config_of(std::size_t station) const;
    void pump(std::size_t station);
    bool take_events(std::size_t station);
    void transmit(std::size_t station, mac::TxRequest&& request);
    void put_on_air(std::size_t station, Instant decided, Instant start, mac::TxRequest&& request);
    void handle(Event& event);
    void handle_at_station(Event& event);
    void on_arrived(Event& event);
    void on_heard(Event& event);
    void connect_all();
    void check_now();
    void begin_measuring();
    void report(MacReport& out) const;
    void report_stations(MacReport& out) const;

    MacScenario scenario_;
    Rng random_;
    MacGeometry geometry_;
    Medium medium_;
    MacFlows flows_;
    MacAirUse air_;
    MacChecks checks_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::vector<Event> queue_;  // a heap
    Instant now_{};
    std::uint64_t sequence_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t bursts_ = 0;
    std::vector<std::size_t> submitted_;  // stations whose MAC was given packets by the present event
    RunHash hash_;
    bool measuring_ = false;
    std::uint64_t link_ups_ = 0, link_downs_ = 0;
    std::vector<double> ranging_us_;
    struct Watched {
        std::vector<mac::StationId> receivers;
        mac::StationId grantee = 0;
    };
    std::deque<Watched> watched_;  // the last bursts, by their number
    std::uint64_t first_watched_ = 1;
};

std::size_t count_of(const MacScenario& s) {
    return s.chain > 0 ? s.chain + 1 : s.stations;
}

MacWorld::MacWorld(const MacScenario& s)
    : scenario_(s),
      random_(s.seed),
      geometry_(s),
      medium_(phy_of(s), std::max(from_ms(s.lead_ms) - 10us, Duration::zero()), s.loss, random_),
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

void MacWorld::schedule(Event event) {
    event.sequence = sequence_++;
    queue_.push_back(std::move(event));
    std::push_heap(queue_.begin(), queue_.end(), Later{});
}

// ---- what a station wants ----

void MacWorld::pump(std::size_t n) {
    Station& st = *stations_[n];
    const Instant local = st.time.local(now_);
    for (bool more = true; more;) {
        more = false;
        while (auto request = st.mac->poll_transmit(local)) {
            transmit(n, std::move(*request));
            more = true;
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
            link_downs_ += down && measuring_ ? 1U : 0U;
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
    for (auto& arrival : out->arrivals) {
        Event e;
        e.station = arrival->radio;
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
    auto got = medium_.receive(now_, arrival, true);
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

MacReport MacWorld::run() {
    for (const Kind kind : {Kind::kMove, Kind::kCheck}) {
        Event e;
        e.at = now_ + (kind == Kind::kMove ? kMoveEvery : kCheckEvery);
        e.kind = kind;
        if (kind == Kind::kCheck || geometry_.changes()) {
            schedule(std::move(e));
        }
    }
    for (std::size_t n = 0; n < stations_.size(); ++n) {
        pump(n);
    }
    const Instant traffic = Instant{} + from_seconds(scenario_.warmup_s / 2.0);
    const Instant measured = Instant{} + from_seconds(scenario_.warmup_s);
    const Instant end = measured + from_seconds(scenario_.seconds);
    for (const Instant until : {traffic, measured, end}) {
        while (!queue_.empty() && queue_.front().at <= until) {
            std::pop_heap(queue_.begin(), queue_.end(), Later{});
            Event event = std::move(queue_.back());
            queue_.pop_back();
            now_ = std::max(now_, event.at);
            handle(event);
        }
        now_ = until;
        if (until == traffic) {
            flows_.start(now_);
            for (std::size_t n = 0; n < stations_.size(); ++n) {
                stations_[n]->room_changed = true;
                pump(n);
            }
        } else if (until == measured) {
            begin_measuring();
        }
    }
    MacReport out;
    report(out);
    return out;
}

void MacWorld::report(MacReport& out) const {
    const TablePhy& phy = medium_.phy();
    out.rate_bps = phy.payload_rate_bps(static_cast<mac::ModeIndex>(phy.mode_count() - 1));
    flows_.report(now_, out);
    MacAirUse air = air_;
    air.settle(now_);
    out.air = air.shares(now_);
    out.ranging_us = percentiles_of(ranging_us_);
    out.link_ups = link_ups_;
    out.link_downs = link_downs_;
    report_stations(out);
    out.events = events_;
    out.hash = hash_.value();
    out.violations = checks_.violations();
    out.examples = checks_.examples();
}

void MacWorld::report_stations(MacReport& out) const {
    Duration invite{};
    Duration reserve{};
    Duration paired{};
    Duration on_air{};
    for (const auto& st : stations_) {
        const mac::MacCounters& c = st->mac->counters();
        const mac::MacCounters& b = st->before;
        invite += c.time_invite - b.time_invite;
        reserve += c.time_reserve - b.time_reserve;
        paired += c.time_paired - b.time_paired;
        on_air += c.airtime_used - b.airtime_used;
        out.bursts += c.frames_sent - b.frames_sent;
        out.empty_bursts += c.frames_empty - b.frames_empty;
        out.late_bursts += c.frames_late - b.frames_late;
        out.grants += c.grants - b.grants;
    }
    const double all = std::max(1e-9, to_seconds(invite + reserve + paired));
    out.regimes = {{"invite", to_seconds(invite) / all},
                   {"reserve", to_seconds(reserve) / all},
                   {"paired", to_seconds(paired) / all}};
    out.mean_burst_ms = out.bursts > 0 ? to_seconds(on_air) * 1e3 / static_cast<double>(out.bursts) : 0.0;
}

}  // namespace

MacReport run_mac_scenario(const MacScenario& scenario) {
    check_scenario(scenario);
    return MacWorld(scenario).run();
}

}  // namespace meshnet::sim
