// SPDX-License-Identifier: MIT
// What every link begins with: loss in free space, the radio horizon, thermal noise.
#pragma once

namespace meshnet::sim {

inline constexpr double kSpeedOfLight = 299'792'458.0;  ///< m/s
inline constexpr double kEarthRadius = 6'371'000.0;     ///< m, mean (Recommendation ITU-R P.310)
inline constexpr double kReferenceTemperature = 290.0;  ///< K, at which noise figures hold (ITU-R P.372)
/// Effective over true radius of the earth in a median atmosphere (Recommendation ITU-R P.834).
inline constexpr double kMedianEarthFactor = 4.0 / 3.0;

/// Free-space loss between isotropic antennas, dB (Recommendation ITU-R P.525). Below one wavelength / 4 pi: 0 dB.
[[nodiscard]] double free_space_loss_db(double distance_m, double frequency_hz) noexcept;

/// Farthest distance in sight of both, m. `earth_factor` > 0: effective over true radius of the earth.
[[nodiscard]] double radio_horizon_m(double height_a_m, double height_b_m,
                                     double earth_factor = kMedianEarthFactor) noexcept;

/// Thermal noise in `bandwidth_hz` of a receiver whose antenna has `antenna_temperature_k`, referred to its input, dBm:
/// k B (T_antenna + 290 K (F - 1)). Source: ITU-R P.372, 2.
[[nodiscard]] double thermal_noise_dbm(double bandwidth_hz, double noise_figure_db,
                                       double antenna_temperature_k = kReferenceTemperature) noexcept;

}  // namespace meshnet::sim
