// SPDX-License-Identifier: MIT
// The modem with the truth given to one part of its receiver at a time: what each part costs in dB.
//
//     frame -> channel, noise   -> detector -> demodulator -> frame
//           -> channel, no noise -> truth of ...|
//
// Both streams pass through equal channels (same seed), so the second one holds the response of every symbol, echoes,
// fading, carrier offset, clock error and phase noise included.
#pragma once

#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

/// Runs one point. As run_point(), with a receiver that takes one frame at a time and does not cancel interference.
/// `s.told` must be set; run_point() comes here when it is.
[[nodiscard]] Tally run_genie_point(const Scenario& s, const Effort& effort);

}  // namespace meshnet::lab
