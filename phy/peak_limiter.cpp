// SPDX-License-Identifier: MIT
#include "phy/peak_limiter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace meshnet::phy {
namespace {

constexpr float kStep = 1.6F;  // more than what was clipped is taken back: one pass does what two would

struct Numbers {
    int passes;
    float clip;    // amplitude over rms
    float regain;  // amplitude that restores the mean power
};
// Clip at 4.0, 4.45, 4.8, 7.6, 8.4, 9.2 dB.
constexpr Numbers kNumbers[] = {{3, 1.5849F, 1.0836F}, {3, 1.6692F, 1.0635F}, {6, 1.7378F, 1.0541F},
                                {3, 2.3988F, 1.0035F}, {3, 2.6303F, 1.0011F}, {3, 2.8840F, 1.0003F}};

}  // namespace

PeakLimiter::PeakLimiter(const Grid& grid)
    : grid_(grid),
      inverse_(2 * grid.profile().fft_size, Fft::Direction::kInverse),
      forward_(2 * grid.profile().fft_size, Fft::Direction::kForward) {
    const double angle = 0.5 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    for (std::size_t c = 0; c < grid.carriers(); ++c) {
        delay_.emplace_back(std::polar(1.0, angle * grid.subcarrier(c)));
    }
}

void PeakLimiter::apply(std::span<Sample> carriers, std::span<const std::uint16_t> data, Strength strength) noexcept {
    const std::size_t n = 2 * grid_.profile().fft_size;
    const std::size_t half = carriers.size() / 2;
    const auto bin = [n, half](std::size_t c) { return c < half ? n - half + c : c - half + 1; };
    const Numbers& numbers = kNumbers[static_cast<std::size_t>(strength)];
    const float limit = numbers.clip * std::sqrt(static_cast<float>(carriers.size()));
    const float limit_power = limit * limit;
    const float scale = kStep / static_cast<float>(n);
    for (int pass = 0; pass < numbers.passes; ++pass) {
        const bool between = pass % 2 != 0;
        auto in = inverse_.in();
        in[0] = {};
        std::fill(in.begin() + 1 + static_cast<std::ptrdiff_t>(half), in.end() - static_cast<std::ptrdiff_t>(half),
                  Sample{});
        for (const std::size_t first : {std::size_t{0}, half}) {
            Sample* to = &in[bin(first)];
            for (std::size_t c = 0; c < half; ++c) {
                to[c] = between ? carriers[first + c] * delay_[first + c] : carriers[first + c];
            }
        }
        inverse_.run();
        const auto time = inverse_.out();
        auto excess = forward_.in();
        std::uint32_t any = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const float power = std::norm(time[i]);
            const float cut = power > limit_power ? limit / std::sqrt(power) - 1.0F : 0.0F;
            any |= std::bit_cast<std::uint32_t>(cut);
            excess[i] = time[i] * cut;
        }
        if (any == 0) {
            continue;  // between these samples there may still be a peak
        }
        forward_.run();
        const auto out = forward_.out();
        for (const std::uint16_t c : data) {
            const Sample error = scale * out[bin(c)];
            carriers[c] += between ? error * std::conj(delay_[c]) : error;
        }
    }
    for (const std::uint16_t c : data) {
        carriers[c] *= numbers.regain;
    }
}

}  // namespace meshnet::phy
