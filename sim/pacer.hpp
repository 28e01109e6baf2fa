// SPDX-License-Identifier: MIT
// Keeps simulated time in step with a wall clock that somebody else reads.
//
// A block of simulated time is due once the wall clock has passed its end. A pacer that has fallen too far behind gives
// the time up (a slip) instead of hurrying after it: stations would otherwise see bursts of samples and miss their
// deadlines in a chain.
#pragma once

#include <cstdint>
#include <stdexcept>

#include "core/time.hpp"

namespace meshnet::sim {

class Pacer {
public:
    /// `speed`: simulated seconds in a wall second, (0, 1e6]; `block`: simulated, > 0; `patience`: wall time it may
    /// lag, > 0. Throws std::invalid_argument, naming the argument, if one is out of range.
    Pacer(Instant wall_start, double speed, Duration block, Duration patience)
        : start_(wall_start), speed_(speed), block_(block), patience_(patience) {
        if (!(speed > 0.0 && speed <= 1e6)) throw std::invalid_argument("speed must be within (0, 1e6]");
        if (block <= 0s) throw std::invalid_argument("block must be positive");
        if (patience <= 0s) throw std::invalid_argument("patience must be positive");
    }

    /// True if the next block is due at `wall`; it then counts as done. Call until false.
    [[nodiscard]] bool due(Instant wall) noexcept {
        if (wall < next()) {
            return false;
        }
        const Duration behind = wall - next();
        if (behind > patience_) {
            slipped_ += behind;
            start_ += behind;
        }
        ++blocks_;
        return true;
    }
    /// Wall time at which the next block is due.
    [[nodiscard]] Instant next() const noexcept {
        const double wall_ns = static_cast<double>(block_.count()) / speed_ * static_cast<double>(blocks_ + 1);
        return start_ + Duration{static_cast<std::int64_t>(wall_ns)};
    }
    /// Wall time given up so far.
    [[nodiscard]] Duration slipped() const noexcept { return slipped_; }

private:
    Instant start_;
    double speed_;
    Duration block_;
    Duration patience_;
    std::uint64_t blocks_ = 0;
    Duration slipped_{};
};

}  // namespace meshnet::sim
