// SPDX-License-Identifier: MIT
#include "net/payment/hash_chain.hpp"

#include <algorithm>
#include <cassert>

#include "net/crypto.hpp"

namespace meshnet::net {

Payword payword_before(const std::array<std::uint8_t, 16>& flow, std::uint32_t index, const Payword& payword) noexcept {
    const std::array<std::uint8_t, 4> place{static_cast<std::uint8_t>(index >> 24),
                                            static_cast<std::uint8_t>(index >> 16),
                                            static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)};
    return blake2b<16>({as_bytes("meshnet word v1"), ByteView(flow), ByteView(place), ByteView(payword)});
}

bool payword_follows(const std::array<std::uint8_t, 16>& flow, std::uint32_t known_index, const Payword& known,
                     std::uint32_t index, const Payword& payword) noexcept {
    if (index <= known_index) {
        return false;
    }
    Payword w = payword;
    for (std::uint32_t i = index; i > known_index; --i) {
        w = payword_before(flow, i, w);
    }
    return w == known;
}

HashChain::HashChain(const std::array<std::uint8_t, 16>& flow, std::uint32_t n, const Payword& last)
    : flow_(flow), n_(n) {
    assert(n >= 1 && n <= 65'536);
    kept_.resize(n / kStride + 2);
    kept_.back() = last;
    Payword w = last;
    for (std::uint32_t i = n;; --i) {
        if (i % kStride == 0) {
            kept_[i / kStride] = w;
        }
        if (i == 0) {
            break;
        }
        w = payword_before(flow_, i, w);
    }
}

Payword HashChain::payword(std::uint32_t index) const noexcept {
    assert(index <= n_ && !kept_.empty());
    const std::uint32_t above = (index + kStride - 1) / kStride;
    const bool from_last = above * kStride > n_;
    Payword w = from_last ? kept_.back() : kept_[above];
    for (std::uint32_t i = from_last ? n_ : above * kStride; i > index; --i) {
        w = payword_before(flow_, i, w);
    }
    return w;
}

}  // namespace meshnet::net
