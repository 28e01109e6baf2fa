// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/air_time.hpp"

#include <algorithm>

namespace meshnet::station {

namespace {

// So many seconds of uses are one line of the file: 360 lines an hour at most.
constexpr Duration kTogether = 10s;

}  // namespace

void AirTime::forget(Instant before) {
    while (!uses_.empty() && uses_.front().end <= before) {
        sum_ -= uses_.front().on;
        uses_.pop_front();
    }
}

Duration AirTime::used(Instant at) {
    const Instant begin = at - kDutyWindow;
    forget(begin);
    Duration used = sum_;
    // The oldest may have begun before the window: of it counts what is inside. Uses do not overlap, and one that was
    // restored counts as a whole until it leaves.
    if (!uses_.empty()) {
        const AirTimeUse& oldest = uses_.front();
        used -= std::clamp(begin - (oldest.end - oldest.on), Duration{}, oldest.on);
    }
    return used;
}

void AirTime::add(Instant end, Duration on) {
    if (on > Duration{}) {
        uses_.push_back({end, on});
        sum_ += on;
    }
}

std::vector<AirTimeUse> AirTime::summary(Instant at) {
    forget(at - kDutyWindow);
    std::vector<AirTimeUse> out;
    Instant first{};
    for (const AirTimeUse& use : uses_) {
        if (out.empty() || use.end - first > kTogether) {
            out.push_back(use);
            first = use.end;
        } else {
            out.back().end = use.end;
            out.back().on += use.on;
        }
    }
    return out;
}

}  // namespace meshnet::station
