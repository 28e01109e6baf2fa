// SPDX-License-Identifier: MIT
#include "phy/demodulation/symbol_transform.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace meshnet::phy {

SymbolTransform::SymbolTransform(const Grid& grid)
    : forward_(grid.profile().fft_size, Fft::Direction::kForward), samples_(grid.profile().fft_size) {}

void SymbolTransform::run(const SampleRing& ring, const TransformWindow& window, std::span<Sample> carriers) {
    constexpr double kTwoPi = 2.0 * std::numbers::pi;
    const std::size_t n = samples_.size();
    ring.copy(window.first, samples_);
    if (window.inverted) {
        volk_32fc_conjugate_32fc(samples_.data(), samples_.data(), static_cast<unsigned>(n));
    }
    // The oscillator's phase is counted from the origin: exact at any distance.
    const double samples =
        static_cast<double>(static_cast<std::int64_t>(window.first) - static_cast<std::int64_t>(window.origin));
    const double cycles = 0.5 * window.drift * static_cast<double>(n - 1) - window.cfo * samples;
    const double phase = kTwoPi * (cycles - std::floor(cycles));
    lv_32fc_t rotator(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
    const double step = -kTwoPi * (window.cfo + window.drift);
    const lv_32fc_t increment(static_cast<float>(std::cos(step)), static_cast<float>(std::sin(step)));
    volk_32fc_s32fc_x2_rotator_32fc(forward_.in().data(), samples_.data(), increment, &rotator,
                                    static_cast<unsigned>(n));
    forward_.run();
    const auto out = forward_.out();
    const std::size_t half = carriers.size() / 2;
    // Negative subcarriers are the top of the transform, positive ones start at bin 1.
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(n - half), half, carriers.begin());
    std::copy_n(out.begin() + 1, half, carriers.begin() + static_cast<std::ptrdiff_t>(half));
}

}  // namespace meshnet::phy
