// SPDX-License-Identifier: MIT
// All that stands between two antennas, item by item.
#pragma once

#include <optional>
#include <vector>

#include "sim/propagation/atmosphere.hpp"
#include "sim/propagation/diffraction.hpp"
#include "sim/propagation/free_space.hpp"
#include "sim/propagation/two_ray.hpp"

namespace meshnet::sim {

enum class Surface {
    kNone,  ///< free space: no ground at all
    kLand,  ///< obstructs, but is too rough to reflect
    kSea,   ///< obstructs and reflects
};

/// A path along the ground.
struct TerrestrialPath {
    double frequency_hz = 868e6;  ///< 1e7 to 5e10
    double height_a_m = 10.0;     ///< of the antennas above sea level, > 0
    double height_b_m = 10.0;
    double earth_factor = kMedianEarthFactor;  ///< k, > 0
    Surface surface = Surface::kLand;
    Polarisation polarisation = Polarisation::kVertical;
    double wave_height_m = 0.5;       ///< significant height of the sea's waves: four times its standard deviation
    double sea_temperature_c = 15.0;  ///< 0 to 40
    double rain_mm_h = 0.0;
    SurfaceAir air;
    std::vector<Obstacle> obstacles;  ///< those beyond the distance asked for are left out
};

/// A path to a satellite.
struct SatellitePath {
    double frequency_hz = 435e6;
    double altitude_m = 500e3;  ///< > 0
    double rain_mm_h = 0.0;
    double rain_height_m = 5e3;  ///< of the melting layer: the tropics' (ITU-R P.839)
    SurfaceAir air;
};

/// Losses in dB; what an item does not apply to is 0.
struct PathLoss {
    double distance_m = 0.0;
    double free_space_db = 0.0;
    double diffraction_db = 0.0;
    double gas_db = 0.0;
    double rain_db = 0.0;
    std::optional<TwoRay> reflection;  ///< of the sea, where it is in sight of both
    std::optional<SpherePoint>
        closest;             ///< where the smooth earth comes nearest; unset: no ground, or beyond the horizon
    double horizon_m = 0.0;  ///< 0: no ground

    [[nodiscard]] double total_db() const noexcept {
        return free_space_db + diffraction_db + gas_db + rain_db - (reflection ? reflection->gain_db : 0.0);
    }
};

/// `distance_m` > 0 along the ground. Where the sea is clear of the ray by P.526's required clearance, both rays count
/// in full; from there to grazing, where P.526 interpolates the loss of the smooth earth in dB, the reflection's gain
/// falls to 0 likewise. Behind an obstacle nothing is reflected. Scatter and ducts, which help at times, are left out.
[[nodiscard]] PathLoss terrestrial_loss(const TerrestrialPath& path, double distance_m);

/// `elevation_rad` [0, pi/2]. Gas: dry air 6 km thick and vapour 2.1 km (equivalent heights of ITU-R P.676-3 below 54
/// GHz).
[[nodiscard]] PathLoss satellite_loss(const SatellitePath& path, double elevation_rad);

}  // namespace meshnet::sim
