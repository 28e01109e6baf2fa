// SPDX-License-Identifier: MIT
#include "phy/demodulation/channel_follower.hpp"

#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/target_clones.hpp"

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kHeaderSnrDb = 5.0;

}  // namespace

ChannelFollower::ChannelFollower(DemodulatorShared& shared, std::size_t capacity)
    : shared_(shared), record_(shared.grid) {
    const std::size_t k = shared.grid.carriers();
    training_response_.resize(k);
    reference_.h.resize(k);
    reference_power_.resize(k);
    block_start_.h.resize(k);
    next_block_start_.h.resize(k);
    const std::size_t groups = capacity / kGroup + 2;
    groups_.resize(groups);
    group_end_.resize(groups);
    group_noise_.resize(groups);
    row_excess_.resize(capacity);
    for (auto* g : {&newest_group_, &previous_group_}) {
        g->measured.resize(k);
        g->filtered.resize(k);
    }
    for (auto& g : groups_) {
        g.measured.resize(k);
        g.filtered.resize(k);
    }
}

void ChannelFollower::reset() noexcept {
    required_snr_db_ = kHeaderSnrDb;
    variation_.reset();
    previous_group_.complete = false;
    pilot_error_ = 0.0;
    pilot_count_ = 0;
    residual_interference_ = 0.0F;
    record_.clear();
    time_varying_ = false;
}

void ChannelFollower::start(const TrainingEstimator::Estimate& training, std::span<const Sample> response,
                            std::size_t training_symbols, bool dense_pilots) {
    training_ = training;
    training_symbols_ = training_symbols;
    dense_ = dense_pilots;
    for (std::size_t c = 0; c < response.size(); ++c) {
        training_response_[c] = reference_.h[c] = response[c];
        reference_power_[c] = std::norm(response[c]);
    }
    reference_.error = static_cast<double>(training.channel_error);
    reference_.symbol = -(static_cast<double>(training_symbols) + 1.0) / 2.0;
    block_start_ = reference_;
}

void ChannelFollower::predict_pilots(SymbolBuffer& symbols, const SymbolTracker& track,
                                     std::span<const std::uint8_t> weights) const {
    const std::size_t row = symbols.size() - 1;
    const std::size_t symbol = symbols.first_symbol() + row;
    const auto& grid = shared_.grid;
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    const std::span<Sample> carriers = symbols.newest();
    CarrierRotation rotation(track.filtered_phase(row), -per_carrier * track.filtered_time(row));
    for (const std::uint16_t c : grid.pilots(symbol, dense_)) {
        const Sample expected = reference_.h[c] * rotation.at(grid.subcarrier(c)) * grid.pilot(symbol, c);
        const float weight = weights.empty() ? 0.0F : static_cast<float>(weights[c]) / 255.0F;
        carriers[c] = expected + weight * (carriers[c] - expected);
    }
}

void ChannelFollower::add(const SymbolBuffer& symbols, const SymbolTracker& track, double pilot_error) {
    const std::size_t symbol = symbols.first_symbol() + symbols.size() - 1;
    pilot_error_ += pilot_error;
    pilot_count_ += shared_.grid.pilots(symbol, dense_).size();
    if (symbol % kGroup != kGroup - 1) {
        return;
    }
    const double unexplained = pilot_error_ / static_cast<double>(pilot_count_) - 2.0 * reference_error();
    residual_interference_ = std::max(residual_interference_, static_cast<float>(unexplained));
    pilot_error_ = 0.0;
    pilot_count_ = 0;
    update_reference(symbols, track);
}

// After the last symbol of a group: the channel its pilots measured becomes the reference for the next one.
void ChannelFollower::update_reference(const SymbolBuffer& symbols, const SymbolTracker& track) {
    auto& tracker = shared_.tracker;
    tracker.begin(reference_);
    for (std::size_t r = symbols.size() - std::min(kGroup, symbols.size()); r < symbols.size(); ++r) {
        tracker.add(symbols.carriers(r), symbols.first_symbol() + r, dense_, track.filtered_phase(r),
                    track.filtered_time(r));
    }
    tracker.end(static_cast<double>(training_.noise), reference_, training_.long_delay_spread, newest_group_);
    if (newest_group_.complete && previous_group_.complete) {
        variation_.add(previous_group_.measured, newest_group_.measured, newest_group_.centre - previous_group_.centre,
                       0.5 * (newest_group_.noise + previous_group_.noise), tracker.independent_values());
    }
    ChannelTracker::update(reference_, newest_group_, variation_.per_symbol());
    for (std::size_t c = 0; c < reference_power_.size(); ++c) {
        reference_power_[c] = std::norm(reference_.h[c]);
    }
    std::swap(newest_group_, previous_group_);
}

void ChannelFollower::estimate(const SymbolBuffer& symbols, SymbolTracker& track, std::size_t delivered) {
    track.smooth();
    first_symbol_ = symbols.first_symbol();
    auto& tracker = shared_.tracker;
    const double variation = variation_.per_symbol();
    next_block_start_ = block_start_;
    ChannelState& state = scratch_;
    state = block_start_;
    group_count_ = 0;
    for (std::size_t r = 0; r < symbols.size();) {
        const std::size_t end = std::min(symbols.size(), r + kGroup - (first_symbol_ + r) % kGroup);
        ChannelGroup& group = groups_[group_count_];
        tracker.begin(state);
        for (; r < end; ++r) {
            tracker.add(symbols.carriers(r), first_symbol_ + r, dense_, track.phase(r), track.time(r));
        }
        tracker.end(static_cast<double>(training_.noise), state, training_.long_delay_spread, group);
        ChannelTracker::update(state, group, variation);
        group_noise_[group_count_] = measure_noise(track, group_count_ > 0 ? group_end_[group_count_ - 1] : 0, end);
        group_end_[group_count_++] = end;
        if (end <= delivered) {
            next_block_start_ = state;
        }
    }
    ChannelTracker::smooth(std::span(groups_).first(group_count_), variation);
    time_varying_ = seems_time_varying(track) && fit_time_varying(symbols, track, false);
}

bool ChannelFollower::force_time_varying(const SymbolBuffer& symbols, SymbolTracker& track) {
    time_varying_ = fit_time_varying(symbols, track, true);
    return time_varying_;
}

// Share above the noise by which the mean pilot error of `rows` rows may exceed it on a static channel: 2.5 deviations,
// so that a false switch to the time-varying fit is rare.
double ChannelFollower::false_switch_margin(std::size_t rows) const noexcept {
    constexpr double kDeviations = 2.5;
    const double pilots = static_cast<double>(shared_.grid.pilots(0, dense_).size() * rows);
    const double known = static_cast<double>(shared_.grid.carriers() * (training_symbols_ - 1));
    return kDeviations * std::sqrt(1.0 / pilots + 1.0 / known);
}

// The pilots missed the prediction of the forward filters by more than noise explains.
bool ChannelFollower::seems_time_varying(const SymbolTracker& track) const noexcept {
    double error = 0.0;
    for (std::size_t r = 0; r < track.size(); ++r) {
        error += static_cast<double>(track.pilot_error(r));
    }
    error /= static_cast<double>(track.size());
    return variation_.per_symbol() > 0.0 ||
           error > (1.0 + false_switch_margin(track.size())) * static_cast<double>(training_.noise);
}

// Mean power by which pilots left out would miss the channel between the groups, with smoothed phases and times.
double ChannelFollower::static_score(const SymbolBuffer& symbols, const SymbolTracker& track) {
    const auto& grid = shared_.grid;
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    const std::span<Sample> channel(shared_.channel);
    double sum = 0.0;
    std::size_t count = 0;
    for (std::size_t r = 0; r < symbols.size(); ++r) {
        const std::size_t symbol = first_symbol_ + r;
        const auto carriers = symbols.carriers(r);
        interpolate(r, channel);
        CarrierRotation back(-track.phase(r), per_carrier * track.time(r));
        for (const std::uint16_t c : grid.pilots(symbol, dense_)) {
            const Sample received = carriers[c] * back.at(grid.subcarrier(c)) * grid.pilot(symbol, c);
            sum += static_cast<double>(std::norm(received - channel[c]));
            ++count;
        }
    }
    // As in cross-validation: each group took its share of values from the pilots it is compared with.
    double spent = 0.0;
    for (std::size_t g = 0; g < group_count_; ++g) {
        spent += shared_.tracker.independent_values() * std::min(1.0, groups_[g].error / (groups_[g].noise + 1e-30));
    }
    const double free = std::max(0.5, 1.0 - spent / static_cast<double>(count));
    return sum / (static_cast<double>(count) * free * free);
}

// The pilots of all rows, behind those of earlier symbols; before the first block, the training.
void ChannelFollower::record(const SymbolBuffer& symbols, const SymbolTracker& track) {
    const std::size_t first = symbols.first_symbol();
    if (first == 0) {
        const auto m = static_cast<double>(training_symbols_);
        record_.clear();
        record_.add_training(training_response_, -(m + 1.0) / 2.0, m);
    }
    record_.drop_after(static_cast<double>(first) - 0.5);
    record_.drop_before(static_cast<double>(first) - static_cast<double>(kHistory));
    for (std::size_t r = 0; r < symbols.size(); ++r) {
        record_.add_pilots(symbols.carriers(r), first + r, dense_, track.time(r));
    }
}

// Fits the taps of the channel as splines over all rows and some before them. True if they explain the pilots better
// than the groups do; or in any case, if `forced`.
bool ChannelFollower::fit_time_varying(const SymbolBuffer& symbols, SymbolTracker& track, bool forced) {
    constexpr std::size_t kFewest = 6;  // symbols
    constexpr double kHarmless = 0.03;  // even in a fade of 15 dB
    const double noise = std::max(static_cast<double>(training_.noise), 1e-6 * static_cast<double>(training_.signal));
    if (!(noise > 0.0) || !std::isfinite(noise)) {
        return false;  // levels that no float holds: nothing can be estimated from them
    }
    const double score = static_score(symbols, track);
    const bool explained =
        !(variation_.per_symbol() > 0.0) && score < (1.0 + false_switch_margin(symbols.size())) * noise;
    if (!forced &&
        (explained || score < kHarmless * least_noise() || symbols.first_symbol() + symbols.size() < kFewest)) {
        return false;
    }
    record(symbols, track);
    const auto fit = shared_.time_varying.fit(record_, noise);
    // Better by more than the scores of so few pilots differ at random.
    const auto pilots = static_cast<double>(shared_.grid.pilots(0, dense_).size() * symbols.size());
    if (!forced && !(fit.score < score * (1.0 - 1.3 / std::sqrt(pilots)))) {
        return false;
    }
    residual_cfo_ = fit.residual_cfo;
    residual_cfo_deviation_ = fit.residual_cfo_deviation;
    track.set_phase_line(fit.residual_cfo, symbols.first_symbol());
    std::fill_n(group_noise_.begin(), group_count_, static_cast<float>(fit.noise));
    for (std::size_t r = 0; r < track.size(); ++r) {
        row_excess_[r] = track.excess(r);  // pilots that missed the forward prediction are explained now
    }
    return true;
}

// Power by which the forward reference misses a carrier, as far as the channel's variation and its own error explain
// it.
double ChannelFollower::reference_error() const noexcept {
    return reference_.error + variation_.per_symbol() * static_cast<double>(kGroup);
}

// The noise with which the mode works 10 dB beyond its need. LLRs made with less would only drown those of the rows
// that were disturbed.
double ChannelFollower::least_noise() const noexcept {
    return static_cast<double>(training_.signal) * std::pow(10.0, -0.1 * (required_snr_db_ + 10.0));
}

// Noise while rows [first_row, last_row) lasted: as in the training, unless their pilots show that interference began
// or ended. What the forward reference may miss by itself, on a time-varying channel, is no sign of that. A row that
// misses it by far more than the others of its group was hit alone and keeps that to itself.
float ChannelFollower::measure_noise(const SymbolTracker& track, std::size_t first_row, std::size_t last_row) noexcept {
    constexpr float kClear = 1.6F;  // four deviations for the fewest pilots of a complete group
    const auto least = static_cast<float>(least_noise());
    const auto explained = static_cast<float>(reference_error());
    const std::size_t rows = last_row - first_row;
    std::array<float, kGroup> errors{};
    for (std::size_t r = 0; r < rows; ++r) {
        errors[r] = track.pilot_error(first_row + r);
        row_excess_[first_row + r] = track.excess(first_row + r);
    }
    const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(rows / 2);
    std::nth_element(errors.begin(), middle, errors.begin() + static_cast<std::ptrdiff_t>(rows));
    const float usual = std::max(training_.noise + explained, 2.0F * *middle);
    float error = 0.0F;
    std::size_t counted = 0;
    for (std::size_t r = first_row; r < last_row; ++r) {
        if (track.pilot_error(r) > kHit * usual) {
            row_excess_[r] = std::max(row_excess_[r], track.pilot_error(r) - explained);
        } else {
            error += track.pilot_error(r);
            ++counted;
        }
    }
    error /= static_cast<float>(std::max<std::size_t>(counted, 1));
    float noise = training_.noise;
    if (rows < kGroup / 2) {
        return std::max(noise, least);
    }
    if (error > kClear * (noise + explained)) {
        noise = error - explained;
    } else if (kClear * error < noise) {
        noise = error;
    }
    return std::max(noise, least);
}

std::size_t ChannelFollower::group_of(std::size_t row) const noexcept {
    std::size_t g = 0;
    while (group_end_[g] <= row) {
        ++g;
    }
    return g;
}

// The channel at one row: between the centres of the groups around it.
MESHNET_TARGET_CLONES void ChannelFollower::interpolate(std::size_t row, std::span<Sample> channel) const {
    const std::size_t g = group_of(row);
    const double at = static_cast<double>(first_symbol_ + row);
    const Sample* left = groups_[g].filtered.data();
    const Sample* right = left;
    double left_at = groups_[g].centre;
    double right_at = left_at;
    if (at < left_at) {
        left = g > 0 ? groups_[g - 1].filtered.data() : block_start_.h.data();
        left_at = g > 0 ? groups_[g - 1].centre : block_start_.symbol;
    } else if (g + 1 < group_count_) {
        right = groups_[g + 1].filtered.data();
        right_at = groups_[g + 1].centre;
    }
    const float weight = right_at > left_at ? static_cast<float>((at - left_at) / (right_at - left_at)) : 0.0F;
    for (std::size_t c = 0; c < channel.size(); ++c) {
        channel[c] = left[c] + weight * (right[c] - left[c]);
    }
}

void ChannelFollower::response(std::size_t row, std::span<Sample> channel) {
    if (time_varying_) {
        shared_.time_varying.response(static_cast<double>(first_symbol_ + row), channel);
    } else {
        interpolate(row, channel);
    }
}

}  // namespace meshnet::phy
