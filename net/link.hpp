// SPDX-License-Identifier: MIT
// Links to neighbours as the link layer and the router name them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

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
    bool open = false;    ///< a handshake: to be sent outside of any session of the link layer
    bool answer = false;  ///< of those, caused by one received
};
inline constexpr std::size_t kMaxFrameBytes = 8'000;
/// Size of a padded frame that needs `bytes`: the next of 128, 192, 256, 384, 512, ... 6144, kMaxFrameBytes. What a
/// listener learns of a packet is one of 13 classes; frames grow by half at most, beyond the least.
inline constexpr std::size_t kLeastPaddedFrame = 128;
[[nodiscard]] std::size_t padded_frame_bytes(std::size_t bytes) noexcept;

/// Keys by which the link layers of two neighbours prove their headers to each other, made in each handshake.
struct LinkKeys {
    std::array<std::uint8_t, 16> send{}, receive{};
    bool operator==(const LinkKeys&) const = default;
};
/// What the link layer is to do with its keys for a neighbour.
struct LinkKeyChange {
    NeighborId link = 0;
    std::optional<LinkKeys> keys;  ///< none: forget them
    bool in_use = true;            ///< the neighbour has them for certain; false: it will show
};

}  // namespace meshnet::net
