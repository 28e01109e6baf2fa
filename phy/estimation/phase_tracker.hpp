// SPDX-License-Identifier: MIT
// Tracks carrier phase and sampling time through a frame, symbol by symbol, from the pilots: forward filter, then
// fixed-interval smoothing.
//
// Two independent filters, each of a value and its drift per symbol: common phase and frequency, time offset and
// sampling clock. The drift may have a rate of its own, which is estimated too: the Doppler rate of a satellite. The
// innovation is linear in the pilots (imaginary part after derotation by the prediction), so there is no threshold at
// low SNR. The sampling clock is tracked by itself and never derived from the carrier offset. How much phase noise
// there is, is learnt from the innovations (K. Myers, B. Tapley, IEEE Trans. Autom. Control 21, 1976). Source: H.
// Rauch, F. Tung, C. Striebel, "Maximum likelihood estimates of linear dynamic systems", AIAA J. 3 (1965).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace meshnet::phy {

/// A value that drifts, at a drift that may itself grow by a rate: Kalman filter forwards, Rauch-Tung-Striebel smoother
/// backwards.
class DriftFilter {
public:
    struct Noise {
        double value = 0.0;  ///< variance added to the value per step
        double drift = 0.0;  ///< variance added to the drift per step
        double rate = 0.0;   ///< variance added to the rate per step
    };
    struct State {
        double value = 0.0, drift = 0.0;      ///< mean
        double vv = 0.0, vd = 0.0, dd = 0.0;  ///< covariance
        double rate = 0.0;                    ///< mean growth of the drift per step
        double vr = 0.0, dr = 0.0, rr = 0.0;  ///< its covariances and variance; all 0: the rate is known and stays
    };

    DriftFilter() = default;
    /// `learn`: the step noise of the value grows above `noise.value` when innovations are larger than they should be,
    /// by more than two standard deviations of their mean (oscillators with much phase noise).
    explicit DriftFilter(Noise noise, bool learn = false) noexcept
        : noise_(noise), least_value_noise_(noise.value), learn_(learn) {}

    void start(const State& state) noexcept { state_ = state; }
    /// One symbol later.
    void predict() noexcept;
    /// A measurement of (value - predicted value) with this variance.
    void update(double innovation, double variance) noexcept;
    [[nodiscard]] const State& state() const noexcept { return state_; }
    /// `s` moved by `steps`, without step noise.
    [[nodiscard]] static State moved(const State& s, double steps) noexcept;

    /// Smooths in place: `states[i]` are the filtered states of consecutive symbols.
    void smooth(std::span<State> states) const noexcept;

private:
    [[nodiscard]] State predicted(const State& s) const noexcept;
    void learn_from(double innovation, double total) noexcept;

    Noise noise_{};
    State state_{};
    double least_value_noise_ = 0.0;
    bool learn_ = false;
    double steps_ = 0.0;     // innovations averaged, at most kMemory
    double surplus_ = 0.0;   // mean of the step noise that each innovation suggests
    double expected_ = 0.0;  // mean of what their squares should be
};

}  // namespace meshnet::phy
