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
    /// LLRs of one complete block in coded order -> `out` bytes; the result holds the CRC check and the iterations
    /// spent.
    FrameBlock decode(std::span<const float> llr, unsigned redundancy_version, unsigned max_iterations,
                      std::span<std::uint8_t> out);

private:
    LdpcDecoder decoder_;
    std::vector<float> mother_llr_;  // in the order of the mother codeword
    std::vector<float> late_;        // scratch of SendingOrder
};

}  // namespace meshnet::phy
