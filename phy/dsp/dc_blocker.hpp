// SPDX-License-Identifier: MIT
// Takes out the spike at zero frequency that direct-conversion receivers add (HackRF: as strong as -20 dB below the
// signal).
//
// DC is not used by our carriers, but with the sender's carrier off by k spacings the spike falls on the k-th carrier.
// The mean of every 128 samples goes into a slow average that is subtracted: a notch about 1/25 000 of the sample rate
// wide.
#pragma once

#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Works on whole blocks, so chunking cannot change its result. State: the DC estimate.
class DcBlocker {
public:
    void apply(std::span<Sample> block) noexcept {
        // Eight sums side by side, in a fixed order: quick, and the same whatever the compiler makes of it.
        Sample sums[8] = {};
        std::size_t i = 0;
        for (; i + 8 <= block.size(); i += 8) {
            for (std::size_t j = 0; j < 8; ++j) {
                sums[j] += block[i + j];
            }
        }
        for (; i < block.size(); ++i) {
            sums[0] += block[i];
        }
        const Sample sum = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
        mean_ += kRate * (sum / static_cast<float>(block.size()) - mean_);
        for (Sample& s : block) {
            s -= mean_;
        }
    }
    [[nodiscard]] Sample mean() const noexcept { return mean_; }

private:
    static constexpr float kRate = 1.0F / 64.0F;
    Sample mean_{};
};

}  // namespace meshnet::phy
