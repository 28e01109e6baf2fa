// SPDX-License-Identifier: MIT
// Sets samples to zero that a pulse of interference hit: far stronger than the samples around, for a short while.
//
// Parts of kPart samples are judged by their mean power, which of a signal of ours (and of noise) is never four times
// what it is in the mean; a part beside such a one by less, as a pulse seldom ends with a part; a single sample by
// more. What a window loses with them is their share of its power on every carrier.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

struct PulseBlanking {
    static constexpr std::size_t kPart = 8;       ///< samples judged together
    static constexpr float kPartRatio = 4.0F;     ///< over the usual power: a pulse
    static constexpr float kBesideRatio = 1.7F;   ///< the same of a part beside one
    static constexpr float kSampleRatio = 20.0F;  ///< the same of a single sample

    /// Sets what pulses hit to zero, where samples have the mean power `level` without; returns how many samples it
    /// were. If more than `most` would be, it was no pulse, and nothing is done. `samples`: a multiple of kPart.
    static std::size_t run(std::span<Sample> samples, float level, std::size_t most) noexcept {
        const std::size_t total = pass(samples, level, false);
        return total > 0 && total <= most ? pass(samples, level, true) : 0;
    }

private:
    struct Part {
        float mean = 0.0F;
        float greatest = 0.0F;
    };
    static Part measure(std::span<const Sample> samples, std::size_t first) noexcept {
        Part out;
        if (first < samples.size()) {
            for (const Sample& s : samples.subspan(first, kPart)) {
                const float power = std::norm(s);
                out.mean += power / static_cast<float>(kPart);
                out.greatest = std::max(out.greatest, power);
            }
        }
        return out;
    }
    static std::size_t pass(std::span<Sample> samples, float level, bool blank) noexcept {
        std::size_t total = 0;
        Part before;
        Part here = measure(samples, 0);
        for (std::size_t first = 0; first < samples.size(); first += kPart) {
            const Part next = measure(samples, first + kPart);
            const bool beside = std::max(before.mean, next.mean) > kPartRatio * level;
            const bool whole = here.mean > (beside ? kBesideRatio : kPartRatio) * level;
            if (whole || here.greatest > kSampleRatio * level) {
                for (Sample& s : samples.subspan(first, kPart)) {
                    if (whole || std::norm(s) > kSampleRatio * level) {
                        ++total;
                        s = blank ? Sample{} : s;
                    }
                }
            }
            before = here;
            here = next;
        }
        return total;
    }
};

}  // namespace meshnet::phy
