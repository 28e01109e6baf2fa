// SPDX-License-Identifier: MIT
// Paywords: w_n is secret, w_(k-1) = H(flow, k, w_k), and the root w_0 is published. Only the destination can release
// w_k, and w_k proves every payword before it.
//
// Source: L. Lamport, "Password authentication with insecure communication", CACM 24 (1981); as payment:
//         R. Rivest, A. Shamir, "PayWord and MicroMint" (1996). Keyed by flow and index, so that paywords of one
//         flow or position are worthless in another.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace meshnet::net {

using Payword = std::array<std::uint8_t, 16>;

/// w_(index-1) from w_index.
[[nodiscard]] Payword payword_before(const std::array<std::uint8_t, 16>& flow, std::uint32_t index,
                                     const Payword& payword) noexcept;

/// True if `payword` is w_index, given that `known` is w_known_index. Costs index - known_index hashes (0.3 us each);
/// false at once if index <= known_index. The caller bounds index by what can have been delivered.
[[nodiscard]] bool payword_follows(const std::array<std::uint8_t, 16>& flow, std::uint32_t known_index,
                                   const Payword& known, std::uint32_t index, const Payword& payword) noexcept;

/// The destination's side: all n paywords, of which every 64th is kept.
class HashChain {
public:
    HashChain() = default;
    /// `last` is w_n, fresh random bytes. 1 <= n <= 65536.
    HashChain(const std::array<std::uint8_t, 16>& flow, std::uint32_t n, const Payword& last);
    /// w_index, 0 <= index <= n; at most 64 hashes.
    [[nodiscard]] Payword payword(std::uint32_t index) const noexcept;
    [[nodiscard]] std::uint32_t length() const noexcept { return n_; }

private:
    static constexpr std::uint32_t kStride = 64;
    std::array<std::uint8_t, 16> flow_{};
    std::uint32_t n_ = 0;
    std::vector<Payword> kept_;  // [i]: w_(i * kStride), and the last one w_n
};

}  // namespace meshnet::net
