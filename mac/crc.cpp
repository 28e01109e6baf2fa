// SPDX-License-Identifier: MIT
#include "mac/crc.hpp"

#include <array>

namespace meshnet::mac {
namespace {

constexpr std::array<std::uint8_t, 256> make_crc8_table() {
    std::array<std::uint8_t, 256> table{};
    for (unsigned i = 0; i < 256; ++i) {
        unsigned r = i;
        for (int bit = 0; bit < 8; ++bit) {
            r = (r & 0x80U) != 0 ? ((r << 1) ^ 0x07U) & 0xFFU : r << 1;
        }
        table[i] = static_cast<std::uint8_t>(r);
    }
    return table;
}

constexpr std::array<std::uint32_t, 256> make_crc32_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t r = i;
        for (int bit = 0; bit < 8; ++bit) {
            r = (r & 1U) != 0 ? (r >> 1) ^ 0xEDB88320U : r >> 1;
        }
        table[i] = r;
    }
    return table;
}

constexpr auto kCrc8 = make_crc8_table();
constexpr auto kCrc32 = make_crc32_table();

}  // namespace

std::uint8_t crc8(ByteView bytes) noexcept {
    std::uint8_t r = 0;
    for (const std::uint8_t b : bytes) {
        r = kCrc8[r ^ b];
    }
    return r;
}

std::uint32_t crc32(ByteView bytes) noexcept {
    std::uint32_t r = 0xFFFFFFFFU;
    for (const std::uint8_t b : bytes) {
        r = kCrc32[(r ^ b) & 0xFFU] ^ (r >> 8);
    }
    return ~r;
}

}  // namespace meshnet::mac
