// SPDX-License-Identifier: MIT
#include "lab/interval.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace meshnet::lab {

Interval wilson(std::uint64_t hits, std::uint64_t trials) noexcept {
    if (trials == 0) {
        return {0.0, 1.0};
    }
    const double n = static_cast<double>(trials);
    const double p = static_cast<double>(hits) / n;
    const double z2 = kZ95 * kZ95;
    const double centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    const double half = kZ95 / (1.0 + z2 / n) * std::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n));
    return {hits == 0 ? 0.0 : std::max(0.0, centre - half), hits == trials ? 1.0 : std::min(1.0, centre + half)};
}

double q_function(double x) noexcept {
    return 0.5 * std::erfc(x / std::numbers::sqrt2);
}

double q_inverse(double p) noexcept {
    double low = -12.0;
    double high = 12.0;
    for (int i = 0; i < 80; ++i) {
        const double mid = 0.5 * (low + high);
        (q_function(mid) > p ? low : high) = mid;
    }
    return 0.5 * (low + high);
}

double Waterfall::per(double snr_db) const noexcept {
    return q_function(a + b * snr_db);
}

double Waterfall::snr_at(double per) const noexcept {
    return (q_inverse(per) - a) / b;
}

double Waterfall::snr_deviation(double per) const noexcept {
    // s = (q - a) / b:  ds/da = -1 / b,  ds/db = -s / b.
    const double s = snr_at(per);
    return std::sqrt(std::max(0.0, var_a + 2.0 * s * cov_ab + s * s * var_b)) / b;
}

std::optional<Waterfall> fit_waterfall(std::span<const RatePoint> points) {
    // Origin at the mean SNR of the informative points, so that a and b hardly depend on each other.
    double centre = 0.0;
    double weight = 0.0;
    for (const RatePoint& p : points) {
        if (p.errors > 0 && p.errors < p.frames) {
            centre += p.snr_db;
            weight += 1.0;
        }
    }
    if (weight < 1.0) {
        return std::nullopt;
    }
    centre /= weight;
    // Fisher scoring on the probit likelihood, from a slope typical of 1000-byte frames.
    double a = 0.0;
    double b = 2.0;
    double saa = 0.0;
    double sab = 0.0;
    double sbb = 0.0;
    for (int round = 0; round < 60; ++round) {
        saa = sab = sbb = 0.0;
        double ga = 0.0;
        double gb = 0.0;
        for (const RatePoint& p : points) {
            if (p.frames == 0) {
                continue;
            }
            const double x = p.snr_db - centre;
            const double eta = std::clamp(a + b * x, -8.0, 8.0);
            const double q = std::clamp(q_function(eta), 1e-14, 1.0 - 1e-14);
            const double density = std::exp(-0.5 * eta * eta) / std::sqrt(2.0 * std::numbers::pi);
            const double n = static_cast<double>(p.frames);
            const double w = n * density * density / (q * (1.0 - q));
            const double g =
                -(static_cast<double>(p.errors) - n * q) * density / (q * (1.0 - q));  // dq/deta = -density
            saa += w;
            sab += w * x;
            sbb += w * x * x;
            ga += g;
            gb += g * x;
        }
        const double det = saa * sbb - sab * sab;
        if (!(det > 1e-9)) {
            return std::nullopt;
        }
        const double step_a = std::clamp((sbb * ga - sab * gb) / det, -1.0, 1.0);
        const double step_b = std::clamp((saa * gb - sab * ga) / det, -1.0, 1.0);
        a += step_a;
        b = std::clamp(b + step_b, 0.0, 60.0);
        if (std::abs(step_a) + std::abs(step_b) < 1e-9) {
            break;
        }
    }
    const double det = saa * sbb - sab * sab;
    if (!(det > 1e-9) || !(b > 0.02) || b >= 60.0) {
        return std::nullopt;
    }
    Waterfall out;
    out.b = b;
    out.var_b = saa / det;
    // Back to an origin at 0 dB: a0 = a - b centre.
    const double var_a = sbb / det;
    const double cov = -sab / det;
    out.a = a - b * centre;
    out.var_a = var_a - 2.0 * centre * cov + centre * centre * out.var_b;
    out.cov_ab = cov - centre * out.var_b;
    return out;
}

}  // namespace meshnet::lab
