// SPDX-License-Identifier: MIT
// Adds up transmissions of one payload until its blocks can be decoded.
//
//     Frame with soft values (Receiver::Config::keep_soft_values) -> add() -> sum in the order of the mother word
//     -> LDPC -> CRC -> the same payload, more of it whole
//
// Copies of one redundancy version add their energy (chase combining), different versions bring new parity bits as
// well. The mode may differ between transmissions; the number of payload bytes may not. Who decides that two frames
// carry the same payload is the caller: a wrong guess costs a CRC failure, and whole blocks are never given up again.
// Source: D. Chase, "Code combining - a maximum-likelihood decoding approach for combining an arbitrary number of noisy
//         packets", IEEE Trans. Commun. 33 (1985); J. Hagenauer, "Rate-compatible punctured convolutional codes (RCPC
//         codes) and their applications", IEEE Trans. Commun. 36 (1988).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "phy/demodulation/block_decoder.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// Collects one payload. At most 24 blocks x 169 kB. One instance, one thread.
class HarqCombiner {
public:
    /// `max_iterations`: of the LDPC decoder per block and attempt, 1..100; throws std::invalid_argument otherwise.
    explicit HarqCombiner(unsigned max_iterations = 25);

    /// Takes one transmission and tries again the blocks that are still missing. False, and nothing changes, if it
    /// cannot be of the same payload: another number of bytes or blocks, or soft values that fit no such block.
    bool add(const Frame& frame);

    /// Every block is whole.
    [[nodiscard]] bool complete() const noexcept { return result_.has_value() && result_->ok(); }
    /// The first transmission with everything that could be decoded since put in its place; nothing before add().
    [[nodiscard]] const std::optional<Frame>& frame() const noexcept { return result_; }
    /// Begins a new payload.
    void reset() noexcept;

private:
    [[nodiscard]] bool fits(const Frame& frame) const noexcept;

    unsigned max_iterations_;
    BlockDecoder decoder_;
    std::optional<Frame> result_;
    std::vector<std::vector<float>> soft_;  // by block, in mother-word order; empty: nothing received
};

}  // namespace meshnet::phy
