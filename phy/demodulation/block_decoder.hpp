// SPDX-License-Identifier: MIT
// The payload's code blocks, received: LLRs of points in the order they were sent -> bytes. The transmit side, and why
// the points have that order, is phy/waveform/block_encoder.hpp.
//
// Spec: docs/spec/phy.md, "Payload".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/fec/ldpc_decoder.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {

/// Collects the LLRs of one frame's blocks as points arrive.
struct BlockAssembly {
    std::vector<float> llr;  ///< of the current block, in coded order
    std::size_t block = 0;   ///< current block
    std::size_t points = 0;  ///< points of it received
    std::size_t total = 0;   ///< points of it in all
    std::size_t stride = 0;
    std::size_t position = 0;  ///< (points * stride) mod total
    unsigned bits_per_symbol = 2;

    void begin_block(std::size_t points_in_block, unsigned bits);
    /// One point's LLRs; true if the block is now complete.
    bool add(const float* values) noexcept {
        for (unsigned b = 0; b < bits_per_symbol; ++b) {
            llr[b * total + position] = values[b];
        }
        position += stride;
        if (position >= total) {
            position -= total;
        }
        return ++points == total;
    }
};

/// Decodes complete blocks. Shared by all demodulators of a receiver. One instance, one thread.
class BlockDecoder {
public:
    BlockDecoder();
    /// LLRs of a whole block in coded order -> `out` bytes; says whether the CRC held and what it took.
    FrameBlock decode(std::span<const float> llr, unsigned redundancy_version, unsigned max_iterations,
                      std::span<std::uint8_t> out);
    /// The same from LLRs in the order of the mother word, 0 where nothing was received: LdpcCode::mother_bits()
    /// values, or fewer if the rest was not received.
    FrameBlock decode_mother(std::span<const float> soft, unsigned max_iterations, std::span<std::uint8_t> out);

    /// What the last call to decode() worked on, to be kept as block `index`.
    [[nodiscard]] SoftBlock soft_values(std::size_t index) const;

private:
    LdpcDecoder decoder_;
    std::size_t used_ = 0;  // of soft_, by the last block
    std::vector<float> soft_;
    std::vector<float> late_;
};

}  // namespace meshnet::phy
