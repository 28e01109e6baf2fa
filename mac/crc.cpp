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

// Table k: what a byte does to the register k bytes later ("slicing by eight": M. E. Kounavis, F. L. Berry, ISCC 2005).
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_crc32_tables() {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t r = i;
        for (int bit = 0; bit < 8; ++bit) {
            r = (r & 1U) != 0 ? (r >> 1) ^ 0xEDB88320U : r >> 1;
        }
        tables[0][i] = r;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t i = 0; i < 256; ++i) {
            const std::uint32_t before = tables[k - 1][i];
            tables[k][i] = (before >> 8) ^ tables[0][before & 0xFFU];
        }
    }
    return tables;
}

constexpr auto kCrc8 = make_crc8_table();
constexpr auto kCrc32 = make_crc32_tables();

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
    std::size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
        const std::uint8_t* p = bytes.data() + i;
        r = kCrc32[7][(r ^ p[0]) & 0xFFU] ^ kCrc32[6][((r >> 8) ^ p[1]) & 0xFFU] ^
            kCrc32[5][((r >> 16) ^ p[2]) & 0xFFU] ^ kCrc32[4][((r >> 24) ^ p[3]) & 0xFFU] ^ kCrc32[3][p[4]] ^
            kCrc32[2][p[5]] ^ kCrc32[1][p[6]] ^ kCrc32[0][p[7]];
    }
    for (; i < bytes.size(); ++i) {
        r = kCrc32[0][(r ^ bytes[i]) & 0xFFU] ^ (r >> 8);
    }
    return ~r;
}

}  // namespace meshnet::mac
