// SPDX-License-Identifier: MIT
// An oscillator whose frequency moves evenly: rotates samples by a carrier offset that is known beforehand.
//
// Used before the search of a receiver that was told the Doppler of a satellite, and after the modulator of a
// transmitter that compensates its own.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// A carrier offset and how fast it changes.
struct DopplerShift {
    double hz = 0.0;        ///< now; |hz| below half the sample rate
    double hz_per_s = 0.0;  ///< growth
    friend bool operator==(const DopplerShift&, const DopplerShift&) = default;
};

/// Phase-continuous over every change of the frequency. Cutting the samples differently changes nothing as long as
/// every cut but the last is a multiple of kBlock samples.
class DopplerOscillator {
public:
    static constexpr std::size_t kBlock = 128;  ///< samples between exact evaluations of the phase

    explicit DopplerOscillator(double sample_rate_hz) noexcept : rate_hz_(sample_rate_hz) {}

    /// The next sample to be rotated has this frequency.
    void set(DopplerShift shift) noexcept {
        cycles_ = shift.hz / rate_hz_;
        growth_ = shift.hz_per_s / (rate_hz_ * rate_hz_);
    }
    [[nodiscard]] bool idle() const noexcept { return cycles_ == 0.0 && growth_ == 0.0 && turns_ == 0.0; }
    /// Frequency of the next sample, Hz, and its growth.
    [[nodiscard]] DopplerShift now() const noexcept { return {cycles_ * rate_hz_, growth_ * rate_hz_ * rate_hz_}; }

    /// Multiplies `samples` by exp(j 2 pi sign turns), in place. `sign`: +1 or -1.
    void rotate(std::span<Sample> samples, double sign) noexcept {
        while (!samples.empty()) {
            const std::size_t n = samples.size() < kBlock ? samples.size() : kBlock;
            const double radians = 2.0 * std::numbers::pi * sign;
            // Phase of sample m: turns + cycles m + growth m^2 / 2; the step from m to m + 1 is cycles + growth (m +
            // 1/2).
            std::complex<double> w = unit(radians * turns_);
            std::complex<double> step = unit(radians * (cycles_ + 0.5 * growth_));
            const std::complex<double> bend = unit(radians * growth_);
            for (std::size_t i = 0; i < n; ++i) {
                samples[i] *= Sample(static_cast<float>(w.real()), static_cast<float>(w.imag()));
                w *= step;
                step *= bend;
            }
            const double m = static_cast<double>(n);
            turns_ += cycles_ * m + 0.5 * growth_ * m * m;
            turns_ -= std::floor(turns_);
            cycles_ += growth_ * m;
            samples = samples.subspan(n);
        }
    }

private:
    [[nodiscard]] static std::complex<double> unit(double radians) noexcept {
        return {std::cos(radians), std::sin(radians)};
    }
    double rate_hz_;
    double cycles_ = 0.0;  // per sample, of the next sample
    double growth_ = 0.0;  // cycles per sample^2
    double turns_ = 0.0;   // phase of the next sample, [0, 1)
};

}  // namespace meshnet::phy
