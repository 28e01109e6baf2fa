// SPDX-License-Identifier: MIT
// Distances, losses and clocks: the arithmetic behind the air, without its samples.
#pragma once

#include <cstdint>

#include "core/time.hpp"
#include "sim/air.hpp"
#include "sim/propagation/free_space.hpp"

namespace meshnet::sim {

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
