// SPDX-License-Identifier: MIT
#include "phy/waveform/peak_limiter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

constexpr float kStep = 1.6F;  // more than what was clipped is taken back: one pass does what two would

struct Numbers {
    int passes;
    float clip;    // amplitude over rms
    float regain;  // amplitude that restores the mean power
    float most;    // power by which the points of one symbol may be moved, over theirs
};
// Clip at 4.0, 4.45, 4.8, 7.6, 8.5, 9.3 dB. One symbol in 10^7 has a peak of 13 dB, which would cost more than the mode
// bears to take off: its points are moved by -8, -8, -8, -15, -21, -24 dB at most, and the peak stays higher.
constexpr Numbers kNumbers[] = {{3, 1.5849F, 1.0836F, 0.16F}, {3, 1.6692F, 1.0635F, 0.16F},
                                {6, 1.7378F, 1.0541F, 0.16F}, {3, 2.3988F, 1.0035F, 0.03F},
                                {3, 2.6607F, 1.0009F, 8e-3F}, {3, 2.9174F, 1.0002F, 4e-3F}};

// What every sample exceeds `limit` by, negative: added to the sample it would clip it. False if none does.
inline bool take_excess(std::span<const Sample> samples, float limit, std::span<Sample> excess) noexcept {
    const float limit_power = limit * limit;
    std::uint32_t any = 0;
    const auto* x = reinterpret_cast<const float*>(samples.data());
    auto* y = reinterpret_cast<float*>(excess.data());
    const std::size_t n = samples.size();
    for (std::size_t i = 0; i < n; ++i) {  // without a branch: several at a time
        const float power = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
        const float cut = limit / std::sqrt(power > limit_power ? power : limit_power) - 1.0F;
        any |= std::bit_cast<std::uint32_t>(cut);
        y[2 * i] = x[2 * i] * cut;
        y[2 * i + 1] = x[2 * i + 1] * cut;
    }
    return any != 0;
}

// Complex products on their parts, for compilers that make no vectors of the others. `count` values, nothing overlaps.
inline void multiply(const Sample* a, const Sample* b, std::size_t count, Sample* out) noexcept {
    const auto* x = reinterpret_cast<const float*>(a);
    const auto* y = reinterpret_cast<const float*>(b);
    auto* __restrict z = reinterpret_cast<float*>(out);
    for (std::size_t i = 0; i < count; ++i) {
        const float re = x[2 * i] * y[2 * i] - x[2 * i + 1] * y[2 * i + 1];
        const float im = x[2 * i] * y[2 * i + 1] + x[2 * i + 1] * y[2 * i];
        z[2 * i] = re;
        z[2 * i + 1] = im;
    }
}

// to += weight a conj(b).
inline void add_product(const Sample* a, const Sample* b, float weight, std::size_t count, Sample* to) noexcept {
    const auto* x = reinterpret_cast<const float*>(a);
    const auto* y = reinterpret_cast<const float*>(b);
    auto* __restrict z = reinterpret_cast<float*>(to);
    for (std::size_t i = 0; i < count; ++i) {
        const float re = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
        const float im = x[2 * i + 1] * y[2 * i] - x[2 * i] * y[2 * i + 1];
        z[2 * i] += weight * re;
        z[2 * i + 1] += weight * im;
    }
}

}  // namespace

PeakLimiter::PeakLimiter(const Grid& grid)
    : grid_(grid),
      inverse_(2 * grid.profile().fft_size, Fft::Direction::kInverse),
      forward_(2 * grid.profile().fft_size, Fft::Direction::kForward) {
    const double angle = 0.5 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    pilots_.resize(grid.carriers());
    original_.resize(grid.carriers());
    for (std::size_t c = 0; c < grid.carriers(); ++c) {
        delay_.emplace_back(std::polar(1.0, angle * grid.subcarrier(c)));
    }
}

MESHNET_TARGET_CLONES void PeakLimiter::apply(std::span<Sample> carriers, std::span<const std::uint16_t> pilots,
                                              Strength strength) noexcept {
    const std::size_t n = 2 * grid_.profile().fft_size;
    const std::size_t half = carriers.size() / 2;
    const auto bin = [n, half](std::size_t c) { return c < half ? n - half + c : c - half + 1; };
    const Numbers& numbers = kNumbers[static_cast<std::size_t>(strength)];
    const float limit = numbers.clip * std::sqrt(static_cast<float>(carriers.size()));
    const float weight = kStep / static_cast<float>(n);
    std::copy(carriers.begin(), carriers.end(), original_.begin());
    for (std::size_t i = 0; i < pilots.size(); ++i) {
        pilots_[i] = carriers[pilots[i]];
    }
    const auto restore_pilots = [&] {
        for (std::size_t i = 0; i < pilots.size(); ++i) {
            carriers[pilots[i]] = pilots_[i];
        }
    };
    for (int pass = 0; pass < numbers.passes; ++pass) {
        const bool between = pass % 2 != 0;
        auto in = inverse_.in();  // 0 on the bins between
        for (const std::size_t first : {std::size_t{0}, half}) {
            Sample* to = &in[bin(first)];
            if (between) {
                multiply(&carriers[first], &delay_[first], half, to);
            } else {
                std::copy_n(&carriers[first], half, to);
            }
        }
        inverse_.run();
        const auto time = inverse_.out();
        auto excess = forward_.in();
        if (!take_excess(time, limit, excess)) {
            continue;  // between these samples there may still be a peak
        }
        forward_.run();
        const auto out = forward_.out();
        for (const std::size_t first : {std::size_t{0}, half}) {
            const Sample* error = &out[bin(first)];
            Sample* to = &carriers[first];
            if (between) {
                add_product(error, &delay_[first], weight, half, to);
            } else {
                for (std::size_t c = 0; c < half; ++c) {
                    to[c] += weight * error[c];
                }
            }
        }
        restore_pilots();
    }
    bound_change(carriers, numbers.most);
    for (Sample& point : carriers) {
        point *= numbers.regain;
    }
    restore_pilots();
}

// Takes back a part of what was changed, the same of every carrier, if it has more than `most` of a symbol's power.
MESHNET_TARGET_CLONES void PeakLimiter::bound_change(std::span<Sample> carriers, float most) noexcept {
    constexpr std::size_t kLanes = 16;
    float part[kLanes]{};
    const auto* now = reinterpret_cast<const float*>(carriers.data());
    const auto* before = reinterpret_cast<const float*>(original_.data());
    const std::size_t count = 2 * carriers.size();
    const std::size_t whole = count / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const float moved = now[i + l] - before[i + l];
            part[l] += moved * moved;
        }
    }
    float change = 0.0F;
    for (std::size_t i = whole; i < count; ++i) {
        change += (now[i] - before[i]) * (now[i] - before[i]);
    }
    for (const float p : part) {
        change += p;
    }
    const float bound = most * static_cast<float>(carriers.size());
    if (!(change > bound)) {
        return;
    }
    const float share = std::sqrt(bound / change);
    for (std::size_t c = 0; c < carriers.size(); ++c) {
        carriers[c] = original_[c] + share * (carriers[c] - original_[c]);
    }
}

}  // namespace meshnet::phy
