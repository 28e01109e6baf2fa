// SPDX-License-Identifier: MIT
#include "sim/propagation/fading.hpp"

#include <cmath>

namespace meshnet::sim {

namespace {

/// Probability that power / mean power is below `level`: a Poisson mixture of gamma distributions, summed outwards from
/// its largest term.
double below(double k, double level) noexcept {
    const double x = (1.0 + k) * level;
    // P(n + 1, x): regularised lower incomplete gamma function of an integer, as 1 - e^-x sum x^i / i!, summed upwards
    // where that is exact, else by its tail.
    const auto gamma_below = [x](int n) {
        double tail = 0.0;
        double term = std::exp(-x + (n + 1) * std::log(x) - std::lgamma(n + 2.0));
        for (int i = n + 1; term > 0.0 && (i < x || term > 1e-18 * tail); ++i) {
            tail += term;
            term *= x / (i + 1);
        }
        return tail;
    };
    const int centre = static_cast<int>(k);
    const auto weight = [k](int n) { return k > 0.0 ? std::exp(-k + n * std::log(k) - std::lgamma(n + 1.0)) : 1.0; };
    double sum = 0.0;
    for (int n = centre; n >= 0; --n) {
        const double part = weight(n) * gamma_below(n);
        sum += part;
        if (part < 1e-15 * sum && n < centre - 10) {
            break;
        }
    }
    for (int n = centre + 1; k > 0.0; ++n) {
        const double part = weight(n) * gamma_below(n);
        sum += part;
        if (part <= 1e-15 * sum) {
            break;
        }
    }
    return sum;
}

}  // namespace

double rice_fade_db(double k_db, double outage) noexcept {
    const double k = k_db <= -40.0 ? 0.0 : std::pow(10.0, k_db / 10.0);
    double low = -120.0;
    double high = 20.0;  // dB of the level over the mean
    for (int i = 0; i < 60; ++i) {
        const double mid = 0.5 * (low + high);
        (below(k, std::pow(10.0, mid / 10.0)) < outage ? low : high) = mid;
    }
    return -0.5 * (low + high);
}

}  // namespace meshnet::sim
