// SPDX-License-Identifier: MIT
// Whitens information bits before coding, so that a payload of zeros does not become a comb of carriers.
//
// The sequence is the m-sequence of x^15 + x^14 + 1 (the generator of DVB's energy dispersal, EN 300 421), started
// afresh for every code block. Scrambling twice is the identity.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// The sequence from state 0x4A80, packed, most significant bit first: byte i is XORed onto byte i of a block and its
/// CRC.
[[nodiscard]] inline const std::array<std::uint8_t, kMaxBlockBytes + 3>& scrambling_bytes() noexcept {
    static constexpr auto kSequence = [] {
        std::array<std::uint8_t, kMaxBlockBytes + 3> out{};
        unsigned state = 0x4A80;
        for (auto& byte : out) {
            for (int b = 0; b < 8; ++b) {
                const unsigned bit = ((state >> 14) ^ (state >> 13)) & 1U;
                state = ((state << 1) | bit) & 0x7FFFU;
                byte = static_cast<std::uint8_t>((byte << 1) | bit);
            }
        }
        return out;
    }();
    return kSequence;
}

}  // namespace meshnet::phy
