// SPDX-License-Identifier: MIT
#include "phy/demodulation/block_decoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>

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

BlockDecoder::BlockDecoder() : mother_llr_(LdpcCode::kMaxMotherBits) {}

FrameBlock BlockDecoder::decode(std::span<const float> llr, unsigned redundancy_version, unsigned max_iterations,
                                std::span<std::uint8_t> out) {
    const LdpcCode code = LdpcCode::for_info_bits(8 * out.size() + kBlockCrcBits);
    // Bits that were not sent need not be cleared: version 0 fills the mother codeword from its start.
    const auto mother = std::span(mother_llr_).first(code.mother_bits());
    const auto used = mother.first(mother_bits_of(code, redundancy_version, llr.size()));
    std::fill(used.begin(), used.end(), 0.0F);
    accumulate(code, redundancy_version, llr, mother);
    SendingOrder<float>::undo(code, mother, late_);
    // The CRC accepts the block, over the unscrambled bytes.
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
    const auto result = decoder_.decode(code, used, options);
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

}  // namespace meshnet::phy
