// SPDX-License-Identifier: MIT
// Samples of one OFDM symbol -> its carriers: conjugates of an inverted spectrum, derotation by the acquired carrier
// offset, transform, choice of bins; and, where a narrow interferer stands above them, the same without it.
//
// Spec: docs/spec/phy.md, "Carriers".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/line_canceller.hpp"
#include "phy/estimation/pulse_blanking.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Where a transform window lies and what oscillator derotates it.
struct TransformWindow {
    std::uint64_t first = 0;   ///< index of its first sample
    std::uint64_t origin = 0;  ///< index of the sample at which the oscillator has phase 0
    double cfo = 0.0;          ///< carrier offset that is removed, cycles per sample
    double drift = 0.0;        ///< removed too, about the window's middle, whose phase it leaves; cycles per sample
    bool inverted = false;     ///< the samples are conjugated first; `cfo` is that of the conjugates
};

/// One instance, one thread. Allocates in the constructor only.
class SymbolTransform {
public:
    explicit SymbolTransform(const Grid& grid);

    /// Transform output of the carriers [K] of the window, all of whose N samples `ring` must hold.
    void run(const SampleRing& ring, const TransformWindow& window, std::span<Sample> carriers);

    /// Mean power of the samples of the window of the last run(), by parts of PulseBlanking::kPart.
    struct PartPower {
        float median = 0.0F;
        float greatest = 0.0F;
    };
    [[nodiscard]] PartPower part_power() noexcept;

    /// Blanks what pulses hit of the window of the last run(), at most half of it, where its samples have the mean
    /// power `level` without, and writes its carriers anew. Returns the share of the window that was blanked.
    /// `sample_ratio`: as PulseBlanking::run() has it.
    float blank_pulses(float level, std::span<Sample> carriers, float sample_ratio);

    /// Takes lines out of the window of the last run() as LineCanceller::run() does, and writes its carriers anew if
    /// there were any: each with the amplitude it would have had without. True if there were.
    bool cancel_lines(std::span<const float> expected, float beside, float ratio, std::span<Sample> carriers);
    /// After it: share of each carrier's power that was lost with them, [K].
    [[nodiscard]] std::span<const float> lost() const noexcept { return lines_.lost(); }

private:
    void copy_carriers(std::span<Sample> carriers) noexcept;

    Fft forward_;
    LineCanceller lines_;
    std::vector<Sample> samples_;  // [N]
    std::vector<float> parts_;     // [N / kPart]
};

}  // namespace meshnet::phy
