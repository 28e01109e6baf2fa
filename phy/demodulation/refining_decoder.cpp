// SPDX-License-Identifier: MIT
#include "phy/demodulation/refining_decoder.hpp"

#include <algorithm>

namespace meshnet::phy {

FrameBlock RefiningDecoder::attempt(const ReceivedBlock& block, std::span<std::uint8_t> out) {
    const BlockAssembly& a = block.assembly;
    return decoder_.decode(std::span<const float>(a.llr).first(a.total * a.bits_per_symbol), block.redundancy_version,
                           block.max_iterations, out);
}

FrameBlock RefiningDecoder::decode(ReceivedBlock& block, std::span<std::uint8_t> out) {
    const FrameBlock first = attempt(block, out);
    const BlockRecord& record = block.record;
    if (first.crc_ok || !record.complete || record.rows() == 0) {
        return first;
    }
    refiner_.measure(record, block.format);
    BlockAssembly& a = block.assembly;
    a.begin_block(a.total, a.bits_per_symbol);
    for (std::size_t row = 0; row < record.rows(); ++row) {
        const auto llr = refiner_.demap(record, row, block.format);
        const std::size_t begin = row == 0 ? record.first_point : 0;
        const std::size_t end = std::min(llr.size() / a.bits_per_symbol, begin + a.total - a.points);
        for (std::size_t i = begin; i < end; ++i) {
            a.add(&llr[i * a.bits_per_symbol]);
        }
    }
    FrameBlock second = attempt(block, out);
    second.iterations += first.iterations;
    return second;
}

}  // namespace meshnet::phy
