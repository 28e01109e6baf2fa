// SPDX-License-Identifier: MIT
// 16 bytes at a time with the compilers' vector extension: any processor (NEON on ARM, SSE2 on x86-64).
#include "phy/fec/ldpc_kernel.hpp"
#include "phy/fec/ldpc_kernel_impl.hpp"

namespace meshnet::phy::ldpc {

namespace {

struct Vec16 {
    static constexpr std::size_t kWidth = 16;
    using Vec = std::int8_t __attribute__((vector_size(16)));
    using Unsigned = std::uint8_t __attribute__((vector_size(16)));

    static Vec load(const std::int8_t* p) noexcept {
        Vec v;
        std::memcpy(&v, p, sizeof v);
        return v;
    }
    static void store(std::int8_t* p, Vec v) noexcept { std::memcpy(p, &v, sizeof v); }
    static Vec set1(unsigned x) noexcept { return Vec{} + static_cast<std::int8_t>(x); }
    static Unsigned u(Vec v) noexcept { return reinterpret_cast<Unsigned>(v); }
    static Vec s(Unsigned v) noexcept { return reinterpret_cast<Vec>(v); }
    static Vec choose(Vec mask, Vec a, Vec b) noexcept { return (a & mask) | (b & ~mask); }

    static Vec add(Vec a, Vec b) noexcept { return s(u(a) + u(b)); }
    static Vec sub(Vec a, Vec b) noexcept { return s(u(a) - u(b)); }
    /// Saturating: where the sign of the wrapped result is impossible, the limit on the side of `a`.
    static Vec adds(Vec a, Vec b) noexcept {
        const Vec sum = add(a, b);
        const Vec overflow = (~(a ^ b) & (a ^ sum)) < 0;
        return choose(overflow, (a < 0) ^ 127, sum);
    }
    static Vec subs(Vec a, Vec b) noexcept {
        const Vec difference = sub(a, b);
        const Vec overflow = ((a ^ b) & (a ^ difference)) < 0;
        return choose(overflow, (a < 0) ^ 127, difference);
    }
    static Vec abs(Vec v) noexcept {
        const Vec m = v < 0;
        return sub(v ^ m, m);
    }
    static Vec min(Vec a, Vec b) noexcept { return s(u(a) < u(b) ? u(a) : u(b)); }
    static Vec max(Vec a, Vec b) noexcept { return s(u(a) < u(b) ? u(b) : u(a)); }
    static Vec exclusive_or(Vec a, Vec b) noexcept { return a ^ b; }
    static Vec inclusive_or(Vec a, Vec b) noexcept { return a | b; }
    static Vec both(Vec a, Vec b) noexcept { return a & b; }
    static Vec select_equal(Vec a, Vec b, Vec if_equal, Vec otherwise) noexcept {
        return choose(a == b, if_equal, otherwise);
    }
    static Vec negate_if_negative(Vec v, Vec sign) noexcept {
        const Vec m = sign < 0;
        return sub(v ^ m, m);
    }
    static Vec shift_right(Vec v, unsigned n) noexcept { return s(u(v) >> static_cast<std::uint8_t>(n)); }
    /// The values fall from 3 at most to 0, so the three places where they fall describe them.
    struct Table {
        std::array<Unsigned, 3> below{};
    };
    static Table table(const std::int8_t* sixteen) noexcept {
        Table t;
        for (int level = 1; level <= 3; ++level) {
            std::uint8_t n = 0;
            while (n < 15 && sixteen[n] >= level) ++n;
            t.below[static_cast<std::size_t>(level - 1)] = Unsigned{} + n;
        }
        return t;
    }
    static Vec correction(const Table& t, Vec x) noexcept {
        Vec sum{};
        for (const Unsigned& limit : t.below) sum -= u(x) < limit;  // true is -1
        return sum;
    }
    static bool any_negative(Vec v) noexcept {
        std::uint64_t half[2];
        std::memcpy(half, &v, sizeof half);
        return ((half[0] | half[1]) & 0x8080808080808080ULL) != 0;
    }
};

void pack_signs(const std::int8_t* values, std::size_t n, std::uint64_t* words) noexcept {
    for (std::size_t i = 0; i < n; i += 64) {
        std::uint64_t word = 0;
        for (std::size_t j = i; j < n && j < i + 64; ++j) {
            word |= static_cast<std::uint64_t>(values[j] < 0 ? 1U : 0U) << (j - i);
        }
        words[i / 64] = word;
    }
}

}  // namespace

const Kernel& generic_kernel() noexcept {
    static constexpr Kernel kKernel{&KernelImpl<Vec16>::update, &pack_signs};
    return kKernel;
}

}  // namespace meshnet::phy::ldpc
