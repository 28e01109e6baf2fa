// SPDX-License-Identifier: MIT
#include "sim/propagation/atmosphere.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace meshnet::sim {

namespace {

/// One bell of P.838's sums, in log10 of the frequency in GHz.
struct Bell {
    double height, centre, width;
};
template <std::size_t N>
double sum(const std::array<Bell, N>& bells, double log_f) noexcept {
    double out = 0.0;
    for (const Bell& b : bells) {
        const double u = (log_f - b.centre) / b.width;
        out += b.height * std::exp(-u * u);
    }
    return out;
}

// Tables 1 to 4 of P.838-3.
constexpr std::array<Bell, 4> kFactorH{{{-5.33980, -0.10008, 1.13098},
                                        {-0.35351, 1.26970, 0.45400},
                                        {-0.23789, 0.86036, 0.15354},
                                        {-0.94158, 0.64552, 0.16817}}};
constexpr std::array<Bell, 4> kFactorV{{{-3.80595, 0.56934, 0.81061},
                                        {-3.44965, -0.22911, 0.51059},
                                        {-0.39902, 0.73042, 0.11899},
                                        {0.50167, 1.07319, 0.27195}}};
constexpr std::array<Bell, 5> kExponentH{{{-0.14318, 1.82442, -0.55187},
                                          {0.29591, 0.77564, 0.19822},
                                          {0.32177, 0.63773, 0.13164},
                                          {-5.37610, -0.96230, 1.47828},
                                          {16.1721, -3.29980, 3.43990}}};
constexpr std::array<Bell, 5> kExponentV{{{-0.07771, 2.33840, -0.76284},
                                          {0.56727, 0.95545, 0.54039},
                                          {-0.20238, 1.14520, 0.26809},
                                          {-48.2991, 0.791669, 0.116226},
                                          {48.5833, 0.791459, 0.116479}}};

/// Factor k and exponent alpha of k R^alpha.
struct PowerLaw {
    double factor, exponent;
};
PowerLaw rain_law(double frequency_hz, double elevation_rad, double tilt_rad) noexcept {
    const double log_f = std::log10(std::clamp(frequency_hz * 1e-9, 1.0, 1'000.0));
    const double kh = std::pow(10.0, sum(kFactorH, log_f) - 0.18961 * log_f + 0.71147);
    const double kv = std::pow(10.0, sum(kFactorV, log_f) - 0.16398 * log_f + 0.63297);
    const double ah = sum(kExponentH, log_f) + 0.67849 * log_f - 1.95537;
    const double av = sum(kExponentV, log_f) - 0.053739 * log_f + 0.83433;
    const double cosine = std::cos(elevation_rad);
    const double mix = cosine * cosine * std::cos(2.0 * tilt_rad);
    const double k = (kh + kv + (kh - kv) * mix) / 2.0;
    return {k, (kh * ah + kv * av + (kh * ah - kv * av) * mix) / (2.0 * k)};
}

double shape(double rp, double rt, double a, double b, double c, double d) noexcept {
    return std::pow(rp, a) * std::pow(rt, b) * std::exp(c * (1.0 - rp) + d * (1.0 - rt));
}

}  // namespace

double dry_air_db_per_km(double frequency_hz, const SurfaceAir& air) noexcept {
    const double f = frequency_hz * 1e-9;
    const double rp = air.pressure_hpa / 1013.0;
    const double rt = 288.0 / (273.0 + air.temperature_c);
    const double xi1 = shape(rp, rt, 0.0717, -1.8132, 0.0156, -1.6515);
    const double xi2 = shape(rp, rt, 0.5146, -4.6368, -0.1921, -5.7416);
    const double xi3 = shape(rp, rt, 0.3414, -6.5851, 0.2130, -8.5854);
    const double low = 7.2 * std::pow(rt, 2.8) / (f * f + 0.34 * rp * rp * std::pow(rt, 1.6));
    const double line = 0.62 * xi3 / (std::pow(std::max(54.0 - f, 0.0), 1.16 * xi1) + 0.83 * xi2);
    return (low + line) * f * f * rp * rp * 1e-3;
}

double vapour_db_per_km(double frequency_hz, const SurfaceAir& air) noexcept {
    const double f = frequency_hz * 1e-9;
    const double rp = air.pressure_hpa / 1013.0;
    const double rt = 288.0 / (273.0 + air.temperature_c);
    const double rho = air.vapour_g_m3;
    const double eta1 = 0.955 * rp * std::pow(rt, 0.68) + 0.006 * rho;
    const double eta2 = 0.735 * rp * std::sqrt(rt) + 0.0353 * std::pow(rt, 4) * rho;
    const auto g = [f](double line) { return 1.0 + std::pow((f - line) / (f + line), 2); };
    const auto cool = [rt](double c) { return std::exp(c * (1.0 - rt)); };
    const auto wide = [f, eta1](double line, double c) { return (f - line) * (f - line) + c * eta1 * eta1; };
    const double sum = 3.98 * eta1 * cool(2.23) / wide(22.235, 9.42) * g(22.0) +
                       11.96 * eta1 * cool(0.7) / wide(183.31, 11.14) +
                       0.081 * eta1 * cool(6.44) / wide(321.226, 6.29) + 3.66 * eta1 * cool(1.6) / wide(325.153, 9.22) +
                       25.37 * eta1 * cool(1.09) / wide(380.0, 0.0) + 17.4 * eta1 * cool(1.46) / wide(448.0, 0.0) +
                       844.6 * eta1 * cool(0.17) / wide(557.0, 0.0) * g(557.0) +
                       290.0 * eta1 * cool(0.41) / wide(752.0, 0.0) * g(752.0) +
                       8.3328e4 * eta2 * cool(0.99) / wide(1780.0, 0.0) * g(1780.0);
    return sum * f * f * std::pow(rt, 2.5) * rho * 1e-4;
}

double rain_db_per_km(double frequency_hz, double rain_mm_h, double elevation_rad, double tilt_rad) noexcept {
    if (rain_mm_h <= 0.0) {
        return 0.0;
    }
    const PowerLaw law = rain_law(frequency_hz, elevation_rad, tilt_rad);
    return law.factor * std::pow(rain_mm_h, law.exponent);
}

double rain_path_m(double distance_m, double frequency_hz, double rain_mm_h, double tilt_rad) noexcept {
    if (rain_mm_h <= 0.0 || distance_m <= 0.0) {
        return 0.0;
    }
    const double d = distance_m * 1e-3;
    const double f = std::max(frequency_hz * 1e-9, 1.0);
    const double alpha = rain_law(frequency_hz, 0.0, tilt_rad).exponent;
    const double divisor = 0.477 * std::pow(d, 0.633) * std::pow(rain_mm_h, 0.073 * alpha) * std::pow(f, 0.123) -
                           10.579 * (1.0 - std::exp(-0.024 * d));
    const double r = divisor <= 0.4 ? 2.5 : 1.0 / divisor;  // at most 2.5 (P.530)
    return distance_m * r;
}

}  // namespace meshnet::sim
