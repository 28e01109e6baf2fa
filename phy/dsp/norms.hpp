// SPDX-License-Identifier: MIT
// Sum and maximum of |x|^2 over eight samples, with vectors of four floats: the loops in which every sample of the
// search is looked at.
#pragma once

#include <cstddef>
#include <cstring>

#include "phy/sample.hpp"

namespace meshnet::phy {
namespace norms {

using Quad = float __attribute__((vector_size(4 * sizeof(float))));

[[nodiscard]] inline Quad load(const float* from) noexcept {
    Quad v;
    std::memcpy(&v, from, sizeof(v));
    return v;
}

}  // namespace norms

/// |x[0]|^2 + ... + |x[7]|^2.
[[nodiscard]] inline float sum_of_eight(const Sample* x) noexcept {
    using namespace norms;
    const auto* values = reinterpret_cast<const float*>(x);
    const Quad a = load(values);
    const Quad b = load(values + 4);
    const Quad c = load(values + 8);
    const Quad d = load(values + 12);
    const Quad sum = (a * a + b * b) + (c * c + d * d);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// The largest of |x[0]|^2 .. |x[7]|^2; where one is not a number, anything.
[[nodiscard]] inline float largest_of_eight(const Sample* x) noexcept {
    using namespace norms;
    const auto* values = reinterpret_cast<const float*>(x);
    const auto four = [](const float* from) {
        const Quad a = load(from);
        const Quad b = load(from + 4);
        const Quad p = a * a;
        const Quad q = b * b;
        return __builtin_shufflevector(p, q, 0, 2, 4, 6) + __builtin_shufflevector(p, q, 1, 3, 5, 7);
    };
    const Quad first = four(values);
    const Quad second = four(values + 8);
    const Quad larger = first > second ? first : second;
    const float left = larger[0] > larger[1] ? larger[0] : larger[1];
    const float right = larger[2] > larger[3] ? larger[2] : larger[3];
    return left > right ? left : right;
}

}  // namespace meshnet::phy
