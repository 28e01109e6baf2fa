// SPDX-License-Identifier: MIT
// How slow host and radio really are: configuration and radio name the least, what is seen may be more.
//
// A frame that is delivered long after its end raises the advertised turnaround at once; it sinks again over some
// hundred frames. A late burst raises the lead by 2 ms; it sinks by 1 ms for every 50 bursts in time in a row.
#pragma once

#include <algorithm>

#include "core/time.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

class HostDelay {
public:
    static constexpr Duration kMostExtraTurnaround = 60ms;
    static constexpr Duration kMostExtraLead = 20ms;
    static constexpr Duration kLeastSpacing = 100us;

    explicit HostDelay(const RadioTiming& least) noexcept
        : configured_(least), least_(least), seen_(least.turnaround) {}

    /// What the radio needs, if that is more than the configuration says. Beyond kMost* of RadioTiming counts as that.
    void set_radio(const RadioTiming& radio) noexcept {
        const auto larger = [](Duration configured, Duration needed, Duration most) {
            return std::max(configured, std::clamp(needed, Duration::zero(), most));
        };
        least_.turnaround = larger(configured_.turnaround, radio.turnaround, RadioTiming::kMostTurnaround);
        least_.lead = larger(configured_.lead, radio.lead, RadioTiming::kMostLead);
        least_.jitter = larger(configured_.jitter, radio.jitter, RadioTiming::kMostJitter);
        least_.recovery = larger(configured_.recovery, radio.recovery, RadioTiming::kMostRecovery);
        least_.spacing = larger(configured_.spacing, radio.spacing, RadioTiming::kMostSpacing);
    }

    /// A frame was delivered this long after its last sample.
    void on_delivered(Duration after) noexcept {
        after = std::clamp(after, Duration::zero(), least_.turnaround + kMostExtraTurnaround);
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

    [[nodiscard]] Duration turnaround() const noexcept { return std::max(least_.turnaround, seen_); }
    [[nodiscard]] Duration lead() const noexcept { return least_.lead + extra_; }
    [[nodiscard]] Duration jitter() const noexcept { return least_.jitter; }
    [[nodiscard]] Duration recovery() const noexcept { return least_.recovery; }
    [[nodiscard]] Duration spacing() const noexcept { return std::max(least_.spacing, kLeastSpacing); }
    /// End of a frame heard to the start of our answer, at most.
    [[nodiscard]] Duration gap() const noexcept { return turnaround() + lead() + jitter(); }

private:
    RadioTiming configured_;
    RadioTiming least_;
    Duration seen_;
    Duration extra_{};
    unsigned in_time_ = 0;
};

}  // namespace meshnet::mac
