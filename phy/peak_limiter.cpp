// SPDX-License-Identifier: MIT
#include "phy/peak_limiter.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::phy {
namespace {

constexpr int kPasses = 2;
constexpr float kStep = 1.4F;  // more than what was clipped is taken back: two passes do what four would

struct Numbers {
    float clip;    // amplitude over rms
    float regain;  // amplitude that restores the mean power
};
constexpr Numbers kNumbers[3] = {{1.5849F, 1.0666F}, {1.4962F, 1.0889F}, {1.3335F, 1.1455F}};  // clip 4.0, 3.5, 2.5 dB

}  // namespace

PeakLimiter::PeakLimiter(const Grid& grid)
    : grid_(grid),
      inverse_(2 * grid.profile().fft_size, Fft::Direction::kInverse),
      forward_(2 * grid.profile().fft_size, Fft::Direction::kForward) {}

void PeakLimiter::apply(std::span<Sample> carriers, std::span<const std::uint16_t> data, Strength strength) noexcept {
    const std::size_t n = 2 * grid_.profile().fft_size;
    const std::size_t half = carriers.size() / 2;
    const Numbers& numbers = kNumbers[static_cast<std::size_t>(strength)];
    const float limit = numbers.clip * std::sqrt(static_cast<float>(carriers.size()));
    const float limit_power = limit * limit;
    const float scale = kStep / static_cast<float>(n);
    for (int pass = 0; pass < kPasses; ++pass) {
        auto in = inverse_.in();
        std::copy_n(carriers.begin() + static_cast<std::ptrdiff_t>(half), half, in.begin() + 1);
        std::fill(in.begin() + 1 + static_cast<std::ptrdiff_t>(half), in.end() - static_cast<std::ptrdiff_t>(half),
                  Sample{});
        std::copy_n(carriers.begin(), half, in.end() - static_cast<std::ptrdiff_t>(half));
        in[0] = {};
        inverse_.run();
        const auto time = inverse_.out();
        auto excess = forward_.in();
        for (std::size_t i = 0; i < n; ++i) {
            const float power = std::norm(time[i]);
            const float cut = power > limit_power ? limit / std::sqrt(power) - 1.0F : 0.0F;
            excess[i] = time[i] * cut;
        }
        forward_.run();
        const auto out = forward_.out();
        for (const std::uint16_t c : data) {
            carriers[c] += scale * out[c < half ? n - half + c : c - half + 1];
        }
    }
    for (const std::uint16_t c : data) {
        carriers[c] *= numbers.regain;
    }
}

}  // namespace meshnet::phy
