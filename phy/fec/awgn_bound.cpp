// SPDX-License-Identifier: MIT
#include "phy/fec/awgn_bound.hpp"

#include <cassert>
#include <cmath>
#include <numbers>

namespace meshnet::phy {

namespace {

double q_function(double x) noexcept {
    return 0.5 * std::erfc(x / std::numbers::sqrt2);
}

/// Mean and variance of the information density of one real dimension: m-PAM of energy `energy`, noise variance 1.
/// Integral over the noise by the trapezoidal rule, which converges exponentially for Gaussian weights.
ChannelUse pam(int m, double energy) noexcept {
    const double spacing = std::sqrt(12.0 * energy / (static_cast<double>(m) * m - 1.0));
    const auto point = [&](int i) { return (i - 0.5 * (m - 1)) * spacing; };
    constexpr int kSteps = 160;
    constexpr double kEdge = 8.5;
    const double dn = 2.0 * kEdge / kSteps;
    double mean = 0.0;
    double square = 0.0;
    double weight = 0.0;
    for (int step = 0; step <= kSteps; ++step) {
        const double n = -kEdge + step * dn;
        const double w = std::exp(-0.5 * n * n);
        for (int i = 0; i < m; ++i) {
            double others = 0.0;
            for (int j = 0; j < m; ++j) {
                const double d = point(i) - point(j);
                others += std::exp(-0.5 * d * (d + 2.0 * n));  // p(y | x_j) / p(y | x_i), y = x_i + n
            }
            const double density = std::log2(static_cast<double>(m)) - std::log2(others);
            mean += w * density;
            square += w * density * density;
            weight += w;
        }
    }
    mean /= weight;
    return {mean, square / weight - mean * mean};
}

}  // namespace

ChannelUse constellation_awgn(unsigned bits_per_symbol, double snr_db) noexcept {
    assert(bits_per_symbol == 1 || (bits_per_symbol >= 2 && bits_per_symbol <= 10 && bits_per_symbol % 2 == 0));
    const double snr = std::pow(10.0, snr_db / 10.0);
    if (bits_per_symbol == 1) return pam(2, 2.0 * snr);
    // Two dimensions, each with half the energy and half of N0.
    const ChannelUse one = pam(1 << (bits_per_symbol / 2), snr);
    return {2.0 * one.capacity, 2.0 * one.dispersion};
}

double normal_approximation_bler(unsigned bits_per_symbol, std::size_t info_bits, double symbols,
                                 double snr_db) noexcept {
    const ChannelUse use = constellation_awgn(bits_per_symbol, snr_db);
    const double margin = symbols * use.capacity - static_cast<double>(info_bits) + 0.5 * std::log2(symbols);
    const double deviation = std::sqrt(symbols * use.dispersion);
    if (deviation < 1e-9) return margin >= 0.0 ? 0.0 : 1.0;
    return q_function(margin / deviation);
}

double required_snr_db(unsigned bits_per_symbol, std::size_t info_bits, double symbols, double bler) noexcept {
    assert(info_bits >= 1 && static_cast<double>(info_bits) < bits_per_symbol * symbols);
    assert(bler > 0.0 && bler < 0.5);
    double low = -30.0;
    double high = 50.0;
    while (high - low > 5e-4) {
        const double mid = 0.5 * (low + high);
        (normal_approximation_bler(bits_per_symbol, info_bits, symbols, mid) > bler ? low : high) = mid;
    }
    return high;
}

}  // namespace meshnet::phy
