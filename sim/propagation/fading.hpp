// SPDX-License-Identifier: MIT
// How deep a signal fades below its mean.
#pragma once

namespace meshnet::sim {

/// Fade below the mean power, dB, that a Rice channel exceeds with probability `outage` (0, 1); negative if `outage` is
/// so large that the level lies above the mean. `k_db`: power of the steady part over that of the scattered one, -40 to
/// 40; -40 is Rayleigh. Source: Recommendation ITU-R P.1057 (Nakagami-Rice distribution).
[[nodiscard]] double rice_fade_db(double k_db, double outage) noexcept;

}  // namespace meshnet::sim
