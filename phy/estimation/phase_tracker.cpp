// SPDX-License-Identifier: MIT
#include "phy/estimation/phase_tracker.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::phy {

DriftFilter::State DriftFilter::predicted(const State& s) const noexcept {
    State p;
    p.value = s.value + s.drift;
    p.drift = s.drift;
    p.vv = s.vv + 2.0 * s.vd + s.dd + noise_.value;
    p.vd = s.vd + s.dd;
    p.dd = s.dd + noise_.drift;
    return p;
}

void DriftFilter::predict() noexcept {
    state_ = predicted(state_);
}

void DriftFilter::update(double innovation, double variance) noexcept {
    const double total = state_.vv + variance;
    if (learn_) {
        learn_from(innovation, total);
    }
    const double gain_value = state_.vv / total;
    const double gain_drift = state_.vd / total;
    state_.value += gain_value * innovation;
    state_.drift += gain_drift * innovation;
    state_.dd -= gain_drift * state_.vd;
    state_.vd -= gain_drift * state_.vv;
    state_.vv -= gain_value * state_.vv;
}

void DriftFilter::learn_from(double innovation, double total) noexcept {
    constexpr double kMemory = 64.0;
    steps_ = std::min(steps_ + 1.0, kMemory);
    const double weight = 1.0 / steps_;
    surplus_ += weight * (innovation * innovation - total + noise_.value - surplus_);
    expected_ += weight * (total - expected_);
    const double chance = 2.0 * std::sqrt(2.0 / steps_) * expected_;
    noise_.value = std::max(least_value_noise_, surplus_ - chance);
}

void DriftFilter::smooth(std::span<State> states) const noexcept {
    for (std::size_t i = states.size(); i-- > 1;) {
        State& s = states[i - 1];
        const State& next = states[i];
        const State p = predicted(s);
        const double determinant = p.vv * p.dd - p.vd * p.vd;
        if (!(determinant > 1e-30)) {
            continue;
        }
        // C = P F' (P predicted)^-1 with F = [1 1; 0 1].
        const double a0 = s.vv + s.vd;
        const double a1 = s.vd;
        const double b0 = s.vd + s.dd;
        const double b1 = s.dd;
        const double i00 = p.dd / determinant;
        const double i01 = -p.vd / determinant;
        const double i11 = p.vv / determinant;
        const double c00 = a0 * i00 + a1 * i01;
        const double c01 = a0 * i01 + a1 * i11;
        const double c10 = b0 * i00 + b1 * i01;
        const double c11 = b0 * i01 + b1 * i11;
        const double dv = next.value - p.value;
        const double dd = next.drift - p.drift;
        // The covariances are left as filtered: the smoothed means do not need them.
        s.value += c00 * dv + c01 * dd;
        s.drift += c10 * dv + c11 * dd;
    }
}

}  // namespace meshnet::phy
