// SPDX-License-Identifier: MIT
// Money: int64 nano-satoshi ("nsat"). 1 satoshi = 1000 millisatoshi = 10^9 nsat, so 1 msat = 10^6 nsat and the range is
// about +-92 bitcoin. Prices are whole msat per MiB (2^20 payload bytes).
#pragma once

#include <cstdint>

namespace meshnet::net {

inline constexpr std::int64_t kNsatPerMsat = 1'000'000;

/// What the first `bytes` delivered bytes of a flow cost in all: floor(price * 10^6 * bytes / 2^20), saturating.
/// Amounts of a flow are always differences of this, so both ends of a link round alike however the bytes arrive.
[[nodiscard]] std::int64_t price_nsat(std::uint64_t msat_per_mib, std::uint64_t bytes) noexcept;

/// Rounds to the nearest msat, for displays.
[[nodiscard]] std::int64_t to_msat(std::int64_t nsat) noexcept;

}  // namespace meshnet::net
