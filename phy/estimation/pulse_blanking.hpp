// SPDX-License-Identifier: MIT
// Sets samples to zero that a pulse of interference hit: far stronger than the samples around, for a short while.
//
// Parts of kPart samples are judged by their mean power, which of a signal of ours (and of noise) is never five times
// what it is in the mean; a single sample must stand out further. What a window loses with them is their share of its
// power on every carrier.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

struct PulseBlanking {
    static constexpr std::size_t kPart = 8;       ///< samples judged together
    static constexpr float kPartRatio = 5.0F;     ///< over the usual power: a pulse
    static constexpr float kSampleRatio = 20.0F;  ///< the same of a single sample

    /// Sets what pulses hit to zero, where samples have the mean power `level` without; returns how many samples it
    /// were. If more than `most` would be, it was no pulse, and nothing is done. `samples`: a multiple of kPart.
    static std::size_t run(std::span<Sample> samples, float level, std::size_t most) noexcept {
        const auto hit = [&](std::size_t first, bool& whole) {
            float sum = 0.0F;
            float greatest = 0.0F;
            for (std::size_t i = first; i < first + kPart; ++i) {
                const float power = std::norm(samples[i]);
                sum += power;
                greatest = std::max(greatest, power);
            }
            whole = sum > kPartRatio * kPart * level;
            return whole || greatest > kSampleRatio * level;
        };
        const auto count = [&](bool blank) {
            std::size_t total = 0;
            for (std::size_t first = 0; first + kPart <= samples.size(); first += kPart) {
                bool whole = false;
                if (!hit(first, whole)) {
                    continue;
                }
                for (std::size_t i = first; i < first + kPart; ++i) {
                    if (whole || std::norm(samples[i]) > kSampleRatio * level) {
                        ++total;
                        samples[i] = blank ? Sample{} : samples[i];
                    }
                }
            }
            return total;
        };
        const std::size_t total = count(false);
        return total > 0 && total <= most ? count(true) : 0;
    }
};

}  // namespace meshnet::phy
