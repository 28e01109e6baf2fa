// SPDX-License-Identifier: MIT
// The transmitted signal by itself: peaks, spectrum, efficiency.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::lab {

/// Peak power of each OFDM symbol after the training over the mean power of all of them, dB, ascending. The waveform
/// between samples is found by interpolation of each symbol's N samples to 4 N (exact for a periodic symbol). At least
/// `symbols` values, of frames with random payload.
[[nodiscard]] std::vector<double> symbol_peaks_db(const phy::Profile& profile, phy::ModeIndex mode, std::size_t symbols,
                                                  std::uint64_t seed);

/// The value that a fraction `exceeding` of ascending `values` lies above.
[[nodiscard]] double value_exceeded(const std::vector<double>& values, double exceeding);

/// Power density against frequency.
struct Spectrum {
    std::vector<double> frequency_hz;  ///< ascending, around 0
    std::vector<double> density_db;    ///< relative to the mean density inside the occupied band
    double outside_db = 0.0;           ///< power outside the occupied band over power inside
    double edge_db = 0.0;              ///< mean density between 0.55 and 0.60 occupied bandwidths from the centre
};

/// Power density of back-to-back frames after interpolation to four times the sample rate (a digital-analogue
/// converter's filter: Kaiser, 60 dB), by Welch's method: Blackman-Harris windows of 2048 samples, half overlapping.
[[nodiscard]] Spectrum spectrum_of(const phy::Profile& profile, phy::ModeIndex mode, std::size_t samples,
                                   std::uint64_t seed);

/// Payload bits / (air time * occupied bandwidth), bit/s/Hz.
[[nodiscard]] double efficiency(const phy::Profile& profile, phy::ModeIndex mode, std::size_t payload_bytes);

}  // namespace meshnet::lab
