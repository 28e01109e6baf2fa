// SPDX-License-Identifier: MIT
#include "phy/estimation/frame_synchronizer.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

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
      forward_(4 * length_, Fft::Direction::kForward),
      inverse_(4 * length_, Fft::Direction::kInverse),
      excision_(4 * length_, length_ / 4),
      clean_(4 * length_) {
    const auto which = static_cast<std::size_t>(preamble);
    first_threshold_ = kFirst[which] / static_cast<float>(length_);
    joint_threshold_ = kJoint[which] / static_cast<float>(length_);
    shift_limit_ = static_cast<std::size_t>(std::ceil(max_cfo_ / rate_)) + 4;

    const std::size_t f = 4 * length_;
    const auto make_reference = [&](bool falling) {
        auto in = forward_.in();
        std::fill(in.begin(), in.end(), Sample{});
        for (std::size_t n = 0; n < length_; ++n) {
            in[n] = falling ? std::conj(chirp_[n]) : chirp_[n];
        }
        forward_.run();
        std::vector<Sample> out(forward_.out().begin(), forward_.out().end());
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
    const std::uint64_t back = shift_limit_ + path_reach_ + 8;
    return oldest > back ? oldest - back : 0;
}

std::size_t FrameSynchronizer::latency() const noexcept {
    return 4 * length_ + merge_span_ + samples_to_verify() + 3 * length_;
}

std::size_t FrameSynchronizer::samples_to_verify() const noexcept {
    return 2 * length_ + 2 * shift_limit_ + path_reach_ + 8;
}

void FrameSynchronizer::reset() noexcept {
    next_block_ = 0;
    pending_ = {};
    queue_.clear();
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
double FrameSynchronizer::measure_energy(std::span<const Sample> block, double least) noexcept {
    const std::size_t hop = 3 * length_;
    for (std::size_t j = 0; j < block.size() / kCoarse; ++j) {
        float part = 0.0F;
        for (std::size_t i = 0; i < kCoarse; ++i) {
            part += std::norm(block[kCoarse * j + i]);
        }
        part_energy_[j] = part;
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

// Takes pulses and narrow signals out of the block in forward_.in() and leaves its transform in forward_.out().
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
    forward_.run();
    const bool excised = excision_.is_concentrated(forward_.out(), left) && excision_.run(forward_, inverse_);
    return blanked_ || excised;
}

void FrameSynchronizer::search_block(const SampleRing& ring) {
    const std::size_t f = 4 * length_;
    const std::size_t hop = 3 * length_;
    auto in = forward_.in();
    ring.copy(next_block_, in);
    double total = 0.0;
    const bool disturbed = find_interference(in, true, total);
    if (disturbed) {
        measure_energy(in, total * kRoundingFloor);
    }
    volk_32fc_x2_multiply_32fc(inverse_.in().data(), forward_.out().data(), reference_.data(),
                               static_cast<unsigned>(f));
    inverse_.run();
    const auto out = inverse_.out();

    const float scale = first_threshold_ * static_cast<float>(length_);
    for (std::size_t k = 0; k < hop; ++k) {
        const float energy = energy_[k / kCoarse];
        const float power = std::norm(out[k]);
        if (!(power > scale * energy)) {
            continue;
        }
        const float metric = power / (static_cast<float>(length_) * energy);
        const std::uint64_t index = next_block_ + k;
        if (pending_.active && index - pending_.index > merge_span_) {
            queue_.push_back(pending_);
            pending_.active = false;
        }
        if (!pending_.active || metric > pending_.metric) {
            pending_ = {index, metric, true, disturbed};
        }
    }
    next_block_ += hop;
    if (pending_.active && next_block_ - pending_.index > merge_span_) {
        queue_.push_back(pending_);
        pending_.active = false;
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
    const auto block = forward_.in();
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
    Sample* x = forward_.in().data();
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

// Where the peak of a chirp lies from sample `lag` that pulses were blanked in. What is left of it may be two ends,
// whose correlation has fringes less than two samples apart: it is searched in quarters of a sample. A chirp moved in
// time is the chirp times a tone.
double FrameSynchronizer::gapped_peak(const SampleRing& ring, std::int64_t lag, bool falling) {
    constexpr int kSteps = 8;  // to either side
    constexpr double kStep = 0.25;
    Sample* x = forward_.in().data();
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
    const auto length = static_cast<std::int64_t>(length_);
    const auto shift = static_cast<std::int64_t>(shift_limit_);
    const auto peak_at = static_cast<std::int64_t>(peak.index);
    clean(ring, peak);

    // The falling chirp's peak lies within +-2 shifts of one chirp length after the rising one's, on the same path. The
    // other paths lie up to a prefix off.
    const std::int64_t range = 2 * shift + static_cast<std::int64_t>(path_reach_);
    const std::int64_t first_lag = peak_at + length - range;
    const std::size_t lags = static_cast<std::size_t>(2 * range + 1);
    auto in = forward_.in();
    std::fill(in.begin(), in.end(), Sample{});
    fetch(ring, static_cast<std::uint64_t>(first_lag), in.first(lags + length_ - 1));
    double window = 0.0;
    for (std::size_t n = 0; n < length_; ++n) {
        window += static_cast<double>(std::norm(in[n]));
    }
    double total = 0.0;
    for (std::size_t n = 0; n < lags + length_ - 1; ++n) {
        total += static_cast<double>(std::norm(in[n]));
    }
    const double least = total * kRoundingFloor;
    for (std::size_t k = 0; k < lags; ++k) {
        energy_[k] = static_cast<float>(std::max(window, least));
        window += static_cast<double>(std::norm(in[k + length_])) - static_cast<double>(std::norm(in[k]));
    }
    forward_.run();
    volk_32fc_x2_multiply_32fc(inverse_.in().data(), forward_.out().data(), falling_reference_.data(),
                               static_cast<unsigned>(4 * length_));
    inverse_.run();
    const auto correlation = inverse_.out();
    std::size_t best = 0;
    float best_metric = 0.0F;
    for (std::size_t k = path_reach_; k + path_reach_ < lags; ++k) {
        const float metric = std::norm(correlation[k]) / (static_cast<float>(length_) * energy_[k] + 1e-30F);
        if (metric > best_metric) {
            best_metric = metric;
            best = k;
        }
    }
    if (!(peak.metric + best_metric > joint_threshold_) || total < kSilence * static_cast<double>(lags + length_)) {
        return false;
    }
    // Output of the falling chirp's filter around its peak, for pair_paths().
    const auto reach = static_cast<std::int64_t>(path_reach_ + pair_search_);
    for (std::int64_t d = -reach; d <= reach; ++d) {
        const std::int64_t at = static_cast<std::int64_t>(best) + d;
        falling_paths_[static_cast<std::size_t>(d + reach)] =
            at >= 0 && at < static_cast<std::int64_t>(lags) ? correlation[static_cast<std::size_t>(at)] : Sample{};
    }

    // Both peaks to a fraction of a sample. |correlation| at three lags; the rising one is computed directly.
    const auto magnitude_at = [&](std::int64_t lag, bool falling) {
        Sample sum{};
        Sample* x = forward_.in().data();
        fetch(ring, static_cast<std::uint64_t>(lag), {x, length_});
        if (falling) {
            volk_32fc_x2_dot_prod_32fc(&sum, x, chirp_.data(), static_cast<unsigned>(length_));
        } else {
            volk_32fc_x2_conjugate_dot_prod_32fc(&sum, x, chirp_.data(), static_cast<unsigned>(length_));
        }
        return static_cast<double>(std::abs(sum));
    };
    const std::int64_t falling_at = first_lag + static_cast<std::int64_t>(best);
    if (peak_at < 1 || static_cast<std::uint64_t>(peak_at) <= ring.begin()) {
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
        paired = pair_paths(ring, peak_at, 0.5 * static_cast<double>(peak.metric + best_metric));
    }
    if (paired && paired->moved != 0.0) {
        falling = rising + static_cast<double>(falling_at - peak_at) + paired->moved;
    }
    double cfo = rate_ * (falling - rising - static_cast<double>(length)) / 2.0;
    const double start = (rising + falling - static_cast<double>(length)) / 2.0;  // relative to peak_at
    if (std::abs(cfo) > 1.05 * max_cfo_ + 2.0 * rate_) {
        return false;
    }
    const auto start_at = peak_at + static_cast<std::int64_t>(std::lround(start));
    if (start_at < 0 || static_cast<std::uint64_t>(start_at) < ring.begin()) {
        return false;
    }

    // The phase between the two chirps, derotated by the coarse offset, gives the rest of it: unambiguous to 1/(2 L).
    Sample rising_sum{};
    Sample falling_sum{};
    double power = 0.0;
    for (int half = 0; half < 2; ++half) {
        Sample* x = forward_.in().data();
        Sample* y = inverse_.in().data();
        fetch(ring, static_cast<std::uint64_t>(start_at) + static_cast<std::uint64_t>(half) * length_, {x, length_});
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
        // Every path's falling peak leads its rising one by 2 pi (f L + f^2 / rate).
        const double expected = kTwoPi * cfo * (l + cfo / rate_);
        cfo += std::remainder(paired->phase - expected, kTwoPi) / (kTwoPi * (l + 2.0 * cfo / rate_));
    } else {
        cfo += static_cast<double>(std::arg(falling_sum * std::conj(rising_sum))) / (kTwoPi * l);
    }
    power = static_cast<double>(std::norm(rising_sum) + std::norm(falling_sum)) / (2.0 * l * l);

    out.sample_index = static_cast<std::uint64_t>(start_at);
    out.fraction = start - static_cast<double>(start_at - peak_at);
    out.preamble = preamble_;
    out.cfo_cycles_per_sample = cfo;
    out.metric = 0.5F * (peak.metric + best_metric);
    out.power = static_cast<float>(power);
    return true;
}

}  // namespace meshnet::phy
