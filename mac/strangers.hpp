// SPDX-License-Identifier: MIT
// The air time we spend because of stations that have not proven who they are, and how far reservations by nobody we
// can check are believed.
//
// Air: a bucket each for what we begin, what we answer and early hellos, so that none starves another. Together they
// stay below one percent; a transmission may start while its bucket is not empty and its whole cost is taken. What was
// spent for a station that then proves itself is given back. Spec: docs/spec/mac.md, 3 "Proof", "Strangers".
#pragma once

#include <algorithm>

#include "core/time.hpp"

namespace meshnet::mac {

/// Air time that refills with a share of time.
class AirBudget {
public:
    constexpr AirBudget(std::int64_t parts_per_thousand, Duration depth) noexcept
        : per_mille_(parts_per_thousand), depth_(depth), level_(depth) {}

    /// More than `kept` is there.
    [[nodiscard]] bool open(Instant now, Duration kept = Duration::zero()) const noexcept { return level(now) > kept; }
    /// When it will be.
    [[nodiscard]] Instant opens_at(Instant now, Duration kept = Duration::zero()) const noexcept {
        const Duration have = level(now) - kept;
        return have > Duration::zero() ? now : now + (kGrain - have) * 1'000 / per_mille_;
    }
    void spend(Instant now, Duration time) noexcept {
        level_ = level(now) - time;
        at_ = now;
        started_ = true;
    }
    void refund(Duration time) noexcept { level_ = std::min(depth_, level_ + time); }

private:
    static constexpr Duration kGrain = 10us;

    [[nodiscard]] Duration level(Instant now) const noexcept {
        if (!started_) {
            return depth_;
        }
        // At most a day at once, so that no product leaves 64 bits.
        const Duration passed = std::clamp(now - at_, Duration::zero(), Duration{24h});
        return std::min(depth_, level_ + passed * per_mille_ / 1'000);
    }

    std::int64_t per_mille_;
    Duration depth_;
    Duration level_;
    Instant at_{};
    bool started_ = false;
};

/// All that strangers may cost.
struct StrangerBudgets {
    AirBudget attempts{3, 100ms};  ///< handshakes we begin
    AirBudget answers{3, 100ms};
    AirBudget welcomes{2, 100ms};  ///< early hellos
    /// Kept for those heard more than once: who is really there goes on saying so.
    static constexpr Duration kKept = 50ms;
    /// Of one message no more is charged: in slow modes it takes longer, and a weak link needs its three all the same.
    static constexpr Duration kMostCharged = 60ms;
    /// Time that reservations we cannot check may keep us quiet although nobody uses them.
    AirBudget unused{50, 500ms};
};

}  // namespace meshnet::mac
