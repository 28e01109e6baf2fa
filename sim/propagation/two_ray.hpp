// SPDX-License-Identifier: MIT
// The direct ray and the one that the sea reflects, over a curved earth.
#pragma once

#include "sim/propagation/diffraction.hpp"

namespace meshnet::sim {

/// What the two rays make of each other.
struct TwoRay {
    SpherePoint point;
    double path_difference_m = 0.0;  ///< reflected less direct
    double amplitude = 0.0;          ///< of the reflected ray over the direct one's, 0 to 1
    double gain_db = 0.0;            ///< both over the direct one alone
    double deepest_db = 0.0;         ///< the same where they cancel, as tide and refraction move the phase
    double highest_db = 0.0;         ///< ... and where they add
};

/// Both antennas see one another (precondition: within the horizon). Antennas alike for both rays. `rms_height_m`: of
/// the waves. Source: reflection point and divergence as in Recommendations ITU-R P.526 3.2.1 and P.530 6.1.2.4.
[[nodiscard]] TwoRay two_ray(const Path& path, double rms_height_m) noexcept;

}  // namespace meshnet::sim
