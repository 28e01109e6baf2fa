// SPDX-License-Identifier: MIT
#include "sim/mac_geometry.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace meshnet::sim {
namespace {

constexpr double kLight = 299'792'458.0;       // m/s
constexpr double kEarth = 6'371e3;             // mean radius, m
constexpr double kGravity = 3.986'004'418e14;  // of the Earth, m^3/s^2
constexpr double kCarrierHz = 2.4e9;
constexpr double kLeoHeight = 1'414e3;  // as Globalstar: 13 ms of slant range near the horizon
constexpr double kLeoElevation = 5.0 * std::numbers::pi / 180.0;
constexpr double kGeoRange = 37'500e3;  // 125 ms
constexpr double kGeoDrift = 60e3;      // a satellite kept within 0.1 degrees moves by about this in a day
constexpr double kDay = 86'164.0;

}  // namespace

MacGeometry::MacGeometry(const MacScenario& s)
    : stations_(s.chain > 0 ? s.chain + 1 : s.stations),
      chain_(s.chain),
      distance_m_(s.distance_km * 1e3),
      orbit_(s.orbit) {}

// Range to the satellite and its rate. A LEO pass is followed by the next in the other direction.
MacGeometry::Slant MacGeometry::slant(std::size_t station, double seconds) const {
    const double angle = 2.0 * std::numbers::pi * static_cast<double>(station) / static_cast<double>(stations_);
    const double along = distance_m_ / 2.0 * std::cos(angle) / kEarth;
    const double across = distance_m_ / 2.0 * std::sin(angle) / kEarth;
    if (orbit_ == MacScenario::Orbit::kGeo) {
        const double phase = 2.0 * std::numbers::pi * (seconds / kDay + 0.125);
        return {kGeoRange + distance_m_ * 0.3 * std::cos(angle) + kGeoDrift * std::sin(phase),
                kGeoDrift * 2.0 * std::numbers::pi / kDay * std::cos(phase)};
    }
    const double r = kEarth + kLeoHeight;
    const double rate = std::sqrt(kGravity / (r * r * r));
    const double edge = std::acos(kEarth / r * std::cos(kLeoElevation)) - kLeoElevation;
    const double pass = 2.0 * edge / rate;
    const double turns = std::floor(seconds / pass);
    const bool back = std::fmod(turns, 2.0) != 0.0;
    const double into = seconds - turns * pass;
    const double direction = back ? -1.0 : 1.0;
    const double psi = direction * (into * rate - edge) - along;
    const double range = std::sqrt(kEarth * kEarth + r * r - 2.0 * kEarth * r * std::cos(psi) * std::cos(across));
    return {range, direction * rate * kEarth * r * std::sin(psi) * std::cos(across) / range};
}

MacGeometry::Path MacGeometry::path(std::size_t a, std::size_t b, Instant at) const {
    Path out;
    if (orbit_ != MacScenario::Orbit::kNone) {
        // The delay between two stations is that of one slant range: what the bars state.
        const double seconds = to_seconds(at.time_since_epoch());
        const Slant one = slant(a, seconds);
        const Slant other = slant(b, seconds);
        out.heard = true;
        out.delay = from_seconds((one.metres + other.metres) / 2.0 / kLight);
        out.cfo_hz = -(one.metres_per_s + other.metres_per_s) / 2.0 / kLight * kCarrierHz;
        return out;
    }
    const std::size_t apart = a > b ? a - b : b - a;
    const double turn = static_cast<double>(apart) / static_cast<double>(stations_);
    out.heard = chain_ == 0 || apart == 1;
    out.delay = from_seconds(distance_m_ * (chain_ > 0 ? 1.0 : std::sin(std::numbers::pi * turn)) / kLight);
    return out;
}

Duration MacGeometry::longest() const {
    switch (orbit_) {
        case MacScenario::Orbit::kGeo:
            return from_seconds((kGeoRange + kGeoDrift + distance_m_) / kLight);
        case MacScenario::Orbit::kLeo:
            return from_seconds((slant(0, 0.0).metres + distance_m_) / kLight);
        case MacScenario::Orbit::kNone:
            break;
    }
    return from_seconds(distance_m_ / kLight);
}

}  // namespace meshnet::sim
