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
        auto in = inverse_.in();
        std::fill(in.begin(), in.end(), Sample{});
        for (std::size_t c = 0; c < p.carriers; ++c) {
            in[grid_.bin(c)] = carriers[c] * scale_;
        }
        inverse_.run();
        const auto time = inverse_.out();
        out.insert(out.end(), time.end() - static_cast<std::ptrdiff_t>(p.cyclic_prefix), time.end());
        out.insert(out.end(), time.begin(), time.end());
    }

private:
    const Grid& grid_;
    Fft inverse_;
    float scale_;
};

}  // namespace meshnet::phy
