// SPDX-License-Identifier: MIT
// The modem with a genie-aided receiver: ideal values in place of one estimate at a time give what each costs in dB.
//
//     frame -> channel, noise    -> detector -> demodulator -> frame
//           -> channel, no noise -> GenieStrategy --^
//
// Both streams pass through equal channels (same seed), so the second one holds the response of every symbol,
// multipath, fading, carrier offset, clock error and phase noise included.
#pragma once

#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

/// Runs one point. As run_point(), with a receiver that takes one frame at a time and does not cancel interference.
/// `s.genie` must be set; run_point() comes here when it is.
[[nodiscard]] Tally run_genie_point(const Scenario& s, const Effort& effort);

}  // namespace meshnet::lab
