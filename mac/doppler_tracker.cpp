// SPDX-License-Identifier: MIT
#include "mac/doppler_tracker.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::mac {
namespace {

constexpr double kUnknownHz = 20.0;    // deviation of an offset that came without one
constexpr double kLeastHz = 1.0;       // no modem knows it better
constexpr double kRateHz = 1500.0;     // deviation of the rate before it is known, Hz/s
constexpr double kGrowth = 15.0;       // and of its growth, Hz/s^2
constexpr double kOscillatorHz = 1.0;  // walk of two oscillators in a second
constexpr double kJerk = 0.5;          // walk of the rate's growth in a second, Hz/s^2
constexpr unsigned kOutliers = 3;

double seconds(Duration d) noexcept {
    return static_cast<double>(d.count()) * 1e-9;
}

}  // namespace

bool DopplerEstimate::moves() const noexcept {
    constexpr double kSlow = 30.0;  // Hz/s: no mode notices less
    return std::abs(rate_hz_s) > std::max(kSlow, 4.0 * rate_deviation_hz_s);
}

void DopplerTracker::begin(Instant at, double cfo_hz, double variance) noexcept {
    state_ = {};
    state_.x[0] = cfo_hz;
    state_.p[0][0] = variance;
    state_.p[1][1] = kRateHz * kRateHz;
    state_.p[2][2] = kGrowth * kGrowth;
    at_ = at;
    frames_ = 1;
    outliers_ = 0;
}

DopplerTracker::State DopplerTracker::predicted(double t) const noexcept {
    const double f[3][3] = {{1.0, t, 0.5 * t * t}, {0.0, 1.0, t}, {0.0, 0.0, 1.0}};
    State out;
    double fp[3][3]{};
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            out.x[i] += f[i][j] * state_.x[j];
            for (std::size_t k = 0; k < 3; ++k) {
                fp[i][j] += f[i][k] * state_.p[k][j];
            }
        }
    }
    const double q = kJerk * kJerk;
    const double t2 = t * t;
    const double noise[3][3] = {
        {q * t2 * t2 * t / 20.0 + kOscillatorHz * kOscillatorHz * t, q * t2 * t2 / 8.0, q * t2 * t / 6.0},
        {q * t2 * t2 / 8.0, q * t2 * t / 3.0, q * t2 / 2.0},
        {q * t2 * t / 6.0, q * t2 / 2.0, q * t}};
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            out.p[i][j] = noise[i][j];
            for (std::size_t k = 0; k < 3; ++k) {
                out.p[i][j] += fp[i][k] * f[j][k];
            }
        }
    }
    return out;
}

void DopplerTracker::hear(Instant at, double cfo_hz, double deviation_hz) noexcept {
    constexpr double kGateDeviations = 5.0;
    constexpr double kGateHz = 10.0;  // an offset is now and then a little worse than its deviation says
    if (!std::isfinite(cfo_hz) || !std::isfinite(deviation_hz) || (frames_ > 0 && at < at_)) {
        return;
    }
    const double deviation = deviation_hz > 0.0 ? std::max(deviation_hz, kLeastHz) : kUnknownHz;
    const double variance = deviation * deviation;
    if (frames_ == 0 || at - at_ > kForgotten) {
        begin(at, cfo_hz, variance);
        return;
    }
    const State now = predicted(seconds(at - at_));
    const double innovation = cfo_hz - now.x[0];
    const double total = now.p[0][0] + variance;
    if (std::abs(innovation) > kGateDeviations * std::sqrt(total) + kGateHz) {
        if (++outliers_ == kOutliers) {
            begin(at, cfo_hz, variance);
        }
        return;
    }
    outliers_ = 0;
    at_ = at;
    frames_ = std::min(frames_ + 1, kFewest);
    for (std::size_t i = 0; i < 3; ++i) {
        const double gain = now.p[i][0] / total;
        state_.x[i] = now.x[i] + gain * innovation;
        for (std::size_t j = 0; j < 3; ++j) {
            state_.p[i][j] = now.p[i][j] - gain * now.p[0][j];
        }
    }
}

std::optional<DopplerEstimate> DopplerTracker::at(Instant at) const noexcept {
    if (frames_ < kFewest || at - at_ > kForgotten) {
        return std::nullopt;
    }
    const State then = predicted(std::max(0.0, seconds(at - at_)));
    const DopplerEstimate out{then.x[0], then.x[1], std::sqrt(std::max(then.p[0][0], 0.0)),
                              std::sqrt(std::max(then.p[1][1], 0.0))};
    return out.deviation_hz <= kUselessHz ? std::optional(out) : std::nullopt;
}

}  // namespace meshnet::mac
