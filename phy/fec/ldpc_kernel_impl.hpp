// SPDX-License-Identifier: MIT
// The layered min-sum update, for a vector type V of the including file. Include only from ldpc_kernel_*.cpp; V must
// live in an unnamed namespace, so that every file keeps its own instance.
//
//     per edge   rotate the column into scratch, take the old message off       (extrinsic values)
//     per chunk  the two magnitudes that go out and the product of signs over the edges (kept in registers)
//     per edge   new message, new posterior; rotate back
//
// A check sends one magnitude to its least reliable input and another to all others (A-min*): the sum of all but the
// least reliable, and the sum of all; a [+] b = min - c(|a - b|) + c(a + b), c(x) = ln(1 + exp(-x)).
//
// Source: D. E. Hocevar, "A reduced complexity decoder architecture via layered decoding of LDPC codes", SIPS 2004;
//         C. Jones, E. Valles, M. Smith, J. Villasenor, "Approximate-MIN* constraint node updating for LDPC code
//         decoding", MILCOM 2003.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "phy/fec/ldpc_kernel.hpp"

namespace meshnet::phy::ldpc {

template <class V>
struct KernelImpl {
    using Vec = typename V::Vec;
    using Table = typename V::Table;  // of corrections; V::correction(table, x) for x = 0..255
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

    static Vec attenuate(Vec m, const CheckRule& rule) noexcept {
        m = V::min(m, V::set1(rule.cap));
        return V::sub(m, V::shift_right(V::add(m, V::set1(rule.bias)), rule.shift));
    }

    /// a [+] b. Neighbouring table values differ by 1 at most, so the result is not negative.
    static Vec box_plus(const Table& table, Vec a, Vec b) noexcept {
        const Vec low = V::min(a, b);
        const Vec high = V::max(a, b);
        return V::add(V::sub(low, V::correction(table, V::sub(high, low))), V::correction(table, V::add(high, low)));
    }

    /// Extrinsic values in, posteriors out, both in scratch. True if no extension parity is contradicted.
    static bool check_nodes(const Layer& layer) noexcept {
        const std::size_t stride = layer.scratch_stride;
        Vec contradiction = V::set1(0);
        const Table table = V::table(layer.rule->correction.data());
        for (std::size_t i = 0; i < layer.z; i += kWidth) {
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
                const Vec larger = V::max(least, a);
                sign = V::exclusive_or(sign, t);
                least = V::min(least, a);
                second = box_plus(table, second, larger);
            }
            const Vec all = box_plus(table, second, least);
            const Vec to_others = attenuate(all, *layer.rule);
            const Vec to_least = attenuate(second, *layer.rule);
            if (layer.extension != nullptr) {
                // The product of all signs is negative where `own` is not what the others give.
                const Vec a = V::abs(own);
                const Vec m = V::select_equal(a, least, to_least, to_others);
                contradiction = V::inclusive_or(contradiction, V::both(sign, V::sub(m, a)));
            }
            for (std::size_t e = 0; e < layer.degree; ++e) {
                std::int8_t* at = layer.scratch + e * stride + i;
                const Vec t = V::load(at);
                const Vec m = V::select_equal(V::abs(t), least, to_least, to_others);
                const Vec r = V::negate_if_negative(m, V::exclusive_or(sign, t));
                V::store(layer.edges[e].message + i, r);
                V::store(at, V::adds(t, r));
            }
        }
        return !V::any_negative(contradiction);
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
        const bool agrees = check_nodes(layer);
        for (std::size_t e = 0; e < layer.degree; ++e) {
            const Edge& edge = layer.edges[e];
            const std::int8_t* in = layer.scratch + e * stride;
            const std::size_t head = z - edge.shift;
            copy(in, edge.posterior + edge.shift, head);
            copy(in + head, edge.posterior, edge.shift);
        }
        return agrees;
    }
};

}  // namespace meshnet::phy::ldpc
