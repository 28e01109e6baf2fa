// SPDX-License-Identifier: MIT
// A block decoder that does not give a block up at once: one that fails is decoded once more, with LLRs that its own
// data have weighed anew.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/demodulation/block_decoder.hpp"
#include "phy/demodulation/block_refiner.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {

/// A received block, ready to be decoded.
struct ReceivedBlock {
    BlockAssembly assembly;  ///< complete
    BlockRecord record;
    BlockFormat format;
    unsigned redundancy_version = 0;
    unsigned max_iterations = 0;
};

/// One instance, one thread. `grid` must outlive it.
class RefiningDecoder {
public:
    explicit RefiningDecoder(const Grid& grid) : refiner_(grid) {}

    /// `block` -> `out` bytes; the result holds the CRC check and the iterations of both attempts. The LLRs of a block
    /// that failed are overwritten.
    FrameBlock decode(ReceivedBlock& block, std::span<std::uint8_t> out);

private:
    FrameBlock attempt(const ReceivedBlock& block, std::span<std::uint8_t> out);

    BlockDecoder decoder_;
    BlockRefiner refiner_;
};

}  // namespace meshnet::phy
