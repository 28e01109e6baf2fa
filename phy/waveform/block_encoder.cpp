// SPDX-License-Identifier: MIT
#include "phy/waveform/block_encoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>

#include "phy/fec/crc.hpp"
#include "phy/fec/rate_matching.hpp"
#include "phy/waveform/scrambler.hpp"
#include "phy/waveform/sending_order.hpp"

namespace meshnet::phy {

std::size_t point_stride(std::size_t points) noexcept {
    if (points < 3) {
        return 1;
    }
    std::size_t stride = static_cast<std::size_t>(static_cast<double>(points) * 0.6180339887498949);
    stride = std::max<std::size_t>(stride, 1);
    while (std::gcd(stride, points) != 1) {
        ++stride;
    }
    return stride % points;
}

namespace {

// Coded bits in the order of points: point j takes bits b * points + (j * stride mod points).
template <unsigned kBits>
void order_points(const std::uint8_t* coded, std::size_t points, std::uint8_t* to) noexcept {
    const std::size_t stride = point_stride(points);
    std::size_t position = 0;
    for (std::size_t j = 0; j < points; ++j) {
        for (unsigned b = 0; b < kBits; ++b) {
            *to++ = coded[b * points + position];
        }
        position += stride;
        if (position >= points) {
            position -= points;
        }
    }
}

}  // namespace

BlockEncoder::BlockEncoder() : info_(LdpcCode::kMaxInfoBits), mother_(LdpcCode::kMaxMotherBits) {}

void BlockEncoder::encode(ByteView bytes, unsigned redundancy_version, std::size_t points, unsigned bits_per_symbol,
                          std::span<std::uint8_t> out) {
    assert(!bytes.empty() && bytes.size() <= kMaxBlockBytes && out.size() == points * bits_per_symbol);
    const std::size_t info_bits = 8 * bytes.size() + kBlockCrcBits;
    const std::uint32_t crc = Crc24::of_bytes(bytes);
    const std::array<std::uint8_t, 3> tail{static_cast<std::uint8_t>(crc >> 16), static_cast<std::uint8_t>(crc >> 8),
                                           static_cast<std::uint8_t>(crc)};
    for (std::size_t i = 0; i < bytes.size() + 3; ++i) {
        const unsigned byte = (i < bytes.size() ? bytes[i] : tail[i - bytes.size()]) ^ scrambling_bytes()[i];
        for (std::size_t b = 0; b < 8; ++b) {
            info_[8 * i + b] = static_cast<std::uint8_t>((byte >> (7 - b)) & 1U);
        }
    }
    const LdpcCode code = LdpcCode::for_info_bits(info_bits);
    coded_.resize(out.size());
    const auto needed = std::span(mother_).first(mother_bits_of(code, redundancy_version, coded_.size()));
    encoder_.encode(code, std::span<const std::uint8_t>(info_).first(info_bits), needed);
    SendingOrder<std::uint8_t>::apply(code, needed, late_);
    select(code, mother_, redundancy_version, coded_);
    switch (bits_per_symbol) {
        case 2:
            return order_points<2>(coded_.data(), points, out.data());
        case 4:
            return order_points<4>(coded_.data(), points, out.data());
        case 6:
            return order_points<6>(coded_.data(), points, out.data());
        default:
            return order_points<8>(coded_.data(), points, out.data());
    }
}

}  // namespace meshnet::phy
