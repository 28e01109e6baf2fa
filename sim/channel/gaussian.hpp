// SPDX-License-Identifier: MIT
// Standard normal numbers, fast and with true tails: the noise of every channel and of the air.
//
// Source: G. Marsaglia, W. W. Tsang, "The Ziggurat Method for Generating Random Variables", J. Stat. Softw. 5 (2000),
// 256 layers.
//         Layer, sign and abscissa come from disjoint bits: J. A. Doornik, "An Improved Ziggurat Method" (2005).
#pragma once

#include <array>
#include <complex>
#include <cstdint>
#include <span>

#include "core/random.hpp"
#include "phy/sample.hpp"

namespace meshnet::sim {

/// Stream of independent N(0, 1) numbers from one seed. Tails are exact: no cut-off.
class Gaussian {
public:
    explicit Gaussian(std::uint64_t seed);

    /// The next complex number, real and imaginary part N(0, 1) each.
    phy::Sample next() {
        const std::uint64_t word = rng_.next_u64();
        const float re = from_bits(static_cast<std::uint32_t>(word));
        const float im = from_bits(static_cast<std::uint32_t>(word >> 32));
        return {re, im};
    }

    /// Adds circular noise of `sigma` per real dimension to every sample.
    void add(std::span<phy::Sample> samples, float sigma) {
        for (phy::Sample& s : samples) {
            s += sigma * next();
        }
    }

private:
    struct Layer {
        float scale;         // abscissa per unit of the signed 24-bit integer
        std::uint32_t keep;  // magnitudes below this are inside the layer's rectangle
    };
    using Layers = std::array<Layer, 256>;
    static const Layers& layers();

    float from_bits(std::uint32_t bits) {
        const Layer& layer = layers_[bits & 255U];
        const std::int32_t value = static_cast<std::int32_t>(bits) >> 8;
        const std::uint32_t magnitude = static_cast<std::uint32_t>(value < 0 ? -value : value);
        if (magnitude < layer.keep) {
            return static_cast<float>(value) * layer.scale;
        }
        return edge(bits);
    }
    float edge(std::uint32_t bits);  // the 1 % outside the rectangles

    const Layers& layers_;
    Rng rng_;
};

}  // namespace meshnet::sim
