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
        : cost_(1'000'000'000 / per_second), capacity_(cost_ * burst), level_(capacity_) {}

    /// Takes one token if there is one.
    bool take(Instant now) noexcept {
        const std::int64_t elapsed = std::clamp<std::int64_t>((now - last_).count(), 0, capacity_);
        last_ = std::max(last_, now);
        level_ = std::min(capacity_, level_ + elapsed);
        if (level_ < cost_) {
            return false;
        }
        level_ -= cost_;
        return true;
    }

private:
    std::int64_t cost_;      // ns of waiting a token is worth
    std::int64_t capacity_;  // ns
    std::int64_t level_;
    Instant last_{};
};

}  // namespace meshnet::net
