// SPDX-License-Identifier: MIT
#include "mac/beacon.hpp"

#include <cassert>

namespace meshnet::mac {
namespace {

constexpr std::size_t kFixed = 9;
constexpr std::size_t kMemberBytes = 4;
constexpr std::size_t kSlotBytes = 5;
constexpr unsigned kLastBit = 1;
constexpr unsigned kPairedBit = 2;

std::uint16_t steps(Duration d) {
    assert(d >= Duration::zero() && d <= kMostBeaconTime);
    return static_cast<std::uint16_t>(d / kBeaconStep);
}

}  // namespace

std::size_t beacon_body_bytes(std::size_t members, std::size_t slots) noexcept {
    return kFixed + kMemberBytes * members + kSlotBytes * slots;
}

void write_beacon(ByteWriter& w, const Beacon& beacon) {
    assert(beacon.members.size() <= kMaxMembers && beacon.slots.size() <= kMaxSlots);
    w.u16(beacon.number);
    w.u8(static_cast<std::uint8_t>((beacon.last ? kLastBit : 0U) | (beacon.paired ? kPairedBit : 0U)));
    w.u16(steps(beacon.period));
    w.u16(steps(beacon.open));
    w.u8(static_cast<std::uint8_t>(beacon.members.size()));
    w.u8(static_cast<std::uint8_t>(beacon.slots.size()));
    for (const StationId id : beacon.members) {
        w.u32(id);
    }
    for (const Slot& s : beacon.slots) {
        w.u8(s.member);
        w.u16(steps(s.start));
        w.u16(steps(s.length));
    }
}

std::optional<Beacon> read_beacon(ByteReader& r) {
    Beacon out;
    out.number = r.u16();
    const std::uint8_t flags = r.u8();
    out.last = (flags & kLastBit) != 0;
    out.paired = (flags & kPairedBit) != 0;
    out.period = r.u16() * kBeaconStep;
    out.open = r.u16() * kBeaconStep;
    const std::size_t members = r.u8();
    const std::size_t slots = r.u8();
    if (r.failed() || members == 0 || members > kMaxMembers || slots > kMaxSlots || out.open > out.period ||
        r.left() < members * kMemberBytes + slots * kSlotBytes) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < members; ++i) {
        out.members.push_back(r.u32());
    }
    Duration before{};
    for (std::size_t i = 0; i < slots; ++i) {
        Slot s;
        s.member = r.u8();
        s.start = r.u16() * kBeaconStep;
        s.length = r.u16() * kBeaconStep;
        // A slot of a pair may begin with the next beacon.
        if (s.member >= members || s.start < before || s.start > out.period) {
            return std::nullopt;
        }
        before = s.start;
        out.slots.push_back(s);
    }
    return out;
}

}  // namespace meshnet::mac
