// SPDX-License-Identifier: MIT
// Takes the peaks off an OFDM symbol: clip at twice the sample rate, keep what falls on the data carriers, twice over.
//
// Nothing falls outside the occupied carriers and pilots stay exact; the price is an error vector on the data points.
// Why these numbers: docs/decisions/0006-peaks.md.
// Source: J. Armstrong, "Peak-to-average power reduction for OFDM by repeated clipping and frequency domain filtering",
//         Electronics Letters 38 (2002).
#pragma once

#include <cstdint>
#include <span>

#include "phy/dsp/fft.hpp"
#include "phy/grid.hpp"

namespace meshnet::phy {

/// One instance, one thread. No allocation after construction.
class PeakLimiter {
public:
    enum class Strength : std::uint8_t {
        kGentle,  ///< clip at 4.0 dB: peaks 5.7 dB, error vector -18 dB, for QPSK above rate 1/2
        kNormal,  ///< clip at 3.5 dB: peaks 5.4 dB, error vector -17 dB
        kStrong,  ///< clip at 2.5 dB: peaks 4.9 dB, error vector -14 dB, for modes that work below 0 dB
    };

    explicit PeakLimiter(const Grid& grid);

    /// `carriers` [K], points of unit mean power, changed in place on the carriers listed in `data` only. Mean power is
    /// kept.
    void apply(std::span<Sample> carriers, std::span<const std::uint16_t> data, Strength strength) noexcept;

private:
    const Grid& grid_;
    Fft inverse_;
    Fft forward_;
};

}  // namespace meshnet::phy
