// SPDX-License-Identifier: MIT
// Time as the protocol sees it: integer nanoseconds, never floating point, never read from a clock.
//
// `Instant` counts from an arbitrary origin chosen by whoever drives the state machines (the daemon's
// monotonic clock, a sample counter, a virtual world). Only `station/sample_clock` converts to samples.
#pragma once

#include <chrono>
#include <cstdint>

namespace meshnet {

/// A span of time, integer nanoseconds, range about +-292 years.
using Duration = std::chrono::nanoseconds;

/// Names the time line. It has no now(): time is always an argument.
struct NodeClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<NodeClock, duration>;
    static constexpr bool is_steady = true;
};

/// A point on one node's monotonic time line.
using Instant = NodeClock::time_point;

using namespace std::chrono_literals;

/// `instant` at `ns` nanoseconds after the origin.
[[nodiscard]] constexpr Instant instant_from_ns(std::int64_t ns) noexcept {
    return Instant{Duration{ns}};
}

/// Nanoseconds after the origin.
[[nodiscard]] constexpr std::int64_t to_ns(Instant t) noexcept {
    return t.time_since_epoch().count();
}

/// Seconds, for display and for rates only.
[[nodiscard]] constexpr double to_seconds(Duration d) noexcept {
    return static_cast<double>(d.count()) * 1e-9;
}

/// Rounds to the nearest nanosecond. `seconds` must be finite and within the range of Duration.
[[nodiscard]] constexpr Duration from_seconds(double seconds) noexcept {
    return Duration{static_cast<std::int64_t>(seconds * 1e9 + (seconds < 0 ? -0.5 : 0.5))};
}

}  // namespace meshnet
