// SPDX-License-Identifier: MIT
#include "phy/waveform/frame_layout.hpp"

#include <cassert>

#include "phy/frame.hpp"

namespace meshnet::phy {

PayloadLayout::PayloadLayout(const Mode& mode, std::size_t payload_bytes, std::size_t data_per_symbol) noexcept
    : mode_(&mode) {
    assert(payload_bytes >= 1 && payload_bytes <= kMaxPayloadBytes);
    blocks_ = (payload_bytes + kMaxBlockBytes - 1) / kMaxBlockBytes;
    base_ = payload_bytes / blocks_;
    longer_ = payload_bytes % blocks_;
    const std::size_t wanted = longer_ * points(base_ + 1) + (blocks_ - longer_) * points(base_);
    symbols_ = (wanted + data_per_symbol - 1) / data_per_symbol;
    fill_ = symbols_ * data_per_symbol - wanted;
}

std::size_t PayloadLayout::points(std::size_t bytes) const noexcept {
    const std::size_t bits = 8 * bytes + kBlockCrcBits;
    const std::size_t per_point = mode_->bits_per_symbol * mode_->rate_num;
    return (bits * mode_->rate_den + per_point - 1) / per_point * mode_->spread;
}

std::size_t header_symbols(const Profile& profile, PreambleClass preamble) noexcept {
    const auto params = class_params(profile, preamble);
    const std::size_t per_symbol = Grid::data_per_symbol(profile, params.dense_pilots);
    const std::size_t points = params.header_copies * kHeaderCodedBits / 2;
    return (points + per_symbol - 1) / per_symbol;
}

}  // namespace meshnet::phy
