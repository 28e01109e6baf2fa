// SPDX-License-Identifier: MIT
#include "phy/waveform/grid.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace meshnet::phy {

ClassParams class_params(const Profile& profile, PreambleClass preamble) noexcept {
    switch (preamble) {
        case PreambleClass::kShort:
            return {std::max<std::size_t>(128, profile.fft_size / 4), 4, 3, false};
        case PreambleClass::kMedium:
            return {std::max<std::size_t>(512, profile.fft_size / 2), 8, 16, true};
        case PreambleClass::kLong:
            break;
    }
    return {4096, 64, 56, true};
}

Grid::Grid(const Profile& profile) : profile_(profile) {
    const std::size_t k = profile.carriers;
    bins_.resize(k);
    for (std::size_t c = 0; c < k; ++c) {
        const int sub = subcarrier(c);
        bins_[c] = static_cast<std::size_t>(sub < 0 ? sub + static_cast<int>(profile.fft_size) : sub);
    }
    for (std::size_t dense = 0; dense < 2; ++dense) {
        patterns_[dense].resize(kPilotPeriod);
        for (std::size_t s = 0; s < kPilotPeriod; ++s) {
            const std::size_t first = kPilotShift * s % kPilotPeriod;
            const std::size_t second = (first + kDenseOffset) % kPilotPeriod;
            auto& pattern = patterns_[dense][s];
            for (std::size_t c = 0; c < k; ++c) {
                const std::size_t r = c % kPilotPeriod;
                const bool is_pilot = r == first || (dense == 1 && r == second);
                (is_pilot ? pattern.pilots : pattern.data).push_back(static_cast<std::uint16_t>(c));
            }
        }
    }
    // Pilot signs: the m-sequence of x^7 + x^4 + 1 from the all-ones state.
    unsigned state = 0x7F;
    for (std::size_t i = 0; i < kSigns; ++i) {
        const unsigned bit = ((state >> 6) ^ (state >> 3)) & 1U;
        state = ((state << 1) | bit) & 0x7FU;
        pilot_signs_.push_back(bit != 0 ? -1.0F : 1.0F);
    }
    // Zadoff-Chu over the carriers (even length form): constant magnitude on every carrier and nearly so in time. Root
    // 7, because root 1 sweeps the band once per symbol, as the chirps of the preamble do, and would be taken for them.
    constexpr std::size_t kRoot = 7;
    training_.resize(k);
    for (std::size_t c = 0; c < k; ++c) {
        const double phase = -std::numbers::pi * static_cast<double>(kRoot * c * c % (2 * k)) / static_cast<double>(k);
        training_[c] = Sample(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
    }
}

}  // namespace meshnet::phy
