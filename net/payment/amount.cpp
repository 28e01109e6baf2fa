// SPDX-License-Identifier: MIT
#include "net/payment/amount.hpp"

#include <limits>

namespace meshnet::net {

__extension__ using Wide = unsigned __int128;

std::int64_t price_nsat(std::uint64_t msat_per_mib, std::uint64_t bytes) noexcept {
    constexpr auto kMost = static_cast<Wide>(std::numeric_limits<std::int64_t>::max());
    // price < 2^32 everywhere (checked where prices enter), so the product stays below 2^116.
    const Wide nsat = (static_cast<Wide>(msat_per_mib & 0xFFFF'FFFF) * 1'000'000U * bytes) >> 20;
    return static_cast<std::int64_t>(nsat < kMost ? nsat : kMost);
}

std::int64_t to_msat(std::int64_t nsat) noexcept {
    const std::int64_t half = nsat >= 0 ? kNsatPerMsat / 2 : -(kNsatPerMsat / 2);
    return nsat / kNsatPerMsat + (nsat % kNsatPerMsat + half) / kNsatPerMsat;
}

}  // namespace meshnet::net
