// SPDX-License-Identifier: MIT
// The two cyclic redundancy checks: 16 bits for the frame header, 24 bits for each code block. Most significant bit
// first, no reflection, no final inversion, so that they work on bit streams as on bytes.
//
// Sources: CRC-16/IBM-3740 ("CCITT-FALSE"): ITU-T V.41 polynomial, start 0xFFFF, check value 0x29B1.
//          CRC-24/OPENPGP: RFC 4880, section 6.1, start 0xB704CE, check value 0x21CF02.
//          (Check value: the CRC of the nine ASCII digits "123456789".)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace meshnet::phy {

/// A CRC of `Bits` bits; polynomial without its leading term.
template <unsigned Bits, std::uint32_t Polynomial, std::uint32_t Start>
class Crc {
    static_assert(Bits >= 8 && Bits <= 31);

public:
    static constexpr unsigned kBits = Bits;

    /// CRC of whole bytes.
    [[nodiscard]] static constexpr std::uint32_t of_bytes(std::span<const std::uint8_t> bytes) noexcept {
        std::uint32_t crc = Start;
        for (const std::uint8_t b : bytes) {
            crc = ((crc << 8) ^ kTable[((crc >> (Bits - 8)) ^ b) & 0xFFU]) & kMask;
        }
        return crc;
    }

    /// CRC of bits, one per byte (the lowest bit counts); the same as of_bytes() of their packing.
    [[nodiscard]] static constexpr std::uint32_t of_bits(std::span<const std::uint8_t> bits) noexcept {
        std::uint32_t crc = Start;
        for (const std::uint8_t b : bits) {
            const bool carry = (((crc >> (Bits - 1)) ^ b) & 1U) != 0;
            crc = ((crc << 1) & kMask) ^ (carry ? Polynomial : 0U);
        }
        return crc;
    }

private:
    static constexpr std::uint32_t kMask = (1U << Bits) - 1U;
    static constexpr std::array<std::uint32_t, 256> kTable = [] {
        std::array<std::uint32_t, 256> table{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            std::uint32_t crc = i << (Bits - 8);
            for (int b = 0; b < 8; ++b) {
                const bool carry = ((crc >> (Bits - 1)) & 1U) != 0;
                crc = ((crc << 1) & kMask) ^ (carry ? Polynomial : 0U);
            }
            table[i] = crc;
        }
        return table;
    }();
};

using Crc16 = Crc<16, 0x1021, 0xFFFF>;
using Crc24 = Crc<24, 0x864CFB, 0xB704CE>;

}  // namespace meshnet::phy
