// SPDX-License-Identifier: MIT
// What a wave meets on the ground: permittivity of sea and land, and the part of a ray that they reflect.
#pragma once

#include <complex>

namespace meshnet::sim {

enum class Polarisation { kHorizontal, kVertical };

/// Complex relative permittivity e' - j e'' (time dependence e^(+j w t)).
/// Sea water: Debye relaxation with ionic conductivity, `temperature_c` 0 to 40, `salinity_permil` 4 to 35, up to about
/// 10 GHz. Source: Klein and Swift, "An improved model for the dielectric constant of sea water at microwave
/// frequencies", IEEE Trans. Antennas Propag. 25 (1977).
[[nodiscard]] std::complex<double> sea_permittivity(double frequency_hz, double temperature_c = 15.0,
                                                    double salinity_permil = 35.0) noexcept;
/// Average land: e' = 22, 0.003 S/m. Source: Recommendation ITU-R P.452-17, 4.2.2.1.
[[nodiscard]] std::complex<double> land_permittivity(double frequency_hz) noexcept;
/// Its conductivity, S/m.
[[nodiscard]] double conductivity_s_m(std::complex<double> permittivity, double frequency_hz) noexcept;

/// Fresnel reflection coefficient of a plane surface at `grazing_rad` (0, pi/2] between ray and surface; -1 at grazing
/// incidence. Source: Jordan and Balmain, "Electromagnetic Waves and Radiating Systems", 2nd ed. (1968), 16.
[[nodiscard]] std::complex<double> reflection_coefficient(std::complex<double> permittivity, double grazing_rad,
                                                          Polarisation polarisation) noexcept;

/// Factor, 0 to 1, by which a rough surface weakens the coherent reflection: e^-x I0(x) with x = g^2 / 2, g = 4 pi
/// sigma sin(grazing) / wavelength. `rms_height_m`: standard deviation sigma of the surface; of a sea a quarter of its
/// significant wave height. Source: Miller, Brown, Vegh, IEE Proc. F 131 (1984).
[[nodiscard]] double roughness_factor(double rms_height_m, double grazing_rad, double frequency_hz) noexcept;

}  // namespace meshnet::sim
