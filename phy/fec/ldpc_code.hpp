// SPDX-License-Identifier: MIT
// The LDPC family: which code carries k information bits, and where its bits are.
//
//     columns of Z bits:  0 1 | 2 .. 15 | 16 .. 19 | 20 .. 81
//                      punctured, information  core    extension parity, one more per step down in rate
//
// One base graph of 66 checks x 82 columns, lifted by circulants of Z = 8, 16, .. 528 bits. Columns 0..15 hold the
// information bits, then zeros nobody sends ("filler") up to 16 Z. Columns 0 and 1 are never sent. The mother codeword
// is everything that can be sent, in column order: information bits from 2 Z on, core parity (rate 8/9 with it),
// extension parity (rate 1/5 with all of it).
//
// Spec:   docs/spec/phy.md, "Payload code". Why this family: docs/decisions/0002-payload-code.md.
// Source: T. Richardson, R. Urbanke, "Multi-edge type LDPC codes" (2004); T.-Y. Chen, K. Vakilinia, D. Divsalar,
//         R. D. Wesel, IEEE Trans. Commun. 63 (2015): structure. The graph is ours (lab/ldpc/ldpc_design.cpp).
#pragma once

#include <cstddef>

namespace meshnet::phy {

/// The code for one block length. A small value; copy it freely.
class LdpcCode {
public:
    static constexpr std::size_t kMinInfoBits = 1;
    static constexpr std::size_t kMaxInfoBits = 8448;
    static constexpr std::size_t kInfoCols = 16;
    static constexpr std::size_t kPuncturedCols = 2;
    static constexpr std::size_t kCoreRows = 4;
    static constexpr std::size_t kRows = 66;
    static constexpr std::size_t kCols = kInfoCols + kRows;
    static constexpr std::size_t kZStep = 8;
    static constexpr std::size_t kMaxZ = kMaxInfoBits / kInfoCols;
    /// Longest mother codeword of the family, bits.
    static constexpr std::size_t kMaxMotherBits = (kCols - kPuncturedCols) * kMaxZ;

    /// The code for `k` information bits, CRC included; k in kMinInfoBits..kMaxInfoBits, anything else is a broken
    /// precondition (assert).
    [[nodiscard]] static LdpcCode for_info_bits(std::size_t k) noexcept;

    [[nodiscard]] std::size_t info_bits() const noexcept { return info_bits_; }
    /// Lifting size: the smallest multiple of 8 with 16 Z >= k.
    [[nodiscard]] std::size_t z() const noexcept { return z_; }
    [[nodiscard]] std::size_t filler_bits() const noexcept { return kInfoCols * z_ - info_bits_; }
    /// Which column of shifts of the base graph belongs to this Z, 0..3.
    [[nodiscard]] std::size_t shift_table() const noexcept { return table_; }
    /// Information bits that are sent: all but those in the punctured columns.
    [[nodiscard]] std::size_t sent_info_bits() const noexcept {
        const std::size_t punctured = kPuncturedCols * z_;
        return info_bits_ > punctured ? info_bits_ - punctured : 0;
    }
    /// Length of the mother codeword, bits: punctured and filler bits are not in it.
    [[nodiscard]] std::size_t mother_bits() const noexcept { return sent_info_bits() + kRows * z_; }
    /// Fewest coded bits from which the block can be decoded without noise (the core alone, rate 8/9 when there is no
    /// filler). Send at least this many.
    [[nodiscard]] std::size_t min_coded_bits() const noexcept { return sent_info_bits() + kCoreRows * z_; }

    friend bool operator==(const LdpcCode&, const LdpcCode&) = default;

private:
    LdpcCode(std::size_t k, std::size_t z, std::size_t table) noexcept : info_bits_(k), z_(z), table_(table) {}
    std::size_t info_bits_;
    std::size_t z_;
    std::size_t table_;
};

}  // namespace meshnet::phy
