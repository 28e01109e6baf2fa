// SPDX-License-Identifier: MIT
#include "phy/demodulation/symbol_transform.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "phy/dsp/norms.hpp"

namespace meshnet::phy {

SymbolTransform::SymbolTransform(const Grid& grid)
    : forward_(grid.profile().fft_size, Fft::Direction::kForward),
      lines_(grid),
      samples_(grid.profile().fft_size),
      parts_(samples_.size() / PulseBlanking::kPart) {}

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
    copy_carriers(carriers);
}

SymbolTransform::PartPower SymbolTransform::part_power() noexcept {
    constexpr std::size_t kPart = PulseBlanking::kPart;
    const auto in = forward_.in();
    PartPower out;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
        static_assert(kPart % 8 == 0);
        float sum = 0.0F;
        for (std::size_t i = p * kPart; i < (p + 1) * kPart; i += 8) {
            sum += sum_of_eight(&in[i]);
        }
        parts_[p] = sum / static_cast<float>(kPart);
        out.greatest = std::max(out.greatest, parts_[p]);
    }
    const auto middle = parts_.begin() + static_cast<std::ptrdiff_t>(parts_.size() / 2);
    std::nth_element(parts_.begin(), middle, parts_.end());
    out.median = *middle;
    return out;
}

float SymbolTransform::blank_pulses(float level, std::span<Sample> carriers, float sample_ratio) {
    const std::size_t n = samples_.size();
    const std::size_t blanked = PulseBlanking::run(forward_.in(), level, n / 2, sample_ratio);
    if (blanked == 0) {
        return 0.0F;
    }
    forward_.run();
    copy_carriers(carriers);
    const float share = static_cast<float>(blanked) / static_cast<float>(n);
    for (Sample& c : carriers) {
        c *= 1.0F / (1.0F - share);
    }
    return share;
}

bool SymbolTransform::cancel_lines(std::span<const float> expected, float beside, float ratio,
                                   std::span<Sample> carriers) {
    constexpr float kGone = 0.7F;  // too little of the carrier is left to be scaled
    if (lines_.run(forward_, expected, beside, ratio) == 0) {
        return false;
    }
    copy_carriers(carriers);
    const auto lost = lines_.lost();
    for (std::size_t c = 0; c < carriers.size(); ++c) {
        carriers[c] *= lost[c] < kGone ? 1.0F / (1.0F - lost[c]) : 0.0F;
    }
    return true;
}

void SymbolTransform::copy_carriers(std::span<Sample> carriers) noexcept {
    const std::size_t n = samples_.size();
    const auto out = forward_.out();
    const std::size_t half = carriers.size() / 2;
    // Negative subcarriers are the top of the transform, positive ones start at bin 1.
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(n - half), half, carriers.begin());
    std::copy_n(out.begin() + 1, half, carriers.begin() + static_cast<std::ptrdiff_t>(half));
}

}  // namespace meshnet::phy
