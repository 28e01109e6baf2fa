// SPDX-License-Identifier: MIT
// Distances, losses and clocks: the arithmetic behind the air, without its samples.
#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "sim/air.hpp"

namespace meshnet::sim {

inline constexpr double kSpeedOfLight = 299'792'458.0;  ///< m/s

/// Free-space loss between isotropic antennas, dB (Recommendation ITU-R P.525). Below one wavelength / 4 pi: 0 dB.
[[nodiscard]] double free_space_loss_db(double distance_m, double frequency_hz) noexcept;

/// Farthest distance in sight of both, with the earth's radius taken 4/3 for refraction (Recommendation ITU-R P.834),
/// m.
[[nodiscard]] double radio_horizon_m(double height_a_m, double height_b_m) noexcept;

/// Thermal noise at 290 K in `bandwidth_hz`, dBm.
[[nodiscard]] double thermal_noise_dbm(double bandwidth_hz, double noise_figure_db) noexcept;

/// Distance and its growth, at one instant.
struct Range {
    double distance_m = 0.0;
    double receding_mps = 0.0;
};
[[nodiscard]] Range range_between(const AirStation& a, const AirStation& b, const AirLink* link,
                                  double seconds) noexcept;

/// A sample clock that errs by a constant: integer nanoseconds <-> sample counts, exact to 1e-6 Hz of the rate.
class LocalClock {
public:
    LocalClock(double nominal_hz, double ppm) noexcept;
    /// Samples complete at `t` >= 0.
    [[nodiscard]] std::uint64_t count(Instant t) const noexcept;
    [[nodiscard]] double rate_hz() const noexcept { return static_cast<double>(micro_hz_) * 1e-6; }

private:
    std::uint64_t micro_hz_;
};

}  // namespace meshnet::sim
