// SPDX-License-Identifier: MIT
// The air-time cap of the band: a token bucket that keeps every window of ten minutes below the share allowed.
//
// A bucket of depth C refilled at rate r lets at most C + 600 r seconds pass in any 600 s. With share d: C = 60 d s and
// r = 0.9 d give exactly 600 d.
#pragma once

#include "core/time.hpp"

namespace meshnet::mac {

class DutyCycle {
public:
    /// `share` in (0, 1]; 1 means no cap.
    explicit DutyCycle(double share) noexcept;

    /// Longest transmission ever allowed.
    [[nodiscard]] Duration depth() const noexcept { return depth_; }
    /// Air time that may be used at `now`.
    [[nodiscard]] Duration available(Instant now) noexcept;
    /// When `airtime` (at most depth()) will be available.
    [[nodiscard]] Instant when(Instant now, Duration airtime) noexcept;
    void spend(Instant now, Duration airtime) noexcept;
    /// Gives back what was spent for a transmission that did not happen.
    void refund(Duration airtime) noexcept;

private:
    double share_;
    Duration depth_;
    Duration tokens_;
    Instant refilled_{};
    bool started_ = false;
};

}  // namespace meshnet::mac
