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
    void apply(std::span<Sample> samples) noexcept {
        // Eight sums side by side, in a fixed order: quick, and the same whatever the compiler makes of it.
        Sample sums[8] = {};
        std::size_t i = 0;
        for (; i + 8 <= samples.size(); i += 8) {
            for (std::size_t j = 0; j < 8; ++j) {
                samples[i + j] -= mean_;
                sums[j] += samples[i + j];
            }
        }
        for (; i < samples.size(); ++i) {
            samples[i] -= mean_;
            sums[0] += samples[i];
        }
        sum_ += ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        count_ += samples.size();
    }
    /// The step is complete: what was left of its mean goes into the estimate.
    void learn() noexcept {
        mean_ += kRate * (sum_ / static_cast<float>(count_ > 0 ? count_ : 1));
        sum_ = {};
        count_ = 0;
    }
    [[nodiscard]] Sample mean() const noexcept { return mean_; }

private:
    static constexpr float kRate = 1.0F / 64.0F;
    Sample mean_{};
    Sample sum_{};
    std::size_t count_ = 0;
};

}  // namespace meshnet::phy
