// SPDX-License-Identifier: MIT
// What the link layer and the network layer both say of a link.
#pragma once

#include <cstdint>

namespace meshnet {

/// Sent to everybody in range, never acknowledged: a mac::StationId and a net::NeighborId that is nobody's own.
inline constexpr std::uint32_t kBroadcast = 0xFFFF'FFFF;

/// Which packet leaves first; the smaller value.
enum class TrafficClass : std::uint8_t { kControl = 0, kInteractive = 1, kBulk = 2 };
using Priority = TrafficClass;

}  // namespace meshnet
