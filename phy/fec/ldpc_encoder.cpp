// SPDX-License-Identifier: MIT
#include "phy/fec/ldpc_encoder.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "phy/fec/ldpc_tables.hpp"

namespace meshnet::phy {

namespace {

using ldpc_tables::kCloseRow;
using ldpc_tables::kEntries;

/// Bytes 0 or 1 -> one word, the first byte the lowest bit. n <= 64.
std::uint64_t pack(const std::uint8_t* bytes, std::size_t n) noexcept {
    std::uint64_t word = 0;
    std::size_t i = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; i + 8 <= n; i += 8) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, bytes + i, 8);
            // The product gathers bit 0 of byte j at bit 56 + j.
            word |= (((eight & 0x0101010101010101ULL) * 0x0102040810204080ULL) >> 56) << i;
        }
    }
    for (; i < n; ++i) {
        word |= static_cast<std::uint64_t>(bytes[i] & 1U) << i;
    }
    return word;
}

void unpack(std::uint64_t word, std::uint8_t* bytes, std::size_t n) noexcept {
    std::size_t i = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; i + 8 <= n; i += 8) {
            const std::uint64_t eight = (word >> i) & 0xFFU;
            // Copy the byte into all eight, keep bit j in byte j, then carry it up to bit 7 and down to bit 0.
            const std::uint64_t spread = (eight * 0x0101010101010101ULL) & 0x8040201008040201ULL;
            const std::uint64_t ones = ((spread + 0x007F7F7F7F7F7F7FULL) | spread) >> 7 & 0x0101010101010101ULL;
            const std::uint64_t out = ones;
            std::memcpy(bytes + i, &out, 8);
        }
    }
    for (; i < n; ++i) {
        bytes[i] = static_cast<std::uint8_t>((word >> i) & 1U);
    }
}

/// Writes the first z bits of `block` twice, one copy after the other. Bits of `block` from z on must be 0.
template <class Block, class Twice>
void write_twice(const Block& block, std::size_t z, Twice& twice) noexcept {
    const std::size_t words = (z + 63) / 64;
    twice.fill(0);
    std::copy_n(block.begin(), words, twice.begin());
    const std::size_t at = z / 64;
    const std::size_t shift = z % 64;
    for (std::size_t i = 0; i < words; ++i) {
        twice[at + i] |= block[i] << shift;
        if (shift != 0) {
            twice[at + i + 1] |= block[i] >> (64 - shift);
        }
    }
}

/// sum ^= the column rotated so that bit `shift` comes first. Leaves rubbish from bit z on.
template <class Block, class Twice>
void add_rotated(const Twice& twice, std::size_t shift, std::size_t words, Block& sum) noexcept {
    const std::size_t at = shift / 64;
    const std::size_t low = shift % 64;
    if (low == 0) {
        for (std::size_t i = 0; i < words; ++i) sum[i] ^= twice[at + i];
    } else {
        for (std::size_t i = 0; i < words; ++i) {
            sum[i] ^= (twice[at + i] >> low) | (twice[at + i + 1] << (64 - low));
        }
    }
}

}  // namespace

void LdpcEncoder::encode(const LdpcCode& code, std::span<const std::uint8_t> info,
                         std::span<std::uint8_t> mother) noexcept {
    assert(info.size() == code.info_bits());
    assert(mother.size() <= code.mother_bits());
    const std::size_t z = code.z();
    const std::size_t words = (z + 63) / 64;
    const std::uint64_t last_mask = z % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << (z % 64)) - 1;
    const std::size_t table = code.shift_table();

    for (std::size_t c = 0; c < LdpcCode::kInfoCols; ++c) {
        Block block{};
        const std::size_t first = std::min(c * z, info.size());
        const std::size_t count = std::min(z, info.size() - first);
        for (std::size_t i = 0; i < count; i += 64) {
            block[i / 64] = pack(info.data() + first + i, std::min<std::size_t>(64, count - i));
        }
        write_twice(block, z, column_[c]);
    }

    std::size_t entry = 0;
    // The sum of a check's entries in columns below `end`.
    const auto check_sum = [&](std::size_t row, std::size_t end) {
        Block sum{};
        for (; entry < kEntries.size() && kEntries[entry].row == row; ++entry) {
            const auto& e = kEntries[entry];
            if (e.col < end) {
                add_rotated(column_[e.col], e.shift[table] % z, words, sum);
            }
        }
        sum[words - 1] &= last_mask;
        return sum;
    };
    const auto closing_shift = [&](std::size_t row) -> std::size_t {
        for (const auto& e : kEntries) {
            if (e.row == row && e.col == LdpcCode::kInfoCols) return e.shift[table] % z;
        }
        return 0;
    };

    // Core. Adding all checks leaves the closing column alone: its first and last entries have the same shift and
    // cancel, the middle one has shift 0, and every accumulator column stands in two checks.
    std::array<Block, LdpcCode::kCoreRows> lambda{};
    Block closing{};
    for (std::size_t r = 0; r < LdpcCode::kCoreRows; ++r) {
        lambda[r] = check_sum(r, LdpcCode::kInfoCols);
        for (std::size_t w = 0; w < words; ++w) closing[w] ^= lambda[r][w];
    }
    write_twice(closing, z, column_[LdpcCode::kInfoCols]);
    Block running{};
    for (std::size_t r = 0; r + 1 < LdpcCode::kCoreRows; ++r) {
        for (std::size_t w = 0; w < words; ++w) running[w] ^= lambda[r][w];
        if (r == 0) {
            add_rotated(column_[LdpcCode::kInfoCols], closing_shift(0), words, running);
        } else if (r == kCloseRow) {
            add_rotated(column_[LdpcCode::kInfoCols], 0, words, running);
        }
        running[words - 1] &= last_mask;
        write_twice(running, z, column_[LdpcCode::kInfoCols + 1 + r]);
    }

    // Write what is needed, computing extension checks on the way.
    const std::size_t sent_info = std::min(code.sent_info_bits(), mother.size());
    std::copy_n(info.begin() + static_cast<std::ptrdiff_t>(info.size() - code.sent_info_bits()), sent_info,
                mother.begin());
    for (std::size_t i = 0; i < sent_info; ++i) mother[i] &= 1U;
    std::size_t done = sent_info;
    for (std::size_t r = 0; r < LdpcCode::kRows && done < mother.size(); ++r) {
        const bool core = r < LdpcCode::kCoreRows;
        const Block extension = core ? Block{} : check_sum(r, kHighRateCols);
        const std::uint64_t* source = core ? column_[LdpcCode::kInfoCols + r].data() : extension.data();
        const std::size_t count = std::min(z, mother.size() - done);
        for (std::size_t i = 0; i < count; i += 64) {
            unpack(source[i / 64], mother.data() + done + i, std::min<std::size_t>(64, count - i));
        }
        done += count;
    }
}

}  // namespace meshnet::phy
