// SPDX-License-Identifier: MIT
// Samples of one OFDM symbol -> its carriers: conjugates of an inverted spectrum, derotation by the acquired carrier
// offset, transform, choice of bins.
//
// Spec: docs/spec/phy.md, "Carriers".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/dsp/sample_ring.hpp"
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

private:
    Fft forward_;
    std::vector<Sample> samples_;  // [N]
};

}  // namespace meshnet::phy
