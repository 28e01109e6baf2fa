// SPDX-License-Identifier: GPL-3.0-or-later
// Air time of one band in the hour that ends now: exact to the nanosecond, in the order of time.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "core/time.hpp"

namespace meshnet::station {

/// Duty cycles are shares of any hour (EN 300 220-1, 5.4; ARIB STD-T108).
inline constexpr Duration kDutyWindow = 1h;

/// Air time that ended at `end`.
struct AirTimeUse {
    Instant end{};
    Duration on{};
    friend bool operator==(const AirTimeUse&, const AirTimeUse&) = default;
};

/// Uses are added in the order of time, and do not overlap.
class AirTime {
public:
    /// `budget`: air time any hour may have.
    explicit AirTime(Duration budget) : budget_(budget) {}

    [[nodiscard]] Duration budget() const noexcept { return budget_; }
    /// Air time within the hour that ends at `at`, which is not before the end of any use and never decreases.
    [[nodiscard]] Duration used(Instant at);
    /// What a burst that ends at `end` may have.
    [[nodiscard]] Duration left(Instant end) { return budget_ - used(end); }
    /// `end` is not before the one before.
    void add(Instant end, Duration on);

    /// The uses of the hour that ends at `at`, for a file: those of 10 s together as one that ended with the last.
    [[nodiscard]] std::vector<AirTimeUse> summary(Instant at);

private:
    void forget(Instant before);

    Duration budget_;
    std::deque<AirTimeUse> uses_;
    Duration sum_{};
};

}  // namespace meshnet::station
