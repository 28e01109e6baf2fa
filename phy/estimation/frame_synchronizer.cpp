// SPDX-License-Identifier: MIT
#include "phy/estimation/frame_synchronizer.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <complex>
#include <numbers>

#include "core/target_clones.hpp"
#include "phy/dsp/norms.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/preamble.hpp"

namespace meshnet::phy {
namespace {

// Thresholds in units of the noise-only mean, where L * metric is exponential with mean 1. First stage: 4.5e-5 per
// sample (2e-6 for the long class, whose second stage is expensive). Second stage: sum of two such values, maximised
// over the falling chirp's range of lags; chosen for less than 5e-9 false starts per sample (36 an hour at 2
// Msample/s). docs/notes/detection.md.
constexpr float kFirst[3] = {10.0F, 10.0F, 13.0F};
constexpr float kJoint[3] = {28.0F, 29.5F, 31.5F};

// A correlation by transforms carries the rounding of the whole block into every lag, about 1e-13 of its energy. Where
// a window holds less than this share of the block it is taken to hold this much: or digital silence beside a strong
// signal would look like a perfect chirp.
constexpr double kRoundingFloor = 1e-9;

// Mean energies that a part of a block must have to be looked at as a pulse: noise seldom does.
constexpr double kSuspiciousPart = 4.0;

// Samples that share a window energy.
constexpr std::size_t kCoarse = 8;

// Mean power, full scale = 1, below which there is nothing but the last bits of filters that forget.
constexpr double kSilence = 1e-24;

// Paths beyond that many samples are not paired: over more lags residuals of other frames begin to look like them.
constexpr std::size_t kMostReach = 66;

// Parabola through three magnitudes around a peak: offset of the vertex in samples, [-0.5, 0.5].
double vertex(double left, double centre, double right) noexcept {
    const double curvature = left - 2.0 * centre + right;
    if (!(curvature < 0.0)) {
        return 0.0;
    }
    return std::clamp(0.5 * (left - right) / curvature, -0.5, 0.5);
}

// Energy of a multiple of eight samples.
double energy_of(std::span<const Sample> samples) noexcept {
    double sum = 0.0;
    for (std::size_t i = 0; i < samples.size(); i += 8) {
        sum += static_cast<double>(sum_of_eight(&samples[i]));
    }
    return sum;
}

}  // namespace

FrameSynchronizer::FrameSynchronizer(const Profile& profile, PreambleClass preamble)
    : preamble_(preamble),
      length_(class_params(profile, preamble).chirp_samples),
      rate_(chirp_rate(profile, length_)),
      max_cfo_(profile.max_cfo_hz / profile.sample_rate_hz),
      path_reach_(std::min<std::size_t>(profile.cyclic_prefix + 2, kMostReach)),
      rising_paths_(2 * path_reach_ + 1),
      pair_search_(path_reach_),
      falling_paths_(2 * (path_reach_ + pair_search_) + 1),
      pair_(2 * pair_search_ + 1),
      score_(pair_.size()),
      merge_span_(length_ / 2),
      chirp_(rising_chirp(profile, length_)),
      filter_(4 * length_),
      excision_(4 * length_, length_ / 4),
      clean_(4 * length_) {
    const auto which = static_cast<std::size_t>(preamble);
    first_threshold_ = kFirst[which] / static_cast<float>(length_);
    joint_threshold_ = kJoint[which] / static_cast<float>(length_);
    shift_limit_ = static_cast<std::size_t>(std::ceil(max_cfo_ / rate_)) + 4;

    const std::size_t f = 4 * length_;
    const auto make_reference = [&](bool falling) {
        auto in = filter_.in();
        std::fill(in.begin(), in.end(), Sample{});
        for (std::size_t n = 0; n < length_; ++n) {
            in[n] = falling ? std::conj(chirp_[n]) : chirp_[n];
        }
        filter_.forward();
        std::vector<Sample> out(filter_.spectrum().begin(), filter_.spectrum().end());
        const float scale = 1.0F / static_cast<float>(f);
        for (auto& v : out) {
            v = std::conj(v) * scale;
        }
        return out;
    };
    reference_ = make_reference(false);
    falling_reference_ = make_reference(true);
    energy_.resize(f);
    sorted_parts_.resize(f / kCoarse);
    part_energy_.resize(f / 8 + 1);  // one more, always 0, for the last step of the running sum
    queue_.reserve(16);
}

std::uint64_t FrameSynchronizer::wanted() const noexcept {
    std::uint64_t oldest = next_block_;
    if (pending_.active) {
        oldest = std::min(oldest, pending_.index);
    }
    for (const auto& peak : queue_) {
        oldest = std::min(oldest, peak.index);
    }
    const std::uint64_t back = length_ + 2 * shift_limit_ + path_reach_ + 8;  // of an inverted spectrum
    return oldest > back ? oldest - back : 0;
}

std::size_t FrameSynchronizer::latency() const noexcept {
    // With an inverted spectrum the peak that is found belongs to the second chirp.
    return length_ + 4 * length_ + merge_span_ + samples_to_verify() + 3 * length_;
}

std::size_t FrameSynchronizer::samples_to_verify() const noexcept {
    return 2 * length_ + 2 * shift_limit_ + path_reach_ + 8;
}

void FrameSynchronizer::reset() noexcept {
    next_block_ = 0;
    pending_ = {};
    queue_.clear();
    taken_ = {};
}

void FrameSynchronizer::advance(const SampleRing& ring, std::vector<FrameStart>& found) {
    while (ring.end() >= next_block_ + 4 * length_) {
        search_block(ring);
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < queue_.size(); ++i) {
        const Peak peak = queue_[i];
        if (ring.end() < peak.index + samples_to_verify()) {
            queue_[kept++] = peak;
            continue;
        }
        FrameStart start;
        if (verify(ring, peak, start)) {
            found.push_back(start);
        }
    }
    queue_.resize(kept);
}

// Window energies of a block every 8 samples into energy_, at least `least`; returns the energy of the whole block.
// They come from a running sum that starts afresh in every block. Each covers L + 8 samples, those of all 8 windows
// that share it: never less than the energy the correlation saw, or an impulse would look like a chirp.
MESHNET_TARGET_CLONES double FrameSynchronizer::measure_energy(std::span<const Sample> block, double least) noexcept {
    const std::size_t hop = 3 * length_;
    for (std::size_t j = 0; j < block.size() / kCoarse; ++j) {
        part_energy_[j] = sum_of_eight(&block[kCoarse * j]);
    }
    float greatest = 0.0F;
    double sum = 0.0;
    double total = 0.0;
    for (std::size_t j = 0; j < block.size() / kCoarse; ++j) {
        sum += j <= length_ / kCoarse ? static_cast<double>(part_energy_[j]) : 0.0;
        total += static_cast<double>(part_energy_[j]);
        greatest = std::max(greatest, part_energy_[j]);
    }
    greatest_part_ = greatest;
    least = std::max(least, total * kRoundingFloor);
    for (std::size_t j = 0; j < hop / kCoarse; ++j) {
        energy_[j] = static_cast<float>(std::max(sum, least));
        sum += static_cast<double>(part_energy_[j + length_ / kCoarse + 1]) - static_cast<double>(part_energy_[j]);
    }
    return total;
}

// Takes out of a block, whose parts have just been measured, what is far stronger than nearly all of it for less time
// than a chirp lasts. (A preamble that begins in the block lasts longer, or is found in the next one.) False if there
// is nothing.
bool FrameSynchronizer::blank_pulses(std::span<Sample> block) {
    constexpr double kShare = 0.78;  // of the block has no pulse
    std::copy_n(part_energy_.begin(), sorted_parts_.size(), sorted_parts_.begin());
    const auto usual =
        sorted_parts_.begin() + static_cast<std::ptrdiff_t>(kShare * static_cast<double>(sorted_parts_.size()));
    std::nth_element(sorted_parts_.begin(), usual, sorted_parts_.end());
    // Through several paths a chirp has maxima of its envelope, which are no pulses.
    constexpr float kMaximum = 3.2F;
    const float level = kMaximum * *usual / static_cast<float>(kCoarse);
    return PulseBlanking::run(block, level, block.size()) > 0;
}

// Takes pulses and narrow signals out of the block in filter_.in() and leaves its transform in filter_.spectrum().
// `total`: its energy as it was; energy_ has its window energies. Without `lines` narrow signals are not looked for,
// and there is no transform. True if there was anything.
bool FrameSynchronizer::find_interference(std::span<Sample> block, bool lines, double& total) {
    total = measure_energy(block, 0.0);
    double left = total;
    const double mean_part = total / static_cast<double>(block.size() / kCoarse);
    blanked_ = static_cast<double>(greatest_part_) > kSuspiciousPart * mean_part && blank_pulses(block);
    if (blanked_) {
        left = measure_energy(block, total * kRoundingFloor);
    }
    if (!lines) {
        return blanked_;
    }
    filter_.forward();
    const bool excised = excision_.is_concentrated(filter_.spectrum(), left) && excision_.run(filter_);
    return blanked_ || excised;
}

MESHNET_TARGET_CLONES void FrameSynchronizer::search_block(const SampleRing& ring) {
    const std::size_t f = 4 * length_;
    const std::size_t hop = 3 * length_;
    auto in = filter_.in();
    ring.copy(next_block_, in);
    double total = 0.0;
    const bool disturbed = find_interference(in, true, total);
    if (disturbed) {
        measure_energy(in, total * kRoundingFloor);
    }
    volk_32fc_x2_multiply_32fc(filter_.product().data(), filter_.spectrum().data(), reference_.data(),
                               static_cast<unsigned>(f));
    filter_.inverse();
    const auto out = filter_.out();

    const float scale = first_threshold_ * static_cast<float>(length_);
    for (std::size_t j = 0; j < hop / kCoarse; ++j) {
        if (largest_of_eight(&out[kCoarse * j]) > scale * energy_[j]) {
            note_peaks(kCoarse * j, out.subspan(kCoarse * j, kCoarse), energy_[j], disturbed);
        }
    }
    next_block_ += hop;
    if (pending_.active && next_block_ - pending_.index > merge_span_) {
        queue_.push_back(pending_);
        pending_.active = false;
    }
}

// Filter outputs from lag `first` of the block on, some of which exceed the threshold, in windows of `energy`.
void FrameSynchronizer::note_peaks(std::size_t first, std::span<const Sample> outputs, float energy, bool disturbed) {
    const float least = first_threshold_ * static_cast<float>(length_) * energy;
    for (std::size_t k = 0; k < outputs.size(); ++k) {
        const float power = std::norm(outputs[k]);
        if (!(power > least)) {
            continue;
        }
        const float metric = power / (static_cast<float>(length_) * energy);
        const std::uint64_t index = next_block_ + first + k;
        if (pending_.active && index - pending_.index > merge_span_) {
            queue_.push_back(pending_);
            pending_.active = false;
        }
        if (!pending_.active || metric > pending_.metric) {
            pending_ = {index, metric, true, disturbed};
        }
    }
}

// Where interference was taken out around the peak: the samples that verify() looks at, without it. The block ends with
// the last sample that is sure to be there.
void FrameSynchronizer::clean(const SampleRing& ring, const Peak& peak) {
    const std::uint64_t end = peak.index + samples_to_verify();
    double total = 0.0;
    cleaned_ = false;
    blanked_ = false;
    if (end < ring.begin() + clean_.size()) {
        return;
    }
    clean_begin_ = end - clean_.size();
    const auto block = filter_.in();
    ring.copy(clean_begin_, block);
    cleaned_ = find_interference(block, peak.disturbed, total);
    if (cleaned_) {
        std::copy(block.begin(), block.end(), clean_.begin());
    }
}

// Samples from `index` on, of the cleaned ones if there are any.
void FrameSynchronizer::fetch(const SampleRing& ring, std::uint64_t index, std::span<Sample> out) const noexcept {
    if (cleaned_ && index >= clean_begin_ && index + out.size() <= clean_begin_ + clean_.size()) {
        std::copy_n(clean_.begin() + static_cast<std::ptrdiff_t>(index - clean_begin_), out.size(), out.begin());
    } else {
        ring.copy(index, out);
    }
}

// With multipath the two strongest peaks may belong to different paths, and the offset read from their distance is
// wrong by thousands of hertz. At the right distance all paths of one chirp meet theirs of the other, with equal phase
// differences; returns by how many samples that is from the distance of the peaks, if it is a better one.
std::optional<FrameSynchronizer::Pairing> FrameSynchronizer::pair_paths(const SampleRing& ring, std::int64_t rising_at,
                                                                        double metric) {
    const auto reach = static_cast<std::int64_t>(path_reach_);
    if (rising_at - reach < static_cast<std::int64_t>(ring.begin())) {
        return std::nullopt;
    }
    Sample* x = filter_.in().data();
    fetch(ring, static_cast<std::uint64_t>(rising_at - reach), {x, length_ + 2 * path_reach_});
    for (std::size_t d = 0; d <= 2 * path_reach_; ++d) {
        volk_32fc_x2_conjugate_dot_prod_32fc(&rising_paths_[d], x + d, chirp_.data(), static_cast<unsigned>(length_));
    }
    for (std::size_t m = 0; m < score_.size(); ++m) {
        Sample sum{};
        for (std::size_t d = 0; d <= 2 * path_reach_; ++d) {
            sum += falling_paths_[d + m] * std::conj(rising_paths_[d]);
        }
        pair_[m] = sum;
        score_[m] = static_cast<double>(std::abs(sum));
    }
    // By more than noise explains: each
    // lag's noise power over the peak's is `noise`.
    const double noise = (1.0 - metric) / (metric * static_cast<double>(length_));
    const double chance = std::sqrt(static_cast<double>(rising_paths_.size()) * noise * noise + 2.0 * noise);
    const double needed = 1.1 + chance;
    const std::size_t best = static_cast<std::size_t>(std::max_element(score_.begin(), score_.end()) - score_.begin());
    if (best > 0 && best + 1 < score_.size() && score_[best] > needed * score_[pair_search_]) {
        const double moved = static_cast<double>(best) - static_cast<double>(pair_search_) +
                             vertex(score_[best - 1], score_[best], score_[best + 1]);
        return Pairing{moved, static_cast<double>(std::arg(pair_[best]))};
    }
    // The peaks are of one path. Where noise is low, all paths together still give a better phase than that one.
    constexpr double kClear = 0.3;
    if (chance > kClear) {
        return std::nullopt;
    }
    return Pairing{0.0, static_cast<double>(std::arg(pair_[pair_search_]))};
}

// The best falling chirps before and after the rising one at `rising_at`. One correlation covers both sides; its output
// stays in filter_.out().
FrameSynchronizer::FallingPeaks FrameSynchronizer::find_falling(const SampleRing& ring, std::int64_t rising_at) {
    const auto length = static_cast<std::int64_t>(length_);
    // A falling chirp's peak lies within +-2 shifts of one chirp length from the rising one's, on the same path; the
    // other paths lie up to a prefix off.
    const std::int64_t range = 2 * static_cast<std::int64_t>(shift_limit_) + static_cast<std::int64_t>(path_reach_);
    const std::int64_t first_lag = rising_at - length - range;
    const auto lags = static_cast<std::size_t>(2 * length + 2 * range + 1);
    const std::size_t span = lags + length_ - 1;
    assert(span <= 4 * length_);
    auto in = filter_.in();
    std::fill(in.begin(), in.end(), Sample{});
    // What is no longer held, or was before the first sample, stays zero.
    const std::int64_t oldest = static_cast<std::int64_t>(ring.begin()) - first_lag;
    const std::size_t missing = std::min(static_cast<std::size_t>(std::max<std::int64_t>(oldest, 0)), span);
    fetch(ring, static_cast<std::uint64_t>(first_lag + static_cast<std::int64_t>(missing)),
          in.subspan(missing, span - missing));
    FallingPeaks found;
    found.energy = energy_of(in);  // zero beyond the span
    const double least = found.energy * kRoundingFloor;
    filter_.forward();
    volk_32fc_x2_multiply_32fc(filter_.product().data(), filter_.spectrum().data(), falling_reference_.data(),
                               static_cast<unsigned>(4 * length_));
    filter_.inverse();
    const auto correlation = filter_.out();
    const auto look = [&](std::size_t first, FallingPeak& peak) {
        peak.first_lag = first_lag;
        peak.lags = lags;
        double window = energy_of(in.subspan(first, length_));
        for (std::size_t k = first; k <= first + static_cast<std::size_t>(2 * range); ++k) {
            const bool outside =
                k < first + path_reach_ || k + path_reach_ > first + static_cast<std::size_t>(2 * range);
            const auto energy = static_cast<float>(std::max(window, least));
            const float metric = std::norm(correlation[k]) / (static_cast<float>(length_) * energy + 1e-30F);
            if (!outside && metric > peak.metric) {
                peak.metric = metric;
                peak.lag = k;
            }
            if (k + length_ < span) {
                window += static_cast<double>(std::norm(in[k + length_])) - static_cast<double>(std::norm(in[k]));
            }
        }
    };
    look(0, found.before);
    look(2 * length_, found.after);
    return found;
}

// Where the peak of a chirp lies from sample `lag` that pulses were blanked in. What is left of it may be two ends,
// whose correlation has fringes less than two samples apart: it is searched in quarters of a sample. A chirp moved in
// time is the chirp times a tone.
double FrameSynchronizer::gapped_peak(const SampleRing& ring, std::int64_t lag, bool falling) {
    constexpr int kSteps = 8;  // to either side
    constexpr double kStep = 0.25;
    Sample* x = filter_.in().data();
    fetch(ring, static_cast<std::uint64_t>(lag), {x, length_});
    for (std::size_t n = 0; n < length_; ++n) {
        x[n] *= falling ? chirp_[n] : std::conj(chirp_[n]);
    }
    const double turn = 2.0 * std::numbers::pi * rate_ * (falling ? -kStep : kStep);
    std::array<double, 2 * kSteps + 1> magnitude{};
    for (int i = -kSteps; i <= kSteps; ++i) {
        std::complex<double> sum{};
        std::complex<double> factor = std::polar(1.0, -turn * i * (static_cast<double>(length_) - 1.0) / 2.0);
        const std::complex<double> step = std::polar(1.0, turn * i);
        for (std::size_t n = 0; n < length_; ++n) {
            sum += factor * std::complex<double>(x[n]);
            factor *= step;
        }
        magnitude[static_cast<std::size_t>(i + kSteps)] = std::abs(sum);
    }
    const auto best = std::max_element(magnitude.begin() + 1, magnitude.end() - 1);
    return kStep * (static_cast<double>(best - magnitude.begin()) - kSteps + vertex(best[-1], best[0], best[1]));
}

bool FrameSynchronizer::verify(const SampleRing& ring, const Peak& peak, FrameStart& out) {
    clean(ring, peak);

    const auto found = find_falling(ring, static_cast<std::int64_t>(peak.index));
    const bool inverted = found.before.metric > found.after.metric && !is_taken(found.before, peak.metric);
    const FallingPeak& best = inverted ? found.before : found.after;
    if (!(peak.metric + best.metric > joint_threshold_) ||
        found.energy < kSilence * static_cast<double>(best.lags + length_)) {
        return false;
    }
    if (!locate(ring, peak, best, inverted, out)) {
        return false;
    }
    if (!inverted) {
        taken_[next_taken_] = {best.first_lag + static_cast<std::int64_t>(best.lag), peak.metric};
        next_taken_ = (next_taken_ + 1) % taken_.size();
    }
    return true;
}

// The falling chirp of an upright frame would, with any peak of noise one chirp length behind it, look like a preamble
// with an inverted spectrum.
bool FrameSynchronizer::is_taken(const FallingPeak& peak, float rising_metric) const noexcept {
    const std::int64_t at = peak.first_lag + static_cast<std::int64_t>(peak.lag);
    return std::any_of(taken_.begin(), taken_.end(), [&](const TakenPeak& t) {
        return std::abs(t.index - at) <= static_cast<std::int64_t>(merge_span_) && rising_metric < t.rising_metric;
    });
}

// Time and offset from the two peaks. All positions are those of the samples as they are; the offset is that of the
// frame's own spectrum.
bool FrameSynchronizer::locate(const SampleRing& ring, const Peak& peak, const FallingPeak& best, bool inverted,
                               FrameStart& out) {
    const auto length = static_cast<std::int64_t>(length_);
    const auto peak_at = static_cast<std::int64_t>(peak.index);
    const auto correlation = filter_.out();
    // Output of the falling chirp's filter around its peak, for pair_paths().
    const auto reach = static_cast<std::int64_t>(path_reach_ + pair_search_);
    for (std::int64_t d = -reach; d <= reach; ++d) {
        const std::int64_t at = static_cast<std::int64_t>(best.lag) + d;
        falling_paths_[static_cast<std::size_t>(d + reach)] =
            at >= 0 && at < static_cast<std::int64_t>(best.lags) ? correlation[static_cast<std::size_t>(at)] : Sample{};
    }

    // Both peaks to a fraction of a sample. |correlation| at three lags; the rising one is computed directly.
    const auto magnitude_at = [&](std::int64_t lag, bool falling) {
        Sample sum{};
        Sample* x = filter_.in().data();
        fetch(ring, static_cast<std::uint64_t>(lag), {x, length_});
        if (falling) {
            volk_32fc_x2_dot_prod_32fc(&sum, x, chirp_.data(), static_cast<unsigned>(length_));
        } else {
            volk_32fc_x2_conjugate_dot_prod_32fc(&sum, x, chirp_.data(), static_cast<unsigned>(length_));
        }
        return static_cast<double>(std::abs(sum));
    };
    const std::int64_t falling_at = best.first_lag + static_cast<std::int64_t>(best.lag);
    if (std::min(peak_at, falling_at) <= static_cast<std::int64_t>(ring.begin())) {
        return false;
    }
    const double rising_fraction = blanked_ ? gapped_peak(ring, peak_at, false)
                                            : vertex(magnitude_at(peak_at - 1, false), magnitude_at(peak_at, false),
                                                     magnitude_at(peak_at + 1, false));
    const double falling_fraction = blanked_
                                        ? gapped_peak(ring, falling_at, true)
                                        : vertex(magnitude_at(falling_at - 1, true), magnitude_at(falling_at, true),
                                                 magnitude_at(falling_at + 1, true));
    const double rising = rising_fraction;                                          // relative to peak_at
    double falling = static_cast<double>(falling_at - peak_at) + falling_fraction;  // relative to peak_at
    std::optional<Pairing> paired;
    if (!blanked_) {
        paired = pair_paths(ring, peak_at, 0.5 * static_cast<double>(peak.metric + best.metric));
    }
    if (paired && paired->moved != 0.0) {
        falling = rising + static_cast<double>(falling_at - peak_at) + paired->moved;
    }
    const double distance = inverted ? rising - falling : falling - rising;
    const double cfo = rate_ * (distance - static_cast<double>(length)) / 2.0;
    const double start = (rising + falling - static_cast<double>(length)) / 2.0;  // relative to peak_at
    if (std::abs(cfo) > 1.05 * max_cfo_ + 2.0 * rate_) {
        return false;
    }
    const auto start_at = peak_at + static_cast<std::int64_t>(std::lround(start));
    if (start_at < 0 || static_cast<std::uint64_t>(start_at) < ring.begin()) {
        return false;
    }

    out.sample_index = static_cast<std::uint64_t>(start_at);
    out.fraction = start - static_cast<double>(start_at - peak_at);
    out.preamble = preamble_;
    out.inverted = inverted;
    out.metric = 0.5F * (peak.metric + best.metric);
    out.margin = (peak.metric + best.metric) / joint_threshold_;
    refine_offset(ring, cfo, paired, out);
    return true;
}

// The phase between the two chirps, derotated by the coarse offset `cfo`, gives the rest of it: unambiguous to 1/(2 L).
// Writes offset and power.
void FrameSynchronizer::refine_offset(const SampleRing& ring, double cfo, const std::optional<Pairing>& paired,
                                      FrameStart& out) {
    Sample rising_sum{};
    Sample falling_sum{};
    for (std::size_t half = 0; half < 2; ++half) {
        Sample* x = filter_.in().data();
        Sample* y = filter_.product().data();
        fetch(ring, out.sample_index + half * length_, {x, length_});
        if (out.inverted) {
            volk_32fc_conjugate_32fc(x, x, static_cast<unsigned>(length_));
        }
        const double step = -2.0 * std::numbers::pi * cfo;
        const double phase0 = step * static_cast<double>(half) * static_cast<double>(length_);
        lv_32fc_t rotator(static_cast<float>(std::cos(phase0)), static_cast<float>(std::sin(phase0)));
        const lv_32fc_t increment(static_cast<float>(std::cos(step)), static_cast<float>(std::sin(step)));
        volk_32fc_s32fc_x2_rotator_32fc(y, x, increment, &rotator, static_cast<unsigned>(length_));
        if (half == 0) {
            volk_32fc_x2_conjugate_dot_prod_32fc(&rising_sum, y, chirp_.data(), static_cast<unsigned>(length_));
        } else {
            volk_32fc_x2_dot_prod_32fc(&falling_sum, y, chirp_.data(), static_cast<unsigned>(length_));
        }
    }
    const double l = static_cast<double>(length_);
    constexpr double kTwoPi = 2.0 * std::numbers::pi;
    if (paired) {
        // Every path's falling peak leads its rising one by 2 pi (f L + f^2 / rate), with either spectrum: taking the
        // conjugate changes the sign of a phase, and which of the chirps is which.
        const double expected = kTwoPi * cfo * (l + cfo / rate_);
        cfo += std::remainder(paired->phase - expected, kTwoPi) / (kTwoPi * (l + 2.0 * cfo / rate_));
    } else {
        cfo += static_cast<double>(std::arg(falling_sum * std::conj(rising_sum))) / (kTwoPi * l);
    }
    out.cfo_cycles_per_sample = cfo;
    out.power = static_cast<float>(static_cast<double>(std::norm(rising_sum) + std::norm(falling_sum)) / (2.0 * l * l));
}

}  // namespace meshnet::phy
