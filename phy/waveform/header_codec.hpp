// SPDX-License-Identifier: MIT
// The frame header: 48 bits and a CRC-16, a tail-biting convolutional code, copied until it outlasts the payload's
// noise.
//
//     version 2 | mode 5 | payload bytes 15 | redundancy version 2 | reserved 24 (zero) | CRC-16
//
// Spec: docs/spec/phy.md, "Header". A header is accepted only if the CRC holds, the version is the one asked for, the
// reserved bits are zero, and the values are possible.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "phy/fec/tbcc.hpp"
#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// One instance, one thread (the decoder has scratch memory).
class HeaderCodec {
public:
    HeaderCodec();

    /// The 256 coded bits, one per byte.
    [[nodiscard]] std::array<std::uint8_t, kHeaderCodedBits> encode(const Header& header) const;

    /// Which coded bit is sent as bit `i` of the header's stream of points (copies are rotated against each other).
    [[nodiscard]] static std::size_t coded_bit(std::size_t i) noexcept;

    /// From 256 combined LLRs (positive: bit 0), or nothing. `preamble`: the class it came with, which its mode must
    /// match; `version`: which its version must be.
    [[nodiscard]] std::optional<Header> decode(std::span<const float> llr, PreambleClass preamble,
                                               std::uint8_t version);

private:
    TailBitingCode code_;
};

}  // namespace meshnet::phy
