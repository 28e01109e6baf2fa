// SPDX-License-Identifier: MIT
// Sets samples to zero that a pulse of interference hit: far stronger than the samples around, for a short while.
//
// Parts of kPart samples are judged by their mean power, which of a signal of ours (and of noise) is never four times
// what it is in the mean; a part beside such a one by less, as a pulse seldom ends with a part; a single sample by
// more. Where few samples of a part have all of that power (the edges of a neighbouring channel's symbols: two samples
// of each), these and their neighbours alone are blanked. What a window loses with them is their share of its power on
// every carrier.
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
    static constexpr float kOftenRatio = 10.0F;   ///< the same where pulses come again and again

    /// Sets what pulses hit to zero, where samples have the mean power `level` without; returns how many samples it
    /// were. If more than `most` would be, it was no pulse, and nothing is done. `samples`: a multiple of kPart.
    /// `sample_ratio`: over `level`, of a single sample that is one.
    static std::size_t run(std::span<Sample> samples, float level, std::size_t most,
                           float sample_ratio = kSampleRatio) noexcept {
        const std::size_t total = pass(samples, level, sample_ratio, false);
        return total > 0 && total <= most ? pass(samples, level, sample_ratio, true) : 0;
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
    // Samples of one part that a pulse hit, if all of its power is in a few: those above kInside of `level`.
    struct Narrow {
        std::size_t begin = 0;
        std::size_t end = 0;  // 0: the pulse is not narrow
    };
    static Narrow narrow(std::span<const Sample> part, float level) noexcept {
        constexpr float kInside = 5.0F;
        constexpr std::size_t kWidest = 3;
        Narrow out{part.size(), 0};
        for (std::size_t i = 0; i < part.size(); ++i) {
            if (std::norm(part[i]) > kInside * level) {
                out.begin = std::min(out.begin, i);
                out.end = i + 1;
            }
        }
        return out.end <= out.begin + kWidest ? out : Narrow{};
    }
    static std::size_t blank_range(std::span<Sample> samples, std::size_t begin, std::size_t end, bool blank) noexcept {
        std::size_t total = 0;
        for (std::size_t i = begin; i < std::min(end, samples.size()); ++i) {
            total += samples[i] != Sample{} ? 1 : 0;
            samples[i] = blank ? Sample{} : samples[i];
        }
        return total;
    }
    static std::size_t pass(std::span<Sample> samples, float level, float sample_ratio, bool blank) noexcept {
        std::size_t total = 0;
        Part before;
        Part here = measure(samples, 0);
        for (std::size_t first = 0; first < samples.size(); first += kPart) {
            const Part next = measure(samples, first + kPart);
            const bool beside = std::max(before.mean, next.mean) > kPartRatio * level;
            const bool whole = here.mean > (beside ? kBesideRatio : kPartRatio) * level;
            if (whole || here.greatest > sample_ratio * level) {
                const Narrow hit = narrow(samples.subspan(first, std::min(kPart, samples.size() - first)), level);
                if (hit.end > 0) {
                    const std::size_t begin = first + hit.begin;
                    total += blank_range(samples, begin > 0 ? begin - 1 : 0, first + hit.end + 1, blank);
                } else if (whole) {
                    total += blank_range(samples, first, first + kPart, blank);
                } else {
                    for (std::size_t i = first; i < first + kPart; ++i) {
                        total +=
                            std::norm(samples[i]) > sample_ratio * level ? blank_range(samples, i, i + 1, blank) : 0;
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
