// SPDX-License-Identifier: MIT
// 32 bytes at a time. Compiled with -mavx2 on x86-64.
#include "phy/fec/ldpc_kernel.hpp"
#include "phy/fec/ldpc_kernel_impl.hpp"

#if defined(__AVX2__)
#include <immintrin.h>

namespace meshnet::phy::ldpc {

namespace {

struct Vec32 {
    static constexpr std::size_t kWidth = 32;
    using Vec = __m256i;

    static Vec load(const std::int8_t* p) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    static void store(std::int8_t* p, Vec v) noexcept { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
    static Vec set1(unsigned x) noexcept { return _mm256_set1_epi8(static_cast<char>(x)); }
    static Vec add(Vec a, Vec b) noexcept { return _mm256_add_epi8(a, b); }
    static Vec sub(Vec a, Vec b) noexcept { return _mm256_sub_epi8(a, b); }
    static Vec adds(Vec a, Vec b) noexcept { return _mm256_adds_epi8(a, b); }
    static Vec subs(Vec a, Vec b) noexcept { return _mm256_subs_epi8(a, b); }
    static Vec abs(Vec v) noexcept { return _mm256_abs_epi8(v); }
    static Vec min(Vec a, Vec b) noexcept { return _mm256_min_epu8(a, b); }
    static Vec max(Vec a, Vec b) noexcept { return _mm256_max_epu8(a, b); }
    static Vec exclusive_or(Vec a, Vec b) noexcept { return _mm256_xor_si256(a, b); }
    static Vec inclusive_or(Vec a, Vec b) noexcept { return _mm256_or_si256(a, b); }
    static Vec both(Vec a, Vec b) noexcept { return _mm256_and_si256(a, b); }
    static Vec select_equal(Vec a, Vec b, Vec if_equal, Vec otherwise) noexcept {
        return _mm256_blendv_epi8(otherwise, if_equal, _mm256_cmpeq_epi8(a, b));
    }
    static Vec negate_if_negative(Vec v, Vec sign) noexcept {
        // Bit 0 set keeps vpsignb's zero case away without touching the sign.
        return _mm256_sign_epi8(v, _mm256_or_si256(sign, _mm256_set1_epi8(1)));
    }
    static Vec shift_right(Vec v, unsigned n) noexcept {
        const Vec wide = _mm256_srl_epi16(v, _mm_cvtsi32_si128(static_cast<int>(n)));
        return _mm256_and_si256(wide, _mm256_set1_epi8(static_cast<char>(0xFFU >> n)));
    }
    using Table = Vec;
    static Table table(const std::int8_t* sixteen) noexcept {
        return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sixteen)));
    }
    static Vec correction(Table t, Vec x) noexcept { return _mm256_shuffle_epi8(t, min(x, set1(15))); }
    static bool any_negative(Vec v) noexcept { return _mm256_movemask_epi8(v) != 0; }
};

void pack_signs(const std::int8_t* values, std::size_t n, std::uint64_t* words) noexcept {
    for (std::size_t i = 0; i < n; i += 64) {
        const auto low = static_cast<std::uint32_t>(_mm256_movemask_epi8(Vec32::load(values + i)));
        const auto high = static_cast<std::uint32_t>(_mm256_movemask_epi8(Vec32::load(values + i + 32)));
        std::uint64_t word = (static_cast<std::uint64_t>(high) << 32) | low;
        if (n - i < 64) word &= (std::uint64_t{1} << (n - i)) - 1;
        words[i / 64] = word;
    }
}

}  // namespace

const Kernel* avx2_kernel() noexcept {
    static constexpr Kernel kKernel{&KernelImpl<Vec32>::update, &pack_signs};
    return __builtin_cpu_supports("avx2") ? &kKernel : nullptr;
}

}  // namespace meshnet::phy::ldpc

#else

namespace meshnet::phy::ldpc {
const Kernel* avx2_kernel() noexcept {
    return nullptr;
}
}  // namespace meshnet::phy::ldpc

#endif
