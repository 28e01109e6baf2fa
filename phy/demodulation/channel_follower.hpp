// SPDX-License-Identifier: MIT
// The channel and the noise of one frame, from its training to its last symbol.
//
//     pilots of a group of symbols -> forward reference for the next group
//     block of symbols -> groups, filtered and smoothed along time (static and slowly varying channels)
//                      -> or, where that leaves more than noise, a TimeVaryingChannel fitted to the whole block
//                      -> response and noise power of each row
//
// A group is Grid::kPilotPeriod symbols, after which the pilots have sounded every carrier.
// Spec: docs/spec/phy.md. Why two estimators: docs/decisions/0009-time-varying-channels.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "phy/demodulation/demodulator_shared.hpp"
#include "phy/demodulation/symbol_buffer.hpp"
#include "phy/demodulation/symbol_tracker.hpp"

namespace meshnet::phy {

/// Rows are those of the SymbolBuffer and the SymbolTracker it is called with. `shared` must outlive it.
class ChannelFollower {
public:
    static constexpr std::size_t kGroup = ChannelTracker::kGroup;

    /// `capacity`: rows held at most.
    ChannelFollower(DemodulatorShared& shared, std::size_t capacity);

    /// Forgets everything.
    void reset() noexcept;
    /// Begins with what the training gave: `response` [K] holds for its middle.
    void start(const TrainingEstimator::Estimate& training, std::span<const Sample> response,
               std::size_t training_symbols, bool dense_pilots);
    /// SNR for which the frame's mode was made; before it is known, that of a header.
    void set_required_snr_db(double snr_db) noexcept { required_snr_db_ = snr_db; }

    /// Pilots that miss the reference by `mean_error` do so by far more than noise and the channel's variation explain.
    [[nodiscard]] bool is_hit(float mean_error) const noexcept {
        return mean_error > kHit * (training_.noise + static_cast<float>(reference_error()));
    }
    /// The pilots of the newest row as they are expected, in place of those received: of a symbol that says nothing
    /// if `weights` is empty, else each as far as its weight (as SymbolBuffer has it) leaves room.
    void predict_pilots(SymbolBuffer& symbols, const SymbolTracker& track, std::span<const std::uint8_t> weights) const;
    /// The expected channel of the next symbol [K] and its power: what its pilots are compared with.
    [[nodiscard]] std::span<const Sample> reference() const noexcept { return reference_.h; }
    [[nodiscard]] std::span<const float> reference_power() const noexcept { return reference_power_; }
    /// After the last row was added to buffer and tracker: its pilots missed the reference by `pilot_error` (sum of
    /// powers). At the end of a group the reference is renewed.
    void add(const SymbolBuffer& symbols, const SymbolTracker& track, double pilot_error);

    /// Estimates channel and noise of all rows, the first `delivered` of which will then be dropped. Smooths the
    /// tracker (and takes its phases from the time-varying fit, if that is better).
    void estimate(const SymbolBuffer& symbols, SymbolTracker& track, std::size_t delivered);
    /// Fits the time-varying channel whatever the static estimate looks like. False if levels are beyond any float.
    bool force_time_varying(const SymbolBuffer& symbols, SymbolTracker& track);
    /// Records the pilots of all rows for the fit of the rows that follow.
    void record(const SymbolBuffer& symbols, const SymbolTracker& track);
    /// To be called when the rows named in estimate() are dropped.
    void drop() noexcept { std::swap(block_start_, next_block_start_); }

    /// The estimated response of a row, [K], and its noise power per carrier, the latter at least the one at which the
    /// SNR would be 10 dB above set_required_snr_db().
    void response(std::size_t row, std::span<Sample> channel);
    [[nodiscard]] float noise(std::size_t row) const noexcept { return group_noise_[group_of(row)] + row_excess_[row]; }
    /// The rows at hand are estimated as a time-varying channel.
    [[nodiscard]] bool time_varying() const noexcept { return time_varying_; }
    /// Of the last time-varying fit: residual carrier frequency offset, radians per symbol, and its deviation.
    [[nodiscard]] double residual_cfo() const noexcept { return residual_cfo_; }
    [[nodiscard]] double residual_cfo_deviation() const noexcept { return residual_cfo_deviation_; }
    /// Power per carrier that neither pilots nor training explain, in the worst group: noise and interference.
    [[nodiscard]] float residual_interference() const noexcept {
        return std::max(residual_interference_, training_.noise);
    }

private:
    static constexpr float kHit =
        6.0F;  // beyond what the noise of so few pilots reaches: significance 1e-9 for 8 pilots
    static constexpr std::size_t kHistory = 3 * kGroup;  // symbols before the block that the fit takes in

    void update_reference(const SymbolBuffer& symbols, const SymbolTracker& track);
    [[nodiscard]] std::size_t group_of(std::size_t row) const noexcept;
    [[nodiscard]] double false_switch_margin(std::size_t rows) const noexcept;
    [[nodiscard]] bool seems_time_varying(const SymbolTracker& track) const noexcept;
    [[nodiscard]] double static_score(const SymbolBuffer& symbols, const SymbolTracker& track);
    bool fit_time_varying(const SymbolBuffer& symbols, SymbolTracker& track, bool forced);
    [[nodiscard]] double least_noise() const noexcept;
    [[nodiscard]] double reference_error() const noexcept;
    [[nodiscard]] float measure_noise(const SymbolTracker& track, std::size_t first_row, std::size_t last_row) noexcept;
    void interpolate(std::size_t row, std::span<Sample> channel) const;

    DemodulatorShared& shared_;
    bool dense_ = false;
    double required_snr_db_ = 0.0;
    std::size_t training_symbols_ = 0;
    TrainingEstimator::Estimate training_;
    std::vector<Sample> training_response_;  // [K]

    // Forwards, while receiving.
    ChannelState reference_;
    std::vector<float> reference_power_;  // [K]
    ChannelVariation variation_;
    ChannelGroup newest_group_;
    ChannelGroup previous_group_;
    double pilot_error_ = 0.0;  // of the group under way
    std::size_t pilot_count_ = 0;
    float residual_interference_ = 0.0F;

    // Of the rows at hand.
    std::size_t first_symbol_ = 0;
    ChannelState block_start_;       // estimate just before row 0, from what came before it
    ChannelState next_block_start_;  // the same for the rows that follow those delivered
    ChannelState scratch_;
    std::vector<ChannelGroup> groups_;    // measured with smoothed phases
    std::vector<std::size_t> group_end_;  // one past the last row of each
    std::vector<float> group_noise_;      // per carrier, while they lasted
    std::vector<float> row_excess_;       // of each row: power per carrier of a burst that hit it alone
    std::size_t group_count_ = 0;
    PilotRecord record_;
    bool time_varying_ = false;  // shared_.time_varying holds their channel
    double residual_cfo_ = 0.0;
    double residual_cfo_deviation_ = 0.0;
};

}  // namespace meshnet::phy
