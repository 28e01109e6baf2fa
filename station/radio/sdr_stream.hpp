// SPDX-License-Identifier: GPL-3.0-or-later
// Between a device's samples and the profile's: rates, tuning offsets and sample times. No threads, no device.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "phy/sample.hpp"
#include "station/radio/resampler.hpp"

namespace meshnet::station {

/// Multiplies by exp(j 2 pi f n), the phase continuous from call to call.
class FrequencyShift {
public:
    /// `cycles_per_sample`: f, any.
    explicit FrequencyShift(double cycles_per_sample);
    void process(std::span<phy::Sample> samples);
    void reset() { phase_ = 1.0; }

private:
    bool idle_;
    std::complex<double> step_, phase_{1.0};
};

/// Samples of a device into samples of the profile's rate, each with its index on the profile's time line: index 0 is
/// tick 0 of the device. Within half a device sample of the exact time.
class ReceiveStream {
public:
    /// `shift_hz`: what the device's tuning is below the channel.
    [[nodiscard]] static Result<ReceiveStream> create(double device_hz, double profile_hz, double shift_hz);

    struct Stretch {
        std::uint64_t first_index = 0;
        std::vector<phy::Sample> samples;
    };
    /// Samples whose first is at tick `ticks`. A tick other than that after the last sample begins anew: what the
    /// filter still held is dropped. `samples` is used as work space.
    [[nodiscard]] Stretch process(std::int64_t ticks, std::span<phy::Sample> samples);

    /// The tick of a profile index, and back (the nearest).
    [[nodiscard]] std::int64_t ticks_of(double index) const;
    [[nodiscard]] double index_of(std::int64_t ticks) const;

private:
    ReceiveStream(double device_hz, double profile_hz, double shift_hz, Resampler resampler);
    void begin(std::int64_t ticks);

    double ratio_;  // device samples per profile sample
    Resampler resampler_;
    FrequencyShift shift_;
    std::optional<std::int64_t> next_ticks_;
    std::int64_t skip_ = 0;         // device samples dropped first, so that the outputs fall on whole indexes
    std::int64_t drop_ = 0;         // outputs before index 0 or the filter's start
    std::uint64_t next_index_ = 0;  // of the next output
};

/// A burst of the profile's rate into samples for a device: resampled, shifted, with zeros in front for the power
/// amplifier and behind for the device's own filters, to a whole multiple.
class BurstShaper {
public:
    struct Options {
        double device_hz = 0.0, profile_hz = 0.0, shift_hz = 0.0;
        double front_s = 0.0;      ///< zeros before the first sample
        double tail_s = 20e-6;     ///< zeros after the last, at least
        std::size_t multiple = 1;  ///< of samples
    };
    [[nodiscard]] static Result<BurstShaper> create(const Options& options);

    struct Shaped {
        std::vector<phy::Sample> samples;
        double lead = 0.0;  ///< device samples from samples[0] to the burst's first sample
    };
    [[nodiscard]] Shaped shape(std::span<const phy::Sample> burst);
    /// Of every burst shaped.
    [[nodiscard]] double lead() const noexcept;

private:
    BurstShaper(const Options& options, Resampler resampler);
    Options options_;
    Resampler resampler_;
    FrequencyShift shift_;
};

/// A rate of the device for a profile: the least one of `ranges` that is a whole multiple of the profile's, at least
/// `least_hz`; else the least rate not below both. Unset: the device has none.
struct RateRange {
    double min_hz = 0.0, max_hz = 0.0, step_hz = 0.0;  ///< step 0: every rate between
};
[[nodiscard]] std::optional<double> choose_rate(std::span<const RateRange> ranges, double profile_hz, double least_hz);

}  // namespace meshnet::station
