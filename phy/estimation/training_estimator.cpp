// SPDX-License-Identifier: MIT
#include "phy/estimation/training_estimator.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "phy/estimation/carrier_sums.hpp"

namespace meshnet::phy {
namespace {

constexpr double kHarmless = 1e-3;  // power over the signal's

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
      drift_(grid, smoother_),
      mean_(grid.carriers()),
      profile_(grid.carriers()),
      counts_(grid.carriers()),
      errors_(grid.carriers()),
      interference_(grid.carriers()),
      inverse_(grid.profile().fft_size, Fft::Direction::kInverse) {
    energy_.resize(2 * (grid.profile().fft_size / 4) + grid.profile().cyclic_prefix + 2);
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
    drift_.run(symbols, prior, {counts_, good_}, channel, out);
    double mean_error = measure_errors(symbols, channel, counts_, errors_);
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
        drift_.run(symbols, prior, {counts_, good_}, channel, out);
        mean_error = measure_errors(symbols, channel, counts_, errors_);
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
