// SPDX-License-Identifier: MIT
// Finding frames: how often a preamble is found, how well, and how often one is found in noise.
#pragma once

#include <cstdint>

#include "lab/monte_carlo.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::lab {

/// Results of a preamble detector in many trials.
struct DetectionTally {
    std::uint64_t trials = 0;
    std::uint64_t found = 0;          ///< within the prefix of the right place
    std::uint64_t elsewhere = 0;      ///< starts reported at wrong places
    double time_error_squared = 0.0;  ///< samples squared, sum over the found
    double cfo_error_squared = 0.0;   ///< Hz squared, sum over the found
};

/// `trials` frames of the class's most robust mode (preamble and training of it), random time, phase and carrier
/// offset in the profile's range, AWGN of `snr_db`. Same result for any number of threads.
[[nodiscard]] DetectionTally measure_detection(const phy::Profile& profile, phy::PreambleClass preamble, double snr_db,
                                               std::uint64_t trials, std::uint64_t seed, unsigned threads);

struct NoiseTally {
    std::uint64_t samples = 0;
    std::uint64_t preambles = 0;  ///< found in white noise, all classes together
    std::uint64_t headers = 0;    ///< of those, passed the header's CRC
};

/// A whole receiver, all classes armed, on white noise alone.
[[nodiscard]] NoiseTally measure_false_alarms(const phy::Profile& profile, std::uint64_t samples, std::uint64_t seed,
                                              const Effort& effort);

}  // namespace meshnet::lab
