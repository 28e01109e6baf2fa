// SPDX-License-Identifier: MIT
// 64 bytes at a time. Compiled with -mavx512f -mavx512bw on x86-64.
#include "phy/fec/ldpc_kernel.hpp"
#include "phy/fec/ldpc_kernel_impl.hpp"

#if defined(__AVX512BW__)
#include <immintrin.h>

namespace meshnet::phy::ldpc {

namespace {

struct Vec64 {
    static constexpr std::size_t kWidth = 64;
    using Vec = __m512i;

    static Vec load(const std::int8_t* p) noexcept { return _mm512_loadu_si512(p); }
    static void store(std::int8_t* p, Vec v) noexcept { _mm512_storeu_si512(p, v); }
    static Vec set1(unsigned x) noexcept { return _mm512_set1_epi8(static_cast<char>(x)); }
    static Vec add(Vec a, Vec b) noexcept { return _mm512_add_epi8(a, b); }
    static Vec sub(Vec a, Vec b) noexcept { return _mm512_sub_epi8(a, b); }
    static Vec adds(Vec a, Vec b) noexcept { return _mm512_adds_epi8(a, b); }
    static Vec subs(Vec a, Vec b) noexcept { return _mm512_subs_epi8(a, b); }
    static Vec abs(Vec v) noexcept { return _mm512_abs_epi8(v); }
    static Vec min(Vec a, Vec b) noexcept { return _mm512_min_epu8(a, b); }
    static Vec max(Vec a, Vec b) noexcept { return _mm512_max_epu8(a, b); }
    static Vec exclusive_or(Vec a, Vec b) noexcept { return _mm512_xor_si512(a, b); }
    static Vec inclusive_or(Vec a, Vec b) noexcept { return _mm512_or_si512(a, b); }
    static Vec both(Vec a, Vec b) noexcept { return _mm512_and_si512(a, b); }
    static Vec select_equal(Vec a, Vec b, Vec if_equal, Vec otherwise) noexcept {
        return _mm512_mask_blend_epi8(_mm512_cmpeq_epi8_mask(a, b), otherwise, if_equal);
    }
    static Vec negate_if_negative(Vec v, Vec sign) noexcept {
        return _mm512_mask_sub_epi8(v, _mm512_movepi8_mask(sign), _mm512_setzero_si512(), v);
    }
    static Vec shift_right(Vec v, unsigned n) noexcept {
        const Vec wide = _mm512_srl_epi16(v, _mm_cvtsi32_si128(static_cast<int>(n)));
        return _mm512_and_si512(wide, _mm512_set1_epi8(static_cast<char>(0xFFU >> n)));
    }
    using Table = Vec;
    static Table table(const std::int8_t* sixteen) noexcept {
        return _mm512_maskz_broadcast_i32x4(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen)));
    }
    static Vec correction(Table t, Vec x) noexcept { return _mm512_shuffle_epi8(t, min(x, set1(15))); }
    static bool any_negative(Vec v) noexcept { return _mm512_movepi8_mask(v) != 0; }
};

void pack_signs(const std::int8_t* values, std::size_t n, std::uint64_t* words) noexcept {
    for (std::size_t i = 0; i < n; i += 64) {
        std::uint64_t word = _mm512_movepi8_mask(Vec64::load(values + i));
        if (n - i < 64) word &= (std::uint64_t{1} << (n - i)) - 1;
        words[i / 64] = word;
    }
}

}  // namespace

const Kernel* avx512_kernel() noexcept {
    static constexpr Kernel kKernel{&KernelImpl<Vec64>::update, &pack_signs};
    return __builtin_cpu_supports("avx512bw") ? &kKernel : nullptr;
}

}  // namespace meshnet::phy::ldpc

#else

namespace meshnet::phy::ldpc {
const Kernel* avx512_kernel() noexcept {
    return nullptr;
}
}  // namespace meshnet::phy::ldpc

#endif
