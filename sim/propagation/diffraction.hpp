// SPDX-License-Identifier: MIT
// What the curved earth and what stands on it take from a wave: Recommendation ITU-R P.526-15.
//
// Heights are above one smooth sphere (sea level), distances along it. `effective_radius_m` is the earth's radius times
// the earth factor k.
#pragma once

#include <complex>
#include <span>

#include "sim/propagation/ground.hpp"

namespace meshnet::sim {

/// Radius of the first Fresnel zone at a point, m (P.526 2.1).
[[nodiscard]] double fresnel_radius_m(double from_a_m, double from_b_m, double frequency_hz) noexcept;

/// How far the sphere rises above the chord of the path at a point, m.
[[nodiscard]] double earth_bulge_m(double from_a_m, double from_b_m, double effective_radius_m) noexcept;

/// Loss of a single knife edge, dB, 0 below v = -0.78 (P.526 4.1). `v` > 0: the edge stands in the line of sight.
[[nodiscard]] double knife_edge_loss_db(double v) noexcept;
/// v of an edge that stands `above_m` over the straight line between the antennas.
[[nodiscard]] double knife_edge_parameter(double above_m, double from_a_m, double from_b_m,
                                          double frequency_hz) noexcept;

/// A path between two antennas.
struct Path {
    double distance_m = 0.0;  ///< > 0
    double height_a_m = 0.0;  ///< of the antennas, > 0
    double height_b_m = 0.0;
    double frequency_hz = 0.0;  ///< 1e7 and above
    double effective_radius_m = 0.0;
    std::complex<double> permittivity{22.0, 0.0};  ///< of the ground
    Polarisation polarisation = Polarisation::kVertical;
};

/// Where a ray is reflected from a smooth sphere, with its height of clearance (P.526 3.2.1, P.530 6.1.2.4).
struct SpherePoint {
    double from_a_m = 0.0, from_b_m = 0.0;
    double clearance_m = 0.0;  ///< of the direct ray over the sphere at that point; < 0: beyond the horizon
    double grazing_rad = 0.0;
    double divergence = 0.0;  ///< 0 to 1
};
[[nodiscard]] SpherePoint reflection_point(const Path& path) noexcept;

/// Clearance with which a smooth earth takes nothing: 0.552 of the first Fresnel zone, m (P.526 3.2).
[[nodiscard]] double required_clearance_m(const Path& path, const SpherePoint& point) noexcept;

/// Loss of a smooth earth, dB, beyond the horizon and within (P.526 3.1.1, 3.2).
[[nodiscard]] double smooth_earth_loss_db(const Path& path) noexcept;

/// Something that stands on the path, or the height of the ground there.
struct Obstacle {
    double from_a_m = 0.0;  ///< (0, distance)
    double height_m = 0.0;  ///< above the sphere
};

/// Loss by Bullington's construction over `obstacles` alone, dB; 0 without any (P.526 4.5.1).
[[nodiscard]] double bullington_loss_db(const Path& path, std::span<const Obstacle> obstacles) noexcept;

/// Loss of obstacles on a smooth earth, dB: the delta-Bullington method, with the antennas' heights as they are (P.526
/// 4.5.2). Without obstacles that of the smooth earth.
[[nodiscard]] double diffraction_loss_db(const Path& path, std::span<const Obstacle> obstacles);

}  // namespace meshnet::sim
