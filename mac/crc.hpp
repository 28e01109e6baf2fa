// SPDX-License-Identifier: MIT
// The two checks of the burst format: CRC-8 over a delimiter, CRC-32 over a sub-frame.
//
// Source: CRC-32 as in IEEE 802.3 clause 3.2.9 (reflected, polynomial 0x04C11DB7); CRC-8 of polynomial 0x07 (ITU-T
// I.432.1, without
//         the final XOR).
#pragma once

#include <cstdint>

#include "core/bytes.hpp"

namespace meshnet::mac {

/// CRC-8, polynomial 0x07, register starts at 0, no reflection. "123456789" gives 0xF4.
[[nodiscard]] std::uint8_t crc8(ByteView bytes) noexcept;

/// CRC-32 of IEEE 802.3. "123456789" gives 0xCBF43926.
[[nodiscard]] std::uint32_t crc32(ByteView bytes) noexcept;

}  // namespace meshnet::mac
