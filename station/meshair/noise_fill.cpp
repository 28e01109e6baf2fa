// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/noise_fill.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "sim/channel/gaussian.hpp"

namespace meshnet::meshair {

namespace {

constexpr std::size_t kPeriod = 65'536;
constexpr std::size_t kBlock = 4096;
constexpr int kSide = 64;  // taps on either side of the middle

/// Tap `n` of the ideal pass band, fractions of the rate.
phy::Sample pass_tap(double low, double high, int n) {
    if (high <= low) {
        return {};
    }
    const double width = high - low;
    const double x = std::numbers::pi * width * n;
    const double size = n == 0 ? width : width * std::sin(x) / x;
    const double angle = std::numbers::pi * (low + high) * n;
    return {static_cast<float>(size * std::cos(angle)), static_cast<float>(size * std::sin(angle))};
}

std::uint64_t mix(std::uint64_t x) {  // splitmix64's finalizer
    x = (x ^ (x >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
    x = (x ^ (x >> 27U)) * 0x94D0'49BB'1331'11EBU;
    return x ^ (x >> 31U);
}

}  // namespace

NoiseFill::NoiseFill(const ChannelSettings& settings, const AirFacts& air, std::uint64_t seed) : seed_(seed) {
    const double rate = settings.ratio.rate_hz(air.rate_hz);
    const double edge = std::min(0.5, 0.5 * settings.bandwidth_hz / rate);
    const Span covered = settings.passed(air);
    const bool all_covered = covered.low <= -edge * rate && covered.high >= edge * rate;
    if (all_covered || air.noise_power <= 0.0) {
        return;
    }
    std::vector<phy::Sample> taps;
    for (int n = -kSide; n <= kSide; ++n) {
        const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * n / (kSide + 1.0));
        const phy::Sample whole = edge >= 0.5 ? phy::Sample{n == 0 ? 1.0F : 0.0F} : pass_tap(-edge, edge, n);
        taps.push_back(static_cast<float>(window) * (whole - pass_tap(covered.low / rate, covered.high / rate, n)));
    }
    // The noise of one sample spreads over the rate: more bandwidth, more power.
    const double power = air.noise_power * rate / air.rate_hz;
    std::vector<phy::Sample> white(kPeriod + taps.size());
    sim::Gaussian gaussian(seed);
    gaussian.add(white, static_cast<float>(std::sqrt(0.5 * power)));
    period_.resize(kPeriod);
    for (std::size_t i = 0; i < kPeriod; ++i) {
        float re = 0.0F;
        float im = 0.0F;
        for (std::size_t k = 0; k < taps.size(); ++k) {
            const phy::Sample x = white[i + k];
            re += x.real() * taps[k].real() - x.imag() * taps[k].imag();
            im += x.real() * taps[k].imag() + x.imag() * taps[k].real();
        }
        period_[i] = {re, im};
    }
}

void NoiseFill::add(std::span<phy::Sample> samples, std::uint64_t tick) const noexcept {
    if (period_.empty()) {
        return;
    }
    for (std::size_t done = 0; done < samples.size();) {
        const std::uint64_t block = (tick + done) / kBlock;
        const std::uint64_t within = (tick + done) % kBlock;
        const std::size_t count =
            std::min<std::size_t>(samples.size() - done, static_cast<std::size_t>(kBlock - within));
        const std::uint64_t begin = mix(seed_ ^ (block * 0x9E37'79B9'7F4A'7C15U)) + within;
        for (std::size_t i = 0; i < count; ++i) {
            samples[done + i] += period_[static_cast<std::size_t>((begin + i) % kPeriod)];
        }
        done += count;
    }
}

}  // namespace meshnet::meshair
