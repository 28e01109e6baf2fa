// SPDX-License-Identifier: MIT
// Carrier sense by energy: is the channel louder than its own noise floor, over the whole band?
//
// Every 1024 samples, power is averaged over them, and the spectrum of the last 128 is looked at (Hann window). A frame
// of ours fills the band; so what counts is the mean over the bins of their power, none taken for more than kStrongest
// floors unless a quarter is that strong: a foreign carrier, however strong, raises a few bins only and neither holds
// the channel busy nor hides a frame. The floors are the lowest values of the last 2^20 samples or so (two halves, the
// older one forgotten as a new one fills), so a channel that is busy for half a million samples still has a floor.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "phy/dsp/fft.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Fed in blocks of the same sizes whatever the caller's chunks are (128, or a multiple); decides per 1024 samples.
class PowerMeter {
public:
    PowerMeter();
    /// `silent`: some of `samples` are no samples (SilenceDetector): the average they belong to tells nothing.
    void add(std::span<const Sample> samples, bool silent = false) noexcept;
    [[nodiscard]] bool busy() const noexcept { return busy_; }
    /// Mean power of a sample when the channel is quietest, steady interferers included; very large before the first
    /// average.
    [[nodiscard]] double floor_power() const noexcept { return power_floor_.value(); }
    /// NaN before the first average.
    [[nodiscard]] float floor_dbfs() const noexcept {
        return power_floor_.known() ? static_cast<float>(10.0 * std::log10(std::max(floor_power(), 1e-20)))
                                    : std::numeric_limits<float>::quiet_NaN();
    }

private:
    static constexpr std::size_t kAverage = 1024;
    static constexpr std::size_t kWindow = 128;

    // Lowest of the last values.
    class Floor {
    public:
        void add(double value) noexcept {
            current_ = std::min(current_, value);
            if (++count_ == kHalf) {
                previous_ = current_;
                current_ = value;
                count_ = 0;
            }
        }
        [[nodiscard]] double value() const noexcept { return std::min(current_, previous_); }
        [[nodiscard]] bool known() const noexcept { return value() < kNothing; }

    private:
        static constexpr std::size_t kHalf = 512;
        static constexpr double kNothing = 1e9;
        std::size_t count_ = 0;
        double current_ = kNothing;
        double previous_ = kNothing;
    };
    [[nodiscard]] double band_power(std::span<const Sample> window) noexcept;

    Fft forward_;
    double sum_ = 0.0;
    std::size_t count_ = 0;
    std::size_t silent_ = 0;  // samples of this average in calls with silence
    Floor power_floor_;
    Floor band_floor_;
    bool busy_ = false;
};

}  // namespace meshnet::phy
