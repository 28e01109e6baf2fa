// SPDX-License-Identifier: MIT
// Residual phase, carrier frequency offset (CFO), time and sampling clock of a frame, symbol by symbol.
//
//     pilots of a symbol against the reference channel -> (phase, time) by least squares -> two DriftFilters forwards
//     -> fixed-interval (RTS) smoothing over the symbols at hand
//
// The transform window follows the tracked time in whole samples; what is left stays a slope of phase over frequency.
// Its oscillator follows the tracked frequency, so that a Doppler rate causes no inter-carrier interference (ICI)
// however long the frame is; it rotates about the middle of each window and so leaves the phases as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/estimation/phase_tracker.hpp"
#include "phy/estimation/training_estimator.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Follows one frame. Rows are numbered as those of the SymbolBuffer beside it. Allocates in the constructor only.
class SymbolTracker {
public:
    /// `capacity`: rows held at most. `grid` must outlive it.
    SymbolTracker(const Grid& grid, std::size_t capacity);

    /// Forgets everything; the window shift is 0.
    void reset() noexcept;
    /// Starts the filters just before symbol 0. `training`: the estimate, whose CFO was removed before the transform.
    void start(const TrainingEstimator::Estimate& training, std::size_t training_symbols, bool dense_pilots) noexcept;

    /// What the pilots of one symbol say against the prediction.
    struct Innovation {
        double phase = 0.0;  ///< radians
        double phase_variance = 0.0;
        double time = 0.0;  ///< samples
        double time_variance = 0.0;
        bool usable = false;      ///< the reference has power: the values above can be taken
        double error = 0.0;       ///< sum over the pilots of the power by which they miss the reference
        float mean_error = 0.0F;  ///< the same for each pilot
    };
    /// Moves the filters to `symbol`, the next row, and compares its pilots. `carriers` [K]; `reference` [K]: the
    /// expected channel, phase and time taken out, and its power per carrier; `weights` as SymbolBuffer has them. One
    /// of take() and skip() must follow.
    [[nodiscard]] Innovation predict(std::span<const Sample> carriers, std::size_t symbol,
                                     std::span<const Sample> reference, std::span<const float> reference_power,
                                     std::span<const std::uint8_t> weights = {}) noexcept;
    /// The filters take it.
    void take(const Innovation& innovation) noexcept;
    /// The symbol was hit by interference of power `excess` per carrier: the filters stay as predicted.
    void skip(float excess) noexcept;
    /// predict() and take(): returns the sum of the pilots' errors.
    double add(std::span<const Sample> carriers, std::size_t symbol, std::span<const Sample> reference,
               std::span<const float> reference_power) noexcept {
        const Innovation innovation = predict(carriers, symbol, reference, reference_power);
        take(innovation);
        return innovation.error;
    }
    /// Smooths all rows at hand.
    void smooth() noexcept;
    /// Replaces the smoothed phases by those of a constant residual CFO, radians per symbol.
    void set_phase_line(double radians_per_symbol, std::size_t first_symbol) noexcept;
    /// Removes the first `rows` rows.
    void drop(std::size_t rows) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Forward estimates for the row: radians; samples against its transform window.
    [[nodiscard]] double filtered_phase(std::size_t row) const noexcept { return tracks_[row].phase.value; }
    [[nodiscard]] double filtered_time(std::size_t row) const noexcept {
        return tracks_[row].time.value - tracks_[row].shift;
    }
    /// The same after smooth().
    [[nodiscard]] double phase(std::size_t row) const noexcept { return smooth_phase_[row].value; }
    [[nodiscard]] double time(std::size_t row) const noexcept { return smooth_time_[row].value - tracks_[row].shift; }
    /// Mean power by which the row's pilots missed the forward prediction.
    [[nodiscard]] float pilot_error(std::size_t row) const noexcept { return tracks_[row].error; }
    /// Power per carrier of the interference for which the row was skipped; 0 if it was not.
    [[nodiscard]] float excess(std::size_t row) const noexcept { return tracks_[row].excess; }
    /// Samples by which the row's window was moved against the first symbol's, and by which the next one will be.
    [[nodiscard]] int shift(std::size_t row) const noexcept { return tracks_[row].shift; }
    [[nodiscard]] int next_shift() const noexcept { return window_shift_; }
    /// Residual CFO that was removed from the row's samples, and that will be from the next one's, cycles per sample.
    [[nodiscard]] double oscillator(std::size_t row) const noexcept { return tracks_[row].oscillator; }
    [[nodiscard]] double next_oscillator() const noexcept { return oscillator_; }
    /// Residual CFO, radians per symbol, and drift of the time, samples per symbol, after the last row.
    [[nodiscard]] double cfo() const noexcept { return phase_.state().drift; }
    /// Variance of cfo().
    [[nodiscard]] double cfo_variance() const noexcept { return phase_.state().dd; }
    [[nodiscard]] double time_drift() const noexcept { return time_.state().drift; }

private:
    void add_track(float error, float excess) noexcept;
    void follow_window() noexcept;
    void follow_oscillator() noexcept;

    struct Track {
        DriftFilter::State phase;
        DriftFilter::State time;
        int shift = 0;
        double oscillator = 0.0;
        float error = 0.0F;
        float excess = 0.0F;
    };

    const Grid& grid_;
    bool dense_ = false;
    double noise_ = 0.0;  // power per carrier, of the training
    DriftFilter phase_;
    DriftFilter time_;
    int window_shift_ = 0;
    double oscillator_ = 0.0;
    std::size_t size_ = 0;
    std::vector<Track> tracks_;  // [capacity]
    std::vector<DriftFilter::State> smooth_phase_;
    std::vector<DriftFilter::State> smooth_time_;
};

}  // namespace meshnet::phy
