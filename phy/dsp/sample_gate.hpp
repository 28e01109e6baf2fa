// SPDX-License-Identifier: MIT
// The door: what is not a finite number becomes zero and is counted, what is beyond any radio's full scale is limited.
//
// Compile without -ffast-math: it would make the finiteness tests true for everything.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Stateless but for its counters.
class SampleGate {
public:
    static constexpr float kLimit = 4.0F;  ///< full scale is 1; real front ends overshoot little

    /// Copies `in` to `out` (same length), made safe.
    void pass(std::span<const Sample> in, std::span<Sample> out) noexcept {
        // Nearly always all are as they should be: one look at all of them, which compilers make of vectors.
        const auto* values = reinterpret_cast<const float*>(in.data());
        int outside = 0;
        for (std::size_t i = 0; i < 2 * in.size(); ++i) {
            outside |= static_cast<int>(!(std::abs(values[i]) <= kLimit));
        }
        if (outside == 0) {
            std::copy(in.begin(), in.end(), out.begin());
            return;
        }
        for (std::size_t i = 0; i < in.size(); ++i) {
            float re = in[i].real();
            float im = in[i].imag();
            if (!std::isfinite(re) || !std::isfinite(im)) {
                ++not_finite_;
                re = 0.0F;
                im = 0.0F;
            } else if (std::abs(re) > kLimit || std::abs(im) > kLimit) {
                ++clipped_;
                re = std::clamp(re, -kLimit, kLimit);
                im = std::clamp(im, -kLimit, kLimit);
            }
            out[i] = Sample(re, im);
        }
    }
    [[nodiscard]] std::uint64_t not_finite() const noexcept { return not_finite_; }
    [[nodiscard]] std::uint64_t clipped() const noexcept { return clipped_; }

private:
    std::uint64_t not_finite_ = 0;
    std::uint64_t clipped_ = 0;
};

}  // namespace meshnet::phy
