// SPDX-License-Identifier: MIT
// Information bits -> mother code word.
//
//     k bits -> [LdpcEncoder] -> mother_bits() bits -> rate_matching select() -> E bits to send
//
// Inside, a column is Z bits packed into words and written twice, so that a rotation is a read at a bit offset.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "phy/fec/ldpc_code.hpp"

namespace meshnet::phy {

/// Encodes one block after another. No allocation. One instance, one thread.
class LdpcEncoder {
public:
    /// Encodes `info` (code.info_bits() values, each 0 or 1, one per byte) and writes the first mother.size() bits of
    /// the mother codeword (0 or 1, one per byte); shorter than code.mother_bits() costs less, since extension checks
    /// not asked for are not computed. Other sizes are broken preconditions (assert); of `info` only the lowest bit of
    /// each byte counts.
    void encode(const LdpcCode& code, std::span<const std::uint8_t> info, std::span<std::uint8_t> mother) noexcept;

private:
    static constexpr std::size_t kHighRateCols = LdpcCode::kInfoCols + LdpcCode::kCoreRows;
    static constexpr std::size_t kWords = LdpcCode::kMaxZ / 64 + 2;           // one block, and room to read past it
    static constexpr std::size_t kTwiceWords = 2 * LdpcCode::kMaxZ / 64 + 4;  // two copies, one after the other
    using Block = std::array<std::uint64_t, kWords>;
    using TwiceBlock = std::array<std::uint64_t, kTwiceWords>;

    std::array<TwiceBlock, kHighRateCols> column_{};
};

}  // namespace meshnet::phy
