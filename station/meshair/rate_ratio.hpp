// SPDX-License-Identifier: GPL-3.0-or-later
// A device's sample rate as a ratio of the air's: both count from the same instant, so that sample k of the device lies
// at an exact place among the samples of the air.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>

namespace meshnet::meshair {

/// device rate = air rate * up / down, in lowest terms.
struct RateRatio {
    static constexpr double kMaxTerm = 4096;

    std::uint64_t up = 1, down = 1;

    /// The first convergent of the continued fraction within 0.001 ppm of `device_hz / air_hz`, or the last with terms
    /// up to kMaxTerm. Radios make their rates from a master clock by such ratios too.
    [[nodiscard]] static RateRatio nearest(double device_hz, double air_hz) noexcept {
        constexpr double kExact = 1e-9;
        const double wanted = device_hz / air_hz;
        RateRatio best{1, 1};
        double p = 1, p_before = 0, q = 0, q_before = 1, rest = wanted;
        for (int i = 0; i < 40; ++i) {
            const double whole = std::floor(rest + kExact);
            const double next_p = whole * p + p_before;
            const double next_q = whole * q + q_before;
            if (next_p > kMaxTerm || next_q > kMaxTerm) {
                break;
            }
            p_before = std::exchange(p, next_p);
            q_before = std::exchange(q, next_q);
            if (p >= 1.0 && q >= 1.0) {
                best = {static_cast<std::uint64_t>(p), static_cast<std::uint64_t>(q)};
                if (std::abs(p / q - wanted) <= kExact * wanted) {
                    break;
                }
            }
            rest = 1.0 / (rest - whole);
        }
        return best;
    }
    [[nodiscard]] double rate_hz(double air_hz) const noexcept {
        return air_hz * static_cast<double>(up) / static_cast<double>(down);
    }
    [[nodiscard]] RateRatio inverse() const noexcept { return {down, up}; }

    /// The first device sample not before the air's sample `index`, and the other way round.
    [[nodiscard]] std::uint64_t tick_at(std::uint64_t index) const noexcept { return (index * up + down - 1) / down; }
    [[nodiscard]] std::uint64_t index_at(std::uint64_t tick) const noexcept { return (tick * down + up - 1) / up; }

    bool operator==(const RateRatio&) const = default;
};

}  // namespace meshnet::meshair
