// SPDX-License-Identifier: MIT
#include "mac/neighbor.hpp"

#include <cassert>
#include <cmath>
#include <utility>

namespace meshnet::mac {
namespace {
constexpr Duration kBacklogFresh = 1s;
}

void Neighbor::hear(Instant now, float snr) noexcept {
    heard_at = now;
    if (!std::isfinite(snr)) {
        return;
    }
    snr_db = snr_known ? snr_db + (snr - snr_db) * 0.5F : snr;
    snr_known = true;
}

bool Neighbor::has_backlog(Instant now) const noexcept {
    return up && backlog_bytes > 0 && now - backlog_at < kBacklogFresh;
}

Neighbor* NeighborTable::find(StationId id) noexcept {
    const auto it = table_.find(id);
    return it == table_.end() ? nullptr : &it->second;
}

const Neighbor* NeighborTable::find(StationId id) const noexcept {
    const auto it = table_.find(id);
    return it == table_.end() ? nullptr : &it->second;
}

bool NeighborTable::make_room(Instant now, Duration stale) {
    if (table_.size() < kCapacity) {
        return true;
    }
    auto victim = table_.end();
    for (auto it = table_.begin(); it != table_.end(); ++it) {
        if (!it->second.up && now - it->second.heard_at > stale &&
            (victim == table_.end() || it->second.heard_at < victim->second.heard_at)) {
            victim = it;
        }
    }
    if (victim == table_.end()) {
        return false;
    }
    table_.erase(victim);
    return true;
}

const Neighbor* NeighborTable::surplus_stranger() const noexcept {
    std::size_t count = 0;
    const Neighbor* victim = nullptr;
    const auto rank = [](const Neighbor& n) { return std::pair{n.heard_bursts >= 2, n.heard_at}; };
    for (const auto& [id, n] : table_) {
        if (!n.auth.known()) {
            ++count;
            victim = victim == nullptr || rank(n) < rank(*victim) ? &n : victim;
        }
    }
    return count < kStrangers ? nullptr : victim;
}

bool NeighborTable::room_for_keys(const Neighbor** victim) const noexcept {
    std::size_t count = 0;
    *victim = nullptr;
    for (const auto& [id, n] : table_) {
        count += n.auth.known() ? 1U : 0U;
        if (n.auth.known() && !n.up && (*victim == nullptr || n.heard_at < (*victim)->heard_at)) {
            *victim = &n;
        }
    }
    if (count < kCapacity) {
        *victim = nullptr;
        return true;
    }
    return *victim != nullptr;
}

Neighbor& NeighborTable::add(Neighbor&& neighbor) {
    assert(table_.size() < kCapacity + kStrangers);
    const StationId id = neighbor.id;
    return table_.emplace(id, std::move(neighbor)).first->second;
}

}  // namespace meshnet::mac
