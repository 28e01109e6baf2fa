// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/level_meter.hpp"

#include <algorithm>
#include <cmath>

#include "core/target_clones.hpp"
#include "station/guard/pair_norms.hpp"

namespace meshnet::station {

namespace {

// Long windows slide in steps of so many samples. One more step is counted than the window has, so that no position
// between the steps is missed; from 200 steps a window on, that is within 0.5 %.
constexpr std::size_t kStep = 16;
constexpr std::size_t kFineBelow = 200 * kStep;

/// The energy of each whole step, and the largest |x|^2 of them.
MESHNET_TARGET_CLONES
float step_energies(const float* values, std::size_t steps, float* energies) noexcept {
    Eight largest{};
    for (std::size_t s = 0; s < steps; ++s) {
        Eight a;
        Eight b;
        MESHNET_NORMS_OF_EIGHT(a, values);
        MESHNET_NORMS_OF_EIGHT(b, values + 16);
        largest = a > largest ? a : largest;
        largest = b > largest ? b : largest;
        a += b;
        energies[s] = ((a[0] + a[4]) + (a[1] + a[5])) + ((a[2] + a[6]) + (a[3] + a[7]));
        values += 2 * kStep;
    }
    float out = 0.0F;
    for (std::size_t i = 0; i < 8; ++i) {
        out = largest[i] > out ? largest[i] : out;
    }
    return out;
}

}  // namespace

LevelReading LevelMeter::measure(std::span<const phy::Sample> samples, std::size_t window) {
    LevelReading out;
    if (samples.empty()) {
        return out;
    }
    window = std::clamp<std::size_t>(window, 1, samples.size());
    const std::size_t step = window < kFineBelow ? 1 : kStep;
    const std::size_t whole = step == 1 ? 0 : samples.size() / kStep;
    energies_.resize(step == 1 ? samples.size() : whole + 1);
    float peak = 0.0F;
    if (whole > 0) {
        peak = step_energies(reinterpret_cast<const float*>(samples.data()), whole, energies_.data());
        energies_[whole] = 0.0F;
    }
    for (std::size_t i = whole * kStep; i < samples.size(); ++i) {
        const float power = samples[i].real() * samples[i].real() + samples[i].imag() * samples[i].imag();
        peak = std::max(peak, power);
        if (step == 1) {
            energies_[i] = power;
        } else {
            energies_[whole] += power;
        }
    }
    // NaN and infinity survive every sum, so the sums tell them; a comparison would not.
    const std::size_t length = step == 1 ? window : window / kStep + 2;
    double sliding = 0.0, largest = 0.0, total = 0.0;
    for (std::size_t i = 0; i < energies_.size(); ++i) {
        total += energies_[i];
        sliding += energies_[i];
        if (i >= length) {
            sliding -= energies_[i - length];
        }
        largest = std::max(largest, sliding);
    }
    out.finite = std::isfinite(total);
    out.peak = peak;
    out.mean = total / static_cast<double>(samples.size());
    out.window_peak = std::max(largest / static_cast<double>(window), out.mean);
    return out;
}

}  // namespace meshnet::station
