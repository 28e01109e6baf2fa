// SPDX-License-Identifier: MIT
#include "phy/waveform/peak_limiter.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

// A look at the samples of a symbol: where above `clip` they are taken back by `step` times the excess, which is more
// than the excess because only a part of it falls on the data carriers.
struct Look {
    float clip;  // amplitude over rms
    float step;
};

struct Numbers {
    std::array<Look, 5> looks;
    std::size_t count;
    float regain;  // amplitude that restores the mean power
    float most;    // power by which the points of one symbol may be moved, over theirs
};
// Clips near 4.3, 4.7, 4.8, 7.85, 8.75 and 9.55 dB. One symbol in 10^7 has a peak of 13 dB, which would cost more than
// the mode bears to take off: its points are moved by -8, -8, -8, -15, -21, -24 dB at most, and the peak stays higher.
constexpr Numbers kNumbers[] = {
    {{{{1.6425F, 1.05F}, {1.6293F, 1.34F}, {1.6312F, 1.43F}, {1.6520F, 1.19F}, {1.6539F, 1.21F}}}, 5, 1.0753F, 0.16F},
    {{{{1.7219F, 1.05F}, {1.7061F, 1.34F}, {1.7080F, 1.43F}, {1.7298F, 1.19F}, {1.7318F, 1.21F}}}, 5, 1.0587F, 0.16F},
    {{{{1.7358F, 1.05F}, {1.7219F, 1.34F}, {1.7239F, 1.43F}, {1.7458F, 1.19F}, {1.7478F, 1.21F}}}, 5, 1.0558F, 0.16F},
    {{{{2.4689F, 1.40F}, {2.4689F, 1.40F}, {2.4689F, 1.40F}, {2.4689F, 1.40F}}}, 4, 1.0031F, 0.03F},
    {{{{2.7384F, 1.40F}, {2.7384F, 1.40F}, {2.7384F, 1.40F}, {2.7384F, 1.40F}}}, 4, 1.0008F, 8e-3F},
    {{{{3.0026F, 1.40F}, {3.0026F, 1.40F}, {3.0026F, 1.40F}, {3.0026F, 1.40F}}}, 4, 1.0002F, 4e-3F},
};

// 1 / sqrt(x), 5e-6 off at most: a guess from the exponent and two of Newton's steps, in a third of the time of a root
// and a division, and rounded alike everywhere. `x` must be a normal number above 0.
inline float inverse_root(float x) noexcept {
    float y = std::bit_cast<float>(0x5F375A86U - (std::bit_cast<std::uint32_t>(x) >> 1));
    y *= 1.5F - 0.5F * x * y * y;
    return y * (1.5F - 0.5F * x * y * y);
}

// What every sample exceeds `limit` by, negative: added to the sample it would clip it. False if none does.
inline bool take_excess(std::span<const Sample> samples, float limit, std::span<Sample> excess) noexcept {
    const float limit_power = limit * limit;
    std::uint32_t any = 0;
    const auto* x = reinterpret_cast<const float*>(samples.data());
    auto* y = reinterpret_cast<float*>(excess.data());
    const std::size_t n = samples.size();
    for (std::size_t i = 0; i < n; ++i) {  // without a branch: several at a time
        const float power = x[2 * i] * x[2 * i] + x[2 * i + 1] * x[2 * i + 1];
        const float cut = power > limit_power ? limit * inverse_root(power) - 1.0F : 0.0F;
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
      inverse_(grid.profile().fft_size, Fft::Direction::kInverse),
      forward_(grid.profile().fft_size, Fft::Direction::kForward) {
    // Quarters of a sample in the order of the looks: a look next to the one before would see little that is new.
    constexpr double kLater[kPhases] = {0.0, 0.5, 0.25, 0.75};
    pilots_.resize(grid.carriers());
    original_.resize(grid.carriers());
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
        const double angle = 2.0 * std::numbers::pi * kLater[phase] / static_cast<double>(grid.profile().fft_size);
        for (std::size_t c = 0; c < grid.carriers(); ++c) {
            delay_[phase].emplace_back(std::polar(1.0, angle * grid.subcarrier(c)));
        }
    }
}

MESHNET_TARGET_CLONES void PeakLimiter::apply(std::span<Sample> carriers, std::span<const std::uint16_t> pilots,
                                              Strength strength) noexcept {
    const std::size_t n = grid_.profile().fft_size;
    const std::size_t half = carriers.size() / 2;
    const auto bin = [n, half](std::size_t c) { return c < half ? n - half + c : c - half + 1; };
    const Numbers& numbers = kNumbers[static_cast<std::size_t>(strength)];
    const float rms = std::sqrt(static_cast<float>(carriers.size()));
    std::copy(carriers.begin(), carriers.end(), original_.begin());
    for (std::size_t i = 0; i < pilots.size(); ++i) {
        pilots_[i] = carriers[pilots[i]];
    }
    const auto restore_pilots = [&] {
        for (std::size_t i = 0; i < pilots.size(); ++i) {
            carriers[pilots[i]] = pilots_[i];
        }
    };
    for (std::size_t l = 0; l < numbers.count; ++l) {
        const Look& look = numbers.looks[l];
        const Sample* delay = delay_[l % kPhases].data();
        const bool moved = l % kPhases != 0;
        auto in = inverse_.in();  // 0 on the bins between
        for (const std::size_t first : {std::size_t{0}, half}) {
            Sample* to = &in[bin(first)];
            if (moved) {
                multiply(&carriers[first], delay + first, half, to);
            } else {
                std::copy_n(&carriers[first], half, to);
            }
        }
        inverse_.run();
        if (!take_excess(inverse_.out(), look.clip * rms, forward_.in())) {
            continue;  // between these samples there may still be a peak
        }
        forward_.run();
        const float weight = look.step / static_cast<float>(n);
        const auto out = forward_.out();
        for (const std::size_t first : {std::size_t{0}, half}) {
            add_product(&out[bin(first)], delay + first, weight, half, &carriers[first]);
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
