// SPDX-License-Identifier: MIT
// The beacon of a superframe: who sends when, by the coordinator of a collision domain.
//
//     Beacon -> [write_beacon] -> body of a sub-frame          body, possibly hostile -> [read_beacon] -> Beacon
//
// Spec: docs/spec/mac.md, 2 "Burst format" and 10 "Superframes".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

inline constexpr std::size_t kMaxMembers = 64;
inline constexpr std::size_t kMaxSlots = 128;
inline constexpr Duration kBeaconStep = 64us;
/// Longest superframe, and latest start in it.
inline constexpr Duration kMostBeaconTime = 65'535 * kBeaconStep;

/// A burst, or several frames of one turn, of one member.
struct Slot {
    std::uint8_t member = 0;  ///< index into Beacon::members
    Duration start{};   ///< after the start of the beacon's burst, both at the antenna of their senders; 64 us steps
    Duration length{};  ///< at most; 64 us steps
};

struct Beacon {
    std::uint16_t number = 0;        ///< counts superframes
    bool last = false;               ///< no other follows: from `period` on the channel is open
    bool paired = false;             ///< two stations, both send at once
    Duration period{};               ///< from this beacon to the next; 64 us steps
    Duration open{};                 ///< from here to the end of the period anybody may contend; `period`: nobody
    std::vector<StationId> members;  ///< at most kMaxMembers; the first is the sender
    std::vector<Slot> slots;         ///< at most kMaxSlots, in the order of their starts
};

/// Bytes of the body, without tags.
[[nodiscard]] std::size_t beacon_body_bytes(std::size_t members, std::size_t slots) noexcept;
/// Preconditions (assert): counts and times within the limits above. Times are rounded to the nearest step below.
void write_beacon(ByteWriter& w, const Beacon& beacon);
/// Reads exactly the body; nothing for what no coordinator sends: slots of nobody, out of their order, or beyond the
/// period.
[[nodiscard]] std::optional<Beacon> read_beacon(ByteReader& r);

}  // namespace meshnet::mac
