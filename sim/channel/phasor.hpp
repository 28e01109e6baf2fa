// SPDX-License-Identifier: MIT
// A rotating phasor whose phase is an integer, so that it never drifts and does not depend on how a stream is cut.
//
// Phase and its steps are fractions of a turn in units of 2^-64 and wrap by themselves. The value comes from a table of
// 2048 points and a second-order correction; error < 1e-9 before rounding to float.
#pragma once

#include <cmath>
#include <cstdint>

#include "phy/sample.hpp"

namespace meshnet::sim {

/// Turns (cycles) as a wrapping integer of 2^-64 turns. `turns` is any finite number; whole turns are dropped.
[[nodiscard]] inline std::uint64_t turns_to_phase(double turns) noexcept {
    const double fraction = turns - std::nearbyint(turns);  // [-0.5, 0.5]
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(std::ldexp(fraction, 63))) * 2U;
}

/// exp(j 2 pi phase).
[[nodiscard]] phy::Sample phase_to_phasor(std::uint64_t phase) noexcept;

/// exp(j phi[n]) with phi'' constant: a carrier with linear drift.
class Phasor {
public:
    Phasor() = default;
    /// Start phase in turns, frequency in turns per sample, drift in turns per sample per sample.
    Phasor(double turns, double turns_per_sample, double drift = 0.0) noexcept
        : phase_(turns_to_phase(turns)), step_(turns_to_phase(turns_per_sample)), drift_(turns_to_phase(drift)) {}

    /// The value now; then one sample on.
    phy::Sample next() noexcept {
        const phy::Sample value = phase_to_phasor(phase_);
        phase_ += step_;
        step_ += drift_;
        return value;
    }
    /// The value now; then `samples` on. Drift is not applied within the jump: for phasors without drift.
    phy::Sample next(std::uint64_t samples) noexcept {
        const phy::Sample value = phase_to_phasor(phase_);
        phase_ += step_ * samples;
        return value;
    }

private:
    std::uint64_t phase_ = 0;
    std::uint64_t step_ = 0;
    std::uint64_t drift_ = 0;
};

namespace detail {
inline constexpr unsigned kPhasorBits = 11;
/// exp(j 2 pi (k + 0.5) / 2048).
[[nodiscard]] const phy::Sample* make_phasor_table() noexcept;
[[nodiscard]] inline const phy::Sample* phasor_table() noexcept {
    static const phy::Sample* const table = make_phasor_table();
    return table;
}
}  // namespace detail

inline phy::Sample phase_to_phasor(std::uint64_t phase) noexcept {
    constexpr double kRadians = 6.283185307179586 / 18446744073709551616.0;
    constexpr std::uint64_t kHalf = std::uint64_t{1} << (63U - detail::kPhasorBits);
    const phy::Sample base = detail::phasor_table()[phase >> (64U - detail::kPhasorBits)];
    const std::uint64_t below = phase & ((std::uint64_t{1} << (64U - detail::kPhasorBits)) - 1U);
    const float d = static_cast<float>(static_cast<double>(static_cast<std::int64_t>(below - kHalf)) * kRadians);
    const float c = 1.0F - 0.5F * d * d;
    return {base.real() * c - base.imag() * d, base.imag() * c + base.real() * d};
}

}  // namespace meshnet::sim
