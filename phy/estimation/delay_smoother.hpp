// SPDX-License-Identifier: MIT
// Between a channel on the carriers and the same channel as a short filter in time.
//
//     least squares on each carrier -> smooth() -> the same with only the noise of a few delays left
//     channel on each carrier       -> taps()   -> filter that makes the received samples from the sent ones
//
// A minimum mean-square fit of taps -kGuard .. prefix + kGuard (in samples of the transform window). Paths are expected
// anywhere within the prefix, with equal power; beyond it only the skirts that a delay between two samples has. Unlike
// the circular transform the filter also gives the right samples where one symbol meets the next.
// Source: J.-J. van de Beek, O. Edfors, M. Sandell, S. K. Wilson, P. O. Borjesson, "On channel estimation in OFDM
//         systems", IEEE VTC 1995.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// One instance, one thread. Allocates in the constructor only.
class DelaySmoother {
public:
    static constexpr std::size_t kGuard = 8;  ///< taps before delay 0 and after the prefix

    explicit DelaySmoother(const Grid& grid);

    /// Number of taps; tap t is the delay t - kGuard of the transform window.
    [[nodiscard]] std::size_t size() const noexcept { return taps_; }

    /// `channel` [K], least squares in, smoothed out. `snr_db`: of each value.
    void smooth(std::span<Sample> channel, float snr_db);
    /// How much of a value's noise power is left after smooth(), mean over carriers, 0..1.
    [[nodiscard]] float noise_gain(float snr_db) const noexcept { return noise_gain_[level(snr_db)]; }

    /// `channel` [K] -> `out` [size()]: Y[c] = sum_t out[t] exp(-j 2 pi k(c) (t - kGuard) / N), as nearly as the taps
    /// allow (-40 dB for a path between two samples).
    void taps(std::span<const Sample> channel, std::span<Sample> out);

private:
    static constexpr std::size_t kLevels = 6;  // -10, 0, .. 40 dB; the highest one also makes the filters
    [[nodiscard]] static std::size_t level(float snr_db) noexcept;
    void fit(std::span<const Sample> channel, std::size_t level);

    const Grid& grid_;
    std::size_t taps_;
    Fft inverse_;
    Fft forward_;
    std::vector<float> fit_[kLevels];  // [T][T], symmetric
    float noise_gain_[kLevels]{};
    std::vector<Sample> correlation_;  // [T]
    std::vector<Sample> fitted_;       // [T]
};

}  // namespace meshnet::phy
