// SPDX-License-Identifier: MIT
#include "phy/estimation/delay_smoother.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

namespace meshnet::phy {
namespace {

// The inverse of a symmetric positive definite matrix (n x n, row-major), by Gauss and Jordan without pivots.
void invert(std::vector<double>& a, std::size_t n) {
    for (std::size_t p = 0; p < n; ++p) {
        const double pivot = 1.0 / a[p * n + p];
        for (std::size_t j = 0; j < n; ++j) {
            a[p * n + j] *= j == p ? 0.0 : pivot;
        }
        a[p * n + p] = pivot;
        for (std::size_t i = 0; i < n; ++i) {
            if (i == p) {
                continue;
            }
            const double factor = a[i * n + p];
            a[i * n + p] = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                a[i * n + j] -= factor * a[p * n + j];
            }
        }
    }
}

}  // namespace

std::size_t DelaySmoother::level(float snr_db) noexcept {
    const float position = (snr_db + 10.0F) / 10.0F + 0.5F;
    if (!(position > 0.0F)) {  // not a number counts as the worst
        return 0;
    }
    return std::min(static_cast<std::size_t>(std::min(position, 100.0F)), kLevels - 1);
}

DelaySmoother::DelaySmoother(const Grid& grid)
    : grid_(grid),
      taps_(std::min(grid.profile().cyclic_prefix + 1 + 2 * kGuard, grid.profile().fft_size)),
      inverse_(grid.profile().fft_size, Fft::Direction::kInverse),
      forward_(grid.profile().fft_size, Fft::Direction::kForward),
      correlation_(taps_),
      fitted_(taps_) {
    const auto& profile = grid.profile();
    const double n = static_cast<double>(profile.fft_size);
    const auto prefix = static_cast<double>(profile.cyclic_prefix);
    // G[t][u] = sum over carriers of exp(j 2 pi k (t - u) / N): real, the carriers lie evenly around 0.
    std::vector<double> by_distance(taps_);
    for (std::size_t d = 0; d < taps_; ++d) {
        for (std::size_t c = 0; c < grid.carriers(); ++c) {
            by_distance[d] += std::cos(2.0 * std::numbers::pi * grid.subcarrier(c) * static_cast<double>(d) / n);
        }
    }
    std::vector<double> inverse_power(taps_);
    for (std::size_t t = 0; t < taps_; ++t) {
        const double delay = static_cast<double>(t) - static_cast<double>(kGuard);
        const double outside = std::max({0.0, -delay, delay - prefix});
        inverse_power[t] = (prefix + 1.0) * std::max(1.0, 10.0 * outside * outside);
    }
    for (std::size_t l = 0; l < kLevels; ++l) {
        const double noise = std::pow(10.0, -(static_cast<double>(l) * 10.0 - 10.0) / 10.0);
        std::vector<double> a(taps_ * taps_);
        for (std::size_t t = 0; t < taps_; ++t) {
            for (std::size_t u = 0; u < taps_; ++u) {
                a[t * taps_ + u] = by_distance[t > u ? t - u : u - t] + (t == u ? noise * inverse_power[t] : 0.0);
            }
        }
        invert(a, taps_);
        // Noise left: trace((A^-1 G)^2) / K.
        std::vector<double> b(taps_ * taps_);
        for (std::size_t t = 0; t < taps_; ++t) {
            for (std::size_t v = 0; v < taps_; ++v) {
                const double x = a[t * taps_ + v];
                for (std::size_t u = 0; u < taps_; ++u) {
                    b[t * taps_ + u] += x * by_distance[v > u ? v - u : u - v];
                }
            }
        }
        double trace = 0.0;
        for (std::size_t t = 0; t < taps_; ++t) {
            for (std::size_t u = 0; u < taps_; ++u) {
                trace += b[t * taps_ + u] * b[u * taps_ + t];
            }
        }
        noise_gain_[l] = static_cast<float>(trace / static_cast<double>(grid.carriers()));
        fit_[l].assign(a.begin(), a.end());
    }
}

void DelaySmoother::fit(std::span<const Sample> channel, std::size_t level) {
    assert(channel.size() == grid_.carriers());
    const std::size_t n = grid_.profile().fft_size;
    auto in = inverse_.in();
    std::fill(in.begin(), in.end(), Sample{});
    for (std::size_t c = 0; c < channel.size(); ++c) {
        in[grid_.bin(c)] = channel[c];
    }
    inverse_.run();
    const auto out = inverse_.out();
    for (std::size_t t = 0; t < taps_; ++t) {
        correlation_[t] = out[(n + t - kGuard) % n];
    }
    const std::vector<float>& matrix = fit_[level];
    for (std::size_t t = 0; t < taps_; ++t) {
        const float* row = &matrix[t * taps_];
        Sample sum{};
        for (std::size_t u = 0; u < taps_; ++u) {
            sum += row[u] * correlation_[u];
        }
        fitted_[t] = sum;
    }
}

void DelaySmoother::smooth(std::span<Sample> channel, float snr_db) {
    fit(channel, level(snr_db));
    const std::size_t n = grid_.profile().fft_size;
    auto in = forward_.in();
    std::fill(in.begin(), in.end(), Sample{});
    for (std::size_t t = 0; t < taps_; ++t) {
        in[(n + t - kGuard) % n] += fitted_[t];
    }
    forward_.run();
    const auto out = forward_.out();
    for (std::size_t c = 0; c < channel.size(); ++c) {
        channel[c] = out[grid_.bin(c)];
    }
}

void DelaySmoother::taps(std::span<const Sample> channel, std::span<Sample> out) {
    assert(out.size() == taps_);
    fit(channel, kLevels - 1);
    std::copy(fitted_.begin(), fitted_.end(), out.begin());
}

}  // namespace meshnet::phy
