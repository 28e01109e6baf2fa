// SPDX-License-Identifier: MIT
#include "phy/waveform/frame_mapper.hpp"

#include <algorithm>
#include <cassert>

#include "phy/frame.hpp"
#include "phy/waveform/whitening.hpp"

namespace meshnet::phy {
namespace {

PeakLimiter::Strength header_strength(const Mode& mode) noexcept {
    return mode.rate_den == 5 ? PeakLimiter::Strength::kStrong : PeakLimiter::Strength::kNormal;
}

PeakLimiter::Strength payload_strength(const Mode& mode) noexcept {
    using Strength = PeakLimiter::Strength;
    switch (mode.bits_per_symbol) {
        case 4:
            return Strength::k16;
        case 6:
            return Strength::k64;
        case 8:
            return Strength::k256;
        default:
            return 2 * mode.rate_num > mode.rate_den ? Strength::kGentle : header_strength(mode);
    }
}

}  // namespace

FrameMapper::FrameMapper(const Grid& grid)
    : grid_(grid), limiter_(grid), carriers_(grid.carriers()), header_constellation_(header_constellation()) {}

void FrameMapper::begin(ModeIndex mode, ByteView payload, unsigned redundancy_version, bool limit_peaks) {
    assert(mode < modes().size() && !payload.empty() && payload.size() <= kMaxPayloadBytes && redundancy_version < 4);
    mode_ = &modes()[mode];
    payload_constellation_ = &payload_constellation(mode, kWaveformVersion);
    payload_ = payload;
    redundancy_version_ = redundancy_version;
    limit_peaks_ = limit_peaks;
    const auto params = class_params(grid_.profile(), mode_->preamble);
    dense_ = params.dense_pilots;
    training_symbols_ = params.training_symbols;
    header_symbols_ = phy::header_symbols(grid_.profile(), mode_->preamble);
    layout_.emplace(*mode_, payload.size(), grid_.data_per_symbol(dense_));
    Header header;
    header.mode = mode;
    header.payload_bytes = static_cast<std::uint16_t>(payload.size());
    header.redundancy_version = static_cast<std::uint8_t>(redundancy_version);
    header_bits_ = header_codec_.encode(header);
    next_ = 0;
    block_ = 0;
    point_ = 0;
    points_ = 0;
    payload_bits_ = 0;
}

std::size_t FrameMapper::symbols() const noexcept {
    return training_symbols_ + header_symbols_ + layout_->symbols();
}

std::span<const Sample> FrameMapper::next() {
    assert(next_ < symbols());
    const std::size_t symbol = next_++;
    if (symbol < training_symbols_) {
        return grid_.training();
    }
    const std::size_t s = symbol - training_symbols_;
    place_pilots(s);
    if (s < header_symbols_) {
        map_header(s);
    } else {
        map_payload(s);
    }
    return carriers_;
}

void FrameMapper::place_pilots(std::size_t symbol) {
    for (const std::uint16_t c : grid_.pilots(symbol, dense_)) {
        carriers_[c] = Sample(grid_.pilot(symbol, c), 0.0F);
    }
}

void FrameMapper::map_header(std::size_t symbol) {
    const std::size_t first = 2 * symbol * grid_.data_per_symbol(dense_);
    bits_.resize(2 * grid_.data_per_symbol(dense_));
    for (std::size_t i = 0; i < bits_.size(); ++i) {
        bits_[i] = header_bits_[HeaderCodec::coded_bit(first + i)];
    }
    Whitening::apply(bits_, first);
    header_constellation_.map(bits_.data(), grid_.data(symbol, dense_), carriers_);
    if (limit_peaks_) {
        limiter_.apply(carriers_, grid_.pilots(symbol, dense_), header_strength(*mode_));
    }
}

// The coded bits of the next block, in the order in which they are sent.
void FrameMapper::encode_block() {
    assert(block_ < layout_->blocks());
    points_ = layout_->block_points(block_);
    point_ = 0;
    bits_.resize(points_ * mode_->bits_per_symbol);
    encoder_.encode(payload_.subspan(layout_->block_offset(block_), layout_->block_bytes(block_)), redundancy_version_,
                    points_, mode_->bits_per_symbol, bits_);
    Whitening::apply(bits_, payload_bits_);
    payload_bits_ += bits_.size();
    ++block_;
}

void FrameMapper::map_payload(std::size_t symbol) {
    const auto data = grid_.data(symbol, dense_);
    for (std::size_t done = 0; done < data.size();) {
        if (point_ == points_) {
            encode_block();
        }
        const std::size_t count = std::min(data.size() - done, points_ - point_);
        payload_constellation_->map(&bits_[point_ * mode_->bits_per_symbol], data.subspan(done, count), carriers_);
        point_ += count;
        done += count;
    }
    if (limit_peaks_) {
        limiter_.apply(carriers_, grid_.pilots(symbol, dense_), payload_strength(*mode_));
    }
}

}  // namespace meshnet::phy
