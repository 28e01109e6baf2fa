// SPDX-License-Identifier: MIT
#include "phy/demodulation/harq_combiner.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>

#include "phy/fec/ldpc_code.hpp"

namespace meshnet::phy {
namespace {

std::size_t mother_bits(const FrameBlock& block) noexcept {
    return LdpcCode::for_info_bits(8 * block.length + kBlockCrcBits).mother_bits();
}

}  // namespace

HarqCombiner::HarqCombiner(unsigned max_iterations) : max_iterations_(max_iterations) {
    if (max_iterations < 1 || max_iterations > 100) {
        throw std::invalid_argument("HarqCombiner: max_iterations must be 1..100, is " +
                                    std::to_string(max_iterations));
    }
}

void HarqCombiner::reset() noexcept {
    result_.reset();
    soft_.clear();
}

// Blocks one after another without a gap, of lengths that the code has, and soft values that belong to them.
bool HarqCombiner::fits(const Frame& frame) const noexcept {
    std::size_t covered = 0;
    for (const auto& block : frame.blocks) {
        if (block.offset != covered || block.length < 1 || block.length > kMaxBlockBytes) {
            return false;
        }
        covered += block.length;
    }
    if (frame.blocks.empty() || covered != frame.payload.size() || covered > kMaxPayloadBytes) {
        return false;
    }
    for (const auto& soft : frame.soft) {
        if (soft.block >= frame.blocks.size() || !(soft.steps_per_llr > 0.0F) ||
            soft.steps.size() > mother_bits(frame.blocks[soft.block])) {
            return false;
        }
    }
    if (!result_) {
        return true;
    }
    // Equal payload lengths are cut alike, whatever the mode.
    return frame.blocks.size() == result_->blocks.size() && frame.payload.size() == result_->payload.size() &&
           std::equal(frame.blocks.begin(), frame.blocks.end(), result_->blocks.begin(),
                      [](const FrameBlock& a, const FrameBlock& b) { return a.length == b.length; });
}

bool HarqCombiner::add(const Frame& frame) {
    if (!fits(frame)) {
        return false;
    }
    const bool first = !result_;
    if (first) {
        result_ = frame;
        result_->soft.clear();
        soft_.assign(frame.blocks.size(), {});
    }
    for (std::size_t b = 0; b < frame.blocks.size(); ++b) {
        if (frame.blocks[b].crc_ok && !result_->blocks[b].crc_ok) {
            const auto from = frame.payload.begin() + static_cast<std::ptrdiff_t>(frame.blocks[b].offset);
            std::copy_n(from, frame.blocks[b].length,
                        result_->payload.begin() + static_cast<std::ptrdiff_t>(result_->blocks[b].offset));
            result_->blocks[b] = frame.blocks[b];
        }
    }
    for (const auto& values : frame.soft) {
        FrameBlock& block = result_->blocks[values.block];
        if (block.crc_ok) {
            continue;
        }
        auto& sum = soft_[values.block];
        sum.resize(std::max(sum.size(), values.steps.size()));
        for (std::size_t i = 0; i < values.steps.size(); ++i) {
            sum[i] += static_cast<float>(values.steps[i]) / values.steps_per_llr;
        }
        if (first) {
            continue;  // its own demodulator has tried
        }
        const FrameBlock tried = decoder_.decode_mother(
            sum, max_iterations_, std::span(result_->payload).subspan(block.offset, block.length));
        block.crc_ok = tried.crc_ok;
        block.iterations = tried.iterations;
    }
    return true;
}

}  // namespace meshnet::phy
