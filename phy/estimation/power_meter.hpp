// SPDX-License-Identifier: MIT
// Carrier sense by energy: is the channel louder than its own noise floor?
//
// Power is averaged over 1024 samples; the floor is the lowest such average of the last 2^20 samples or so (two halves,
// the older one forgotten as a new one fills), so a channel that is busy for half a million samples still has a floor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Fed in blocks of the same sizes whatever the caller's chunks are (128); decides per 1024 samples.
class PowerMeter {
public:
    void add(std::span<const Sample> samples) noexcept {
        constexpr std::size_t kLanes = 16;
        float sums[kLanes] = {};
        const auto* values = reinterpret_cast<const float*>(samples.data());
        const std::size_t count = 2 * samples.size();
        std::size_t i = 0;
        for (; i + kLanes <= count; i += kLanes) {
            for (std::size_t j = 0; j < kLanes; ++j) {
                sums[j] += values[i + j] * values[i + j];
            }
        }
        for (; i < count; ++i) {
            sums[0] += values[i] * values[i];
        }
        for (const float s : sums) {
            sum_ += static_cast<double>(s);
        }
        count_ += samples.size();
        if (count_ < kAverage) {
            return;
        }
        const double power = sum_ / static_cast<double>(count_);
        sum_ = 0.0;
        count_ = 0;
        if (power < kMuted) {  // our own transmitter mutes the receiver: no information on the channel
            busy_ = false;
            return;
        }
        current_ = std::min(current_, power);
        if (++averages_ == kHalf) {
            previous_ = current_;
            current_ = power;
            averages_ = 0;
        }
        busy_ = power > kBusyRatio * floor();
    }
    [[nodiscard]] bool busy() const noexcept { return busy_; }
    /// Mean power of a sample of noise; very large before the first average.
    [[nodiscard]] double floor_power() const noexcept { return floor(); }
    [[nodiscard]] float floor_dbfs() const noexcept {
        return static_cast<float>(10.0 * std::log10(std::max(floor(), 1e-20)));
    }

private:
    static constexpr std::size_t kAverage = 1024;
    static constexpr std::size_t kHalf = 512;
    static constexpr double kBusyRatio = 3.98;  // 6 dB
    static constexpr double kMuted = 1e-15;
    [[nodiscard]] double floor() const noexcept { return std::min(current_, previous_); }

    double sum_ = 0.0;
    std::size_t count_ = 0;
    std::size_t averages_ = 0;
    double current_ = 1e9;
    double previous_ = 1e9;
    bool busy_ = false;
};

}  // namespace meshnet::phy
