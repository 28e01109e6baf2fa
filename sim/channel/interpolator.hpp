// SPDX-License-Identifier: MIT
// A sample between the samples: windowed-sinc interpolation, the kernel of delays, sampling-clock errors and multipath.
//
// 32 taps, Kaiser window with beta 9, 256 tabulated positions with linear interpolation of the taps between them. For
// signals that occupy up to 81 % of the band (0.405 of the sample rate each side) images and distortion together are
// below -80 dB (measured by tests/sim/resampler_test.cpp).
//
// Source: A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", Kaiser window design.
#pragma once

#include <cstddef>

#include "phy/sample.hpp"

namespace meshnet::sim {

class Interpolator {
public:
    static constexpr std::size_t kTaps = 32;
    static constexpr std::size_t kBefore = 15;  ///< samples used before the integer position
    static constexpr std::size_t kAfter = 16;   ///< samples used after it
    static constexpr std::size_t kPositions = 256;

    /// Value at x[kBefore] + `fraction` of a sample. `x` points to kTaps samples; `fraction` in [0, 1).
    [[nodiscard]] static phy::Sample at(const phy::Sample* x, float fraction) noexcept;

    /// The real taps for `fraction`: taps[k] weighs x[k]. `taps` has room for kTaps.
    static void taps(float fraction, float* taps) noexcept;
};

}  // namespace meshnet::sim
