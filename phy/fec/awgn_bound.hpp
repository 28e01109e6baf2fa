// SPDX-License-Identifier: MIT
// The yardstick: the least SNR at which k bits can be sent in n symbols with block error probability eps, by the normal
// approximation, for a given constellation.
//
//     k = n C - sqrt(n V) Qinv(eps) + log2(n) / 2,   C, V: capacity and dispersion of the constellation at this SNR
//
// Source: Y. Polyanskiy, H. V. Poor, S. Verdu, "Channel coding rate in the finite blocklength regime", IEEE Trans. Inf.
//         Theory 56 (2010), eq. (1) and section IV. C and V here are mean and variance of the information density with
//         equally likely points of a square constellation (BPSK for one bit). Gaussian points: theorem 54 there
//         for the complex channel, V = log2(e)^2 (1 - 1 / (1 + snr)^2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace meshnet::phy {

/// Capacity in bits and dispersion in bits squared, both per symbol.
struct ChannelUse {
    double capacity = 0.0;
    double dispersion = 0.0;
};

/// At Es/N0 `snr_db` (symbol energy to noise density; per subcarrier SNR). bits_per_symbol 1, 2, 4, 6, 8, 10; else
/// assert.
[[nodiscard]] ChannelUse constellation_awgn(unsigned bits_per_symbol, double snr_db) noexcept;

/// Square constellation of these levels on each axis: positive ones in any order and unit, at most 16, their negatives
/// too, all equally likely.
[[nodiscard]] ChannelUse constellation_awgn(std::span<const std::uint16_t> amplitudes, double snr_db) noexcept;
/// Points of a Gaussian distribution: nothing has more capacity.
[[nodiscard]] ChannelUse gaussian_awgn(double snr_db) noexcept;

/// Block error probability of the normal approximation, 0..1.
[[nodiscard]] double normal_approximation_bler(unsigned bits_per_symbol, std::size_t info_bits, double symbols,
                                               double snr_db) noexcept;

/// Es/N0 in dB at which the normal approximation reaches `bler`. 1 <= info_bits < bits_per_symbol * symbols and
/// 0 < bler < 0.5, else assert. Exact to 0.001 dB between -30 and 50 dB, the limits of the answer.
[[nodiscard]] double required_snr_db(unsigned bits_per_symbol, std::size_t info_bits, double symbols,
                                     double bler) noexcept;

/// The same for other levels, as constellation_awgn() takes them, and for Gaussian points.
[[nodiscard]] double normal_approximation_bler(std::span<const std::uint16_t> amplitudes, std::size_t info_bits,
                                               double symbols, double snr_db) noexcept;
[[nodiscard]] double required_snr_db(std::span<const std::uint16_t> amplitudes, std::size_t info_bits, double symbols,
                                     double bler) noexcept;
[[nodiscard]] double gaussian_required_snr_db(std::size_t info_bits, double symbols, double bler) noexcept;

}  // namespace meshnet::phy
