// SPDX-License-Identifier: MIT
// Carriers of one symbol -> its samples, prefix first.
//
// Spec: docs/spec/phy.md, "Carriers".
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Symbols of carriers with unit mean power come out with the rms amplitude given. One instance, one thread.
class SymbolModulator {
public:
    SymbolModulator(const Grid& grid, float rms)
        : grid_(grid),
          inverse_(grid.profile().fft_size, Fft::Direction::kInverse),
          scale_(rms / std::sqrt(static_cast<float>(grid.carriers()))) {}

    /// Appends symbol_samples() samples to `out`. `carriers` [K].
    void append(std::span<const Sample> carriers, std::vector<Sample>& out) {
        const auto& p = grid_.profile();
        // Carriers below DC are the top of the transform, the others begin at bin 1; between them it stays empty.
        const std::size_t half = p.carriers / 2;
        Sample* below = &inverse_.in()[p.fft_size - half];
        Sample* above = &inverse_.in()[1];
        for (std::size_t c = 0; c < half; ++c) {
            below[c] = carriers[c] * scale_;
            above[c] = carriers[half + c] * scale_;
        }
        inverse_.run();
        const auto time = inverse_.out();
        // Room first, then copies of bytes: vector::insert copies complex values part by part.
        const std::size_t first = out.size();
        out.resize(first + p.symbol_samples());
        std::copy_n(time.data() + (p.fft_size - p.cyclic_prefix), p.cyclic_prefix, out.data() + first);
        std::copy_n(time.data(), p.fft_size, out.data() + first + p.cyclic_prefix);
    }

private:
    const Grid& grid_;
    Fft inverse_;
    float scale_;
};

}  // namespace meshnet::phy
