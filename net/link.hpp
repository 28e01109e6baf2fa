// SPDX-License-Identifier: MIT
// Links to neighbours as the link layer and the router name them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/bytes.hpp"
#include "core/link.hpp"
#include "core/time.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

/// A neighbour as the link layer names it (mac::StationId). 0 is nobody.
using NeighborId = std::uint32_t;

/// The link number of a node: first four bytes of its id, 0 for no node.
[[nodiscard]] inline NeighborId link_of(const NodeId& id) noexcept {
    return ByteReader(id).u32();
}

enum class LinkClass : std::uint8_t { kRadio = 0, kSatellite = 1, kTunnel = 2 };

/// What the link layer reports of a neighbour.
struct LinkQuality {
    double rate_bps = 0.0;
    double loss = 0.0;                ///< 0..1 after the link layer chose its mode
    double airtime_us_per_kib = 0.0;  ///< ETT of a KiB, us
    Duration round_trip{};            ///< 0: unknown
    float snr_db = 0.0F;
    LinkClass link_class = LinkClass::kRadio;
};

/// One sealed frame for the link layer: at most kMaxFrameBytes.
struct OutFrame {
    NeighborId to = 0;  ///< or kBroadcast
    Priority priority = Priority::kBulk;
    Bytes bytes;
};
inline constexpr std::size_t kMaxFrameBytes = 8'000;

}  // namespace meshnet::net
