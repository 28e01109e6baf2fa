// SPDX-License-Identifier: MIT
// Gray-mapped square QAM: coded bits -> points of unit mean power, and points -> log-likelihood ratios.
//
// Spec: docs/spec/phy.md, "Mapping". Bits of a point alternate I, Q, I, Q...; the first pair decides the signs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// One constellation of 2, 4, 6 or 8 bits per point. Immutable after construction.
class Constellation {
public:
    explicit Constellation(unsigned bits_per_symbol);

    [[nodiscard]] unsigned bits_per_symbol() const noexcept { return 2 * bits_per_axis_; }

    /// The point for `bits_per_symbol()` bits, one per byte (0 or 1).
    [[nodiscard]] Sample map(const std::uint8_t* bits) const noexcept {
        unsigned i = 0;
        unsigned q = 0;
        for (unsigned b = 0; b < bits_per_axis_; ++b) {
            i = (i << 1) | bits[2 * b];
            q = (q << 1) | bits[2 * b + 1];
        }
        return {levels_[i], levels_[q]};
    }

    /// Max-log LLRs (positive: bit 0) of one equalised point. `weight` = |H|^2 / noise power: the SNR of this point.
    /// Writes bits_per_symbol() values.
    void demap(Sample point, float weight, float* llr) const noexcept {
        axis(point.real(), weight, llr);
        axis(point.imag(), weight, llr + 1);
    }

    /// The nearest point of the constellation.
    [[nodiscard]] Sample nearest(Sample point) const noexcept;

private:
    void axis(float y, float weight, float* llr) const noexcept {
        if (bits_per_axis_ == 1) {
            llr[0] = 4.0F * levels_[0] * y * weight;
            return;
        }
        float x = y * table_scale_ + static_cast<float>(kTableHalf);
        x = x > 0.0F ? x : 0.0F;
        x = x < static_cast<float>(2 * kTableHalf) ? x : static_cast<float>(2 * kTableHalf);
        const float* row = &table_[static_cast<std::size_t>(x + 0.5F) * bits_per_axis_];
        for (unsigned b = 0; b < bits_per_axis_; ++b) {
            llr[2 * b] = row[b] * weight;
        }
    }

    static constexpr std::size_t kTableHalf = 1024;
    unsigned bits_per_axis_;
    std::vector<float> levels_;  // [2^bits_per_axis], indexed by the axis bits, most significant first
    std::vector<float> table_;   // [2 * kTableHalf + 1][bits_per_axis]: max-log LLR at unit weight
    float table_scale_ = 0.0F;
};

}  // namespace meshnet::phy
