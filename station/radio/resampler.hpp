// SPDX-License-Identifier: GPL-3.0-or-later
// Between a modem profile's sample rate and a radio's: a rational polyphase resampler, in chunks of any size.
//
// From a ratio of 4 on in two steps, a whole number and the rest, so that the long filter runs at the lower rate.
//
// Source: liquid-dsp, rresamp, firdecim and firinterp (Kaiser-windowed sinc). Pass band: the occupied part of the
// narrower of the two rates.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/result.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// One direction, one stream.
class Resampler {
public:
    /// From `in_hz` to `out_hz`, both above 0 and their ratio below 20000; done as a ratio with terms up to 20000,
    /// exact for rates that have one, else within 50 ppm. `edge`: where the filter has fallen by 6 dB, of the narrower
    /// rate; it falls within 0.04 on either side. Error: one line.
    [[nodiscard]] static Result<Resampler> create(double in_hz, double out_hz, double edge = 0.5);
    ~Resampler();
    Resampler(Resampler&&) noexcept;
    Resampler& operator=(Resampler&&) noexcept;

    /// Appends the samples that `in` completes.
    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out);
    /// Appends the samples still in the filter, as if zeros followed.
    void flush(std::vector<phy::Sample>& out);
    /// Forgets what it was given: the next sample begins a new signal.
    void reset();
    /// Delay of the filter in input samples; 0 if both rates are the same.
    [[nodiscard]] double delay_samples() const noexcept;

private:
    struct Impl;
    explicit Resampler(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::station
