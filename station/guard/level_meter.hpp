// SPDX-License-Identifier: GPL-3.0-or-later
// Power of a burst in the time domain: every sample is looked at.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::station {

/// Powers relative to a sample of magnitude 1.
struct LevelReading {
    bool finite = true;  ///< false: a sample is not a number or its square is not; the other fields mean nothing then
    double peak = 0.0;   ///< largest |x|^2
    double mean = 0.0;   ///< over all samples
    double window_peak = 0.0;  ///< largest mean over a window, at least the true one and at most 1 % above it
};

/// One instance, one thread; it keeps its buffer.
class LevelMeter {
public:
    /// `window`: samples of the sliding mean, at least 1; a shorter burst is averaged as a whole. No samples: zeros.
    [[nodiscard]] LevelReading measure(std::span<const phy::Sample> samples, std::size_t window);

private:
    std::vector<float> energies_;
};

}  // namespace meshnet::station
