// SPDX-License-Identifier: MIT
#include "phy/waveform/preamble.hpp"

#include <cmath>
#include <numbers>

#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

double chirp_rate(const Profile& profile, std::size_t chirp_samples) noexcept {
    const double band = static_cast<double>(profile.carriers) / static_cast<double>(profile.fft_size);
    return band / static_cast<double>(chirp_samples);
}

std::vector<Sample> rising_chirp(const Profile& profile, std::size_t chirp_samples) {
    const double rate = chirp_rate(profile, chirp_samples);
    const double centre = (static_cast<double>(chirp_samples) - 1.0) / 2.0;
    std::vector<Sample> out(chirp_samples);
    for (std::size_t n = 0; n < chirp_samples; ++n) {
        const double t = static_cast<double>(n) - centre;
        const double phase = std::numbers::pi * rate * t * t;
        out[n] = Sample(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
    }
    return out;
}

std::vector<Sample> preamble_samples(const Profile& profile, PreambleClass preamble) {
    std::vector<Sample> out = rising_chirp(profile, class_params(profile, preamble).chirp_samples);
    const std::size_t length = out.size();
    out.reserve(2 * length);
    for (std::size_t n = 0; n < length; ++n) {
        out.push_back(std::conj(out[n]));
    }
    return out;
}

}  // namespace meshnet::phy
