// SPDX-License-Identifier: MIT
#include "sim/propagation/path_loss.hpp"

#include <algorithm>
#include <numbers>

#include "sim/propagation/free_space.hpp"
#include "sim/propagation/satellite.hpp"

namespace meshnet::sim {

PathLoss terrestrial_loss(const TerrestrialPath& t, double distance_m) {
    PathLoss out;
    out.distance_m = distance_m;
    out.free_space_db = free_space_loss_db(distance_m, t.frequency_hz);
    const double km = distance_m * 1e-3;
    out.gas_db = km * (dry_air_db_per_km(t.frequency_hz, t.air) + vapour_db_per_km(t.frequency_hz, t.air));
    const double tilt = t.polarisation == Polarisation::kVertical ? std::numbers::pi / 2.0 : 0.0;
    out.rain_db = rain_db_per_km(t.frequency_hz, t.rain_mm_h, 0.0, tilt) *
                  rain_path_m(distance_m, t.frequency_hz, t.rain_mm_h, tilt) * 1e-3;
    if (t.surface == Surface::kNone) {
        return out;
    }
    const Path path{distance_m,
                    t.height_a_m,
                    t.height_b_m,
                    t.frequency_hz,
                    t.earth_factor * kEarthRadius,
                    t.surface == Surface::kSea ? sea_permittivity(t.frequency_hz, t.sea_temperature_c)
                                               : land_permittivity(t.frequency_hz),
                    t.polarisation};
    std::vector<Obstacle> between;
    for (const Obstacle& o : t.obstacles) {
        if (o.from_a_m < distance_m) {
            between.push_back(o);
        }
    }
    out.horizon_m = radio_horizon_m(t.height_a_m, t.height_b_m, t.earth_factor);
    out.diffraction_db = diffraction_loss_db(path, between);
    if (distance_m >= out.horizon_m) {
        return out;
    }
    out.closest = reflection_point(path);
    const double share = std::min(out.closest->clearance_m / required_clearance_m(path, *out.closest), 1.0);
    const bool only_sea = t.surface == Surface::kSea && out.diffraction_db <= smooth_earth_loss_db(path);
    if (only_sea && share > 0.0 && out.closest->grazing_rad > 0.0) {
        out.reflection = two_ray(path, t.wave_height_m / 4.0);
        out.reflection->gain_db *= share;
        out.reflection->deepest_db *= share;
        out.reflection->highest_db *= share;
    }
    return out;
}

PathLoss satellite_loss(const SatellitePath& s, double elevation_rad) {
    constexpr double kDryHeight = 6'000.0;
    constexpr double kVapourHeight = 2'100.0;
    PathLoss out;
    out.distance_m = slant_range_m(s.altitude_m, elevation_rad);
    out.free_space_db = free_space_loss_db(out.distance_m, s.frequency_hz);
    out.gas_db = 1e-3 * (dry_air_db_per_km(s.frequency_hz, s.air) * slant_range_m(kDryHeight, elevation_rad) +
                         vapour_db_per_km(s.frequency_hz, s.air) * slant_range_m(kVapourHeight, elevation_rad));
    constexpr double kCircular = std::numbers::pi / 4.0;
    out.rain_db = 1e-3 * rain_db_per_km(s.frequency_hz, s.rain_mm_h, elevation_rad, kCircular) *
                  slant_range_m(s.rain_height_m, elevation_rad);
    return out;
}

}  // namespace meshnet::sim
