// SPDX-License-Identifier: MIT
// A limit on how often others may cause work: `burst` at once, `per_second` in the long run.
#pragma once

#include <algorithm>

#include "core/time.hpp"

namespace meshnet::net {

class TokenBucket {
public:
    /// Both >= 1. Starts full.
    constexpr TokenBucket(std::int64_t per_second, std::int64_t burst) noexcept
        : TokenBucket(Duration{1'000'000'000 / per_second}, burst) {}
    /// A token each `interval` (> 0) in the long run.
    constexpr TokenBucket(Duration interval, std::int64_t burst) noexcept
        : cost_(interval.count()), capacity_(cost_ * burst), level_(capacity_) {}

    /// Takes `count` (>= 0) tokens if there are so many.
    bool take(Instant now, std::int64_t count = 1) noexcept {
        const std::int64_t elapsed = std::clamp<std::int64_t>((now - last_).count(), 0, capacity_);
        last_ = std::max(last_, now);
        level_ = std::min(capacity_, level_ + elapsed);
        if (count > level_ / cost_) {
            return false;
        }
        level_ -= count * cost_;
        return true;
    }
    /// `count` tokens taken were not needed after all.
    void give_back(std::int64_t count) noexcept { level_ = std::min(capacity_, level_ + count * cost_); }

private:
    std::int64_t cost_;      // ns of waiting a token is worth
    std::int64_t capacity_;  // ns
    std::int64_t level_;
    Instant last_{};
};

}  // namespace meshnet::net
