// SPDX-License-Identifier: MIT
#include "sim/propagation/diffraction.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "sim/propagation/free_space.hpp"

namespace meshnet::sim {

namespace {

/// 20 log10 of the height gain G(Y), b = beta Y (P.526 equations 18, 18a, 18b).
double height_gain_db(double b, double admittance) noexcept {
    const double gain =
        b > 2.0 ? 17.6 * std::sqrt(b - 1.1) - 5.0 * std::log10(b - 1.1) - 8.0 : 20.0 * std::log10(b + 0.1 * b * b * b);
    return std::max(gain, 2.0 + 20.0 * std::log10(admittance));
}

/// 20 log10 of the distance term F(X) (equations 17, 17a).
double distance_term_db(double x) noexcept {
    return x >= 1.6 ? 11.0 + 10.0 * std::log10(x) - 17.6 * x : -20.0 * std::log10(x) - 5.6488 * std::pow(x, 1.425);
}

/// First term of the residue series with this radius of the earth; may be negative where it is not valid.
double residue_loss_db(const Path& p, double radius_m) noexcept {
    const double mhz = p.frequency_hz * 1e-6;
    const double radius_km = radius_m * 1e-3;
    const double loss_term = 18'000.0 * conductivity_s_m(p.permittivity, p.frequency_hz) / mhz;
    const double e = p.permittivity.real();
    double admittance =
        0.36 * std::pow(radius_km * mhz, -1.0 / 3.0) * std::pow((e - 1.0) * (e - 1.0) + loss_term * loss_term, -0.25);
    if (p.polarisation == Polarisation::kVertical) {
        admittance *= std::sqrt(std::hypot(e, loss_term));
    }
    const double k2 = admittance * admittance;
    const double beta = (1.0 + 1.6 * k2 + 0.67 * k2 * k2) / (1.0 + 4.5 * k2 + 1.53 * k2 * k2);
    const double x = 2.188 * beta * std::cbrt(mhz) * std::pow(radius_km, -2.0 / 3.0) * p.distance_m * 1e-3;
    const double per_metre = 9.575e-3 * beta * std::pow(mhz, 2.0 / 3.0) * std::pow(radius_km, -1.0 / 3.0);
    const double of_a = height_gain_db(beta * per_metre * p.height_a_m, admittance);
    const double of_b = height_gain_db(beta * per_metre * p.height_b_m, admittance);
    return -(distance_term_db(x) + of_a + of_b);
}

}  // namespace

double fresnel_radius_m(double from_a_m, double from_b_m, double frequency_hz) noexcept {
    return std::sqrt(kSpeedOfLight / frequency_hz * from_a_m * from_b_m / (from_a_m + from_b_m));
}

double earth_bulge_m(double from_a_m, double from_b_m, double effective_radius_m) noexcept {
    return from_a_m * from_b_m / (2.0 * effective_radius_m);
}

double knife_edge_loss_db(double v) noexcept {
    if (v <= -0.78) {
        return 0.0;
    }
    const double w = v - 0.1;
    return 6.9 + 20.0 * std::log10(std::sqrt(w * w + 1.0) + w);
}

double knife_edge_parameter(double above_m, double from_a_m, double from_b_m, double frequency_hz) noexcept {
    return std::numbers::sqrt2 * above_m / fresnel_radius_m(from_a_m, from_b_m, frequency_hz);
}

SpherePoint reflection_point(const Path& p) noexcept {
    const double high = std::max(p.height_a_m, p.height_b_m);
    const double low = std::min(p.height_a_m, p.height_b_m);
    const double d = p.distance_m;
    const double m = d * d / (4.0 * p.effective_radius_m * (high + low));
    const double c = (high - low) / (high + low);
    const double angle = std::acos(std::clamp(1.5 * c * std::sqrt(3.0 * m / std::pow(m + 1.0, 3)), -1.0, 1.0));
    const double b = 2.0 * std::sqrt((m + 1.0) / (3.0 * m)) * std::cos(std::numbers::pi / 3.0 + angle / 3.0);
    const double from_high = d / 2.0 * (1.0 + b);
    const double from_low = d - from_high;
    const double over_high = high - from_high * from_high / (2.0 * p.effective_radius_m);
    const double over_low = low - from_low * from_low / (2.0 * p.effective_radius_m);
    SpherePoint out;
    out.from_a_m = p.height_a_m >= p.height_b_m ? from_high : from_low;
    out.from_b_m = d - out.from_a_m;
    out.clearance_m = (over_high * from_low + over_low * from_high) / d;
    out.grazing_rad = (high + low) / d * (1.0 - m * (1.0 + b * b));
    const double spread = (1.0 - m * (1.0 + b * b)) / (1.0 + m * (1.0 - 3.0 * b * b));
    out.divergence = spread > 0.0 ? std::min(std::sqrt(spread), 1.0) : 0.0;
    return out;
}

double required_clearance_m(const Path& path, const SpherePoint& point) noexcept {
    return 0.552 * fresnel_radius_m(point.from_a_m, point.from_b_m, path.frequency_hz);
}

double smooth_earth_loss_db(const Path& p) noexcept {
    if (p.distance_m >= std::sqrt(2.0 * p.effective_radius_m) * (std::sqrt(p.height_a_m) + std::sqrt(p.height_b_m))) {
        return std::max(residue_loss_db(p, p.effective_radius_m), 0.0);
    }
    const SpherePoint point = reflection_point(p);
    const double required = required_clearance_m(p, point);
    if (point.clearance_m >= required) {
        return 0.0;
    }
    // The radius with which this path would just touch the sphere.
    const double grazing = 0.5 * std::pow(p.distance_m / (std::sqrt(p.height_a_m) + std::sqrt(p.height_b_m)), 2);
    const double loss = residue_loss_db(p, grazing);
    return loss <= 0.0 ? 0.0 : (1.0 - point.clearance_m / required) * loss;
}

double bullington_loss_db(const Path& p, std::span<const Obstacle> obstacles) noexcept {
    const double d = p.distance_m;
    const double straight = (p.height_b_m - p.height_a_m) / d;
    double steepest_a = -std::numeric_limits<double>::infinity();
    double steepest_b = steepest_a;
    double worst_v = steepest_a;
    for (const Obstacle& o : obstacles) {
        const double rest = d - o.from_a_m;
        const double height = o.height_m + earth_bulge_m(o.from_a_m, rest, p.effective_radius_m);
        steepest_a = std::max(steepest_a, (height - p.height_a_m) / o.from_a_m);
        steepest_b = std::max(steepest_b, (height - p.height_b_m) / rest);
        const double line = (p.height_a_m * rest + p.height_b_m * o.from_a_m) / d;
        worst_v = std::max(worst_v, knife_edge_parameter(height - line, o.from_a_m, rest, p.frequency_hz));
    }
    double v = worst_v;
    const double bend = steepest_a + steepest_b;                         // angle between both horizons' rays
    if (steepest_a >= straight && bend > 1e-12 && !obstacles.empty()) {  // one edge where they meet
        const double meet = (p.height_b_m - p.height_a_m + steepest_b * d) / bend;
        const double from_a = std::clamp(meet, 1e-6 * d, d - 1e-6 * d);
        const double above =
            p.height_a_m + steepest_a * from_a - (p.height_a_m * (d - from_a) + p.height_b_m * from_a) / d;
        v = knife_edge_parameter(above, from_a, d - from_a, p.frequency_hz);
    }
    const double edge = knife_edge_loss_db(v);
    return edge + (1.0 - std::exp(-edge / 6.0)) * (10.0 + 0.02 * d * 1e-3);
}

double diffraction_loss_db(const Path& path, std::span<const Obstacle> obstacles) {
    const double smooth = smooth_earth_loss_db(path);
    if (obstacles.empty()) {
        return smooth;
    }
    constexpr int kSteps = 500;  // profile points of the smooth earth; more change a loss by less than 0.01 dB
    std::vector<Obstacle> sphere;
    for (int i = 1; i < kSteps; ++i) {
        sphere.push_back({path.distance_m * i / kSteps, 0.0});
    }
    const double of_sphere = bullington_loss_db(path, sphere);
    std::vector<Obstacle> all(sphere);
    all.insert(all.end(), obstacles.begin(), obstacles.end());
    return bullington_loss_db(path, all) + std::max(smooth - of_sphere, 0.0);
}

}  // namespace meshnet::sim
