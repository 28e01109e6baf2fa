// SPDX-License-Identifier: MIT
// The payload's code blocks, transmit side: bytes -> coded bits in the order of the points that carry them.
//
// A block's points are sent in an order that spreads neighbouring coded bits over the whole block (a stride near the
// golden section), and each point takes its bits from `bits_per_symbol` segments of the coded word: the first segment
// goes to the most reliable bits of the points. Two information columns of the code that take part in most checks are
// therefore sent late: docs/notes/ldpc.md, "Which bits travel on which".
//
// Spec: docs/spec/phy.md, "Payload".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "phy/fec/ldpc_encoder.hpp"

namespace meshnet::phy {

/// Stride of the point permutation: point j of a block of `points` carries bits of position (j * stride) mod points.
[[nodiscard]] std::size_t point_stride(std::size_t points) noexcept;

/// Renders code blocks into coded bits, in sending order. One instance, one thread.
class BlockEncoder {
public:
    BlockEncoder();
    /// Coded bits of one block (`bytes`: its payload), one per byte, point by point: `points * bits_per_symbol` values.
    void encode(ByteView bytes, unsigned redundancy_version, std::size_t points, unsigned bits_per_symbol,
                std::span<std::uint8_t> out);

private:
    LdpcEncoder encoder_;
    std::vector<std::uint8_t> info_;
    std::vector<std::uint8_t> mother_;
    std::vector<std::uint8_t> late_;
    std::vector<std::uint8_t> coded_;
};

}  // namespace meshnet::phy
