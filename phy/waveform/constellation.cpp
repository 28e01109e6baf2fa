// SPDX-License-Identifier: MIT
#include "phy/waveform/constellation.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <type_traits>

#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

Constellation::Constellation(std::span<const std::uint16_t> amplitudes)
    : bits_per_axis_(static_cast<unsigned>(std::bit_width(amplitudes.size()))) {
    const std::size_t half = amplitudes.size();
    assert(half == 1 || half == 2 || half == 4 || half == 8);
    assert(amplitudes[0] > 0 &&
           std::adjacent_find(amplitudes.begin(), amplitudes.end(), std::greater_equal<>()) == amplitudes.end());
    const unsigned m = bits_per_axis_;
    const std::size_t count = 2 * half;
    double power = 0.0;
    for (const std::uint16_t amplitude : amplitudes) {
        power += static_cast<double>(amplitude) * static_cast<double>(amplitude);
    }
    const double scale = 1.0 / std::sqrt(2.0 * power / static_cast<double>(half));
    levels_.resize(count);
    for (std::size_t rank = 0; rank < half; ++rank) {
        // Reflected Gray code, all ones outermost; the first bit is the sign.
        const std::size_t from_outside = half - 1 - rank;
        const std::size_t v = (half - 1) ^ from_outside ^ (from_outside >> 1U);
        levels_[v] = static_cast<float>(static_cast<double>(amplitudes[rank]) * scale);
        levels_[half + v] = -levels_[v];
    }
    const float largest = levels_[half - 1];
    if (m == 1) {
        return;
    }
    const double range = 1.6 * static_cast<double>(largest);
    table_scale_ = static_cast<float>(static_cast<double>(kTableHalf) / range);
    table_.resize((2 * kTableHalf + 1) * kRow);
    for (std::size_t i = 0; i <= 2 * kTableHalf; ++i) {
        const double y = (static_cast<double>(i) - static_cast<double>(kTableHalf)) / static_cast<double>(table_scale_);
        for (unsigned b = 0; b < m; ++b) {
            double best[2] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
            for (std::size_t v = 0; v < count; ++v) {
                const double d = y - static_cast<double>(levels_[v]);
                auto& slot = best[(v >> (m - 1 - b)) & 1U];
                slot = std::min(slot, d * d);
            }
            table_[i * kRow + b] = static_cast<float>(best[1] - best[0]);
        }
    }
}

void Constellation::map(const std::uint8_t* bits, std::span<const std::uint16_t> places,
                        std::span<Sample> carriers) const noexcept {
    const auto map_all = [&]<unsigned kAxisBits>(std::integral_constant<unsigned, kAxisBits>) {
        const float* levels = levels_.data();
        for (const std::uint16_t c : places) {
            unsigned i = 0;
            unsigned q = 0;
            for (unsigned b = 0; b < kAxisBits; ++b) {  // written out by the compiler
                i = (i << 1) | bits[2 * b];
                q = (q << 1) | bits[2 * b + 1];
            }
            carriers[c] = {levels[i], levels[q]};
            bits += 2 * kAxisBits;
        }
    };
    switch (bits_per_axis_) {
        case 1:
            return map_all(std::integral_constant<unsigned, 1>{});
        case 2:
            return map_all(std::integral_constant<unsigned, 2>{});
        case 3:
            return map_all(std::integral_constant<unsigned, 3>{});
        default:
            return map_all(std::integral_constant<unsigned, 4>{});
    }
}

Sample Constellation::nearest(Sample point) const noexcept {
    const auto slice = [&](float y) {
        float best = levels_[0];
        for (const float level : levels_) {
            if (std::abs(y - level) < std::abs(y - best)) {
                best = level;
            }
        }
        return best;
    };
    return {slice(point.real()), slice(point.imag())};
}

namespace {

struct Constellations {
    Constellations() {
        for (const Mode& mode : modes()) {
            by_mode.emplace_back(mode.amplitudes);
        }
        for (const unsigned bits : {2U, 4U, 6U, 8U}) {
            even.emplace_back(even_amplitudes(bits));
        }
    }
    std::vector<Constellation> by_mode;
    std::vector<Constellation> even;  // 2, 4, 6, 8 bits
};

const Constellations& constellations() {
    static const Constellations all;
    return all;
}

}  // namespace

const Constellation& payload_constellation(ModeIndex mode, std::uint8_t version) {
    assert(mode < modes().size());
    return version == kUnwhitenedVersion ? constellations().even[modes()[mode].bits_per_symbol / 2 - 1]
                                         : constellations().by_mode[mode];
}

const Constellation& header_constellation() {
    return constellations().even[0];
}

}  // namespace meshnet::phy
