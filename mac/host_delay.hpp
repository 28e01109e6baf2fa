// SPDX-License-Identifier: MIT
// How slow this host really is: the turnaround and the transmit lead of the configuration are the least, what is seen
// may be more.
//
// A frame that is delivered long after its end raises the advertised turnaround at once; it sinks again over some
// hundred frames. A late burst raises the lead by 2 ms; it sinks by 1 ms for every 50 bursts in time in a row.
#pragma once

#include <algorithm>

#include "core/time.hpp"

namespace meshnet::mac {

class HostDelay {
public:
    static constexpr Duration kMostTurnaround = 60ms;
    static constexpr Duration kMostExtraLead = 20ms;

    HostDelay(Duration turnaround, Duration lead) noexcept : least_(turnaround), seen_(turnaround), lead_(lead) {}

    /// A frame was delivered this long after its last sample.
    void on_delivered(Duration after) noexcept {
        after = std::clamp(after, Duration::zero(), kMostTurnaround);
        seen_ = after > seen_ ? after : seen_ - (seen_ - after) / 128;
    }
    void on_late() noexcept {
        extra_ = std::min(extra_ + 2ms, kMostExtraLead);
        in_time_ = 0;
    }
    void on_sent() noexcept {
        if (++in_time_ % 50 == 0) {
            extra_ = std::max(extra_ - 1ms, Duration::zero());
        }
    }

    [[nodiscard]] Duration turnaround() const noexcept { return std::max(least_, seen_); }
    [[nodiscard]] Duration lead() const noexcept { return lead_ + extra_; }
    /// End of a frame heard to the start of our answer; at most what a header can hold.
    [[nodiscard]] Duration gap() const noexcept { return std::min(turnaround() + lead(), Duration{63ms}); }

private:
    Duration least_;
    Duration seen_;
    Duration lead_;
    Duration extra_{};
    unsigned in_time_ = 0;
};

}  // namespace meshnet::mac
