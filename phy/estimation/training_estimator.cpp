// SPDX-License-Identifier: MIT
#include "phy/estimation/training_estimator.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace meshnet::phy {
namespace {

constexpr double kSilence = 1e-25;  // power of samples that are all zero: keeps every ratio a number

// Sums over carriers in several parts, none of which waits for another.
constexpr std::size_t kLanes = 8;

double energy(std::span<const Sample> x) noexcept {
    float part[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            part[l] += std::norm(x[c + l]);
        }
    }
    double sum = 0.0;
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += static_cast<double>(std::norm(x[c]));
    }
    for (const float p : part) {
        sum += static_cast<double>(p);
    }
    return sum;
}

// Energy of x - y.
double distance(std::span<const Sample> x, std::span<const Sample> y) noexcept {
    float part[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            part[l] += std::norm(x[c + l] - y[c + l]);
        }
    }
    double sum = 0.0;
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += static_cast<double>(std::norm(x[c] - y[c]));
    }
    for (const float p : part) {
        sum += static_cast<double>(p);
    }
    return sum;
}

// Sum of x times y conjugated.
std::complex<double> correlation(std::span<const Sample> x, std::span<const Sample> y) noexcept {
    float re[kLanes]{};
    float im[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const Sample product = x[c + l] * std::conj(y[c + l]);
            re[l] += product.real();
            im[l] += product.imag();
        }
    }
    std::complex<double> sum{};
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += std::complex<double>(x[c] * std::conj(y[c]));
    }
    for (std::size_t l = 0; l < kLanes; ++l) {
        sum += std::complex<double>(static_cast<double>(re[l]), static_cast<double>(im[l]));
    }
    return sum;
}

// Multiplies x by exp(j radians).
void turn(std::span<Sample> x, double radians) noexcept {
    const Sample w(static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians)));
    for (Sample& v : x) {
        v *= w;
    }
}

}  // namespace

TrainingEstimator::TrainingEstimator(const Grid& grid)
    : grid_(grid),
      smoother_(grid),
      long_smoother_(grid, ChannelSmoother::Reach::kBeyond),
      mean_(grid.carriers()),
      inverse_(grid.profile().fft_size, Fft::Direction::kInverse) {
    energy_.resize(grid.profile().fft_size);
}

TrainingEstimator::Estimate TrainingEstimator::run(std::span<Sample> symbols, const Prior& prior,
                                                   std::span<Sample> channel) {
    const std::size_t k = grid_.carriers();
    const std::size_t m = symbols.size() / k;
    assert(m >= 2 && channel.size() == k && symbols.size() == m * k);
    const auto training = grid_.training();
    const auto row = [&](std::size_t s) { return symbols.subspan(s * k, k); };
    double total = 0.0;
    for (std::size_t s = 0; s < m; ++s) {
        for (std::size_t c = 0; c < k; ++c) {
            symbols[s * k + c] *= std::conj(training[c]);
        }
        total += energy(row(s));
    }
    total /= static_cast<double>(m * k);

    const auto rotate = [&](std::size_t s, double radians) { turn(row(s), radians); };
    const auto average = [&] {
        std::fill(channel.begin(), channel.end(), Sample{});
        for (std::size_t s = 0; s < m; ++s) {
            for (std::size_t c = 0; c < k; ++c) {
                channel[c] += symbols[s * k + c];
            }
        }
        const float scale = 1.0F / static_cast<float>(m);
        for (auto& h : channel) {
            h *= scale;
        }
    };
    const auto residual = [&] {
        double sum = 0.0;
        for (std::size_t s = 0; s < m; ++s) {
            sum += distance(row(s), channel);
        }
        return sum / static_cast<double>(k * (m - 1));
    };

    Estimate out;
    // Of the drift at the middle: that of the preamble, and what it grew since.
    const double prior_variance = prior.drift_variance + prior.distance * prior.distance * prior.rate_variance;
    const double middle = (static_cast<double>(m) - 1.0) / 2.0;

    // First guess of the drift; where a Doppler rate may have moved it by more than the slope of phases can be read,
    // from that rate.
    constexpr double kReadable = 0.25;  // radians from the middle to the end
    const double grown = prior.distance * std::sqrt(prior.rate_variance);
    if (grown * static_cast<double>(m) / 2.0 > kReadable) {
        search_rate(symbols, prior, total, channel, out);
    } else {
        out.drift = guess_drift(symbols, k, prior_variance, total);
        for (std::size_t s = 0; s < m; ++s) {
            rotate(s, -out.drift * (static_cast<double>(s) - middle));
        }
    }

    // Then, twice, the slope of the phase of each symbol against their smoothed mean.
    for (int pass = 0; pass < 2; ++pass) {
        average();
        const double noise = std::max(residual(), 1e-9 * total + kSilence);
        const double mean_power = energy(channel) / static_cast<double>(k);
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

    average();
    const double noise = std::max(residual(), 1e-9 * total + kSilence);
    const double mean_power = energy(channel) / static_cast<double>(k);
    const double mean_noise = noise / static_cast<double>(m);
    const double signal = std::max(mean_power - mean_noise, 1e-3 * mean_noise);
    out.noise = static_cast<float>(noise);
    out.signal = static_cast<float>(signal);
    out.phase_variance = noise / (2.0 * static_cast<double>(m * k) * signal);
    out.timing_shift = best_shift(channel, static_cast<float>(mean_noise));
    smooth(channel, mean_noise, m, out);
    return out;
}

// The drift from neighbouring symbols, weighed against the estimate of the preamble (0 +- prior). `power`: per carrier,
// noise included.
double TrainingEstimator::guess_drift(std::span<const Sample> symbols, std::size_t k, double prior_variance,
                                      double power) {
    const std::size_t m = symbols.size() / k;
    std::complex<double> lag1{};
    for (std::size_t s = 0; s + 1 < m; ++s) {
        lag1 += correlation(symbols.subspan((s + 1) * k, k), symbols.subspan(s * k, k));
    }
    const double pairs = static_cast<double>((m - 1) * k);
    const double signal = std::max(std::abs(lag1) / pairs, 1e-30);
    const double noise = std::max(power - signal, 1e-6 * power + kSilence);
    const double snr = signal / noise;
    const double variance = (1.0 + 1.0 / (2.0 * snr)) / (snr * pairs);
    const double weight = prior_variance / (prior_variance + variance);
    return weight * std::arg(lag1);
}

// The most likely rate, of a series of which each one means another drift at the middle of the symbols; both are taken
// out of `symbols`. `power`: per carrier, noise included. `sum`: scratch [K].
void TrainingEstimator::search_rate(std::span<Sample> symbols, const Prior& prior, double power, std::span<Sample> sum,
                                    Estimate& out) const {
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
            const Sample w(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
            const Sample* y = &symbols[s * k];
            for (std::size_t c = 0; c < k; ++c) {
                sum[c] += w * y[c];
            }
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
void TrainingEstimator::fit_rate(std::span<Sample> symbols, std::span<const Sample> channel, const Prior& prior,
                                 double noise, Estimate& out) const {
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

// Smooths the mean of `symbols` symbols, whose noise is `noise`. What the prefix holds cannot explain what is taken out
// where the delay spread exceeds it; then once more with a longer reach. Equal symbols one after the other show even
// such a channel completely.
void TrainingEstimator::smooth(std::span<Sample> channel, double noise, std::size_t symbols, Estimate& out) {
    constexpr double kDeviations = 4.0;
    const double k = static_cast<double>(channel.size());
    const auto snr_db = static_cast<float>(10.0 * std::log10(static_cast<double>(out.signal) / noise));
    std::copy(channel.begin(), channel.end(), mean_.begin());
    smoother_.apply(channel, snr_db);
    const double gain = static_cast<double>(smoother_.noise_gain(snr_db));
    const double long_gain = static_cast<double>(long_smoother_.noise_gain(snr_db));
    const double taken = distance(mean_, channel) / k;
    const double chance =
        kDeviations * std::sqrt(1.0 / (k * (1.0 - gain)) + 1.0 / (k * static_cast<double>(symbols - 1)));
    // Weaker paths are ignored: smoothing less costs 64QAM more than they do.
    constexpr double kFaintest = 0.05;
    const double excess = taken - noise * (1.0 - gain);
    out.long_delay_spread = excess > std::max({noise * (1.0 - gain) * chance, noise * (long_gain - gain),
                                               kFaintest * static_cast<double>(out.signal)});
    if (out.long_delay_spread) {
        std::copy(mean_.begin(), mean_.end(), channel.begin());
        long_smoother_.apply(channel, snr_db);
    }
    out.channel_error = static_cast<float>(noise * (out.long_delay_spread ? long_gain : gain));
}

int TrainingEstimator::best_shift(std::span<const Sample> channel, float noise_per_carrier) {
    const auto& profile = grid_.profile();
    const std::size_t n = profile.fft_size;
    const std::size_t k = grid_.carriers();
    auto in = inverse_.in();
    std::fill(in.begin(), in.end(), Sample{});
    for (std::size_t c = 0; c < k; ++c) {
        in[grid_.bin(c)] = channel[c];
    }
    inverse_.run();
    const auto response = inverse_.out();
    for (std::size_t i = 0; i < n; ++i) {
        energy_[i] = static_cast<double>(std::norm(response[i]));
    }
    const std::size_t span = profile.cyclic_prefix + 1;
    const auto window = [&](int shift) {
        double sum = 0.0;
        for (std::size_t i = 0; i < span; ++i) {
            sum += energy_[(n + static_cast<std::size_t>(static_cast<int>(i) + static_cast<int>(n) + shift)) % n];
        }
        return sum;
    };
    const double here = window(0);
    // Noise energy per tap is k * noise; a window must win by more than that noise can explain, and by 5 %.
    const double tap_noise = static_cast<double>(noise_per_carrier) * static_cast<double>(k);
    const double needed = std::max(0.05 * here, 6.0 * tap_noise * std::sqrt(static_cast<double>(span)));
    const int reach = static_cast<int>(n / 4);
    int best = 0;
    double best_energy = here + needed;
    for (int distance = 1; distance <= reach; ++distance) {
        for (const int shift : {distance, -distance}) {
            const double e = window(shift);
            if (e > best_energy * 1.001) {
                best_energy = e;
                best = shift;
            }
        }
    }
    return best;
}

}  // namespace meshnet::phy
