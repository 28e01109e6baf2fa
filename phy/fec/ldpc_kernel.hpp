// SPDX-License-Identifier: MIT
// The decoder's inner loop, once per instruction set. Internal to phy/fec.
//
// Each version is compiled in its own file with its own flags and includes nothing that could leave code of a
// richer instruction set in a shared inline function. All versions give the same bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace meshnet::phy::ldpc {

/// Bytes every buffer handed to a kernel has behind the Z it is used for: the widest vector.
inline constexpr std::size_t kPad = 64;

/// One circulant of a check: bit (i + shift) mod z of the column stands in check i.
struct Edge {
    std::int8_t* posterior;  ///< the column, [z + kPad]; updated
    std::int8_t* message;    ///< check -> column, in the order of the checks, [z + kPad]; replaced
    std::size_t shift;       ///< 0..z-1
};

/// How a check joins the magnitudes of its inputs.
struct CheckRule {
    /// c(i) = g ln(1 + exp(-i / g)), i = 0..15, rounded, never rising, 3 at most, the last one 0, for inputs of g steps
    /// per unit of LLR. All 0: min-sum.
    alignas(16) std::array<std::int8_t, 16> correction{};
    /// What is taken off a magnitude m on its way out: m - ((m + bias) >> shift), m limited to `cap` first. Shift 1..7.
    unsigned shift = 3;
    unsigned bias = 3;
    unsigned cap = 48;
};

/// One row of the base graph: z checks.
struct Layer {
    const Edge* edges = nullptr;
    std::size_t degree = 0;  ///< number of edges, 1..20
    const std::int8_t* extension =
        nullptr;  ///< channel values of the row's own parity, [z + kPad], 0 from z on; or nullptr
    std::size_t z = 0;
    std::int8_t* scratch = nullptr;  ///< [degree][scratch_stride]
    std::size_t scratch_stride = 0;  ///< >= z + kPad
    bool first = false;              ///< messages count as 0 and are not read
    const CheckRule* rule = nullptr;
};

/// Functions of one instruction set.
struct Kernel {
    /// Updates posteriors and messages of one layer. True if no extension parity was received more surely with the
    /// other sign than its check now gives (always true without extension).
    bool (*update)(const Layer& layer) noexcept;
    /// Bit i of the words is 1 if values[i] < 0; n a multiple of 8; the last word is filled up with 0. values: [n +
    /// kPad].
    void (*pack_signs)(const std::int8_t* values, std::size_t n, std::uint64_t* words) noexcept;
};

/// Portable version.
[[nodiscard]] const Kernel& generic_kernel() noexcept;
/// nullptr where the compiler cannot make it or this processor cannot run it.
[[nodiscard]] const Kernel* avx2_kernel() noexcept;
[[nodiscard]] const Kernel* avx512_kernel() noexcept;

}  // namespace meshnet::phy::ldpc
