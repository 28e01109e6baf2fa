// SPDX-License-Identifier: MIT
#include "sim/air_geometry.hpp"

#include <cmath>

namespace meshnet::sim {

Range range_between(const AirStation& a, const AirStation& b, const AirLink* link, double seconds) noexcept {
    if (link != nullptr && link->distance_m) {
        const double d = *link->distance_m + link->receding_mps * seconds;
        return d > 0.0 ? Range{d, link->receding_mps} : Range{};
    }
    const double vx = b.vx_mps - a.vx_mps;
    const double vy = b.vy_mps - a.vy_mps;
    const double x = b.x_m - a.x_m + vx * seconds;
    const double y = b.y_m - a.y_m + vy * seconds;
    const double z = b.height_m - a.height_m;
    const double d = std::sqrt(x * x + y * y + z * z);
    return {d, d > 0.0 ? (x * vx + y * vy) / d : 0.0};
}

LocalClock::LocalClock(double nominal_hz, double ppm) noexcept
    : micro_hz_(static_cast<std::uint64_t>(std::llround(nominal_hz * (1.0 + ppm * 1e-6) * 1e6))) {}

std::uint64_t LocalClock::count(Instant t) const noexcept {
    __extension__ using Wide = unsigned __int128;
    constexpr std::uint64_t kPerSecond = 1'000'000'000'000'000U;  // ns x uHz in a sample
    return static_cast<std::uint64_t>(static_cast<Wide>(static_cast<std::uint64_t>(to_ns(t))) * micro_hz_ / kPerSecond);
}

}  // namespace meshnet::sim
