// SPDX-License-Identifier: MIT
#include "phy/estimation/drift_estimator.hpp"

#include <algorithm>
#include <cmath>

#include "phy/estimation/carrier_sums.hpp"

namespace meshnet::phy {

DriftEstimator::DriftEstimator(const Grid& grid, ChannelSmoother& smoother)
    : grid_(grid), smoother_(smoother), errors_(grid.carriers()) {}

// Finds the residual offset and the rate at which it grows and takes both out of the symbols, of which `out` says what
// was taken out before.
void DriftEstimator::run(std::span<Sample> symbols, const DriftPrior& prior, const CarriersInUse& used,
                         std::span<Sample> channel, DriftEstimate& out) {
    good_ = used.good;
    const auto counts = used.counts;
    const std::size_t k = grid_.carriers();
    const std::size_t m = symbols.size() / k;
    const auto row = [&](std::size_t s) { return symbols.subspan(s * k, k); };
    const auto rotate = [&](std::size_t s, double radians) { turn(row(s), radians); };
    const double middle = (static_cast<double>(m) - 1.0) / 2.0;
    double total = 0.0;
    for (std::size_t s = 0; s < m; ++s) {
        if (out.drift != 0.0 || out.rate != 0.0) {
            const double t = static_cast<double>(s) - middle;
            rotate(s, t * (out.drift + 0.5 * out.rate * t));
        }
        total += energy(row(s));
    }
    total /= static_cast<double>(m * good_);
    out.drift = 0.0;
    out.rate = 0.0;
    // Of the drift at the middle: that of the preamble, and what it grew since.
    const double prior_variance = prior.drift_variance + prior.distance * prior.distance * prior.rate_variance;

    // First guess of the drift; where a Doppler rate may have moved it by more than the slope of phases can be read,
    // from that rate.
    constexpr double kReadable = 0.25;  // radians from the middle to the end
    const double grown = prior.distance * std::sqrt(prior.rate_variance);
    if (grown * static_cast<double>(m) / 2.0 > kReadable) {
        search_rate(symbols, prior, total, channel, out);
    } else {
        out.drift = guess_drift(symbols, prior_variance, total);
        for (std::size_t s = 0; s < m; ++s) {
            rotate(s, -out.drift * (static_cast<double>(s) - middle));
        }
    }

    // Then, twice, the slope of the phase of each symbol against their smoothed mean.
    for (int pass = 0; pass < 2; ++pass) {
        average(symbols, counts, channel);
        const double noise = std::max(measure_errors(symbols, channel, counts, errors_), 1e-9 * total + kSilence);
        const double mean_power = energy(channel) / static_cast<double>(good_);
        const double signal =
            std::max(mean_power - noise / static_cast<double>(m), 1e-3 * noise / static_cast<double>(m));
        const double estimate_snr = signal * static_cast<double>(m) / noise;
        smoother_.apply(channel, static_cast<float>(10.0 * std::log10(estimate_snr)));
        double numerator = 0.0;
        double denominator = 0.0;
        const double smooth_energy = energy(channel);
        for (std::size_t s = 0; s < m; ++s) {
            const double t = static_cast<double>(s) - middle;
            numerator += t * correlation(row(s), channel).imag();
            denominator += t * t * smooth_energy;
        }
        denominator = std::max(denominator, 1e-15 * kSilence);  // digital silence
        const double slope_variance = noise / (2.0 * denominator);
        const double drift = numerator / denominator * prior_variance / (prior_variance + slope_variance);
        for (std::size_t s = 0; s < m; ++s) {
            rotate(s, -drift * (static_cast<double>(s) - middle));
        }
        out.drift += drift;
        out.drift_variance = 1.0 / (1.0 / slope_variance + 1.0 / prior_variance);
        if (pass == 1) {
            fit_rate(symbols, channel, prior, noise, out);
        }
    }
    average(symbols, counts, channel);
}

// The drift from neighbouring symbols, weighed against the estimate of the preamble (0 +- prior). `power`: per carrier,
// noise included.
double DriftEstimator::guess_drift(std::span<const Sample> symbols, double prior_variance, double power) const {
    const std::size_t k = grid_.carriers();
    const std::size_t m = symbols.size() / k;
    std::complex<double> lag1{};
    for (std::size_t s = 0; s + 1 < m; ++s) {
        lag1 += correlation(symbols.subspan((s + 1) * k, k), symbols.subspan(s * k, k));
    }
    const double pairs = static_cast<double>((m - 1) * good_);
    const double signal = std::max(std::abs(lag1) / pairs, 1e-30);
    const double noise = std::max(power - signal, 1e-6 * power + kSilence);
    const double snr = signal / noise;
    const double variance = (1.0 + 1.0 / (2.0 * snr)) / (snr * pairs);
    const double weight = prior_variance / (prior_variance + variance);
    return weight * std::arg(lag1);
}

// The most likely rate, of a series of which each one means another drift at the middle of the symbols; both are taken
// out of `symbols`. `power`: per carrier, noise included. `sum`: scratch [K].
void DriftEstimator::search_rate(std::span<Sample> symbols, const DriftPrior& prior, double power,
                                 std::span<Sample> sum, DriftEstimate& out) const {
    constexpr double kStep = 0.7;  // radians of phase at the first and last symbol from one rate to the next
    constexpr double kDeviations = 3.0;
    const std::size_t k = sum.size();
    const std::size_t m = symbols.size() / k;
    const double middle = (static_cast<double>(m) - 1.0) / 2.0;
    const double deviation = std::sqrt(prior.rate_variance);
    const double step = kStep / (middle * prior.distance);
    const int reach = static_cast<int>(std::ceil(kDeviations * deviation / step));
    const auto phase = [&](std::size_t s, double rate) {
        const double t = static_cast<double>(s) - middle;
        return -rate * t * (prior.distance + 0.5 * t);
    };
    double best = -1e300;
    for (int i = -reach; i <= reach; ++i) {
        const double rate = static_cast<double>(i) * step;
        std::fill(sum.begin(), sum.end(), Sample{});
        for (std::size_t s = 0; s < m; ++s) {
            const double angle = phase(s, rate);
            add_turned(symbols.subspan(s * k, k),
                       Sample(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))), sum);
        }
        const double unlikely = rate * rate / (2.0 * prior.rate_variance);
        const double likelihood = energy(sum) / (static_cast<double>(m) * power + kSilence) - unlikely;
        if (likelihood > best) {
            best = likelihood;
            out.rate = rate;
        }
    }
    out.drift = out.rate * prior.distance;
    for (std::size_t s = 0; s < m; ++s) {
        turn(symbols.subspan(s * k, k), phase(s, out.rate));
    }
}

// The rate at which the drift grows: from how far the drift has come since the preamble, and from the curvature of the
// phase over the symbols, whose mean over time is `channel`. Takes both out of `symbols`. On entry out.rate is what was
// taken out before.
void DriftEstimator::fit_rate(std::span<Sample> symbols, std::span<const Sample> channel, const DriftPrior& prior,
                              double noise, DriftEstimate& out) const {
    const std::size_t k = channel.size();
    const std::size_t m = symbols.size() / k;
    const double middle = (static_cast<double>(m) - 1.0) / 2.0;
    const double prior_variance = prior.drift_variance + prior.distance * prior.distance * prior.rate_variance;
    // Posterior of (drift, rate) after the slope was measured; both were correlated before.
    const double covariance = prior.distance * prior.rate_variance;
    const double coupling = covariance / prior_variance;
    const double left = out.drift_variance / prior_variance;
    const double removed = out.rate;
    out.rate = coupling * out.drift;
    out.rate_variance = prior.rate_variance - covariance * coupling * (1.0 - left);
    out.drift_rate = covariance * left;
    // The curvature is measured against the mean, which has the mean of t^2 / 2 in it.
    const double mean_square = (static_cast<double>(m * m) - 1.0) / 12.0;
    double numerator = 0.0;
    double denominator = 1e-15 * kSilence;
    const double smooth_energy = energy(channel);
    for (std::size_t s = 0; s < m; ++s) {
        const double t = static_cast<double>(s) - middle;
        const double bend = 0.5 * (t * t - mean_square);
        const double turned = (out.rate - removed) * bend;
        const auto value =
            correlation(symbols.subspan(s * k, k), channel) * std::complex<double>(std::cos(turned), -std::sin(turned));
        numerator += bend * value.imag();
        denominator += bend * bend * smooth_energy;
    }
    const double total = out.rate_variance + noise / (2.0 * denominator);
    const double innovation = numerator / denominator;
    const double more_drift = out.drift_rate / total * innovation;
    out.rate += out.rate_variance / total * innovation;
    out.drift += more_drift;
    out.drift_variance -= out.drift_rate * out.drift_rate / total;
    out.drift_rate -= out.drift_rate * out.rate_variance / total;
    out.rate_variance -= out.rate_variance * out.rate_variance / total;
    for (std::size_t s = 0; s < m; ++s) {
        const double t = static_cast<double>(s) - middle;
        turn(symbols.subspan(s * k, k), -t * (more_drift + 0.5 * (out.rate - removed) * t));
    }
}

}  // namespace meshnet::phy
