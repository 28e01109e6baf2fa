// SPDX-License-Identifier: GPL-3.0-or-later
// Takes a band out of one sampled signal into another of a different rate and centre frequency.
//
//     in, rate r -> shift the band to 0 Hz -> low pass and change of rate in one -> shift to its new place -> out
//
// Sample n of the output lies at n / rate, sample m of the input at m / rate, from one epoch: the filter is centred, no
// delay remains, and the phase of the shifts is that of oscillators running since the epoch. The rates are a ratio of
// whole numbers; each output phase has its own taps (windowed sinc, Kaiser window, 60 dB), so nothing is approximated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "station/meshair/rate_ratio.hpp"

namespace meshnet::meshair {

class BandConverter {
public:
    struct Band {
        double in_rate_hz = 1e6;
        RateRatio ratio;         ///< output rate / input rate
        double low_hz = -0.5e6;  ///< of what is kept, relative to the input's centre
        double high_hz = 0.5e6;  ///< at or below low_hz: nothing is kept
        double shift_hz = 0.0;   ///< added to every frequency
        bool operator==(const Band&) const = default;
    };
    /// Width of the filter's slope as a fraction of the narrower rate: bands end half of it inside a Nyquist limit.
    static constexpr double kSlope = 0.057;

    explicit BandConverter(const Band& band);

    /// Begins a signal whose first sample is `in_index`; zeros are before it. Outputs begin at `out_index`.
    void start(std::uint64_t in_index, std::uint64_t out_index);
    /// First output index that no sample before `in_index` reaches, and the first that one at `in_index` reaches.
    [[nodiscard]] std::uint64_t first_free_of(std::uint64_t in_index) const noexcept;
    [[nodiscard]] std::uint64_t first_reached_by(std::uint64_t in_index) const noexcept;
    /// Appends the outputs that `in`, the next samples, completes.
    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out);
    /// Appends what the end of the signal still reaches, as if zeros followed.
    void flush(std::vector<phy::Sample>& out);
    [[nodiscard]] std::uint64_t next_out() const noexcept { return next_out_; }
    [[nodiscard]] std::uint64_t next_in() const noexcept { return next_in_; }
    [[nodiscard]] const Band& band() const noexcept { return band_; }

private:
    void take(std::span<const phy::Sample> in);
    void make_outputs(std::vector<phy::Sample>& out);
    [[nodiscard]] const float* taps(std::uint64_t phase);

    Band band_;
    bool silent_ = false, plain_ = false;
    std::uint64_t half_ = 0;    // taps on either side of an output's place
    double cutoff_ = 1.0;       // pass band's width / input rate
    double in_turns_ = 0.0;     // shift before the filter, turns per input sample
    double out_turns_ = 0.0;    // after it, turns per output sample
    std::vector<float> table_;  // up * 2 half taps, each twice: for I and for Q
    std::vector<bool> made_;
    std::vector<phy::Sample> history_;  // shifted input from history_index_ on
    std::uint64_t history_index_ = 0;
    std::uint64_t next_in_ = 0, next_out_ = 0;
};

}  // namespace meshnet::meshair
