// SPDX-License-Identifier: MIT
// An hour of randomised configuration and traffic for each row of the table: no sample outside band, power or duty.
//
// What passed is judged again by a checker that shares nothing with the guard: a filter in the time domain for what is
// outside the band, plain loops for power, and a walk over all samples of an hour for the duty cycle.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "tests/station/guard_signals.hpp"

namespace meshnet::station {
namespace {

using namespace test;

/// Share of a burst's energy that a filter for [low, high] (cycles per sample) does not pass. Blackman-windowed sinc:
/// 74 dB, and a transition of `kTransition`, which is allowed to the burst.
class BandChecker {
public:
    static constexpr int kHalf = 100;
    static constexpr double kTransition = 5.5 / (2 * kHalf + 1);

    BandChecker(double low, double high) {
        low = std::max(low - kTransition / 2, -0.5);
        high = std::min(high + kTransition / 2, 0.5);
        all_ = low <= -0.5 && high >= 0.5;
        const double middle = 0.5 * (low + high), width = high - low;
        for (int n = -kHalf; n <= kHalf; ++n) {
            const double angle = std::numbers::pi * (n + kHalf) / kHalf;
            const double window = 0.42 - 0.5 * std::cos(angle) + 0.08 * std::cos(2 * angle);
            const double sinc = n == 0 ? width : std::sin(std::numbers::pi * width * n) / (std::numbers::pi * n);
            taps_.push_back(std::polar(window * sinc, 2 * std::numbers::pi * middle * n));
        }
    }
    [[nodiscard]] double outside(const Burst& x) const {
        if (all_) {
            return 0.0;
        }
        double total = 1e-30, rest = 0.0;
        const auto size = static_cast<int>(x.size());
        for (int i = -kHalf; i < size + kHalf; ++i) {
            std::complex<double> sum{};
            for (int n = std::max(-kHalf, i - size + 1); n <= std::min(kHalf, i); ++n) {
                sum += taps_[static_cast<std::size_t>(n + kHalf)] *
                       std::complex<double>(x[static_cast<std::size_t>(i - n)]);
            }
            const auto in = i >= 0 && i < size ? std::complex<double>(x[static_cast<std::size_t>(i)]) : 0.0;
            total += std::norm(in);
            rest += std::norm(in - sum);
        }
        return rest / total;
    }

private:
    bool all_ = false;
    std::vector<std::complex<double>> taps_;
};

struct Candidate {
    Burst samples;
    double center_hz = 0.0;
    bool checked = false;
};

struct Sent {
    std::size_t candidate;
    std::int64_t first_ns;
    std::uint64_t samples;
};

Burst white(Rng& rng, std::size_t n, double rms) {
    Burst out(n);
    for (auto& s : out) {
        s = {static_cast<float>(rms * rng.normal()), static_cast<float>(rms * rng.normal())};
    }
    return out;
}

/// A burst that a modem could make, or a broken or hostile program.
Burst any_burst(Rng& rng, const char* profile) {
    static const std::array<const char*, 4> kModes{"qpsk-1/5", "qpsk-1/2", "16qam-1/2", "64qam-2/3"};
    Burst b = frame(profile, kModes[rng.below(kModes.size())], 10 + rng.below(80));
    const double cycles = rng.uniform() - 0.5;
    switch (rng.below(14)) {
        case 0:
            return shifted(b, 0.3 * cycles);
        case 1:
            return tone(1 + rng.below(3'000), cycles, rng.uniform());
        case 2:
            return white(rng, 1 + rng.below(2'000), 0.3 * rng.uniform());
        case 3:
            b[rng.below(b.size())].real(std::numeric_limits<float>::quiet_NaN());
            return b;
        case 4: {
            const Burst spur = tone(b.size(), cycles, std::pow(10.0, -1.0 - 1.5 * rng.uniform()));
            for (std::size_t i = 0; i < b.size(); ++i) {
                b[i] += spur[i];
            }
            return b;
        }
        case 5: {
            const std::size_t from = rng.below(b.size()), to = std::min(b.size(), from + rng.below(800));
            for (std::size_t i = from; i < to; ++i) {
                b[i] *= 4.0F;
            }
            return b;
        }
        case 6: {
            const Burst click = tone(std::min<std::size_t>(b.size(), 40), cycles, 1.0);
            std::copy(click.begin(), click.end(), b.begin());
            return b;
        }
        default:
            return scaled(b, static_cast<float>(std::pow(10.0, 0.9 * rng.uniform() - 0.6)));
    }
}

GuardConfig random_config(Rng& rng, const BandRule& rule, const char* profile) {
    GuardConfig c;
    c.bands = {rule.name};
    c.authority = "a test";
    c.callsign = "N0CALL";
    c.sealed_traffic_permit = "a test";
    const double rate = phy::find_profile(profile)->sample_rate_hz;
    const double room = std::max(0.0, 0.5 * (rule.width_hz() - rate));
    c.frequency_hz = 0.5 * (rule.low_hz + rule.high_hz) + (2 * rng.uniform() - 1) * std::min(room, 20e6);
    c.antenna_gain_dbi = 12.0 * rng.uniform();
    c.cable_loss_db = 3.0 * rng.uniform();
    // A frame's mean is 12 dB below full scale: around what the row allows.
    double limit = std::min(rule.max_eirp_dbm - c.antenna_gain_dbi + c.cable_loss_db, rule.max_conducted_dbm);
    if (rule.psd_bandwidth_hz > 0.0) {
        limit = std::min(limit, rule.max_psd_dbm - c.antenna_gain_dbi +
                                    10.0 * std::log10(std::max(1.0, 0.7 * rate / rule.psd_bandwidth_hz)));
    }
    c.full_scale_dbm = limit + (rule.detector == Detector::kPeak ? 2.0 : 10.0) + 4.0 * (rng.uniform() - 0.5);
    c.receive_full_scale_dbm = -20.0;
    c.clock_error_ppm = 30.0 * rng.uniform();
    c.air_time_file = "in memory";
    return c;
}

/// The checker: how many samples of what was sent are outside band, power or duty.
struct Violations {
    std::uint64_t band = 0, power = 0, duty = 0, order = 0;
};

void check_burst(const Candidate& candidate, const BandRule& rule, const GuardConfig& c, double rate,
                 std::uint64_t samples, Violations& out) {
    const Burst& x = candidate.samples;
    const BandChecker checker((rule.low_hz - candidate.center_hz) / rate, (rule.high_hz - candidate.center_hz) / rate);
    const double share = checker.outside(x);
    out.band += share <= std::pow(10.0, -3.8) ? 0 : samples;  // not a number: a violation
    const double gain = std::pow(10.0, 0.1 * (c.full_scale_dbm + c.antenna_gain_dbi - c.cable_loss_db));
    const double conducted = std::pow(10.0, 0.1 * c.full_scale_dbm);
    const auto window =
        std::min<std::size_t>(x.size(), std::max<std::size_t>(1, static_cast<std::size_t>(1e-3 * rate)));
    double worst = 0.0;
    for (std::size_t from = 0; from + window <= x.size(); from += std::max<std::size_t>(1, window / 50)) {
        double sum = 0.0;
        for (std::size_t i = from; i < from + window; ++i) {
            sum += static_cast<double>(std::norm(x[i]));
        }
        worst = std::max(worst, sum / static_cast<double>(window));
    }
    if (rule.detector == Detector::kPeak) {
        for (const auto& s : x) {
            worst = std::max(worst, static_cast<double>(std::norm(s)));
        }
    }
    const bool fine = worst * gain <= std::pow(10.0, 0.1 * rule.max_eirp_dbm) * 1.0001 &&
                      worst * conducted <= std::pow(10.0, 0.1 * rule.max_conducted_dbm) * 1.0001;
    out.power += fine ? 0 : samples;
}

/// Walks the hour: samples on the air in the hour before each burst's end.
void check_duty(const std::vector<Sent>& sent, const BandRule& rule, double rate, Violations& out) {
    constexpr double kHour = 3600e9;
    for (std::size_t last = 0; last < sent.size(); ++last) {
        const double end = static_cast<double>(sent[last].first_ns - sent[0].first_ns) +
                           static_cast<double>(sent[last].samples) * 1e9 / rate;
        if (last % 16 != 0 && last + 1 != sent.size()) {
            continue;  // every sixteenth walk is enough: the sum only grows within an hour
        }
        double on = 0.0;
        for (std::size_t i = 0; i <= last; ++i) {
            const double first = static_cast<double>(sent[i].first_ns - sent[0].first_ns);
            const double stop = first + static_cast<double>(sent[i].samples) * 1e9 / rate;
            on += std::max(0.0, stop - std::max(first, end - kHour));
        }
        out.duty += on <= rule.duty_cycle * kHour + 1.0 ? 0 : sent[last].samples;
    }
    for (std::size_t i = 1; i < sent.size(); ++i) {
        const double stop = static_cast<double>(sent[i - 1].samples) * 1e9 / rate;
        const auto gap = static_cast<double>(sent[i].first_ns - sent[i - 1].first_ns) - stop;
        out.order += gap >= static_cast<double>(rule.min_gap.count()) - 1.0 ? 0 : sent[i].samples;
    }
}

struct HourResult {
    Violations violations;
    std::uint64_t passed = 0, samples = 0, refused = 0, restarts = 0;
    double used_share = 0.0;  // of the duty cycle
};

HourResult run_hour(const BandRule& rule, Rng& rng, std::map<Refusal, std::uint64_t>& refusals) {
    static const std::array<const char*, 4> kProfiles{"250k", "500k", "1M", "2M"};
    const char* profile = kProfiles[rng.below(kProfiles.size())];
    while (phy::find_profile(profile)->sample_rate_hz < rule.min_bandwidth_hz * 1.5) {
        profile = kProfiles[rng.below(kProfiles.size())];
    }
    const double rate = phy::find_profile(profile)->sample_rate_hz;
    const GuardConfig c = random_config(rng, rule, profile);
    const auto disk = std::make_shared<MemoryStore::Disk>();
    auto guard = make_guard(c, rate, disk);
    std::vector<Candidate> candidates;
    for (int i = 0; i < 40; ++i) {
        const bool elsewhere = rng.below(4) == 0;
        candidates.push_back(
            {any_burst(rng, profile), c.frequency_hz + (elsewhere ? (rng.uniform() - 0.5) * 3 * rate : 0.0)});
    }
    HourResult out;
    std::vector<Sent> sent;
    Instant at = kStart;
    const double longest_gap = 0.15 + 0.5 * rng.uniform();
    while (at < kStart + 1h) {
        at += from_seconds(longest_gap * rng.uniform());
        if (rng.below(3'000) == 0) {  // kill -9 and a start
            at += 2s;
            guard = make_guard(c, rate, disk, at);
            ++out.restarts;
        }
        if (rng.below(8) != 0) {
            guard->on_listened(at - from_seconds(0.012 * rng.uniform()), -110.0 + 50.0 * rng.uniform());
        }
        if (const auto mark = guard->poll_identification(at)) {
            at = mark->at + from_seconds(static_cast<double>(mark->samples.size()) / rate);
            continue;
        }
        const std::size_t which = rng.below(candidates.size());
        Candidate& candidate = candidates[which];
        const auto refused = guard->judge({candidate.center_hz, rate, candidate.samples, at});
        if (refused) {
            ++refusals[refused->kind];
            ++out.refused;
            continue;
        }
        sent.push_back({which, to_ns(at), candidate.samples.size()});
        if (!candidate.checked) {
            candidate.checked = true;
            check_burst(candidate, rule, c, rate, candidate.samples.size(), out.violations);
        }
        ++out.passed;
        out.samples += candidate.samples.size();
        if (rng.below(4) != 0) {  // else the next one begins before this one has ended
            at += from_seconds(static_cast<double>(candidate.samples.size()) / rate);
        }
    }
    check_duty(sent, rule, rate, out.violations);
    out.used_share = static_cast<double>(out.samples) / rate / (3600.0 * rule.duty_cycle);
    return out;
}

TEST(GuardProperty, NoSampleOutsideBandPowerOrDutyInAnHourOfAnything) {
    Rng rng(20'261'127);
    std::vector<BandRule> rows(band_table().begin(), band_table().end());
    std::map<Refusal, std::uint64_t> refusals;
    std::uint64_t samples = 0, passed = 0, refused = 0, restarts = 0;
    double most_used = 0.0;
    for (const auto& rule : rows) {
        const HourResult hour = run_hour(rule, rng, refusals);
        EXPECT_EQ(hour.violations.band, 0U) << rule.name;
        EXPECT_EQ(hour.violations.power, 0U) << rule.name;
        EXPECT_EQ(hour.violations.duty, 0U) << rule.name;
        EXPECT_EQ(hour.violations.order, 0U) << rule.name;
        samples += hour.samples;
        passed += hour.passed;
        refused += hour.refused;
        restarts += hour.restarts;
        most_used = rule.duty_cycle < 1.0 ? std::max(most_used, hour.used_share) : most_used;
    }
    std::printf(
        "%zu hours: %llu bursts of %llu samples passed, %llu refused, %llu restarts, %.1f %% of a budget used\n",
        rows.size(), static_cast<unsigned long long>(passed), static_cast<unsigned long long>(samples),
        static_cast<unsigned long long>(refused), static_cast<unsigned long long>(restarts), 100 * most_used);
    for (const auto& [kind, count] : refusals) {
        std::printf("  %s: %llu\n", std::string(to_string(kind)).c_str(), static_cast<unsigned long long>(count));
    }
    // Neither all nor nothing passes, and every rule was met.
    EXPECT_GT(passed, 100'000U);
    EXPECT_GT(most_used, 0.9);
    for (const auto kind : {Refusal::kOutsideBand, Refusal::kOutOfOrder, Refusal::kTooLong, Refusal::kNotListened,
                            Refusal::kBusy, Refusal::kNotFinite, Refusal::kClips, Refusal::kPower, Refusal::kSpectrum,
                            Refusal::kBandwidth, Refusal::kDensity, Refusal::kAirTime}) {
        EXPECT_GT(refusals[kind], 0U) << to_string(kind);
    }
}

// The checker itself sees what it is there for.
TEST(GuardProperty, TheCheckerSeesAViolation) {
    const BandRule rule = find_band("EU 868.0-868.6").value();
    const GuardConfig c = config_868();
    Violations v;
    Candidate candidate{frame("500k", "qpsk-1/2", 50), 868.5e6};
    check_burst(candidate, rule, c, 500e3, 1, v);
    EXPECT_EQ(v.band, 1U);
    candidate = {scaled(frame("500k", "qpsk-1/2", 50), 1.6F), 868.3e6};
    check_burst(candidate, rule, c, 500e3, 1, v);
    EXPECT_EQ(v.power, 1U);
    check_duty({{0, 0, 18'000'000}, {0, 3'599'999'999'000, 1'000}}, rule, 500e3, v);
    EXPECT_EQ(v.duty, 1'000U);
}

}  // namespace
}  // namespace meshnet::station
