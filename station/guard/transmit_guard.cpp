// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/transmit_guard.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <utility>

namespace meshnet::station {

namespace {

// Air time is written down in pieces of this share of an hour's budget: at most so many writes an hour.
constexpr int kPiecesOfBudget = 32;
// The call sign is sent so long before it must be, and after so much silence: the end of a communication.
constexpr Duration kIdentifyBefore = 60s;
constexpr Duration kEndOfCommunication = 30s;
// A mark is handed out so long before its time at most, so that no more than one waits at the radio.
constexpr Duration kMarkAhead = 200ms;
constexpr Duration kIdentifyRetry = 5s;
// The year 2200: beyond it sums of times could overflow.
constexpr Instant kLatestInstant = instant_from_ns(7'258'118'400'000'000'000);
constexpr float kToneAmplitude = phy::kTransmitRms;
// |I| and |Q| of a converter are at most 1.
constexpr double kLargestPower = 2.0;

double to_db(double power) {
    return 10.0 * std::log10(std::max(power, 1e-30));
}

std::string decibels(double value, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f %s", value, unit);
    return text;
}

std::string seconds(Duration d) {
    char text[48];
    std::snprintf(text, sizeof text, "%.3f s", to_seconds(d));
    return text;
}

std::string megahertz(double hz) {
    char text[48];
    std::snprintf(text, sizeof text, "%.4f MHz", hz * 1e-6);
    return text;
}

/// Rounded up: no burst is shorter than it is counted.
Duration duration_of(std::size_t samples, double sample_rate_hz) {
    return Duration{static_cast<std::int64_t>(std::ceil(static_cast<double>(samples) * 1e9 / sample_rate_hz))};
}

Refused over(const char* what, double is_dbm, double limit_dbm, const BandRule& rule) {
    return {Refusal::kPower, std::string(what) + " is " + decibels(is_dbm, "dBm") + ", above the " +
                                 decibels(limit_dbm, "dBm") + " of " + rule.name + "; lower the gain by " +
                                 decibels(is_dbm - limit_dbm, "dB")};
}

}  // namespace

std::string_view to_string(Refusal kind) noexcept {
    constexpr std::string_view kNames[] = {"silent",   "inhibited",    "outside band", "sample rate",  "out of order",
                                           "too long", "not listened", "busy",         "unidentified", "not finite",
                                           "clips",    "power",        "spectrum",     "bandwidth",    "density",
                                           "air time", "memory"};
    return kNames[static_cast<std::size_t>(kind)];
}

TransmitGuard::TransmitGuard(std::string why) : why_silent_(std::move(why)) {}

TransmitGuard::TransmitGuard(GuardPlan plan, std::unique_ptr<AirTimeStore> store,
                             std::vector<std::unique_ptr<Inhibit>> inhibits, Instant now)
    : plan_(std::move(plan)), store_(std::move(store)), inhibits_(std::move(inhibits)) {
    for (const auto& rule : plan_->bands()) {
        const Duration budget = from_seconds(rule.duty_cycle * to_seconds(kDutyWindow));
        bands_.push_back({rule, AirTime(budget), {}});
        assert(rule.duty_cycle >= 1.0 || store_);
        if (rule.identify_every > Duration{}) {
            identify_every_ =
                identify_every_ == Duration{} ? rule.identify_every : std::min(identify_every_, rule.identify_every);
        }
    }
    marks_ = morse_marks(plan_->config().callsign);
    restore(now);
}

void TransmitGuard::restore(Instant now) {
    const bool limited =
        std::any_of(bands_.begin(), bands_.end(), [](const Band& b) { return b.rule.duty_cycle < 1.0; });
    if (!limited) {
        return;
    }
    const auto known = store_->load();
    if (!known) {
        notices_.push_back("air time of the last hour is not known and counts as used up: " + known.error().message);
        for (Band& band : bands_) {
            band.air_time.add(now, band.air_time.budget());
        }
        return;
    }
    for (Band& band : bands_) {
        for (const auto& row : *known) {
            if (row.band != band.rule.name) {
                continue;
            }
            for (const auto& use : row.uses) {
                band.air_time.add(std::min(use.end, now), use.on);  // after now: the clock was set back
            }
            band.air_time.add(now, row.reserved);
        }
    }
}

TransmitGuard::Band* TransmitGuard::band_at(double center_hz) noexcept {
    const auto at = std::find_if(bands_.begin(), bands_.end(), [&](const Band& b) {
        return center_hz >= b.rule.low_hz && center_hz <= b.rule.high_hz;
    });
    return at == bands_.end() ? nullptr : &*at;
}

std::optional<Refused> TransmitGuard::judge(const Emission& emission) {
    return judge_anything(emission, false);
}

std::optional<Refused> TransmitGuard::judge_anything(const Emission& emission, bool identification) {
    const auto decide = [&]() -> std::optional<Refused> {
        if (!plan_) {
            return Refused{Refusal::kSilent, why_silent_};
        }
        if (auto inhibit = find_inhibit()) {
            return inhibit;
        }
        Band* band = band_at(emission.center_hz);
        if (band == nullptr) {
            return Refused{Refusal::kOutsideBand, megahertz(emission.center_hz) +
                                                      " is in no band of this station's configuration; tune into " +
                                                      bands_.front().rule.name};
        }
        if (emission.sample_rate_hz != plan_->sample_rate_hz()) {
            return Refused{Refusal::kSampleRate, "a burst at " + megahertz(emission.sample_rate_hz) +
                                                     " of sample rate; the guard was set up for " +
                                                     megahertz(plan_->sample_rate_hz())};
        }
        const Duration on = duration_of(emission.samples.size(), emission.sample_rate_hz);
        if (auto refused = judge_moment(*band, emission, on, identification)) {
            return refused;
        }
        if (auto refused = judge_level(*band, emission)) {
            return refused;
        }
        if (auto refused = judge_spectrum(*band, emission)) {
            return refused;
        }
        const Instant end = emission.first + on;
        if (auto refused = spend(*band, emission.first, end, on)) {
            return refused;
        }
        sent_ = true;
        latest_ = end;
        gap_ = band->rule.min_gap;
        ++counters_.bursts_passed;
        counters_.samples_passed += emission.samples.size();
        counters_.air_time += on;
        if (!identification && band->rule.identify_every > Duration{}) {
            unidentified_since_ = unidentified_since_.value_or(emission.first);
            last_traffic_ = end;
        }
        return std::nullopt;
    };
    auto refused = decide();
    if (refused) {
        count(refused->kind);
    }
    return refused;
}

std::optional<Refused> TransmitGuard::find_inhibit() const {
    if (inhibited_) {
        return Refused{Refusal::kInhibited, "sending is inhibited by the operator's command"};
    }
    for (const auto& inhibit : inhibits_) {
        if (auto reason = inhibit->reason(); !reason.empty()) {
            return Refused{Refusal::kInhibited, "sending is inhibited: " + reason};
        }
    }
    return std::nullopt;
}

std::optional<Refused> TransmitGuard::judge_moment(const Band& band, const Emission& emission, Duration on,
                                                   bool identification) const {
    const BandRule& rule = band.rule;
    if (emission.first < Instant{} || emission.first > kLatestInstant) {
        return Refused{Refusal::kOutOfOrder, "the burst begins at no time of this clock"};
    }
    if (sent_ && emission.first < latest_ + gap_) {
        return Refused{Refusal::kOutOfOrder, "the burst begins before the last one has ended" +
                                                 (gap_ > Duration{} ? " and " + seconds(gap_) + " have passed" : "")};
    }
    if (rule.max_burst > Duration{} && on > rule.max_burst) {
        return Refused{Refusal::kTooLong,
                       "the burst takes " + seconds(on) + "; " + rule.name + " allows " + seconds(rule.max_burst)};
    }
    if (rule.listen) {
        const Duration age = from_seconds(plan_->config().listen_max_age_ms * 1e-3);
        if (!listened_ || *listened_ > emission.first || emission.first - *listened_ > age) {
            return Refused{Refusal::kNotListened, "the channel was not listened to in the last " + seconds(age) +
                                                      " before the burst, which " + rule.name + " asks for"};
        }
        if (!(listened_dbm_ < rule.listen_below_dbm)) {
            return Refused{Refusal::kBusy, "the channel has " + decibels(listened_dbm_, "dBm") +
                                               "; it is clear below " + decibels(rule.listen_below_dbm, "dBm")};
        }
    }
    if (!identification && rule.identify_every > Duration{}) {
        if (identifying()) {
            return Refused{Refusal::kUnidentified, "the call sign is being sent"};
        }
        if (unidentified_since_ && emission.first + on > *unidentified_since_ + rule.identify_every) {
            return Refused{Refusal::kUnidentified, "the call sign was not sent for " + seconds(rule.identify_every) +
                                                       "; it must be sent first"};
        }
    }
    return std::nullopt;
}

std::optional<Refused> TransmitGuard::judge_level(const Band& band, const Emission& emission) {
    const BandRule& rule = band.rule;
    const auto window = static_cast<std::size_t>(std::max(1.0, to_seconds(kMeanPowerWindow) * emission.sample_rate_hz));
    const LevelReading level = level_.measure(emission.samples, window);
    if (!level.finite) {
        return Refused{Refusal::kNotFinite, "a sample of the burst is not a number"};
    }
    if (level.peak > kLargestPower) {
        return Refused{Refusal::kClips, "a sample of the burst is " + decibels(to_db(level.peak), "dB") +
                                            " above full scale, which a converter clips; at most 3 dB are possible"};
    }
    const double full_scale = plan_->config().full_scale_dbm;
    const double gain = plan_->radiated_gain_db();
    const bool peak_counts = rule.detector == Detector::kPeak;
    const double conducted = full_scale + to_db(peak_counts ? level.peak : level.window_peak);
    const char* what = peak_counts ? "peak envelope power" : "mean power";
    if (conducted > rule.max_conducted_dbm) {
        return over(what, conducted, rule.max_conducted_dbm, rule);
    }
    if (conducted + gain > rule.max_eirp_dbm) {
        return over(peak_counts ? "peak e.i.r.p." : "mean e.i.r.p.", conducted + gain, rule.max_eirp_dbm, rule);
    }
    if (!peak_counts && full_scale + to_db(level.peak) + gain > rule.max_eirp_dbm + kPeakOverMeanDb) {
        return over("e.i.r.p. of a single sample", full_scale + to_db(level.peak) + gain,
                    rule.max_eirp_dbm + kPeakOverMeanDb, rule);
    }
    return std::nullopt;
}

std::optional<Refused> TransmitGuard::judge_spectrum(const Band& band, const Emission& emission) {
    const BandRule& rule = band.rule;
    const double error = plan_->config().clock_error_ppm * 1e-6 * emission.center_hz;
    SpectrumQuestion question;
    question.sample_rate_hz = emission.sample_rate_hz;
    question.low_hz = rule.low_hz - emission.center_hz + error;
    question.high_hz = rule.high_hz - emission.center_hz - error;
    question.psd_bandwidth_hz = rule.psd_bandwidth_hz;
    const SpectrumReading read = spectrum_.measure(emission.samples, question);
    if (read.occupied_low_hz < question.low_hz || read.occupied_high_hz > question.high_hz) {
        return Refused{Refusal::kSpectrum, "the burst occupies " +
                                               megahertz(emission.center_hz + read.occupied_low_hz) + " to " +
                                               megahertz(emission.center_hz + read.occupied_high_hz) +
                                               ", which is not within " + rule.name + " less the clock's error"};
    }
    if (to_db(read.outside_share) > kMaxOutsideShareDb || to_db(read.worst_block_outside) > kMaxBlockOutsideDb) {
        return Refused{Refusal::kSpectrum, "energy outside " + rule.name + " is " +
                                               decibels(to_db(read.outside_share), "dB") + " of the burst's (" +
                                               decibels(to_db(read.worst_block_outside), "dB") +
                                               " in its worst block); -40 dB (-20 dB) is allowed"};
    }
    const double width = read.occupied_high_hz - read.occupied_low_hz;
    if (width > rule.max_bandwidth_hz) {
        return Refused{Refusal::kBandwidth, "the burst is " + megahertz(width) + " wide; " + rule.name + " allows " +
                                                megahertz(rule.max_bandwidth_hz)};
    }
    if (read.six_db_bandwidth_hz < rule.min_bandwidth_hz) {
        return Refused{Refusal::kBandwidth, "the burst is " + megahertz(read.six_db_bandwidth_hz) + " wide; " +
                                                rule.name + " asks for " + megahertz(rule.min_bandwidth_hz)};
    }
    const double density = plan_->config().full_scale_dbm + plan_->radiated_gain_db() + to_db(read.psd);
    // A short burst's density is a mean of few values: four standard deviations are not held against it.
    const double allowance = to_db(1.0 + 4.0 / std::sqrt(read.psd_values));
    if (density > rule.max_psd_dbm + allowance) {
        return Refused{Refusal::kDensity, "the density is " + decibels(density, "dBm") + " in " +
                                              megahertz(rule.psd_bandwidth_hz) + "; " + rule.name + " allows " +
                                              decibels(rule.max_psd_dbm, "dBm")};
    }
    return std::nullopt;
}

std::optional<Refused> TransmitGuard::spend(Band& band, Instant first, Instant end, Duration on) {
    const bool limited = band.rule.duty_cycle < 1.0;
    const Duration left = band.air_time.left(end);
    if (on > left) {
        return Refused{Refusal::kAirTime, "the burst takes " + seconds(on) + ", and of the " +
                                              seconds(band.air_time.budget()) + " an hour that " + band.rule.name +
                                              " allows, " + seconds(std::max(left, Duration{})) + " are left"};
    }
    if (limited && on > band.reserved) {
        // Written down before it is used: whatever happens then, the next start knows.
        const Duration piece = std::max(on, std::min(left, band.air_time.budget() / kPiecesOfBudget));
        std::vector<BandAirTime> all;
        for (Band& other : bands_) {
            if (other.rule.duty_cycle < 1.0) {
                all.push_back(
                    {other.rule.name, other.air_time.summary(first), &other == &band ? piece : other.reserved});
            }
        }
        if (auto saved = store_->save(all); !saved) {
            return Refused{Refusal::kMemory, "air time cannot be written down: " + saved.error().message};
        }
        ++counters_.memory_writes;
        band.reserved = piece;
    }
    band.reserved -= limited ? on : Duration{};
    band.air_time.add(end, on);
    return std::nullopt;
}

void TransmitGuard::on_listened(Instant end, double level_dbm) noexcept {
    listened_ = end;
    listened_dbm_ = level_dbm;
}

Duration TransmitGuard::listen_for() const noexcept {
    Duration out{};
    for (const Band& band : bands_) {
        out = std::max(out, band.rule.listen ? band.rule.listen_for : Duration{});
    }
    return out;
}

bool TransmitGuard::identification_due(Instant now, bool last_call) const noexcept {
    if (!unidentified_since_ || now < retry_) {
        return false;
    }
    return last_call || now >= *unidentified_since_ + identify_every_ - kIdentifyBefore ||
           now >= last_traffic_ + kEndOfCommunication;
}

std::optional<TransmitGuard::Mark> TransmitGuard::poll_identification(Instant earliest, bool last_call) {
    if (!identifying()) {
        if (marks_.empty() || !identification_due(earliest, last_call)) {
            return std::nullopt;
        }
        marks_begin_ = std::max(earliest, latest_ + gap_);
    }
    const MorseMark& mark = marks_[next_mark_];
    if (marks_begin_ + mark.at > earliest + kMarkAhead) {
        return std::nullopt;
    }
    if (marks_begin_ + mark.at < earliest) {
        marks_begin_ = earliest - mark.at;  // the caller was late: the rest is later, the code stays readable
    }
    const double rate = plan_->sample_rate_hz();
    const double center = plan_->config().frequency_hz;
    // Beside the carrier, where a converter's own line may be; on the side that is in the band.
    const double offset = band_at(center + rate / 8) != nullptr ? rate / 16 : -rate / 16;
    render_tone(static_cast<std::size_t>(to_seconds(mark.length) * rate), rate, offset, kToneAmplitude, tone_);
    const Emission emission{center, rate, tone_, marks_begin_ + mark.at};
    if (judge_anything(emission, true)) {
        next_mark_ = 0;
        retry_ = earliest + kIdentifyRetry;
        return std::nullopt;
    }
    if (++next_mark_ == marks_.size()) {
        next_mark_ = 0;
        unidentified_since_.reset();
        ++counters_.identifications;
    }
    return Mark{emission.first, tone_};
}

std::vector<TransmitGuard::BandStatus> TransmitGuard::air_time(Instant now) {
    std::vector<BandStatus> out;
    for (Band& band : bands_) {
        out.push_back({band.rule.name, band.air_time.used(std::max(now, latest_)), band.air_time.budget()});
    }
    return out;
}

void TransmitGuard::count(Refusal kind) noexcept {
    std::uint64_t* const fields[] = {
        &counters_.refused_silent,       &counters_.refused_inhibited,    &counters_.refused_outside_band,
        &counters_.refused_sample_rate,  &counters_.refused_out_of_order, &counters_.refused_too_long,
        &counters_.refused_not_listened, &counters_.refused_busy,         &counters_.refused_unidentified,
        &counters_.refused_not_finite,   &counters_.refused_clips,        &counters_.refused_power,
        &counters_.refused_spectrum,     &counters_.refused_bandwidth,    &counters_.refused_density,
        &counters_.refused_air_time,     &counters_.refused_memory};
    ++*fields[static_cast<std::size_t>(kind)];
}

Result<std::shared_ptr<TransmitGuard>> open_guard(const GuardConfig& config, double sample_rate_hz, Instant now) {
    auto plan = validate_guard(config, sample_rate_hz);
    if (!plan) {
        if (!mentions_band(config)) {
            return std::make_shared<TransmitGuard>(plan.error().message);
        }
        return plan.error();
    }
    std::vector<std::unique_ptr<Inhibit>> inhibits;
    if (!config.inhibit_file.empty()) {
        inhibits.push_back(inhibit_while_file_exists(config.inhibit_file));
    }
    if (!config.inhibit_gpio.empty()) {
        inhibits.push_back(inhibit_by_gpio_file(config.inhibit_gpio));
    }
    auto store = config.air_time_file.empty() ? nullptr : air_time_file(config.air_time_file);
    return std::make_shared<TransmitGuard>(std::move(plan.value()), std::move(store), std::move(inhibits), now);
}

}  // namespace meshnet::station
