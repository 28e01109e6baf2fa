// SPDX-License-Identifier: MIT
// Who hears whom in a MacScenario, how late, and with which Doppler shift.
//
// Source: circular orbits, B. Bate, D. Mueller, J. White, "Fundamentals of Astrodynamics" (1971), chapter 1; the law of
// cosines gives the slant range.
#pragma once

#include <cstddef>

#include "core/time.hpp"
#include "sim/mac_scenario.hpp"

namespace meshnet::sim {

class MacGeometry {
public:
    struct Path {
        bool heard = false;
        Duration delay{};
        double cfo_hz = 0.0;  ///< at 2.4 GHz
    };

    explicit MacGeometry(const MacScenario& scenario);

    [[nodiscard]] Path path(std::size_t a, std::size_t b, Instant at) const;
    [[nodiscard]] bool changes() const noexcept { return orbit_ != MacScenario::Orbit::kNone; }
    /// The longest delay of any path at any time.
    [[nodiscard]] Duration longest() const;

private:
    struct Slant {
        double metres = 0.0;
        double metres_per_s = 0.0;
    };
    [[nodiscard]] Slant slant(std::size_t station, double seconds) const;

    std::size_t stations_;
    std::size_t chain_;
    double distance_m_;
    MacScenario::Orbit orbit_;
};

}  // namespace meshnet::sim
