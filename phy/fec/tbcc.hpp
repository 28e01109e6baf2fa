// SPDX-License-Identifier: MIT
// The header code: a tail-biting convolutional code of rate 1/4 with 256 states, decoded by a Viterbi algorithm that
// runs around the circle, then once from each likely start, and offers a short list of words to the caller's CRC.
//
//     n bits -> encode -> 4 n bits ... 4 n soft values -> decode(+ CRC) -> n bits
//
// Generators 463, 535, 733, 745 (octal), the first bit of each being the newest input bit; output order as listed.
// Block error rate and gap to the bound: docs/notes/ldpc.md.
//
// Sources: K. J. Larsen, "Short convolutional codes with maximal free distance for rates 1/2, 1/3, and 1/4",
//          IEEE Trans. Inf. Theory 19 (1973): generators (free distance 24).
//          R. Y. Shao, S. Lin, M. P. C. Fossorier, "Two decoding algorithms for tailbiting codes", IEEE Trans. Commun.
//          51 (2003): wrap-around Viterbi algorithm.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace meshnet::phy {

/// Encoder and decoder for blocks of kMinBits..kMaxBits bits. Allocates in the constructor only.
/// One instance, one thread.
class TailBitingCode {
public:
    static constexpr std::size_t kMinBits = 8;
    static constexpr std::size_t kMaxBits = 256;
    static constexpr std::size_t kOutputs = 4;  ///< coded bits per bit

    /// Is this what was sent? `bits`: one per byte, 0 or 1.
    using Check = bool (*)(std::span<const std::uint8_t> bits, const void* context);

    struct Options {
        unsigned max_candidates = 4;  ///< words offered to `check`, 1..16; each one is a chance for a false acceptance
        unsigned max_wraps = 2;       ///< times around the circle before the list is made, 2..8
        Check check = nullptr;        ///< nullptr: the best tail-biting word is accepted
        const void* context = nullptr;
    };
    struct Outcome {
        bool accepted = false;    ///< the check passed; always true without one
        unsigned candidates = 0;  ///< words tried
        float metric = 0.0F;      ///< sum of the LLRs with the signs of the word written; its energy if right
    };

    TailBitingCode();
    ~TailBitingCode();
    TailBitingCode(TailBitingCode&&) noexcept;
    TailBitingCode& operator=(TailBitingCode&&) noexcept;

    /// coded.size() == 4 * bits.size(); bits one per byte (the lowest bit counts). Other sizes are broken
    /// preconditions.
    static void encode(std::span<const std::uint8_t> bits, std::span<std::uint8_t> coded) noexcept;

    /// llr.size() == 4 * bits.size(), positive = bit 0, any common scale; values that are not finite count as 0.
    /// `bits` gets the accepted word, or the best one found.
    Outcome decode(std::span<const float> llr, std::span<std::uint8_t> bits, const Options& options) noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::phy
