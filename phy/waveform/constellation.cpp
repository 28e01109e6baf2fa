// SPDX-License-Identifier: MIT
#include "phy/waveform/constellation.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace meshnet::phy {

Constellation::Constellation(unsigned bits_per_symbol) : bits_per_axis_(bits_per_symbol / 2) {
    assert(bits_per_symbol == 2 || bits_per_symbol == 4 || bits_per_symbol == 6 || bits_per_symbol == 8);
    const unsigned m = bits_per_axis_;
    const std::size_t count = std::size_t{1} << m;
    levels_.resize(count);
    double power = 0.0;
    for (std::size_t v = 0; v < count; ++v) {
        // Reflected Gray code: the last bit decides between two inner neighbours, the first is the sign.
        double amplitude = 1.0;
        for (unsigned b = m - 1; b >= 1; --b) {
            const bool bit = ((v >> (m - 1 - b)) & 1U) != 0;
            amplitude = static_cast<double>(1U << (m - b)) - (bit ? -1.0 : 1.0) * amplitude;
        }
        const bool sign = ((v >> (m - 1)) & 1U) != 0;
        levels_[v] = static_cast<float>(sign ? -amplitude : amplitude);
        power += amplitude * amplitude;
    }
    const double scale = 1.0 / std::sqrt(2.0 * power / static_cast<double>(count));
    float largest = 0.0F;
    for (auto& level : levels_) {
        level = static_cast<float>(level * scale);
        largest = std::max(largest, level);
    }
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

}  // namespace meshnet::phy
