// SPDX-License-Identifier: MIT
// Mother-word LLRs -> information bits: layered decoding on int8.
//
//     soft (mother_bits() floats) -> scale to int8 -> [layers, up to N iterations] -> info bits
//
// Only the checks that can help are worked on: an extension check none of whose own parity bits was received is left
// out, so a code at rate 8/9 costs a fifth of one at 1/5. Stops as soon as the block is proved: core parity, and the
// caller's CRC.
//
// Scaling: 2.8 steps per unit of LLR, fewer where the mean magnitude of the values that are not 0 would be above
// kMeanMagnitude (rates above about 4/5). Checks are joined by the A-min* rule, which wants true LLRs; what a wrong
// common factor costs is in docs/notes/ldpc.md, with the gap to the normal approximation and to sum-product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "phy/fec/ldpc_code.hpp"

namespace meshnet::phy {

/// Decodes one block after another. Allocates in the constructor only. One instance (about 400 kB), one thread.
class LdpcDecoder {
public:
    /// Which inner loop; all give the same bits.
    enum class Isa { kBest, kGeneric, kAvx2, kAvx512 };

    /// Is this block what was sent? Gets the information bits packed, most significant bit first, unused bits 0.
    using BlockCheck = bool (*)(std::span<const std::uint8_t> info_bytes, const void* context);

    struct Options {
        unsigned max_iterations = 25;  ///< >= 1
        BlockCheck check = nullptr;    ///< e.g. a CRC; called when the core parity holds or the information is at rest
        const void* check_context = nullptr;
    };
    struct Outcome {
        bool parity_ok = false;   ///< the last iteration left a code word of the core
        bool accepted = false;    ///< the check passed, or, without one, all parity agrees
        unsigned iterations = 0;  ///< worked through, 1..max_iterations
    };

    /// Asking for an instruction set that this processor has not gives the best one below it.
    explicit LdpcDecoder(Isa isa = Isa::kBest);
    ~LdpcDecoder();
    LdpcDecoder(LdpcDecoder&&) noexcept;
    LdpcDecoder& operator=(LdpcDecoder&&) noexcept;

    /// Decodes `llr`, positive = bit 0, 0 = not received; llr.size() <= code.mother_bits(), the rest counts as not
    /// received. Not finite: NaN counts as 0, infinities as very reliable. Any values are safe; a longer `llr` is a
    /// broken precondition.
    Outcome decode(const LdpcCode& code, std::span<const float> llr, const Options& options) noexcept;
    Outcome decode(const LdpcCode& code, std::span<const float> llr) noexcept { return decode(code, llr, Options{}); }

    /// The same from values already scaled, `steps_per_llr` for a unit of LLR (0..4; 0 if unknown: min-sum, up to 2 dB
    /// worse at low rates). -128 counts as -127.
    Outcome decode_int8(const LdpcCode& code, std::span<const std::int8_t> llr, float steps_per_llr,
                        const Options& options) noexcept;

    /// Information bits of the last block, packed, most significant bit first, (k + 7) / 8 bytes. Valid until the next
    /// call.
    [[nodiscard]] std::span<const std::uint8_t> info_bytes() const noexcept;
    /// The same one per byte, 0 or 1; out.size() must be k of the last block.
    void info_bits(std::span<std::uint8_t> out) const noexcept;

    /// The inner loop in use, never kBest.
    [[nodiscard]] Isa isa() const noexcept;

    static constexpr float kMeanMagnitude = 20.0F;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::phy
