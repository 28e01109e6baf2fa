// SPDX-License-Identifier: MIT
// What air and rain take from a wave.
#pragma once

#include "sim/propagation/ground.hpp"

namespace meshnet::sim {

/// The air at the ground.
struct SurfaceAir {
    double pressure_hpa = 1013.25;
    double temperature_c = 15.0;
    double vapour_g_m3 = 7.5;
};

/// Attenuation by dry air, dB/km, up to 54 GHz. Source: Recommendation ITU-R P.676-10, annex 2; within 10 % of the
/// lines summed one by one (P.676-13, annex 1) from 1 to 30 GHz.
[[nodiscard]] double dry_air_db_per_km(double frequency_hz, const SurfaceAir& air) noexcept;
/// Attenuation by water vapour, dB/km, up to 350 GHz. Source: the same; within 15 %.
[[nodiscard]] double vapour_db_per_km(double frequency_hz, const SurfaceAir& air) noexcept;

/// Attenuation by rain, dB/km; `elevation_rad` of the path, horizontal polarisation has tilt 0, vertical pi/2, circular
/// pi/4. 1 GHz to 1 THz; below 1 GHz the figure for 1 GHz (under 0.01 dB/km in any rain). Source: Recommendation ITU-R
/// P.838-3.
[[nodiscard]] double rain_db_per_km(double frequency_hz, double rain_mm_h, double elevation_rad,
                                    double tilt_rad) noexcept;

/// Of a path of `distance_m` at the ground, how much rain of that rate fills, m: heavy rain has small cells. Source:
/// Recommendation ITU-R P.530-17, 2.4.1, for the rate exceeded in 0.01 % of a year.
[[nodiscard]] double rain_path_m(double distance_m, double frequency_hz, double rain_mm_h, double tilt_rad) noexcept;

}  // namespace meshnet::sim
