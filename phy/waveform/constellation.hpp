// SPDX-License-Identifier: MIT
// Gray-mapped QAM, the same levels on both axes: coded bits -> points of unit mean power, and points -> log-likelihood
// ratios.
//
// Spec: docs/spec/phy.md, "Mapping". Bits of a point alternate I, Q, I, Q...; the first pair decides the signs. Levels
// need not be evenly spaced: the table of modes has those of each mode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "phy/modes.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// One constellation of 2, 4, 6 or 8 bits per point. Immutable after construction.
class Constellation {
public:
    /// Positive levels of an axis, ascending, in any unit: 1, 2, 4 or 8; anything else is a broken precondition
    /// (assert).
    explicit Constellation(std::span<const std::uint16_t> amplitudes);

    [[nodiscard]] unsigned bits_per_symbol() const noexcept { return 2 * bits_per_axis_; }

    /// Where 256QAM works, the LLRs of its signs are a hundred times those of its last bits. The decoder's int8 steps
    /// follow the mean magnitude: without a limit the most reliable bits would take all of them.
    static constexpr float kLargestLlr = 10.0F;

    /// The point for `bits_per_symbol()` bits, one per byte (0 or 1).
    [[nodiscard]] Sample map(const std::uint8_t* bits) const noexcept {
        if (bits_per_axis_ == 1) {
            return {levels_[bits[0]], levels_[bits[1]]};
        }
        unsigned i = 0;
        unsigned q = 0;
        for (unsigned b = 0; b < bits_per_axis_; ++b) {
            i = (i << 1) | bits[2 * b];
            q = (q << 1) | bits[2 * b + 1];
        }
        return {levels_[i], levels_[q]};
    }

    /// Points of bits_per_symbol() bits each, one after the other, to carriers[c] for each c of `places`.
    void map(const std::uint8_t* bits, std::span<const std::uint16_t> places,
             std::span<Sample> carriers) const noexcept;

    /// Levels of an axis by its bits, the first one on top: [2^(bits_per_symbol() / 2)], mean square 1/2.
    [[nodiscard]] std::span<const float> levels() const noexcept { return levels_; }

    /// Max-log LLRs (positive: bit 0) of one equalised point. `weight` = |H|^2 / noise power: the SNR of this point.
    /// Writes bits_per_symbol() values; of more than two bits none beyond +-kLargestLlr.
    void demap(Sample point, float weight, float* llr) const noexcept {
        if (bits_per_axis_ == 1) {
            llr[0] = 4.0F * levels_[0] * point.real() * weight;
            llr[1] = 4.0F * levels_[0] * point.imag() * weight;
            return;
        }
        const Row i = axis(point.real(), weight);
        const Row q = axis(point.imag(), weight);
        const Row first = __builtin_shufflevector(i, q, 0, 4, 1, 5);
        const Row last = __builtin_shufflevector(i, q, 2, 6, 3, 7);
        std::memcpy(llr, &first, sizeof(first));
        if (bits_per_axis_ == 3) {
            std::memcpy(llr + 4, &last, sizeof(last) / 2);
        } else if (bits_per_axis_ == 4) {
            std::memcpy(llr + 4, &last, sizeof(last));
        }
    }

    /// The nearest point of the constellation.
    [[nodiscard]] Sample nearest(Sample point) const noexcept;

private:
    static constexpr unsigned kRow = 4;  // values of a row of the table, the last ones 0 below 256QAM
    using Row = float __attribute__((vector_size(kRow * sizeof(float))));

    [[nodiscard]] Row axis(float y, float weight) const noexcept {
        float x = y * table_scale_ + static_cast<float>(kTableHalf);
        x = x > 0.0F ? x : 0.0F;
        x = x < static_cast<float>(2 * kTableHalf) ? x : static_cast<float>(2 * kTableHalf);
        Row llr;
        std::memcpy(&llr, &table_[static_cast<std::size_t>(x + 0.5F) * kRow], sizeof(llr));
        llr *= weight;
        // All at once and without a branch, which would go either way as the noise wills.
        constexpr Row kMost = {kLargestLlr, kLargestLlr, kLargestLlr, kLargestLlr};
        llr = llr > kMost ? kMost : llr;
        return llr < -kMost ? -kMost : llr;
    }

    static constexpr std::size_t kTableHalf = 1024;
    unsigned bits_per_axis_;
    std::vector<float> levels_;  // [2^bits_per_axis], indexed by the axis bits, most significant first
    std::vector<float> table_;   // [2 * kTableHalf + 1][kRow]: max-log LLR at unit weight
    float table_scale_ = 0.0F;
};

/// Of the payload of a mode (< modes().size()) in a version of the waveform: evenly spaced before version 1. The same
/// object in every call; the first call of a program makes them all.
[[nodiscard]] const Constellation& payload_constellation(ModeIndex mode, std::uint8_t version);
/// QPSK, of the header.
[[nodiscard]] const Constellation& header_constellation();

}  // namespace meshnet::phy
