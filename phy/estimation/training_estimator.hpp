// SPDX-License-Identifier: MIT
// Estimates from a frame's training symbols: channel, noise, residual carrier offset, where the paths lie in time, and
// which carriers interference hits. Those are left out of all sums, and the channel there is what their neighbours make
// of it.
//
// Spec: docs/spec/phy.md, "Training".
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/estimation/channel_smoother.hpp"
#include "phy/estimation/drift_estimator.hpp"
#include "phy/estimation/interference_profile.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Estimates from M received training symbols, transform outputs as they come.
class TrainingEstimator {
public:
    struct Estimate : DriftEstimate {
        float noise = 1.0F;              ///< noise power per carrier, transform output units
        float signal = 0.0F;             ///< mean |H|^2, same units, bias removed
        float channel_error = 0.0F;      ///< mean squared error of H per carrier after smoothing
        double phase_variance = 0.0;     ///< of the phase reference, radians^2
        bool long_delay_spread = false;  ///< there is more channel than fits the prefix: H was smoothed less
        int timing_shift = 0;            ///< samples the transform window should move for the paths to fit the prefix
    };

    using Prior = DriftPrior;

    explicit TrainingEstimator(const Grid& grid);
    TrainingEstimator(const TrainingEstimator&) = delete;
    TrainingEstimator& operator=(const TrainingEstimator&) = delete;

    /// `symbols`: shape [M][K], M >= 2, the carriers of each training symbol, derotated by the preamble's offset.
    /// Writes H for the middle of the training to `channel` [K].
    /// `symbols` is overwritten. `lost` [M][K]: share of each value's power that was lost with lines taken out of it;
    /// empty: none.
    Estimate run(std::span<Sample> symbols, const Prior& prior, std::span<Sample> channel,
                 std::span<const float> lost = {});

    /// [K]: power of the interference on each carrier beyond Estimate::noise, of the last run(), without the lines that
    /// were taken out; empty if there is none.
    [[nodiscard]] std::span<const float> interference() const noexcept {
        return stays_ ? profile_.excess() : std::span<const float>{};
    }

private:
    [[nodiscard]] float estimate_clock(std::span<const Sample> symbols, std::span<const Sample> channel) const;
    void measure_turned_errors(std::span<const Sample> symbols, std::span<const Sample> channel, float clock);
    void leave_out_lost(std::span<Sample> symbols, std::span<const float> lost);
    bool leave_out(std::span<Sample> symbols, std::span<const float> hit, float limit);
    void fill_in(std::span<Sample> channel, double signal, double noise, std::size_t symbols);
    void smooth(std::span<Sample> channel, double noise, std::size_t symbols, Estimate& out);
    [[nodiscard]] int best_shift(std::span<const Sample> channel, float noise_per_carrier);

    const Grid& grid_;
    ChannelSmoother smoother_;
    ChannelSmoother long_smoother_;
    DriftEstimator drift_;
    std::vector<Sample> mean_;  // [K]
    InterferenceProfile profile_;
    bool interfered_ = false;          // values were left out
    bool stays_ = false;               // and not only because they were lost with lines: profile_ has the interference
    std::size_t good_ = 0;             // carriers that are used
    std::vector<float> counts_;        // [K]: values of each less one, 0 for those left out
    std::vector<float> errors_;        // [K]
    std::vector<float> interference_;  // [K]
    Fft inverse_;
    std::vector<double> energy_;
};

}  // namespace meshnet::phy
