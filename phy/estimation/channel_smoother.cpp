// SPDX-License-Identifier: MIT
#include "phy/estimation/channel_smoother.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numbers>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

// Solves A x = b for symmetric positive definite A (n x n, row-major) by Cholesky; A is overwritten.
void solve_spd(std::vector<double>& a, std::vector<double>& b, std::size_t n) {
    for (std::size_t j = 0; j < n; ++j) {
        double d = a[j * n + j];
        for (std::size_t k = 0; k < j; ++k) {
            d -= a[j * n + k] * a[j * n + k];
        }
        const double diagonal = std::sqrt(std::max(d, 1e-12));
        a[j * n + j] = diagonal;
        for (std::size_t i = j + 1; i < n; ++i) {
            double v = a[i * n + j];
            for (std::size_t k = 0; k < j; ++k) {
                v -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = v / diagonal;
        }
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            b[i] -= a[i * n + k] * b[k];
        }
        b[i] /= a[i * n + i];
    }
    for (std::size_t i = n; i-- > 0;) {
        for (std::size_t k = i + 1; k < n; ++k) {
            b[i] -= a[k * n + i] * b[k];
        }
        b[i] /= a[i * n + i];
    }
}

using Quad = float __attribute__((vector_size(4 * sizeof(float))));

Quad load(const float* from) noexcept {
    Quad v;
    std::memcpy(&v, from, sizeof(v));
    return v;
}

// One row for kBlock carriers, whose windows begin at successive ones: `x` and `out` hold real and imaginary parts.
inline void smooth_block(const float* row, std::size_t window, const float* x, float* out) noexcept {
    using Oct = float __attribute__((vector_size(8 * sizeof(float))));
    constexpr std::size_t kParts = 4;
    Oct sum[kParts]{};
    for (std::size_t i = 0; i < window; ++i) {
        for (std::size_t v = 0; v < kParts; ++v) {
            Oct values;
            std::memcpy(&values, x + 2 * i + 8 * v, sizeof(values));
            sum[v] += row[i] * values;
        }
    }
    std::memcpy(out, sum, sizeof(sum));
}

// The same for one carrier; `row` is as long as a multiple of four.
Sample smooth_single(const float* row, std::size_t length, const float* x) noexcept {
    Quad sum[2]{};
    for (std::size_t i = 0; i < length; i += 4) {
        const Quad weight = load(row + i);
        sum[0] += __builtin_shufflevector(weight, weight, 0, 0, 1, 1) * load(x + 2 * i);
        sum[1] += __builtin_shufflevector(weight, weight, 2, 2, 3, 3) * load(x + 2 * i + 4);
    }
    const Quad both = sum[0] + sum[1];
    return {both[0] + both[2], both[1] + both[3]};
}

}  // namespace

std::size_t ChannelSmoother::level(float snr_db) noexcept {
    const float position = (snr_db + 10.0F) / 10.0F + 0.5F;
    if (!(position > 0.0F)) {  // not a number counts as the worst
        return 0;
    }
    return std::min(static_cast<std::size_t>(std::min(position, 100.0F)), kLevels - 1);
}

float ChannelSmoother::noise_gain(float estimate_snr_db) const noexcept {
    return noise_gain_[level(estimate_snr_db)];
}

ChannelSmoother::ChannelSmoother(const Grid& grid, Reach reach) : grid_(grid) {
    const std::size_t k = grid.carriers();
    window_ = std::min(kWindow, k);
    stride_ = (window_ + kLanes - 1) / kLanes * kLanes;
    centred_.resize(k + kLanes);
    smooth_.resize(k);
    const auto& profile = grid.profile();
    const double n = static_cast<double>(profile.fft_size);
    const double prefix = static_cast<double>(profile.cyclic_prefix);
    const double first_delay = reach == Reach::kPrefix ? -1.0 : -0.5 * prefix - 1.0;
    const double last_delay = reach == Reach::kPrefix ? prefix + 1.0 : 5.0 * prefix + 1.0;
    const double spread = last_delay - first_delay;
    const double middle = 0.5 * (first_delay + last_delay);
    for (std::size_t c = 0; c < k; ++c) {
        const double phase = 2.0 * std::numbers::pi * grid.subcarrier(c) * middle / n;
        centring_.emplace_back(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
    }
    const auto correlation = [&](int distance) {
        const double x = std::numbers::pi * distance * spread / n;
        return distance == 0 ? 1.0 : std::sin(x) / x;
    };

    // Carriers that see the same pattern of distances share a row: the key is the window's position relative to the
    // carrier and the place of the DC gap within it.
    std::map<std::pair<std::ptrdiff_t, std::ptrdiff_t>, std::uint32_t> known;
    const auto half = static_cast<std::ptrdiff_t>(window_ / 2);
    const auto count = static_cast<std::ptrdiff_t>(k);
    for (std::ptrdiff_t c = 0; c < count; ++c) {
        const std::ptrdiff_t first =
            std::clamp(c - half, std::ptrdiff_t{0}, count - static_cast<std::ptrdiff_t>(window_));
        std::ptrdiff_t gap = count / 2 - first;  // window position of the first carrier above DC
        gap = std::clamp(gap, std::ptrdiff_t{0}, static_cast<std::ptrdiff_t>(window_));
        if (gap == static_cast<std::ptrdiff_t>(window_)) {
            gap = 0;  // wholly on one side
        }
        const auto [entry, is_new] = known.try_emplace({c - first, gap}, static_cast<std::uint32_t>(known.size()));
        row_of_.push_back(entry->second);
        first_of_.push_back(static_cast<std::uint32_t>(first));
        if (!is_new) {
            continue;
        }
        for (std::size_t l = 0; l < kLevels; ++l) {
            const double noise = std::pow(10.0, -(static_cast<double>(l) * 10.0 - 10.0) / 10.0);
            std::vector<double> a(window_ * window_);
            std::vector<double> b(window_);
            for (std::size_t i = 0; i < window_; ++i) {
                const int at = grid.subcarrier(static_cast<std::size_t>(first) + i);
                for (std::size_t j = 0; j < window_; ++j) {
                    a[i * window_ + j] = correlation(at - grid.subcarrier(static_cast<std::size_t>(first) + j));
                }
                a[i * window_ + i] += noise;
                b[i] = correlation(at - grid.subcarrier(static_cast<std::size_t>(c)));
            }
            solve_spd(a, b, window_);
            for (const double v : b) {
                rows_[l].push_back(static_cast<float>(v));
            }
            rows_[l].resize(rows_[l].size() + stride_ - window_);
        }
    }
    for (std::size_t l = 0; l < kLevels; ++l) {
        double sum = 0.0;
        for (std::size_t c = 0; c < k; ++c) {
            for (std::size_t i = 0; i < window_; ++i) {
                const double v = rows_[l][row_of_[c] * stride_ + i];
                sum += v * v;
            }
        }
        noise_gain_[l] = static_cast<float>(sum / static_cast<double>(k));
    }
    find_blocks();
}

// Carriers whose row and window are those of the one before, moved by one, can be smoothed together.
void ChannelSmoother::find_blocks() {
    const std::size_t k = grid_.carriers();
    for (std::size_t begin = 0; begin < k;) {
        std::size_t end = begin + 1;
        while (end < k && row_of_[end] == row_of_[begin] && first_of_[end] == first_of_[end - 1] + 1) {
            ++end;
        }
        if (end - begin < kBlock) {
            for (; begin < end; ++begin) {
                singles_.push_back(static_cast<std::uint32_t>(begin));
            }
            continue;
        }
        for (; begin + kBlock <= end; begin += kBlock) {
            blocks_.push_back(static_cast<std::uint32_t>(begin));
        }
        if (begin < end) {  // the last one overlaps
            blocks_.push_back(static_cast<std::uint32_t>(end - kBlock));
        }
        begin = end;
    }
}

MESHNET_TARGET_CLONES void ChannelSmoother::apply(std::span<Sample> estimate, float estimate_snr_db) {
    const std::size_t k = grid_.carriers();
    const auto& rows = rows_[level(estimate_snr_db)];
    for (std::size_t c = 0; c < k; ++c) {
        centred_[c] = estimate[c] * centring_[c];
    }
    const auto* x = reinterpret_cast<const float*>(centred_.data());
    auto* out = reinterpret_cast<float*>(smooth_.data());
    for (const std::uint32_t c : blocks_) {
        smooth_block(&rows[row_of_[c] * stride_], window_, x + 2 * first_of_[c], out + 2 * c);
    }
    for (const std::uint32_t c : singles_) {
        smooth_[c] = smooth_single(&rows[row_of_[c] * stride_], stride_, x + 2 * first_of_[c]);
    }
    for (std::size_t c = 0; c < k; ++c) {
        estimate[c] = smooth_[c] * std::conj(centring_[c]);
    }
}

}  // namespace meshnet::phy
