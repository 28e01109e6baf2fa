// SPDX-License-Identifier: MIT
// How slow host and radio really are: configuration and radio name the least, what is seen may be more.
//
// A frame that is delivered long after its end raises the advertised turnaround at once; it sinks again over some
// hundred frames. The lead is a quantile: a late burst now and then costs that burst only; the second of eight raises
// the lead by 2 ms, and eight in time in a row take 2 ms off again, as quickly as it rises. A step down that makes a
// burst late is taken back at once, and the next is tried after four times as many bursts.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/time.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

class HostDelay {
public:
    static constexpr Duration kMostExtraTurnaround = 60ms;
    static constexpr Duration kMostExtraLead = 20ms;
    static constexpr Duration kLeadStep = 2ms;
    static constexpr unsigned kRun = 8;
    static constexpr unsigned kMostPatience = 512;
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
        const bool probing = lowered_ && in_time_ < kRun;
        if (late_ != 0 || probing) {
            extra_ = std::min(extra_ + kLeadStep, kMostExtraLead);
            patience_ = probing ? std::min(4 * patience_, kMostPatience) : patience_;
            lowered_ = false;
        }
        late_ = static_cast<std::uint8_t>(late_ << 1U | 1U);
        in_time_ = 0;
    }
    void on_sent() noexcept {
        late_ = static_cast<std::uint8_t>(late_ << 1U);
        ++in_time_;
        if (lowered_ && in_time_ == kRun) {
            patience_ = kRun;  // the last step down did no harm
        }
        if (in_time_ >= patience_ && extra_ > Duration::zero()) {
            extra_ = std::max(extra_ - kLeadStep, Duration::zero());
            lowered_ = true;
            in_time_ = 0;
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
    std::uint8_t late_ = 0;  // the last eight bursts, newest in bit 0: 1 was late
    bool lowered_ = false;   // the last change of the lead was downwards
    unsigned in_time_ = 0;
    unsigned patience_ = kRun;  // bursts in time until the next step down
};

}  // namespace meshnet::mac
