// SPDX-License-Identifier: MIT
#include "sim/propagation/free_space.hpp"

#include <cmath>
#include <numbers>

namespace meshnet::sim {

double free_space_loss_db(double distance_m, double frequency_hz) noexcept {
    const double ratio = 4.0 * std::numbers::pi * distance_m * frequency_hz / kSpeedOfLight;
    return ratio <= 1.0 ? 0.0 : 20.0 * std::log10(ratio);
}

double radio_horizon_m(double height_a_m, double height_b_m, double earth_factor) noexcept {
    const double radius = earth_factor * kEarthRadius;
    return std::sqrt(2.0 * radius * height_a_m) + std::sqrt(2.0 * radius * height_b_m);
}

double thermal_noise_dbm(double bandwidth_hz, double noise_figure_db, double antenna_temperature_k) noexcept {
    constexpr double kBoltzmann = 1.380649e-23;  // J/K, exact since 2019
    const double at_290_k =
        10.0 * std::log10(kBoltzmann * kReferenceTemperature * bandwidth_hz * 1e3) + noise_figure_db;
    if (antenna_temperature_k == kReferenceTemperature) {
        return at_290_k;
    }
    const double factor = std::pow(10.0, noise_figure_db / 10.0);
    return at_290_k + 10.0 * std::log10((antenna_temperature_k / kReferenceTemperature + factor - 1.0) / factor);
}

}  // namespace meshnet::sim
