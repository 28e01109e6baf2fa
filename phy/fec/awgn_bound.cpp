// SPDX-License-Identifier: MIT
#include "phy/fec/awgn_bound.hpp"

#include <array>
#include <cassert>
#include <cmath>
#include <numbers>

namespace meshnet::phy {

namespace {

constexpr std::size_t kMostAmplitudes = 16;

double q_function(double x) noexcept {
    return 0.5 * std::erfc(x / std::numbers::sqrt2);
}

/// Mean and variance of the information density of one real dimension: these levels, equally likely, brought to the
/// mean power `energy`, noise variance 1. Integral over the noise by the trapezoidal rule, which converges
/// exponentially for Gaussian weights.
ChannelUse pam(std::span<const double> levels, double energy) noexcept {
    const auto m = static_cast<int>(levels.size());
    double power = 0.0;
    for (const double level : levels) {
        power += level * level;
    }
    const double scale = std::sqrt(energy * m / power);
    const auto point = [&](int i) { return scale * levels[static_cast<std::size_t>(i)]; };
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

ChannelUse square(std::span<const std::uint16_t> amplitudes, double snr_db) noexcept {
    std::array<double, 2 * kMostAmplitudes> levels{};
    assert(!amplitudes.empty() && amplitudes.size() <= kMostAmplitudes);
    for (std::size_t i = 0; i < amplitudes.size(); ++i) {
        levels[2 * i] = static_cast<double>(amplitudes[i]);
        levels[2 * i + 1] = -static_cast<double>(amplitudes[i]);
    }
    // Two dimensions, each with half the energy and half of N0.
    const ChannelUse one =
        pam(std::span<const double>(levels).first(2 * amplitudes.size()), std::pow(10.0, snr_db / 10.0));
    return {2.0 * one.capacity, 2.0 * one.dispersion};
}

template <class Channel>
double bler_of(const Channel& channel, std::size_t info_bits, double symbols, double snr_db) noexcept {
    const ChannelUse use = channel(snr_db);
    const double margin = symbols * use.capacity - static_cast<double>(info_bits) + 0.5 * std::log2(symbols);
    const double deviation = std::sqrt(symbols * use.dispersion);
    if (deviation < 1e-9) return margin >= 0.0 ? 0.0 : 1.0;
    return q_function(margin / deviation);
}

template <class Channel>
double required_of(const Channel& channel, std::size_t info_bits, double symbols, double bler) noexcept {
    assert(info_bits >= 1 && bler > 0.0 && bler < 0.5);
    double low = -30.0;
    double high = 50.0;
    while (high - low > 5e-4) {
        const double mid = 0.5 * (low + high);
        (bler_of(channel, info_bits, symbols, mid) > bler ? low : high) = mid;
    }
    return high;
}

}  // namespace

ChannelUse constellation_awgn(unsigned bits_per_symbol, double snr_db) noexcept {
    assert(bits_per_symbol == 1 || (bits_per_symbol >= 2 && bits_per_symbol <= 10 && bits_per_symbol % 2 == 0));
    if (bits_per_symbol == 1) {
        constexpr std::array<double, 2> kBpsk{-1.0, 1.0};
        return pam(kBpsk, 2.0 * std::pow(10.0, snr_db / 10.0));
    }
    std::array<std::uint16_t, kMostAmplitudes> odd{};
    for (std::size_t i = 0; i < odd.size(); ++i) {
        odd[i] = static_cast<std::uint16_t>(2 * i + 1);
    }
    return square(std::span<const std::uint16_t>(odd).first(std::size_t{1} << (bits_per_symbol / 2 - 1)), snr_db);
}

ChannelUse constellation_awgn(std::span<const std::uint16_t> amplitudes, double snr_db) noexcept {
    return square(amplitudes, snr_db);
}

ChannelUse gaussian_awgn(double snr_db) noexcept {
    const double snr = std::pow(10.0, snr_db / 10.0);
    const double rest = 1.0 / (1.0 + snr);
    return {std::log2(1.0 + snr), std::numbers::log2e * std::numbers::log2e * (1.0 - rest * rest)};
}

double normal_approximation_bler(unsigned bits_per_symbol, std::size_t info_bits, double symbols,
                                 double snr_db) noexcept {
    return bler_of([=](double snr) { return constellation_awgn(bits_per_symbol, snr); }, info_bits, symbols, snr_db);
}

double normal_approximation_bler(std::span<const std::uint16_t> amplitudes, std::size_t info_bits, double symbols,
                                 double snr_db) noexcept {
    return bler_of([=](double snr) { return square(amplitudes, snr); }, info_bits, symbols, snr_db);
}

double required_snr_db(unsigned bits_per_symbol, std::size_t info_bits, double symbols, double bler) noexcept {
    assert(static_cast<double>(info_bits) < bits_per_symbol * symbols);
    return required_of([=](double snr) { return constellation_awgn(bits_per_symbol, snr); }, info_bits, symbols, bler);
}

double required_snr_db(std::span<const std::uint16_t> amplitudes, std::size_t info_bits, double symbols,
                       double bler) noexcept {
    const double bits = 2.0 + 2.0 * std::log2(static_cast<double>(amplitudes.size()));
    assert(static_cast<double>(info_bits) < bits * symbols);
    static_cast<void>(bits);
    return required_of([=](double snr) { return square(amplitudes, snr); }, info_bits, symbols, bler);
}

double gaussian_required_snr_db(std::size_t info_bits, double symbols, double bler) noexcept {
    return required_of(gaussian_awgn, info_bits, symbols, bler);
}

}  // namespace meshnet::phy
