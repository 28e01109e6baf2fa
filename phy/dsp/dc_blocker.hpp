// SPDX-License-Identifier: MIT
// Takes out the spike at zero frequency that direct-conversion receivers add (HackRF: as strong as -20 dB below the
// signal).
//
// DC is not used by our carriers, but with the sender's carrier off by k spacings the spike falls on the k-th carrier.
// The mean of every step of samples goes into a slow average that is subtracted from those that follow: a notch about
// 1/25 000 of the sample rate wide.
#pragma once

#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Learns at the end of each step only, so chunking cannot change its result. State: the DC estimate.
class DcBlocker {
public:
    /// Takes the estimate off samples of a step that may not be complete yet.
    void apply(std::span<Sample> samples) const noexcept {
        for (Sample& x : samples) {
            x -= mean_;
        }
    }
    /// The step is complete: what was left of its mean goes into the estimate. `step`: all of its samples after
    /// apply().
    void learn(std::span<const Sample> step) noexcept {
        // Eight sums side by side, in a fixed order: quick, and the same whatever the compiler makes of it. Real and
        // imaginary parts alternate.
        constexpr std::size_t kLanes = 16;
        float sums[kLanes] = {};
        const auto* values = reinterpret_cast<const float*>(step.data());
        const std::size_t count = 2 * step.size();
        std::size_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            for (std::size_t j = 0; j < kLanes; ++j) {
                sums[j] += values[i + j];
            }
        }
        for (; i < count; ++i) {
            sums[i % 2] += values[i];
        }
        const auto pair = [&](std::size_t j) { return Sample(sums[j] + sums[j + 2], sums[j + 1] + sums[j + 3]); };
        const Sample sum = (pair(0) + pair(4)) + (pair(8) + pair(12));
        mean_ += kRate * (sum / static_cast<float>(step.empty() ? 1 : step.size()));
    }
    [[nodiscard]] Sample mean() const noexcept { return mean_; }

private:
    static constexpr float kRate = 1.0F / 64.0F;
    Sample mean_{};
};

}  // namespace meshnet::phy
