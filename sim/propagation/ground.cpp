// SPDX-License-Identifier: MIT
#include "sim/propagation/ground.hpp"

#include <cmath>
#include <numbers>

#include "sim/propagation/free_space.hpp"

namespace meshnet::sim {

namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr double kVacuumPermittivity = 8.8541878128e-12;  // F/m

/// c[0] + c[1] x + c[2] x^2 + c[3] x^3.
double cubic(const double (&c)[4], double x) noexcept {
    return c[0] + x * (c[1] + x * (c[2] + x * c[3]));
}

}  // namespace

std::complex<double> sea_permittivity(double frequency_hz, double temperature_c, double salinity_permil) noexcept {
    const double t = temperature_c;
    const double s = salinity_permil;
    constexpr double kInfinite = 4.9;
    const double fresh = cubic({87.134, -0.1949, -0.01276, 2.491e-4}, t);
    const double still = fresh * (cubic({1.0, -3.656e-3, 3.210e-5, -4.232e-7}, s) + 1.613e-5 * s * t);
    const double relaxation_s = cubic({1.768e-11, -6.086e-13, 1.104e-14, -8.111e-17}, t) *
                                (cubic({1.0, -7.638e-4, -7.760e-6, 1.105e-8}, s) + 2.282e-5 * s * t);
    const double below_25 = 25.0 - t;
    const double decline = 2.033e-2 + 1.266e-4 * below_25 + 2.464e-6 * below_25 * below_25 -
                           s * (1.849e-5 - 2.551e-7 * below_25 + 2.551e-8 * below_25 * below_25);
    const double conductivity =
        s * cubic({0.182521, -1.46192e-3, 2.09324e-5, -1.28205e-7}, s) * std::exp(-below_25 * decline);
    const double omega = kTwoPi * frequency_hz;
    return kInfinite + (still - kInfinite) / std::complex<double>(1.0, omega * relaxation_s) -
           std::complex<double>(0.0, conductivity / (omega * kVacuumPermittivity));
}

std::complex<double> land_permittivity(double frequency_hz) noexcept {
    return {22.0, -0.003 / (kTwoPi * frequency_hz * kVacuumPermittivity)};
}

double conductivity_s_m(std::complex<double> permittivity, double frequency_hz) noexcept {
    return -permittivity.imag() * kTwoPi * frequency_hz * kVacuumPermittivity;
}

std::complex<double> reflection_coefficient(std::complex<double> permittivity, double grazing_rad,
                                            Polarisation polarisation) noexcept {
    const double sine = std::sin(grazing_rad);
    const double cosine = std::cos(grazing_rad);
    const std::complex<double> refracted = std::sqrt(permittivity - cosine * cosine);
    const std::complex<double> direct =
        polarisation == Polarisation::kVertical ? permittivity * sine : std::complex<double>(sine);
    return (direct - refracted) / (direct + refracted);
}

double roughness_factor(double rms_height_m, double grazing_rad, double frequency_hz) noexcept {
    const double g = 2.0 * kTwoPi * rms_height_m * std::sin(grazing_rad) * frequency_hz / kSpeedOfLight;
    const double x = g * g / 2.0;
    if (x > 100.0) {  // asymptotic series of the Bessel function: 1e-7 of it here
        return (1.0 + 1.0 / (8.0 * x) + 9.0 / (128.0 * x * x)) / std::sqrt(kTwoPi * x);
    }
    return std::exp(-x) * std::cyl_bessel_i(0.0, x);
}

}  // namespace meshnet::sim
