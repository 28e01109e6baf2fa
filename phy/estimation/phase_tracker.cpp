// SPDX-License-Identifier: MIT
#include "phy/estimation/phase_tracker.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace meshnet::phy {

namespace {

// Solves P x = b for the covariance P of a state; a component that has no variance of its own beside the others stays
// 0. LDL' decomposition: it does not mind that the three variances are of very different size.
std::array<double, 3> solve_covariance(const DriftFilter::State& p, const std::array<double, 3>& b) noexcept {
    constexpr double kOwn = 1e-9;  // of its variance, which must be a component's own
    const auto inverse = [](double own, double all) { return own > kOwn * all && own > 1e-300 ? 1.0 / own : 0.0; };
    const double i0 = inverse(p.vv, p.vv);
    const double l10 = p.vd * i0;
    const double l20 = p.vr * i0;
    const double i1 = inverse(p.dd - l10 * p.vd, p.dd);
    const double below = p.dr - l20 * p.vd;
    const double l21 = below * i1;
    const double i2 = inverse(p.rr - l20 * p.vr - l21 * below, p.rr);
    const double y1 = b[1] - l10 * b[0];
    const double y2 = b[2] - l20 * b[0] - l21 * y1;
    std::array<double, 3> x{};
    x[2] = y2 * i2;
    x[1] = y1 * i1 - l21 * x[2];
    x[0] = b[0] * i0 - l10 * x[1] - l20 * x[2];
    return x;
}

}  // namespace

DriftFilter::State DriftFilter::moved(const State& s, double n) noexcept {
    // F = [1 n n^2/2; 0 1 n; 0 0 1]
    const double h = 0.5 * n * n;
    State p;
    p.value = s.value + n * s.drift + h * s.rate;
    p.drift = s.drift + n * s.rate;
    p.rate = s.rate;
    const double vd = s.vd + n * s.dd + h * s.dr;  // of the value moved and the drift before
    const double vr = s.vr + n * s.dr + h * s.rr;
    p.vv = s.vv + n * s.vd + h * s.vr + n * vd + h * vr;
    p.vd = vd + n * vr;
    p.vr = vr;
    p.dd = s.dd + 2.0 * n * s.dr + n * n * s.rr;
    p.dr = s.dr + n * s.rr;
    p.rr = s.rr;
    return p;
}

DriftFilter::State DriftFilter::predicted(const State& s) const noexcept {
    State p = moved(s, 1.0);
    p.vv += noise_.value;
    p.dd += noise_.drift;
    p.rr += noise_.rate;
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
    const double gain_rate = state_.vr / total;
    state_.value += gain_value * innovation;
    state_.drift += gain_drift * innovation;
    state_.rate += gain_rate * innovation;
    state_.rr -= gain_rate * state_.vr;
    state_.dr -= gain_rate * state_.vd;
    state_.vr -= gain_rate * state_.vv;
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
        // C = P F' (P predicted)^-1, applied to what the next state says beyond its prediction.
        const auto x = solve_covariance(p, {next.value - p.value, next.drift - p.drift, next.rate - p.rate});
        const double dv = x[0];  // F' x
        const double dd = x[0] + x[1];
        const double dr = 0.5 * x[0] + x[1] + x[2];
        // The covariances are left as filtered: the smoothed means do not need them.
        s.value += s.vv * dv + s.vd * dd + s.vr * dr;
        s.drift += s.vd * dv + s.dd * dd + s.dr * dr;
        s.rate += s.vr * dv + s.dr * dd + s.rr * dr;
    }
}

}  // namespace meshnet::phy
