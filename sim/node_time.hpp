// SPDX-License-Identifier: MIT
// A station's own clock in a world: an offset, and fast or slow by parts in 10^9.
#pragma once

#include <cstdint>

#include "core/time.hpp"

namespace meshnet::sim {

/// A node's own time line: world time, shifted and running fast or slow by parts in 10^9.
class NodeTime {
public:
    NodeTime(std::int64_t offset_ns, std::int64_t parts_per_billion) : offset_(offset_ns), ppb_(parts_per_billion) {}
    [[nodiscard]] Instant local(Instant world) const {
        const std::int64_t t = to_ns(world);
        return instant_from_ns(offset_ + t + scaled(t, 1'000'000'000));
    }
    [[nodiscard]] Instant world(Instant local) const {
        const std::int64_t x = to_ns(local) - offset_;
        return instant_from_ns(x - scaled(x, 1'000'000'000 + ppb_));
    }

private:
    [[nodiscard]] std::int64_t scaled(std::int64_t t, std::int64_t per) const {
        __extension__ using Wide = __int128;
        return static_cast<std::int64_t>(static_cast<Wide>(t) * ppb_ / per);
    }
    std::int64_t offset_;
    std::int64_t ppb_;
};

}  // namespace meshnet::sim
