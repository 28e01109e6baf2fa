// SPDX-License-Identifier: MIT
// A satellite on a circular orbit, from a station on the ground.
#pragma once

namespace meshnet::sim {

/// Straight distance to something `altitude_m` above the ground, seen at `elevation_rad` [-pi/2, pi/2] above the
/// horizon, m. Of a satellite's slant range, and of the way through a layer of air.
[[nodiscard]] double slant_range_m(double altitude_m, double elevation_rad) noexcept;

/// Speed on a circular orbit, m/s. Source: Kepler; GM of the earth 3.986004418e14 m^3/s^2 (WGS 84).
[[nodiscard]] double orbital_speed_mps(double altitude_m) noexcept;

/// Largest growth of the distance at that elevation, m/s: a pass through the zenith, the earth's rotation (under 8 % of
/// it in a low orbit) left out.
[[nodiscard]] double largest_receding_mps(double altitude_m, double elevation_rad) noexcept;

/// Growth of that growth in the zenith, m/s^2: the steepest of a pass.
[[nodiscard]] double zenith_acceleration_mps2(double altitude_m) noexcept;

/// How long a pass through the zenith lasts above `elevation_rad` >= 0, s.
[[nodiscard]] double pass_seconds(double altitude_m, double elevation_rad) noexcept;

}  // namespace meshnet::sim
