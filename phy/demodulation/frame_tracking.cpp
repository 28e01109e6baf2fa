// SPDX-License-Identifier: MIT
// How a FrameDemodulator follows phase, time, channel and noise through the rows it holds; frame_demodulator.cpp has
// the rest of it.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "phy/demodulation/frame_demodulator.hpp"
#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

}  // namespace

// Forward step of the tracking filters for the symbol in `row`.
void FrameDemodulator::track(std::size_t row, std::size_t symbol) {
    const auto& grid = shared_.grid;
    const std::size_t k = grid.carriers();
    const Sample* y = &rows_[row * k];
    phase_.predict();
    time_.predict();
    const double phase = phase_.state().value;
    const double time = time_.state().value - window_shift_;
    const double per_carrier = kTwoPi / static_cast<double>(grid.profile().fft_size);

    double a00 = 0.0;
    double a01 = 0.0;
    double a11 = 0.0;
    double b0 = 0.0;
    double b1 = 0.0;
    double error = 0.0;
    CarrierRotation back(-phase, per_carrier * time);
    for (const std::uint16_t c : grid.pilots(symbol, dense_)) {
        const double g = -per_carrier * grid.subcarrier(c);
        const Sample heard = y[c] * back.at(grid.subcarrier(c)) * grid.pilot(symbol, c);
        const double im = static_cast<double>((heard * std::conj(reference_.h[c])).imag());
        error += static_cast<double>(std::norm(heard - reference_.h[c]));
        const double power = static_cast<double>(reference_power_[c]);
        a00 += power;
        a01 += power * g;
        a11 += power * g * g;
        b0 += im;
        b1 += im * g;
    }
    const std::size_t pilots = grid.pilots(symbol, dense_).size();
    pilot_error_ += error;
    pilot_count_ += pilots;
    if (symbol % ChannelTracker::kGroup == ChannelTracker::kGroup - 1) {
        const double unexplained = pilot_error_ / static_cast<double>(pilot_count_) - 2.0 * missed();
        residual_interference_ = std::max(residual_interference_, static_cast<float>(unexplained));
        pilot_error_ = 0.0;
        pilot_count_ = 0;
    }
    const double noise = static_cast<double>(estimate_.noise) / 2.0;
    const double determinant = a00 * a11 - a01 * a01;
    if (determinant > 0.0 && a00 > 0.0) {
        // Least squares for (phase, time) and the variance of each.
        const double d_phase = (a11 * b0 - a01 * b1) / determinant;
        const double d_time = (a00 * b1 - a01 * b0) / determinant;
        phase_.update(d_phase, noise * a11 / determinant);
        time_.update(d_time, noise * a00 / determinant);
    }
    tracks_[row] = {phase_.state(), time_.state(), window_shift_,
                    static_cast<float>(error / static_cast<double>(pilots))};

    // Half a sample late or early: move the window, the filter keeps counting from where it started.
    const double left = time_.state().value - window_shift_;
    if (left > 0.75) {
        ++window_shift_;
    } else if (left < -0.75) {
        --window_shift_;
    }
}

// After the last symbol of a group: what its pilots say of the channel becomes the reference for the next one.
void FrameDemodulator::follow_channel(std::size_t row, std::size_t symbol) {
    const std::size_t k = shared_.grid.carriers();
    auto& tracker = shared_.tracker;
    const std::size_t rows = std::min(ChannelTracker::kGroup, row + 1);
    tracker.begin(reference_);
    for (std::size_t i = rows; i-- > 0;) {
        const SymbolTrack& t = tracks_[row - i];
        tracker.add(std::span<const Sample>(rows_).subspan((row - i) * k, k), symbol - i, dense_, t.phase.value,
                    t.time.value - t.shift);
    }
    tracker.end(static_cast<double>(estimate_.noise), reference_, estimate_.long_delay_spread, newest_group_);
    if (newest_group_.whole && previous_group_.whole) {
        motion_.add(previous_group_.measured, newest_group_.measured, newest_group_.centre - previous_group_.centre,
                    0.5 * (newest_group_.noise + previous_group_.noise), tracker.independent_values());
    }
    ChannelTracker::update(reference_, newest_group_, motion_.per_symbol());
    for (std::size_t c = 0; c < k; ++c) {
        reference_power_[c] = std::norm(reference_.h[c]);
    }
    std::swap(newest_group_, previous_group_);
}

// Smooths backwards over all rows held: phases, then the channel group by group. `emitted` rows will be dropped
// afterwards.
void FrameDemodulator::prepare_rows(std::size_t emitted) {
    const std::size_t k = shared_.grid.carriers();
    for (std::size_t r = 0; r < row_count_; ++r) {
        smooth_phase_[r] = tracks_[r].phase;
        smooth_time_[r] = tracks_[r].time;
    }
    phase_.smooth(std::span(smooth_phase_).first(row_count_));
    time_.smooth(std::span(smooth_time_).first(row_count_));

    auto& tracker = shared_.tracker;
    const double motion = motion_.per_symbol();
    next_window_state_ = window_state_;
    ChannelState& state = reference_scratch_;
    state = window_state_;
    group_count_ = 0;
    for (std::size_t r = 0; r < row_count_;) {
        const std::size_t symbol = first_row_symbol_ + r;
        const std::size_t end = std::min(row_count_, r + ChannelTracker::kGroup - symbol % ChannelTracker::kGroup);
        ChannelGroup& group = groups_[group_count_];
        tracker.begin(state);
        for (; r < end; ++r) {
            tracker.add(std::span<const Sample>(rows_).subspan(r * k, k), first_row_symbol_ + r, dense_,
                        smooth_phase_[r].value, smooth_time_[r].value - tracks_[r].shift);
        }
        tracker.end(static_cast<double>(estimate_.noise), state, estimate_.long_delay_spread, group);
        ChannelTracker::update(state, group, motion);
        group_noise_[group_count_] = group_noise(group_count_ > 0 ? group_end_[group_count_ - 1] : 0, end);
        group_end_[group_count_++] = end;
        if (end <= emitted) {
            next_window_state_ = state;
        }
    }
    ChannelTracker::smooth_backwards(std::span(groups_).first(group_count_), motion);
    time_varying_ = seems_to_move() && follow_motion(false);
}

// By what share above the noise the mean power that the pilots of the rows at hand miss something by may lie at random.
double FrameDemodulator::chance() const noexcept {
    constexpr double kDeviations = 2.5;
    const auto params = class_params(shared_.grid.profile(), start_.preamble);
    const double pilots = static_cast<double>(shared_.grid.pilots(0, dense_).size() * row_count_);
    const double known = static_cast<double>(shared_.grid.carriers() * (params.training_symbols - 1));
    return kDeviations * std::sqrt(1.0 / pilots + 1.0 / known);
}

// The pilots missed what the forward filters expected of them by more than noise explains.
bool FrameDemodulator::seems_to_move() const noexcept {
    double error = 0.0;
    for (std::size_t r = 0; r < row_count_; ++r) {
        error += static_cast<double>(tracks_[r].error);
    }
    error /= static_cast<double>(row_count_);
    return motion_.per_symbol() > 0.0 || error > (1.0 + chance()) * static_cast<double>(estimate_.noise);
}

// Mean power by which pilots left out would miss the channel between the groups, phases and times smoothed backwards.
double FrameDemodulator::group_score() {
    const auto& grid = shared_.grid;
    const std::size_t k = grid.carriers();
    const double per_carrier = kTwoPi / static_cast<double>(grid.profile().fft_size);
    const std::span<Sample> channel(shared_.channel);
    double sum = 0.0;
    std::size_t count = 0;
    for (std::size_t r = 0; r < row_count_; ++r) {
        const std::size_t symbol = first_row_symbol_ + r;
        const double phase = smooth_phase_[r].value;
        const double time = smooth_time_[r].value - tracks_[r].shift;
        interpolate_channel(r, channel);
        CarrierRotation back(-phase, per_carrier * time);
        for (const std::uint16_t c : grid.pilots(symbol, dense_)) {
            const Sample heard = rows_[r * k + c] * back.at(grid.subcarrier(c)) * grid.pilot(symbol, c);
            sum += static_cast<double>(std::norm(heard - channel[c]));
            ++count;
        }
    }
    // As cross-validation would have it: each group took its share of values from the pilots it is compared with.
    double spent = 0.0;
    for (std::size_t g = 0; g < group_count_; ++g) {
        spent += shared_.tracker.independent_values() * std::min(1.0, groups_[g].error / (groups_[g].noise + 1e-30));
    }
    const double free = std::max(0.5, 1.0 - spent / static_cast<double>(count));
    return sum / (static_cast<double>(count) * free * free);
}

// Puts the pilots of all rows held on record, after what of earlier symbols is there: of the first ones, the training.
void FrameDemodulator::record_rows() {
    const std::size_t k = shared_.grid.carriers();
    if (first_row_symbol_ == 0) {
        const auto m = static_cast<double>(class_params(shared_.grid.profile(), start_.preamble).training_symbols);
        record_.clear();
        record_.add_training(training_response_, -(m + 1.0) / 2.0, m);
    }
    record_.drop_after(static_cast<double>(first_row_symbol_) - 0.5);
    record_.drop_before(static_cast<double>(first_row_symbol_) - static_cast<double>(kLookback));
    for (std::size_t r = 0; r < row_count_; ++r) {
        record_.add_pilots(std::span<const Sample>(rows_).subspan(r * k, k), first_row_symbol_ + r, dense_,
                           smooth_time_[r].value - tracks_[r].shift);
    }
}

// Fits curves to the taps of the channel, over all rows held and some before them. True if they explain the pilots
// better than the filter of groups does; or in any case, if `insist`.
bool FrameDemodulator::follow_motion(bool insist) {
    constexpr std::size_t kFewest = 6;  // symbols
    constexpr double kHarmless = 0.03;  // even in a fade of 15 dB
    const double noise = std::max(static_cast<double>(estimate_.noise), 1e-6 * static_cast<double>(estimate_.signal));
    if (!(noise > 0.0) || !std::isfinite(noise)) {
        return false;  // levels that no float holds: nothing can be learnt from them
    }
    const double score = group_score();
    const bool explained = !(motion_.per_symbol() > 0.0) && score < (1.0 + chance()) * noise;
    if (!insist && (explained || score < kHarmless * least_noise() || first_row_symbol_ + row_count_ < kFewest)) {
        return false;
    }
    record_rows();
    const auto fit = shared_.time_varying.fit(record_, noise);
    // Better by more than the scores of so few pilots differ at random.
    const auto pilots = static_cast<double>(shared_.grid.pilots(0, dense_).size() * row_count_);
    if (!insist && !(fit.score < score * (1.0 - 1.3 / std::sqrt(pilots)))) {
        return false;
    }
    residual_cfo_ = fit.residual_cfo;
    cfo_deviation_ = fit.cfo_deviation;
    for (std::size_t r = 0; r < row_count_; ++r) {
        smooth_phase_[r].value = fit.residual_cfo * static_cast<double>(first_row_symbol_ + r);
    }
    std::fill_n(group_noise_.begin(), group_count_, static_cast<float>(fit.noise));
    return true;
}

// Power by which the forward reference misses a carrier, as far as the channel's motion and its own error explain it.
double FrameDemodulator::missed() const noexcept {
    return reference_.error + motion_.per_symbol() * static_cast<double>(ChannelTracker::kGroup);
}

// The noise with which the mode works 10 dB beyond its need. LLRs made with less would only drown those of the rows
// that were disturbed.
double FrameDemodulator::least_noise() const noexcept {
    const double needed_db = header_ ? static_cast<double>(modes()[header_->mode].required_snr_db) : 5.0;
    return static_cast<double>(estimate_.signal) * std::pow(10.0, -0.1 * (needed_db + 10.0));
}

// Noise while rows [first_row, last_row) lasted: as in the training, unless their pilots say that somebody came or
// left. What the forward reference may miss by itself, on a time-varying channel, is no sign of that.
float FrameDemodulator::group_noise(std::size_t first_row, std::size_t last_row) const noexcept {
    constexpr float kClear = 1.6F;  // four deviations for the fewest pilots of a whole group
    const auto least = static_cast<float>(least_noise());
    float error = 0.0F;
    for (std::size_t r = first_row; r < last_row; ++r) {
        error += tracks_[r].error;
    }
    error /= static_cast<float>(last_row - first_row);
    const auto explained = static_cast<float>(missed());
    float noise = estimate_.noise;
    if (last_row - first_row < ChannelTracker::kGroup / 2) {
        return std::max(noise, least);
    }
    if (error > kClear * (noise + explained)) {
        noise = error - explained;
    } else if (kClear * error < noise) {
        noise = error;
    }
    return std::max(noise, least);
}

// The channel at one row: between the centres of the groups around it.
void FrameDemodulator::interpolate_channel(std::size_t row, std::span<Sample> channel) const {
    std::size_t g = 0;
    while (group_end_[g] <= row) {
        ++g;
    }
    const double at = static_cast<double>(first_row_symbol_ + row);
    const Sample* left = groups_[g].filtered.data();
    const Sample* right = left;
    double left_at = groups_[g].centre;
    double right_at = left_at;
    if (at < left_at) {
        left = g > 0 ? groups_[g - 1].filtered.data() : window_state_.h.data();
        left_at = g > 0 ? groups_[g - 1].centre : window_state_.symbol;
    } else if (g + 1 < group_count_) {
        right = groups_[g + 1].filtered.data();
        right_at = groups_[g + 1].centre;
    }
    const float weight = right_at > left_at ? static_cast<float>((at - left_at) / (right_at - left_at)) : 0.0F;
    for (std::size_t c = 0; c < channel.size(); ++c) {
        channel[c] = left[c] + weight * (right[c] - left[c]);
    }
}

}  // namespace meshnet::phy
