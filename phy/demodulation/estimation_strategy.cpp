// SPDX-License-Identifier: MIT
#include "phy/demodulation/estimation_strategy.hpp"

namespace meshnet::phy {

void EstimationStrategy::refine(SymbolEstimate& estimate) {
    static_cast<void>(estimate);
}

void EstimationStrategy::demap(const Constellation& constellation, std::span<const std::uint16_t> data,
                               std::span<const Sample> points, std::span<const float> power, float inverse_noise,
                               float* llr) {
    const unsigned bits = constellation.bits_per_symbol();
    for (const std::uint16_t c : data) {
        constellation.demap(points[c], power[c] * inverse_noise, llr);
        llr += bits;
    }
}

std::optional<Header> EstimationStrategy::header_without_decoding() {
    return std::nullopt;
}

}  // namespace meshnet::phy
