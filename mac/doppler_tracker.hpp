// SPDX-License-Identifier: MIT
// How a neighbour's carrier moves against ours: followed over its frames, so that the next one's offset is known
// before.
//
//     carrier offset and its deviation of each frame -> gate -> Kalman filter (offset, rate, growth of the rate)
//         -> estimate at any later time
//
// A satellite at 550 km changes its Doppler by up to 1.9 kHz/s at 5.8 GHz, and that rate by up to 24 Hz/s in a second:
// hence three states. Two stations on the ground have a steady offset, for which the same filter averages.
// Source: Y. Bar-Shalom, X. Li, T. Kirubarajan, "Estimation with Applications to Tracking and Navigation", Wiley 2001,
// ch. 6 (white noise on the third derivative).
#pragma once

#include <array>
#include <optional>

#include "core/time.hpp"

namespace meshnet::mac {

/// Where a neighbour's carrier is at one time.
struct DopplerEstimate {
    double cfo_hz = 0.0;        ///< its carrier minus ours
    double rate_hz_s = 0.0;     ///< growth of that
    double deviation_hz = 0.0;  ///< standard deviation of cfo_hz
    double rate_deviation_hz_s = 0.0;

    /// The rate is there for certain, and large enough that a receiver should know it.
    [[nodiscard]] bool moves() const noexcept;
};

/// Of one neighbour.
class DopplerTracker {
public:
    static constexpr unsigned kFewest = 4;       ///< frames before there is an estimate
    static constexpr double kUselessHz = 200.0;  ///< deviation from which on there is none any more
    static constexpr Duration kForgotten = 30s;  ///< without a frame: the next one begins anew

    /// A frame that ended at `at` had the carrier offset `cfo_hz` there, known to `deviation_hz` (0: unknown, 20 Hz).
    /// One that is far from where it should be is left out; three of these in a row begin anew. Not finite, or before
    /// the last one: ignored.
    void hear(Instant at, double cfo_hz, double deviation_hz) noexcept;
    /// The estimate at `at`, not before the last frame; nothing while too little is known.
    [[nodiscard]] std::optional<DopplerEstimate> at(Instant at) const noexcept;

private:
    struct State {
        std::array<double, 3> x{};                 // Hz, Hz/s, Hz/s^2
        std::array<std::array<double, 3>, 3> p{};  // covariance
    };
    void begin(Instant at, double cfo_hz, double variance) noexcept;
    [[nodiscard]] State predicted(double seconds) const noexcept;

    State state_;
    Instant at_{};
    unsigned frames_ = 0;
    unsigned outliers_ = 0;  // in a row
};

}  // namespace meshnet::mac
