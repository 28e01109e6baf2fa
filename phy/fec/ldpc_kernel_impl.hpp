// SPDX-License-Identifier: MIT
// The layered min-sum update, for a vector type V of the including file. Include only from ldpc_kernel_*.cpp; V must
// live in an unnamed namespace, so that every file keeps its own instance.
//
//     per edge   rotate the column into scratch, take the old message off       (extrinsic values)
//     per chunk  two smallest magnitudes and the product of signs over the edges (kept in registers)
//     per edge   new message, new posterior; rotate back
//
// Source: M. P. C. Fossorier, M. Mihaljevic, H. Imai, "Reduced complexity iterative decoding of low-density parity
// check
//         codes based on belief propagation", IEEE Trans. Commun. 47 (1999); D. E. Hocevar, "A reduced complexity
//         decoder architecture via layered decoding of LDPC codes", SIPS 2004.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "phy/fec/ldpc_kernel.hpp"

namespace meshnet::phy::ldpc {

template <class V>
struct KernelImpl {
    using Vec = typename V::Vec;
    static constexpr std::size_t kWidth = V::kWidth;
    static_assert(kWidth <= kPad);

    /// out[i] = in[i] - message[i] for i < n; may write up to a vector more.
    static void subtract(const std::int8_t* in, const std::int8_t* message, std::int8_t* out, std::size_t n,
                         bool first) noexcept {
        if (first) {
            for (std::size_t i = 0; i < n; i += kWidth) V::store(out + i, V::load(in + i));
        } else {
            for (std::size_t i = 0; i < n; i += kWidth) {
                V::store(out + i, V::subs(V::load(in + i), V::load(message + i)));
            }
        }
    }

    /// Copies exactly n bytes.
    static void copy(const std::int8_t* in, std::int8_t* out, std::size_t n) noexcept {
        if (n < kWidth) {
            std::memcpy(out, in, n);
            return;
        }
        for (std::size_t i = 0; i + kWidth <= n; i += kWidth) V::store(out + i, V::load(in + i));
        V::store(out + n - kWidth, V::load(in + n - kWidth));
    }

    static Vec attenuate(Vec m, const Attenuation& a) noexcept {
        m = V::min(m, V::set1(a.cap));
        return V::sub(V::sub(m, V::shift_right(V::add(m, V::set1(a.bias_a)), a.shift_a)),
                      V::shift_right(V::add(m, V::set1(a.bias_b)), a.shift_b));
    }

    static bool update(const Layer& layer) noexcept {
        const std::size_t z = layer.z;
        const std::size_t stride = layer.scratch_stride;
        for (std::size_t e = 0; e < layer.degree; ++e) {
            const Edge& edge = layer.edges[e];
            std::int8_t* out = layer.scratch + e * stride;
            const std::size_t head = z - edge.shift;
            subtract(edge.posterior + edge.shift, edge.message, out, head, layer.first);
            subtract(edge.posterior, edge.message + head, out + head, edge.shift, layer.first);
        }
        Vec contradiction = V::set1(0);
        for (std::size_t i = 0; i < z; i += kWidth) {
            Vec least = V::set1(127);
            Vec second = V::set1(127);
            Vec sign = V::set1(0);
            Vec own = V::set1(0);
            if (layer.extension != nullptr) {
                own = V::load(layer.extension + i);
                least = V::abs(own);
                sign = own;
            }
            for (std::size_t e = 0; e < layer.degree; ++e) {
                const Vec t = V::load(layer.scratch + e * stride + i);
                const Vec a = V::abs(t);
                sign = V::exclusive_or(sign, t);
                second = V::min(second, V::max(least, a));
                least = V::min(least, a);
            }
            const Vec m1 = attenuate(least, layer.attenuation);
            const Vec m2 = attenuate(second, layer.attenuation);
            if (layer.extension != nullptr) {
                const Vec a = V::abs(own);
                const Vec m = V::select_equal(a, least, m2, m1);
                // `sign` without `own` is what the others say about it.
                contradiction = V::inclusive_or(contradiction, V::both(sign, V::sub(m, a)));
            }
            for (std::size_t e = 0; e < layer.degree; ++e) {
                std::int8_t* at = layer.scratch + e * stride + i;
                const Vec t = V::load(at);
                const Vec m = V::select_equal(V::abs(t), least, m2, m1);
                const Vec r = V::negate_if_negative(m, V::exclusive_or(sign, t));
                V::store(layer.edges[e].message + i, r);
                V::store(at, V::adds(t, r));
            }
        }
        for (std::size_t e = 0; e < layer.degree; ++e) {
            const Edge& edge = layer.edges[e];
            const std::int8_t* in = layer.scratch + e * stride;
            const std::size_t head = z - edge.shift;
            copy(in, edge.posterior + edge.shift, head);
            copy(in + head, edge.posterior, edge.shift);
        }
        return !V::any_negative(contradiction);
    }
};

}  // namespace meshnet::phy::ldpc
