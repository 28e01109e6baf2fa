// SPDX-License-Identifier: MIT
#include "sim/propagation/satellite.hpp"

#include <cmath>
#include <numbers>

#include "sim/propagation/free_space.hpp"

namespace meshnet::sim {

double slant_range_m(double altitude_m, double elevation_rad) noexcept {
    const double down = kEarthRadius * std::sin(elevation_rad);
    const double beyond = altitude_m * (2.0 * kEarthRadius + altitude_m);
    const double root = std::sqrt(down * down + beyond);
    return down > 0.0 ? beyond / (root + down) : root - down;  // without cancellation for thin layers
}

double orbital_speed_mps(double altitude_m) noexcept {
    constexpr double kEarthGravity = 3.986004418e14;  // m^3/s^2
    return std::sqrt(kEarthGravity / (kEarthRadius + altitude_m));
}

double largest_receding_mps(double altitude_m, double elevation_rad) noexcept {
    return orbital_speed_mps(altitude_m) * kEarthRadius / (kEarthRadius + altitude_m) * std::cos(elevation_rad);
}

double zenith_acceleration_mps2(double altitude_m) noexcept {
    const double radius = kEarthRadius + altitude_m;
    const double turn = orbital_speed_mps(altitude_m) / radius;  // rad/s
    return turn * turn * kEarthRadius * radius / altitude_m;
}

double pass_seconds(double altitude_m, double elevation_rad) noexcept {
    const double radius = kEarthRadius + altitude_m;
    const double half_angle =
        std::numbers::pi / 2.0 - elevation_rad - std::asin(kEarthRadius / radius * std::cos(elevation_rad));
    return 2.0 * half_angle * radius / orbital_speed_mps(altitude_m);
}

}  // namespace meshnet::sim
