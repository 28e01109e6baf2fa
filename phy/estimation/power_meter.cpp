// SPDX-License-Identifier: MIT
#include "phy/estimation/power_meter.hpp"

namespace meshnet::phy {
namespace {

// 6 dB above the mean of noise; the floor, the lowest of some hundred values, lies 1.5 dB below that.
constexpr double kBusyRatio = 5.6;
constexpr float kStrongest = 8.0F;  // floors that a bin counts for at most
constexpr double kMuted = 1e-15;

}  // namespace

PowerMeter::PowerMeter() : forward_(kWindow, Fft::Direction::kForward) {}

void PowerMeter::add(std::span<const Sample> samples, bool silent) noexcept {
    float sums[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= samples.size(); i += 8) {
        for (std::size_t j = 0; j < 8; ++j) {
            sums[j] += std::norm(samples[i + j]);
        }
    }
    for (; i < samples.size(); ++i) {
        sums[0] += std::norm(samples[i]);
    }
    for (const float s : sums) {
        sum_ += static_cast<double>(s);
    }
    count_ += samples.size();
    silent_ += silent ? samples.size() : 0;
    if (count_ < kAverage || samples.size() < kWindow) {
        return;
    }
    const double power = sum_ / static_cast<double>(count_);
    const bool whole = silent_ == count_;
    const bool part = silent_ > 0;
    sum_ = 0.0;
    count_ = silent_ = 0;
    if (power < kMuted || whole) {  // our own transmitter mutes the receiver: no information on the channel
        busy_ = false;
        return;
    }
    if (part) {
        return;
    }
    power_floor_.add(power);
    const double band = band_power(samples.last(kWindow));
    band_floor_.add(band);
    busy_ = band > kBusyRatio * band_floor_.value();
}

// Mean over the bins, each limited unless many are that strong; in the units of mean power per sample.
double PowerMeter::band_power(std::span<const Sample> window) noexcept {
    constexpr float kHannGain = 1.5F;  // of the power of noise, by the window 1, -1/2, -1/2 over three bins
    std::copy(window.begin(), window.end(), forward_.in().begin());
    forward_.run();
    const auto x = forward_.out();
    const float per_bin = kHannGain * static_cast<float>(kWindow);
    const auto limit =
        static_cast<float>(std::min(static_cast<double>(kStrongest * per_bin) * band_floor_.value(), 1e30));
    float sum = 0.0F;
    float limited = 0.0F;
    std::size_t strong = 0;
    Sample before = x[kWindow - 1];
    for (std::size_t k = 0; k < kWindow; ++k) {
        const Sample after = x[k + 1 < kWindow ? k + 1 : 0];
        const float power = std::norm(x[k] - 0.5F * (before + after));
        sum += power;
        limited += std::min(power, limit);
        strong += power > limit ? 1 : 0;
        before = x[k];
    }
    const float counted = strong > kWindow / 4 ? sum : limited;
    return static_cast<double>(counted / (per_bin * static_cast<float>(kWindow)));
}

}  // namespace meshnet::phy
