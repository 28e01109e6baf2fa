// SPDX-License-Identifier: MIT
// Signals and measurements the tests of sim share.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "phy/sample.hpp"

namespace meshnet::sim::test {

using Wide = std::complex<double>;

/// Band-limited noise as a sum of tones within +-`edge` of the sample rate: it can be evaluated at any instant,
/// exactly.
class Multitone {
public:
    Multitone(std::size_t tones, double edge, double rms, std::uint64_t seed) {
        Rng rng(seed);
        for (std::size_t i = 0; i < tones; ++i) {
            tones_.emplace_back((2.0 * rng.uniform() - 1.0) * edge, rng.uniform());
        }
        amplitude_ = rms / std::sqrt(static_cast<double>(tones));
    }
    [[nodiscard]] Wide at(double t) const {
        Wide sum{};
        for (const auto& [frequency, phase] : tones_) {
            sum += std::polar(1.0, 2.0 * std::numbers::pi * (frequency * t + phase));
        }
        return amplitude_ * sum;
    }
    [[nodiscard]] std::vector<phy::Sample> samples(std::size_t n) const {
        std::vector<phy::Sample> out;
        out.reserve(n);
        for (std::size_t i = 0; i < n; ++i) {
            out.emplace_back(at(static_cast<double>(i)));
        }
        return out;
    }

private:
    std::vector<std::pair<double, double>> tones_;
    double amplitude_ = 0.0;
};

[[nodiscard]] inline double power(std::span<const phy::Sample> x) {
    double sum = 0.0;
    for (const phy::Sample& s : x) {
        sum += std::norm(Wide(s));
    }
    return x.empty() ? 0.0 : sum / static_cast<double>(x.size());
}

[[nodiscard]] inline double db(double ratio) {
    return 10.0 * std::log10(ratio);
}

}  // namespace meshnet::sim::test
