// SPDX-License-Identifier: MIT
// Takes the peaks off an OFDM symbol: clip, keep what falls on the data carriers, several times over, each time a
// fraction of a sample later: so the peaks between the samples are seen too. Each look sees what the ones before left,
// which takes fewer of them than clipping all samples of a higher rate at once.
//
// Nothing falls outside the occupied carriers and pilots stay exact; the price is an error vector on the data points.
// Why these numbers: docs/decisions/0024-peaks-look-by-look.md.
// Source: J. Armstrong, "Peak-to-average power reduction for OFDM by repeated clipping and frequency domain filtering",
//         Electronics Letters 38 (2002).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// One instance, one thread. No allocation after construction.
class PeakLimiter {
public:
    /// Peaks exceeded by one symbol in a thousand, over the mean power, and the error vector.
    enum class Strength : std::uint8_t {
        kStrong,  ///< 5.2 dB, -17.6 dB: QPSK that works below 0 dB
        kNormal,  ///< 5.4 dB, -18.8 dB: QPSK, headers
        kGentle,  ///< 5.5 dB, -19.1 dB: QPSK above rate 1/2
        k16,      ///< 7.9 dB, -33 dB: 16QAM
        k64,      ///< 8.8 dB, -39 dB: 64QAM
        k256,     ///< 9.6 dB, -46 dB: 256QAM
    };

    explicit PeakLimiter(const Grid& grid);

    /// `carriers` [K], points of unit mean power, changed in place on all carriers but those listed in `pilots`. Mean
    /// power is kept. No symbol is changed by more than its mode bears, whatever its peak.
    void apply(std::span<Sample> carriers, std::span<const std::uint16_t> pilots, Strength strength) noexcept;

private:
    void bound_change(std::span<Sample> carriers, float most) noexcept;

    static constexpr std::size_t kPhases = 4;  // quarters of a sample

    const Grid& grid_;
    std::array<std::vector<Sample>, kPhases> delay_;  // [K] each: what moves the samples by a phase
    std::vector<Sample> pilots_;                      // values of the carriers that stay
    std::vector<Sample> original_;                    // [K]
    Fft inverse_;
    Fft forward_;
};

}  // namespace meshnet::phy
