// SPDX-License-Identifier: MIT
// How a frame is cut: symbols of each part, code blocks of the payload, coded bits of each block.
//
// Spec: docs/spec/phy.md, "Frame", "Segmentation". Pure arithmetic; transmitter and receiver both derive everything
// from here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "phy/modes.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Version of the waveform that transmitters send: header and payload whitened.
inline constexpr std::uint8_t kWaveformVersion = 1;
/// The one before it, not whitened, which receivers still read: recordings of it exist.
inline constexpr std::uint8_t kUnwhitenedVersion = 0;

/// The header before coding.
struct Header {
    std::uint8_t version = kWaveformVersion;
    ModeIndex mode = 0;
    std::uint16_t payload_bytes = 0;      ///< 1..kMaxPayloadBytes
    std::uint8_t redundancy_version = 0;  ///< 0..3
    friend bool operator==(const Header&, const Header&) = default;
};

inline constexpr std::size_t kBlockCrcBits = 24;
inline constexpr std::size_t kMaxBlockBytes = 1053;  ///< 8424 bits and their CRC-24: 8448, the longest LDPC input
inline constexpr std::size_t kHeaderBits = 64;       ///< 48 and their CRC-16
inline constexpr std::size_t kHeaderCodedBits = 4 * kHeaderBits;

/// The payload of a frame, cut. Blocks differ by at most one byte; the first ones are the longer.
class PayloadLayout {
public:
    /// `payload_bytes` 1..kMaxPayloadBytes.
    PayloadLayout(const Mode& mode, std::size_t payload_bytes, std::size_t data_per_symbol) noexcept;

    [[nodiscard]] std::size_t blocks() const noexcept { return blocks_; }
    [[nodiscard]] std::size_t block_bytes(std::size_t b) const noexcept { return base_ + (b < longer_ ? 1 : 0); }
    [[nodiscard]] std::size_t block_offset(std::size_t b) const noexcept {
        return b * base_ + (b < longer_ ? b : longer_);
    }
    /// Constellation points of block `b`: what the rate needs, plus its share of what fills the last symbol.
    [[nodiscard]] std::size_t block_points(std::size_t b) const noexcept {
        return points(block_bytes(b)) + fill_ / blocks_ + (b < fill_ % blocks_ ? 1 : 0);
    }
    /// OFDM symbols of the payload.
    [[nodiscard]] std::size_t symbols() const noexcept { return symbols_; }

private:
    [[nodiscard]] std::size_t points(std::size_t bytes) const noexcept;

    const Mode* mode_;
    std::size_t blocks_;
    std::size_t base_;
    std::size_t longer_;
    std::size_t symbols_;
    std::size_t fill_;  // points beyond what the rate needs, in all
};

/// OFDM symbols of the header.
[[nodiscard]] std::size_t header_symbols(const Profile& profile, PreambleClass preamble) noexcept;

}  // namespace meshnet::phy
