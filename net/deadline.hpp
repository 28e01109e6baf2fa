// SPDX-License-Identifier: MIT
// Deadlines that may not be set.
#pragma once

#include <algorithm>
#include <optional>

#include "core/time.hpp"

namespace meshnet::net {

/// The earlier of two deadlines; nothing if neither is set.
[[nodiscard]] inline std::optional<Instant> earliest(const std::optional<Instant>& a, const std::optional<Instant>& b) {
    return a && b ? std::min(*a, *b) : a ? a : b;
}

}  // namespace meshnet::net
