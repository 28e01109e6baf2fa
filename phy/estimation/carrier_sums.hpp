// SPDX-License-Identifier: MIT
// Arithmetic over the carriers of symbols, [K] or [M][K] values: sums in several parts, none of which waits for
// another.
#pragma once

#include <complex>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

inline constexpr double kSilence = 1e-25;  ///< power of samples that are all zero: keeps every ratio a number

/// Energy of x.
[[nodiscard]] double energy(std::span<const Sample> x) noexcept;
/// Energy of x - y.
[[nodiscard]] double distance(std::span<const Sample> x, std::span<const Sample> y) noexcept;
/// Sum of x times y conjugated.
[[nodiscard]] std::complex<double> correlation(std::span<const Sample> x, std::span<const Sample> y) noexcept;
/// Multiplies x by exp(j radians).
void turn(std::span<Sample> x, double radians) noexcept;
/// y += factor x
void add_turned(std::span<const Sample> x, Sample factor, std::span<Sample> y) noexcept;
/// y *= x conjugated
void take_off(std::span<const Sample> x, std::span<Sample> y) noexcept;

/// Mean of symbols [M][K] on each carrier, of which counts [K] + 1 values are in use and the others zero.
void average(std::span<const Sample> symbols, std::span<const float> counts, std::span<Sample> mean) noexcept;
/// Mean power by which symbols [M][K] miss `mean` [K] on each carrier, into errors [K]; returns the mean over the
/// carriers in use. Values left out are exactly zero.
double measure_errors(std::span<const Sample> symbols, std::span<const Sample> mean, std::span<const float> counts,
                      std::span<float> errors) noexcept;

}  // namespace meshnet::phy
