// SPDX-License-Identifier: MIT
#include "phy/demodulation/block_decoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "phy/fec/crc.hpp"
#include "phy/fec/rate_matching.hpp"
#include "phy/waveform/block_encoder.hpp"
#include "phy/waveform/scrambler.hpp"
#include "phy/waveform/sending_order.hpp"

namespace meshnet::phy {
void BlockAssembly::begin_block(std::size_t points_in_block, unsigned bits) {
    bits_per_symbol = bits;
    total = points_in_block;
    points = 0;
    position = 0;
    stride = point_stride(points_in_block);
    if (llr.size() < total * bits) {
        llr.resize(total * bits);
    }
}

BlockDecoder::BlockDecoder() : soft_(LdpcCode::kMaxMotherBits) {}

FrameBlock BlockDecoder::decode(std::span<const float> llr, unsigned redundancy_version, unsigned max_iterations,
                                std::span<std::uint8_t> out) {
    const std::size_t info_bits = 8 * out.size() + kBlockCrcBits;
    const LdpcCode code = LdpcCode::for_info_bits(info_bits);
    const auto soft = std::span(soft_).first(code.mother_bits());
    // What was not sent need not be looked at: version 0 fills the mother word from its start.
    used_ = mother_bits_of(code, redundancy_version, llr.size());
    std::fill_n(soft.begin(), used_, 0.0F);
    accumulate(code, redundancy_version, llr, soft);
    SendingOrder<float>::undo(code, soft, late_);
    return decode_mother(soft.first(used_), max_iterations, out);
}

FrameBlock BlockDecoder::decode_mother(std::span<const float> soft, unsigned max_iterations,
                                       std::span<std::uint8_t> out) {
    const LdpcCode code = LdpcCode::for_info_bits(8 * out.size() + kBlockCrcBits);
    // The block is proved by its CRC over the unscrambled bytes.
    const LdpcDecoder::BlockCheck check = [](std::span<const std::uint8_t> info, const void*) {
        std::array<std::uint8_t, kMaxBlockBytes + 3> bytes;
        for (std::size_t i = 0; i < info.size(); ++i) {
            bytes[i] = info[i] ^ scrambling_bytes()[i];
        }
        const std::size_t n = info.size() - 3;
        const std::uint32_t crc = (std::uint32_t{bytes[n]} << 16) | (std::uint32_t{bytes[n + 1]} << 8) | bytes[n + 2];
        return crc == Crc24::of_bytes(std::span<const std::uint8_t>(bytes.data(), n));
    };
    LdpcDecoder::Options options;
    options.max_iterations = max_iterations;
    options.check = check;
    const auto result = decoder_.decode(code, soft, options);
    const auto info = decoder_.info_bytes();
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = info[i] ^ scrambling_bytes()[i];
    }
    FrameBlock block;
    block.length = out.size();
    block.crc_ok = result.accepted && check(info, nullptr);
    block.iterations = result.iterations;
    return block;
}

SoftBlock BlockDecoder::soft_values(std::size_t index) const {
    constexpr float kFinest = 4.0F;  // steps per unit of LLR
    constexpr float kMean = 32.0F;   // steps: leaves room for values four times the mean
    double sum = 0.0;
    std::size_t received = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        sum += static_cast<double>(std::min(std::fabs(soft_[i]), 1e6F));
        received += soft_[i] != 0.0F ? 1 : 0;
    }
    const float mean = static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(received, 1)));
    SoftBlock out;
    out.block = index;
    out.steps_per_llr = mean * kFinest > kMean ? kMean / mean : kFinest;
    out.steps.resize(used_);
    for (std::size_t i = 0; i < used_; ++i) {
        float v = soft_[i] * out.steps_per_llr;
        v = v > 127.0F ? 127.0F : v < -127.0F ? -127.0F : v == v ? v : 0.0F;
        out.steps[i] = static_cast<std::int8_t>(v < 0.0F ? v - 0.5F : v + 0.5F);
    }
    return out;
}

}  // namespace meshnet::phy
