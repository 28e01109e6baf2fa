// SPDX-License-Identifier: MIT
#include "phy/estimation/training_estimator.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

constexpr double kHarmless = 1e-3;  // power over the signal's
constexpr double kSilence = 1e-25;  // power of samples that are all zero: keeps every ratio a number

// Sums over carriers in several parts, none of which waits for another.
constexpr std::size_t kLanes = 16;

MESHNET_TARGET_CLONES double energy(std::span<const Sample> x) noexcept {
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
MESHNET_TARGET_CLONES double distance(std::span<const Sample> x, std::span<const Sample> y) noexcept {
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
MESHNET_TARGET_CLONES std::complex<double> correlation(std::span<const Sample> x, std::span<const Sample> y) noexcept {
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

MESHNET_TARGET_CLONES void scale(std::span<Sample> x, Sample factor) noexcept {
    const float re = factor.real();
    const float im = factor.imag();
    auto* values = reinterpret_cast<float*>(x.data());
    for (std::size_t c = 0; c < x.size(); ++c) {
        const float a = values[2 * c];
        const float b = values[2 * c + 1];
        values[2 * c] = a * re - b * im;
        values[2 * c + 1] = a * im + b * re;
    }
}

// Multiplies x by exp(j radians).
void turn(std::span<Sample> x, double radians) noexcept {
    scale(x, Sample(static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))));
}

// y += x
MESHNET_TARGET_CLONES void add(std::span<const Sample> x, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] += x[c];
    }
}

// y += factor x
MESHNET_TARGET_CLONES void add_turned(std::span<const Sample> x, Sample factor, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] += factor * x[c];
    }
}

// y *= x conjugated
MESHNET_TARGET_CLONES void take_off(std::span<const Sample> x, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] *= std::conj(x[c]);
    }
}

// Straight lines over the carriers left out (no counts), along the mean slope of phase of those in use.
void bridge(std::span<Sample> channel, std::span<const float> counts) noexcept {
    const std::size_t k = channel.size();
    Sample turn{};
    for (std::size_t c = 1; c < k; ++c) {
        turn += channel[c] * std::conj(channel[c - 1]);  // those left out are zero
    }
    const float slope = std::arg(turn);
    const auto used = [&](std::size_t c) { return counts[c] > 0.0F; };
    for (std::size_t begin = 0; begin < k;) {
        if (used(begin)) {
            ++begin;
            continue;
        }
        std::size_t end = begin;
        while (end < k && !used(end)) {
            ++end;
        }
        for (std::size_t c = begin; c < end; ++c) {
            const float before = static_cast<float>(c - begin) + 1.0F;
            const float after = static_cast<float>(end - c);
            const float weight = begin == 0 ? 1.0F : end == k ? 0.0F : before / (before + after);
            const Sample left = begin > 0 ? channel[begin - 1] * std::polar(1.0F, slope * before) : Sample{};
            const Sample right = end < k ? channel[end] * std::polar(1.0F, -slope * after) : Sample{};
            channel[c] = left + weight * (right - left);
        }
        begin = end;
    }
}

}  // namespace

TrainingEstimator::TrainingEstimator(const Grid& grid)
    : grid_(grid),
      smoother_(grid),
      long_smoother_(grid, ChannelSmoother::Reach::kBeyond),
      mean_(grid.carriers()),
      profile_(grid.carriers()),
      counts_(grid.carriers()),
      errors_(grid.carriers()),
      interference_(grid.carriers()),
      inverse_(grid.profile().fft_size, Fft::Direction::kInverse) {
    energy_.resize(2 * (grid.profile().fft_size / 4) + grid.profile().cyclic_prefix + 2);
}

void TrainingEstimator::average(std::span<const Sample> symbols, std::span<Sample> channel) const {
    const std::size_t k = channel.size();
    std::fill(channel.begin(), channel.end(), Sample{});
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        add(symbols.subspan(s, k), channel);
    }
    for (std::size_t c = 0; c < k; ++c) {
        channel[c] *= 1.0F / (counts_[c] + 1.0F);
    }
}

// Finds the residual offset and the rate at which it grows and takes both out of the symbols, of which `out` says what
// was taken out before.
void TrainingEstimator::estimate_drift(std::span<Sample> symbols, const Prior& prior, std::span<Sample> channel,
                                       Estimate& out) {
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
        average(symbols, channel);
        const double noise = std::max(measure_errors(symbols, channel), 1e-9 * total + kSilence);
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
    average(symbols, channel);
}

// The drift from neighbouring symbols, weighed against the estimate of the preamble (0 +- prior). `power`: per carrier,
// noise included.
double TrainingEstimator::guess_drift(std::span<const Sample> symbols, double prior_variance, double power) const {
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

// What the symbols miss their mean by on each carrier, into errors_; returns the mean over the carriers in use. Values
// left out are exactly zero.
MESHNET_TARGET_CLONES double TrainingEstimator::measure_errors(std::span<const Sample> symbols,
                                                               std::span<const Sample> channel) {
    const std::size_t k = channel.size();
    std::fill(errors_.begin(), errors_.end(), 0.0F);
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        for (std::size_t c = 0; c < k; ++c) {
            const Sample x = symbols[s + c];
            const float power = std::norm(x);
            errors_[c] += power > 0.0F ? std::norm(x - channel[c]) : 0.0F;
        }
    }
    double sum = 0.0;
    double count = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
        sum += static_cast<double>(errors_[c]);
        count += static_cast<double>(counts_[c]);
        errors_[c] = counts_[c] > 0.0F ? errors_[c] / counts_[c] : 0.0F;
    }
    return sum / std::max(count, 1.0);
}

// Radians per symbol and subcarrier by which the symbols turn, by least squares.
float TrainingEstimator::estimate_clock(std::span<const Sample> symbols, std::span<const Sample> channel) const {
    const std::size_t k = channel.size();
    const double middle = 0.5 * (static_cast<double>(symbols.size() / k) - 1.0);
    double numerator = 0.0;
    double denominator = kSilence;
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        const double t = static_cast<double>(s / k) - middle;
        for (std::size_t c = 0; c < k; ++c) {
            const double at = t * grid_.subcarrier(c);
            numerator += at * static_cast<double>((symbols[s + c] * std::conj(channel[c])).imag());
            denominator += at * at * static_cast<double>(std::norm(channel[c]));
        }
    }
    return static_cast<float>(numerator / denominator);
}

// errors_ once more, with symbols that turn by that.
void TrainingEstimator::measure_turned_errors(std::span<const Sample> symbols, std::span<const Sample> channel,
                                              float clock) {
    const std::size_t k = channel.size();
    const float middle = 0.5F * (static_cast<float>(symbols.size() / k) - 1.0F);
    std::fill(errors_.begin(), errors_.end(), 0.0F);
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        const float turn = clock * (static_cast<float>(s / k) - middle);
        for (std::size_t c = 0; c < k; ++c) {
            const Sample x = symbols[s + c];
            const float angle = turn * static_cast<float>(grid_.subcarrier(c));  // well below 1
            const Sample expected = channel[c] * Sample(1.0F - 0.5F * angle * angle, angle);
            errors_[c] += std::norm(x) > 0.0F ? std::norm(x - expected) : 0.0F;
        }
    }
    for (std::size_t c = 0; c < k; ++c) {
        errors_[c] = counts_[c] > 0.0F ? errors_[c] / counts_[c] : 0.0F;
    }
}

// Values of which too much was lost become zero; counts_ is how many of a carrier are left, less one. Does nothing
// where too few would be.
void TrainingEstimator::leave_out_lost(std::span<Sample> symbols, std::span<const float> lost) {
    constexpr float kTooMuch = 0.2F;
    const std::size_t k = counts_.size();
    const std::size_t m = symbols.size() / k;
    std::size_t good = 0;
    for (std::size_t c = 0; c < k; ++c) {
        std::size_t left = 0;
        for (std::size_t s = 0; s < m; ++s) {
            left += lost[s * k + c] > kTooMuch ? 0 : 1;
        }
        errors_[c] = static_cast<float>(left);
        good += left > 1 ? 1 : 0;
    }
    const bool enough = 4 * good >= k;
    for (std::size_t c = 0; c < k; ++c) {
        for (std::size_t s = 0; s < m; ++s) {
            const float share = lost[s * k + c];
            if (enough && share > kTooMuch) {
                symbols[s * k + c] = {};
            } else {
                interference_[c] = std::max(interference_[c], std::min(share, kTooMuch));
            }
        }
        counts_[c] = enough ? std::max(errors_[c], 1.0F) - 1.0F : counts_[c];
    }
    good_ = enough ? good : k;
}

// Takes the carriers whose `hit` is above `limit` out of the symbols. True if there were any that had been in use, and
// enough are left.
bool TrainingEstimator::leave_out(std::span<Sample> symbols, std::span<const float> hit, float limit) {
    const std::size_t k = counts_.size();
    const auto falls = [&](std::size_t c) { return counts_[c] > 0.0F && hit[c] > limit; };
    std::size_t falling = 0;
    for (std::size_t c = 0; c < k; ++c) {
        falling += falls(c) ? 1 : 0;
    }
    if (falling == 0 || 4 * (good_ - falling) < k) {
        return false;
    }
    for (std::size_t c = 0; c < k; ++c) {
        if (falls(c)) {
            counts_[c] = 0.0F;
            for (std::size_t at = c; at < symbols.size(); at += k) {
                symbols[at] = {};
            }
        }
    }
    good_ -= falling;
    return true;
}

TrainingEstimator::Estimate TrainingEstimator::run(std::span<Sample> symbols, const Prior& prior,
                                                   std::span<Sample> channel, std::span<const float> lost) {
    const std::size_t k = grid_.carriers();
    const std::size_t m = symbols.size() / k;
    assert(m >= 2 && channel.size() == k && symbols.size() == m * k);
    const auto training = grid_.training();
    double total = 0.0;
    for (std::size_t s = 0; s < m; ++s) {
        take_off(training, symbols.subspan(s * k, k));
    }
    good_ = k;
    std::fill(counts_.begin(), counts_.end(), static_cast<float>(m - 1));
    std::fill(interference_.begin(), interference_.end(), 0.0F);
    interfered_ = !lost.empty();
    stays_ = false;
    if (interfered_) {
        leave_out_lost(symbols, lost);
    }
    for (std::size_t s = 0; s < m; ++s) {
        total += energy(symbols.subspan(s * k, k));
    }
    total /= static_cast<double>(m * good_);

    Estimate out;
    estimate_drift(symbols, prior, channel, out);
    double mean_error = measure_errors(symbols, channel);
    // Weaker than this no mode notices it.
    const auto least = static_cast<float>(kHarmless * total);
    std::size_t hit = profile_.find(errors_, counts_, least);
    if (hit > 0) {
        // A sampling clock that is off turns the outer carriers: that is no interference.
        const float clock = estimate_clock(symbols, channel);
        measure_turned_errors(symbols, channel, clock);
        hit = profile_.find(errors_, counts_, least);
    }
    if (hit > 0 && leave_out(symbols, profile_.excess(), 0.0F)) {
        interfered_ = stays_ = true;
        estimate_drift(symbols, prior, channel, out);
        mean_error = measure_errors(symbols, channel);
    }

    const double noise = std::max(mean_error, 1e-9 * total + kSilence);
    const double mean_power = energy(channel) / static_cast<double>(good_);
    const double mean_noise = noise / static_cast<double>(m);
    const double signal = std::max(mean_power - mean_noise, 1e-3 * mean_noise);
    out.noise = static_cast<float>(noise);
    out.signal = static_cast<float>(signal);
    out.phase_variance = noise / (2.0 * static_cast<double>(m * good_) * signal);
    if (interfered_) {
        for (std::size_t c = 0; c < k; ++c) {
            // What a line took along came from its neighbours too, and is gone there.
            const float share = interference_[c];
            interference_[c] = share / (1.0F - share) * (out.signal + out.noise);
            if (profile_.excess()[c] > 0.0F) {
                interference_[c] = std::max(interference_[c], profile_.excess()[c]);
            }
        }
        fill_in(channel, signal, noise, m);
    }
    out.timing_shift = best_shift(channel, static_cast<float>(mean_noise));
    smooth(channel, mean_noise, m, out);
    return out;
}

// The channel where carriers were left out: from their neighbours, by smoothing again and again with what the last
// smoothing gave there. Each value is taken as received by its share of the noise.
// Source: A. Dempster, N. Laird, D. Rubin, "Maximum likelihood from incomplete data via the EM algorithm", J. R. Stat.
// Soc. B 39 (1977).
void TrainingEstimator::fill_in(std::span<Sample> channel, double signal, double noise, std::size_t symbols) {
    constexpr int kRounds = 6;
    const auto snr_db = static_cast<float>(10.0 * std::log10(signal * static_cast<double>(symbols) / noise));
    bridge(channel, counts_);
    std::copy(channel.begin(), channel.end(), mean_.begin());
    for (int round = 0; round < kRounds; ++round) {
        smoother_.apply(channel, snr_db);
        for (std::size_t c = 0; c < channel.size(); ++c) {
            const float share = (counts_[c] + 1.0F) / static_cast<float>(symbols);
            const float weight =
                counts_[c] > 0.0F ? share * static_cast<float>(noise) / (static_cast<float>(noise) + interference_[c])
                                  : 0.0F;
            channel[c] += weight * (mean_[c] - channel[c]);
        }
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
    // Running sums of the energies of the taps -n/4 .. n/2: any window is the difference of two of them.
    const std::size_t span = profile.cyclic_prefix + 1;
    const std::size_t reach = n / 4;
    double sum = 0.0;
    for (std::size_t i = 0; i < 2 * reach + span; ++i) {
        energy_[i] = sum;
        sum += static_cast<double>(std::norm(response[(n - reach + i) % n]));
    }
    energy_[2 * reach + span] = sum;
    const auto window = [&](int shift) {
        const std::size_t first = static_cast<std::size_t>(static_cast<int>(reach) + shift);
        return energy_[first + span] - energy_[first];
    };
    const double here = window(0);
    // Noise energy per tap is k * noise; a window must win by more than that noise can explain, and by 5 %.
    const double tap_noise = static_cast<double>(noise_per_carrier) * static_cast<double>(k);
    const double needed = std::max(0.05 * here, 6.0 * tap_noise * std::sqrt(static_cast<double>(span)));
    int best = 0;
    double best_energy = here + needed;
    for (int distance = 1; distance <= static_cast<int>(reach); ++distance) {
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
