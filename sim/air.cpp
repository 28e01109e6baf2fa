// SPDX-License-Identifier: MIT
#include "sim/air.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>
#include <map>
#include <stdexcept>

#include "sim/air_geometry.hpp"
#include "sim/channel/gaussian.hpp"
#include "sim/channel/impairments.hpp"
#include "sim/channel/interpolator.hpp"
#include "sim/channel/multipath.hpp"
#include "sim/channel/phasor.hpp"

namespace meshnet::sim {
namespace {

constexpr double kOccupied = 0.81;      // of the sample rate: what every profile of ours fills (docs/spec/phy.md)
constexpr double kFarBelowNoise = -40;  // dB in the whole band: not computed
constexpr std::int64_t kReach = Interpolator::kAfter;  // a burst's filtered edges reach so far beyond it
constexpr std::size_t kPad = 2 * Interpolator::kTaps;  // zeros around a stored burst

void check(bool ok, const std::string& what) {
    if (!ok) {
        throw std::invalid_argument("air: " + what);
    }
}
bool within(double v, double low, double high) {
    return v >= low && v <= high;
}  // false for NaN

/// A burst on its way along one path to one receiver. All of it is fixed when the burst is accepted.
struct Arrival {
    std::shared_ptr<const std::vector<phy::Sample>> padded;  // kPad zeros, the burst, kPad zeros
    std::uint64_t begin = 0, end = 0;                        // receiver's indexes
    double position = 0.0;                                   // of sample `begin`, in samples of the burst
    double ratio = 1.0;                                      // burst samples per receiver sample
    float gain = 0.0F;
    Phasor carrier;
};

struct OwnBurst {
    std::uint64_t id = 0, begin = 0, end = 0;
};

struct Station {
    Station(const AirStation& s, double sample_rate_hz, std::uint64_t seed)
        : clock(sample_rate_hz, s.clock_ppm),
          switch_samples(static_cast<std::uint64_t>(std::ceil(to_seconds(s.switch_time) * clock.rate_hz()))),
          noise(seed) {
        const double noise_dbm = thermal_noise_dbm(clock.rate_hz(), s.noise_figure_db);
        noise_sigma = static_cast<float>(std::pow(10.0, (noise_dbm - s.full_scale_dbm) / 20.0) / std::sqrt(2.0));
        if (s.adc_bits != 0) {
            adc.emplace(s.adc_bits, 1.0);
        }
    }
    LocalClock clock;
    std::uint64_t switch_samples;
    Gaussian noise;
    float noise_sigma;
    std::optional<Quantizer> adc;
    std::uint64_t next_index = 0;
    std::uint64_t first_index = 0;  // of `block`
    std::vector<phy::Sample> block;
    std::vector<Arrival> arrivals;
    std::deque<OwnBurst> own;        // waiting or under way, by begin
    std::deque<OwnBurst> switching;  // over, but not yet out of the switch time
    std::size_t waiting_samples = 0;
    std::deque<AirTxReport> reports;
    AirStats stats;
};

void check_station(const AirStation& s) {
    const std::string who = "station '" + s.name + "': ";
    check(!s.name.empty() && s.name.size() <= 64, "a station's name must have 1 to 64 characters");
    check(within(s.x_m, -1e9, 1e9) && within(s.y_m, -1e9, 1e9), who + "x_m and y_m must be within -1e9..1e9");
    check(within(s.height_m, 0.0, 1e9), who + "height_m must be within 0..1e9");
    check(within(s.vx_mps, -2e4, 2e4) && within(s.vy_mps, -2e4, 2e4),
          who + "vx_mps and vy_mps must be within -2e4..2e4");
    check(within(s.tx_power_dbm, -100, 100), who + "tx_power_dbm must be within -100..100");
    check(within(s.antenna_gain_dbi, -50, 80), who + "antenna_gain_dbi must be within -50..80");
    check(within(s.noise_figure_db, 0, 50), who + "noise_figure_db must be within 0..50");
    check(within(s.full_scale_dbm, -200, 50), who + "full_scale_dbm must be within -200..50");
    check(within(s.clock_ppm, -200, 200), who + "clock_ppm must be within -200..200");
    check(s.switch_time >= 0s && s.switch_time <= 1s, who + "switch_time must be within 0 s..1 s");
    check(s.adc_bits == 0 || (s.adc_bits >= 2 && s.adc_bits <= 24), who + "adc_bits must be 0 or within 2..24");
}

void check_link(const AirLink& l, const std::vector<AirStation>& stations) {
    check(l.from < stations.size() && l.to < stations.size() && l.from != l.to,
          "a link must join two different stations");
    const std::string who = "link '" + stations[l.from].name + "' to '" + stations[l.to].name + "': ";
    check(!l.distance_m || within(*l.distance_m, 0.0, 1e9), who + "distance_m must be within 0..1e9");
    check(within(l.receding_mps, -2e4, 2e4), who + "receding_mps must be within -2e4..2e4");
    check(!l.loss_db || within(*l.loss_db, 0.0, 400.0), who + "loss_db must be within 0..400");
    check(within(l.extra_loss_db, -100.0, 300.0), who + "extra_loss_db must be within -100..300");
    check(within(l.sea_reflection, 0.0, 1.0), who + "sea_reflection must be within 0..1");
    check(l.taps.size() <= 32, who + "at most 32 taps");
    for (const AirTap& tap : l.taps) {
        check(within(tap.delay_s, 0.0, 0.01), who + "a tap's delay_s must be within 0..0.01");
        check(within(tap.gain_db, -100.0, 20.0), who + "a tap's gain_db must be within -100..20");
        check(within(tap.phase_turns, -1e6, 1e6), who + "a tap's phase_turns must be within -1e6..1e6");
    }
}

}  // namespace

std::string_view to_string(AirVerdict verdict) noexcept {
    switch (verdict) {
        case AirVerdict::kAccepted:
            return "accepted";
        case AirVerdict::kLate:
            return "late";
        case AirVerdict::kOverlap:
            return "overlaps another burst of the station";
        case AirVerdict::kRefused:
            return "empty, too long, too far ahead or too much waiting";
    }
    return "unknown";
}

struct Air::Impl {
    explicit Impl(Config&& c) : config(std::move(c)) {
        check(within(config.sample_rate_hz, 1e3, 1e8), "sample_rate_hz must be within 1e3..1e8");
        check(within(config.carrier_hz, 1e6, 1e12), "carrier_hz must be within 1e6..1e12");
        check(!config.stations.empty() && config.stations.size() <= kMaxStations, "1 to 256 stations are needed");
        for (std::size_t i = 0; i < config.stations.size(); ++i) {
            const AirStation& s = config.stations[i];
            check_station(s);
            for (std::size_t k = 0; k < i; ++k) {
                check(config.stations[k].name != s.name, "two stations are called '" + s.name + "'");
            }
            stations.emplace_back(s, config.sample_rate_hz, config.seed * kMaxStations + i);
        }
        for (const AirLink& l : config.links) {
            check_link(l, config.stations);
            check(links.emplace(std::pair{l.from, l.to}, &l).second,
                  "two links from '" + config.stations[l.from].name + "' to '" + config.stations[l.to].name + "'");
        }
    }

    [[nodiscard]] const AirLink* link(std::size_t from, std::size_t to) const {
        const auto it = links.find({from, to});
        return it == links.end() ? nullptr : it->second;
    }
    [[nodiscard]] double carrier(std::size_t station) const {
        return config.carrier_hz * (1.0 + config.stations[station].clock_ppm * 1e-6);
    }
    [[nodiscard]] AirBudget budget(std::size_t from, std::size_t to, double seconds) const;
    void send(std::size_t from, std::size_t to, std::uint64_t at, std::size_t length,
              const std::shared_ptr<const std::vector<phy::Sample>>& padded);
    void arrive(std::size_t from, std::size_t to, std::uint64_t at, std::size_t length, double tap_delay_s,
                double gain_db, double turns, const Range& range,
                const std::shared_ptr<const std::vector<phy::Sample>>& padded);
    void receive(Station& station, const AirStation& about, std::uint64_t until);

    Config config;
    std::vector<Station> stations;
    std::map<std::pair<std::size_t, std::size_t>, const AirLink*> links;
    Instant now{};
};

AirBudget Air::Impl::budget(std::size_t from, std::size_t to, double seconds) const {
    const AirStation& a = config.stations[from];
    const AirStation& b = config.stations[to];
    const AirLink* const l = link(from, to);
    const Range range = range_between(a, b, l, seconds);
    AirBudget out;
    out.distance_m = range.distance_m;
    out.delay = from_seconds(range.distance_m / kSpeedOfLight);
    out.loss_db = (l != nullptr && l->loss_db ? *l->loss_db : free_space_loss_db(range.distance_m, config.carrier_hz)) +
                  (l != nullptr ? l->extra_loss_db : 0.0);
    out.received_dbm = a.tx_power_dbm + a.antenna_gain_dbi + b.antenna_gain_dbi - out.loss_db;
    out.snr_db = out.received_dbm - thermal_noise_dbm(config.sample_rate_hz * kOccupied, b.noise_figure_db);
    const double beta = range.receding_mps / kSpeedOfLight;
    out.carrier_offset_hz = carrier(from) / (1.0 + beta) - carrier(to);
    const bool given = l != nullptr && (l->distance_m || l->ignore_horizon);
    const bool in_sight = given || range.distance_m <= radio_horizon_m(a.height_m, b.height_m);
    out.heard = from != to && in_sight && (l == nullptr || !l->blocked) && out.snr_db >= kFarBelowNoise;
    return out;
}

void Air::Impl::send(std::size_t from, std::size_t to, std::uint64_t at, std::size_t length,
                     const std::shared_ptr<const std::vector<phy::Sample>>& padded) {
    const double seconds = static_cast<double>(at) / stations[from].clock.rate_hz();
    const AirBudget b = budget(from, to, seconds);
    if (!b.heard) {
        return;
    }
    const AirLink* const l = link(from, to);
    const AirStation& sender = config.stations[from];
    const AirStation& receiver = config.stations[to];
    const Range range = range_between(sender, receiver, l, seconds);
    const double gain_db =
        b.received_dbm - receiver.full_scale_dbm - 20.0 * std::log10(static_cast<double>(phy::kTransmitRms));
    arrive(from, to, at, length, 0.0, gain_db, 0.0, range, padded);
    if (l == nullptr) {
        return;
    }
    if (l->sea_reflection > 0.0) {
        const double delay = sea_reflection_delay_s(range.distance_m, sender.height_m, receiver.height_m);
        arrive(from, to, at, length, delay, gain_db + 20.0 * std::log10(l->sea_reflection), 0.5, range, padded);
    }
    for (const AirTap& tap : l->taps) {
        arrive(from, to, at, length, tap.delay_s, gain_db + tap.gain_db, tap.phase_turns, range, padded);
    }
}

// Emission at t_e is heard at t = t_e + (d + v (t_e - t_0)) / c + tap, t_0 being the start of the burst. With u = t_e
// - t_0 and w = t - t_0:  u = (w - d/c - tap) / (1 + v/c).  The burst's sample at t_e is u x sender's rate; the phase
// in turns is f_sender t_e - f_receiver t, because both oscillators ran since time 0.
void Air::Impl::arrive(std::size_t from, std::size_t to, std::uint64_t at, std::size_t length, double tap_delay_s,
                       double gain_db, double turns, const Range& range,
                       const std::shared_ptr<const std::vector<phy::Sample>>& padded) {
    const double rate_a = stations[from].clock.rate_hz();
    const double rate_b = stations[to].clock.rate_hz();
    const double stretch = 1.0 + range.receding_mps / kSpeedOfLight;
    const double delay = range.distance_m / kSpeedOfLight + tap_delay_s;
    // Whole sample counts grow without bound: differences are formed in long double (exact to 1e-8 sample after a day).
    const long double start_in_b =
        static_cast<long double>(at) * static_cast<long double>(rate_b) / static_cast<long double>(rate_a);
    const auto emitted = [&](std::uint64_t n) {  // u at the receiver's index n, seconds
        const double w = static_cast<double>(static_cast<long double>(n) - start_in_b) / rate_b;
        return (w - delay) / stretch;
    };
    Arrival arrival;
    const double reach = static_cast<double>(kReach) / rate_a;
    const long double first = start_in_b + static_cast<long double>((delay - reach * stretch) * rate_b);
    arrival.begin = first > 0.0L ? static_cast<std::uint64_t>(std::ceil(first)) : 0;
    arrival.begin = std::max(arrival.begin, stations[to].next_index);  // shortest_lead() makes this a formality
    arrival.ratio = rate_a / (rate_b * stretch);
    arrival.position = emitted(arrival.begin) * rate_a;
    const double left = static_cast<double>(length) + static_cast<double>(kReach) - arrival.position;
    arrival.end = arrival.begin + (left > 0.0 ? static_cast<std::uint64_t>(std::floor(left / arrival.ratio)) : 0U);
    arrival.gain = static_cast<float>(std::pow(10.0, gain_db / 20.0));
    arrival.padded = padded;
    const double carrier_a = carrier(from);
    const double carrier_b = carrier(to);
    const double t0 = static_cast<double>(at) / rate_a;
    const double u = emitted(arrival.begin);
    const double w = u * stretch + delay;
    const double phase = (carrier_a - carrier_b) * t0 + carrier_a * u - carrier_b * w + turns;
    const double step = (carrier_a / stretch - carrier_b) / rate_b;
    arrival.carrier = Phasor(phase, step);
    stations[to].arrivals.push_back(std::move(arrival));
}

void Air::Impl::receive(Station& s, const AirStation& about, std::uint64_t until) {
    assert(until >= s.next_index);
    const std::uint64_t from = s.next_index;
    const std::size_t count = static_cast<std::size_t>(until - from);
    s.first_index = from;
    s.block.assign(count, phy::Sample{});
    bool any = false;
    for (Arrival& a : s.arrivals) {
        const std::uint64_t begin = std::max(a.begin, from);
        const std::uint64_t end = std::min(a.end, until);
        for (std::uint64_t n = begin; n < end; ++n) {
            const double position = a.position + static_cast<double>(n - a.begin) * a.ratio;
            const double whole = std::floor(position);
            const std::ptrdiff_t at =
                static_cast<std::ptrdiff_t>(whole) + static_cast<std::ptrdiff_t>(kPad - Interpolator::kBefore);
            assert(at >= 0 && static_cast<std::size_t>(at) + Interpolator::kTaps <= a.padded->size());
            const phy::Sample x = Interpolator::at(a.padded->data() + at, static_cast<float>(position - whole));
            const phy::Sample turn = a.carrier.next();
            s.block[static_cast<std::size_t>(n - from)] +=
                a.gain * phy::Sample{x.real() * turn.real() - x.imag() * turn.imag(),
                                     x.real() * turn.imag() + x.imag() * turn.real()};
            any = true;
        }
    }
    std::erase_if(s.arrivals, [&](const Arrival& a) { return a.end <= until; });
    if (any && !about.full_duplex) {
        const auto mute = [&](const OwnBurst& own) {
            const std::uint64_t begin = std::max(own.begin - std::min(own.begin, s.switch_samples), from);
            const std::uint64_t end = std::min(own.end + s.switch_samples, until);
            for (std::uint64_t n = begin; n < end; ++n) {
                s.block[static_cast<std::size_t>(n - from)] = phy::Sample{};
            }
        };
        std::for_each(s.switching.begin(), s.switching.end(), mute);
        std::for_each(s.own.begin(), s.own.end(), mute);
    }
    s.noise.add(s.block, s.noise_sigma);
    if (s.adc) {
        s.adc->process(s.block);
        s.stats.samples_clipped = s.adc->clipped();
    }
    s.next_index = until;
    s.stats.samples += count;
    while (!s.own.empty() && s.own.front().end <= until) {
        const OwnBurst& done = s.own.front();
        s.reports.push_back({done.id, false, done.end});
        s.waiting_samples -= static_cast<std::size_t>(done.end - done.begin);
        s.switching.push_back(done);
        s.own.pop_front();
    }
    while (!s.switching.empty() && s.switching.front().end + s.switch_samples <= until) {
        s.switching.pop_front();
    }
}

Air::Air(Config config) : impl_(std::make_unique<Impl>(std::move(config))) {}
Air::~Air() = default;
Air::Air(Air&&) noexcept = default;
Air& Air::operator=(Air&&) noexcept = default;

const Air::Config& Air::config() const noexcept {
    return impl_->config;
}

std::optional<std::size_t> Air::find_station(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < impl_->config.stations.size(); ++i) {
        if (impl_->config.stations[i].name == name) {
            return i;
        }
    }
    return std::nullopt;
}

Instant Air::now() const noexcept {
    return impl_->now;
}

std::uint64_t Air::local_index(std::size_t station) const noexcept {
    assert(station < impl_->stations.size());
    return impl_->stations[station].next_index;
}

std::uint64_t Air::shortest_lead(std::size_t station) const noexcept {
    assert(station < impl_->stations.size());
    return impl_->stations[station].switch_samples + 2 * static_cast<std::uint64_t>(kReach);
}

double Air::noise_power(std::size_t station) const noexcept {
    assert(station < impl_->stations.size());
    const auto sigma = static_cast<double>(impl_->stations[station].noise_sigma);
    return 2.0 * sigma * sigma;
}

AirBudget Air::budget(std::size_t from, std::size_t to) const noexcept {
    assert(from < impl_->stations.size() && to < impl_->stations.size());
    return impl_->budget(from, to, to_seconds(impl_->now.time_since_epoch()));
}

AirVerdict Air::transmit(std::size_t station, std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) {
    assert(station < impl_->stations.size());
    Station& s = impl_->stations[station];
    const std::uint64_t farthest =
        s.next_index + static_cast<std::uint64_t>(to_seconds(kMaxAhead) * impl_->config.sample_rate_hz);
    AirVerdict verdict = AirVerdict::kAccepted;
    if (burst.empty() || burst.size() > kMaxBurstSamples || at > farthest ||
        s.waiting_samples + burst.size() > kMaxWaitingSamples) {
        verdict = AirVerdict::kRefused;
    } else if (at < s.next_index + shortest_lead(station)) {
        verdict = AirVerdict::kLate;
    } else {
        for (const OwnBurst& own : s.own) {
            if (at < own.end && own.begin < at + burst.size()) {
                verdict = AirVerdict::kOverlap;
            }
        }
    }
    if (verdict != AirVerdict::kAccepted) {
        ++(verdict == AirVerdict::kRefused ? s.stats.bursts_refused : s.stats.bursts_late);
        s.reports.push_back({id, true, at <= ~std::uint64_t{0} - burst.size() ? at + burst.size() : at});
        return verdict;
    }
    auto padded = std::make_shared<std::vector<phy::Sample>>(burst.size() + 2 * kPad);
    std::transform(burst.begin(), burst.end(), padded->begin() + kPad, [&s](const phy::Sample& x) {
        if (!std::isfinite(x.real()) || !std::isfinite(x.imag())) {
            ++s.stats.samples_not_finite;
            return phy::Sample{};
        }
        const phy::Sample limited{std::clamp(x.real(), -4.0F, 4.0F), std::clamp(x.imag(), -4.0F, 4.0F)};
        s.stats.samples_limited += limited != x ? 1U : 0U;
        return limited;
    });
    for (std::size_t to = 0; to < impl_->stations.size(); ++to) {
        if (to != station) {
            impl_->send(station, to, at, burst.size(), padded);
        }
    }
    const OwnBurst own{id, at, at + burst.size()};
    const auto place = std::upper_bound(s.own.begin(), s.own.end(), own,
                                        [](const OwnBurst& a, const OwnBurst& b) { return a.begin < b.begin; });
    s.own.insert(place, own);
    s.waiting_samples += burst.size();
    ++s.stats.bursts;
    s.stats.samples_sent += burst.size();
    return verdict;
}

void Air::advance(Duration step) {
    assert(step >= 0s && step <= 10s);
    impl_->now += step;
    for (std::size_t i = 0; i < impl_->stations.size(); ++i) {
        Station& s = impl_->stations[i];
        impl_->receive(s, impl_->config.stations[i], s.clock.count(impl_->now));
    }
}

Air::Reception Air::received(std::size_t station) const noexcept {
    assert(station < impl_->stations.size());
    const Station& s = impl_->stations[station];
    return {s.first_index, s.block};
}

std::optional<AirTxReport> Air::poll_report(std::size_t station) {
    assert(station < impl_->stations.size());
    auto& reports = impl_->stations[station].reports;
    if (reports.empty()) {
        return std::nullopt;
    }
    const AirTxReport report = reports.front();
    reports.pop_front();
    return report;
}

const AirStats& Air::stats(std::size_t station) const noexcept {
    assert(station < impl_->stations.size());
    return impl_->stations[station].stats;
}

}  // namespace meshnet::sim
