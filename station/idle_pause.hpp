// SPDX-License-Identifier: GPL-3.0-or-later
// When a station may let samples wait for a moment. Waking up costs an idle station a third of its CPU time: on a quiet
// channel, with nothing to send and no timer near, two milliseconds of samples are taken at once. A frame that begins
// meanwhile is noticed then, and the rest of it taken without pauses; one that also ends meanwhile is still taken
// within the turnaround that the station counts with and advertises, or there is no pause at all.
#pragma once

#include <optional>

#include "core/time.hpp"

namespace meshnet::station {

class IdlePause {
public:
    static constexpr Duration kPause = 2ms;
    static constexpr Duration kQuiet = 50ms;  ///< longer than any exchange is silent between its frames

    /// `turnaround`: from samples at the antenna to a decision on the air, as configured.
    explicit IdlePause(Duration turnaround) noexcept : possible_(turnaround >= kPause) {}

    /// `active`: something is on the air, to be sent, or was just asked for; `due`: the next timer.
    [[nodiscard]] bool may_wait(Instant now, bool active, std::optional<Instant> due) noexcept {
        if (active || now < last_active_) {
            last_active_ = now;
        }
        return possible_ && now - last_active_ >= kQuiet && (!due || *due - now >= 2 * kPause);
    }

private:
    bool possible_;
    Instant last_active_{};
};

}  // namespace meshnet::station
