// SPDX-License-Identifier: MIT
#include "sim/propagation/two_ray.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "sim/propagation/free_space.hpp"

namespace meshnet::sim {

namespace {

/// Straight distance between points at these heights over a sphere, `arc_m` apart along it.
double chord_m(double height_a_m, double height_b_m, double arc_m, double radius_m) noexcept {
    const double rise = height_a_m - height_b_m;
    const double sine = std::sin(arc_m / (2.0 * radius_m));
    return std::sqrt(rise * rise + 4.0 * (radius_m + height_a_m) * (radius_m + height_b_m) * sine * sine);
}

}  // namespace

TwoRay two_ray(const Path& p, double rms_height_m) noexcept {
    TwoRay out;
    out.point = reflection_point(p);
    const double r = p.effective_radius_m;
    const double direct = chord_m(p.height_a_m, p.height_b_m, p.distance_m, r);
    const double reflected =
        chord_m(p.height_a_m, 0.0, out.point.from_a_m, r) + chord_m(p.height_b_m, 0.0, out.point.from_b_m, r);
    out.path_difference_m = std::max(reflected - direct, 0.0);
    const double grazing = std::max(out.point.grazing_rad, 0.0);
    const std::complex<double> ratio = reflection_coefficient(p.permittivity, grazing, p.polarisation) *
                                       roughness_factor(rms_height_m, grazing, p.frequency_hz) * out.point.divergence *
                                       direct / std::max(reflected, direct);
    out.amplitude = std::abs(ratio);
    const double phase = -2.0 * std::numbers::pi * out.path_difference_m * p.frequency_hz / kSpeedOfLight;
    constexpr double kLeast = 1e-6;  // -120 dB: no two rays cancel better
    out.gain_db = 20.0 * std::log10(std::max(std::abs(1.0 + ratio * std::polar(1.0, phase)), kLeast));
    out.deepest_db = 20.0 * std::log10(std::max(1.0 - out.amplitude, kLeast));
    out.highest_db = 20.0 * std::log10(1.0 + out.amplitude);
    return out;
}

}  // namespace meshnet::sim
