// SPDX-License-Identifier: MIT
#include "sim/channel/gaussian.hpp"

#include <cmath>
#include <cstddef>

namespace meshnet::sim {
namespace {

constexpr double kTail = 3.6541528853610088;  // r: where the base layer's rectangle ends
constexpr double kArea = 4.92867323399e-3;    // v: area of every layer
constexpr double kUnit = 1.0 / 8'388'608.0;   // 2^-23

double density(double x) {
    return std::exp(-0.5 * x * x);
}

/// x[0] > x[1] = r > ... > x[256] = 0: right edges of the layers.
const std::array<double, 257>& edges() {
    static const std::array<double, 257> table = [] {
        std::array<double, 257> x{};
        x[0] = kArea / density(kTail);
        x[1] = kTail;
        for (std::size_t i = 2; i < 256; ++i) {
            x[i] = std::sqrt(-2.0 * std::log(kArea / x[i - 1] + density(x[i - 1])));
        }
        x[256] = 0.0;
        return x;
    }();
    return table;
}

}  // namespace

Gaussian::Gaussian(std::uint64_t seed) : layers_(layers()), rng_(seed) {}

const Gaussian::Layers& Gaussian::layers() {
    static const Layers table = [] {
        Layers out{};
        const auto& x = edges();
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i].scale = static_cast<float>(x[i] * kUnit);
            out[i].keep = static_cast<std::uint32_t>(x[i + 1] / x[i] / kUnit);
        }
        return out;
    }();
    return table;
}

float Gaussian::edge(std::uint32_t bits) {
    const auto& x = edges();
    for (;;) {
        const std::size_t i = bits & 255U;
        const std::int32_t value = static_cast<std::int32_t>(bits) >> 8;
        const double candidate = static_cast<double>(value) * kUnit * x[i];
        const double size = std::abs(candidate);
        if (size < x[i + 1]) {
            return static_cast<float>(candidate);
        }
        if (i == 0) {  // beyond r: exponential proposals, Marsaglia (1964)
            double a = 0.0;
            double b = 0.0;
            do {
                a = -std::log(1.0 - rng_.uniform()) / kTail;
                b = -std::log(1.0 - rng_.uniform());
            } while (b + b < a * a);
            return static_cast<float>(value < 0 ? -(kTail + a) : kTail + a);
        }
        const double low = density(x[i]);
        const double high = density(x[i + 1]);
        if (low + rng_.uniform() * (high - low) < density(candidate)) {
            return static_cast<float>(candidate);
        }
        bits = static_cast<std::uint32_t>(rng_.next_u64() >> 32);
    }
}

}  // namespace meshnet::sim
