// SPDX-License-Identifier: GPL-3.0-or-later
// When a station may let samples wait for a moment. Waking up costs an idle station a third of its CPU time: on a quiet
// channel, with nothing to send and no timer near, up to five milliseconds of samples are taken at once. A frame that
// begins meanwhile is noticed then, and the rest of it taken without pauses; the shortest one that also ends meanwhile
// is still taken within the turnaround that the station counts with and advertises.
#pragma once

#include <algorithm>
#include <optional>

#include "core/time.hpp"

namespace meshnet::station {

class IdlePause {
public:
    static constexpr Duration kLongest = 5ms;
    static constexpr Duration kShortest = 2ms;  ///< a shorter pause saves nothing
    static constexpr Duration kQuiet = 50ms;    ///< longer than any exchange is silent between its frames

    /// `turnaround`: from samples at the antenna to a decision on the air, as configured; `shortest_frame`: air time of
    /// the shortest frame there is.
    IdlePause(Duration turnaround, Duration shortest_frame) noexcept
        : length_(std::min(kLongest, turnaround + shortest_frame)), possible_(turnaround >= kShortest) {}

    /// How long a pause is.
    [[nodiscard]] Duration length() const noexcept { return length_; }
    /// `active`: something is on the air, to be sent, or was just asked for; `due`: the next timer.
    [[nodiscard]] bool may_wait(Instant now, bool active, std::optional<Instant> due) noexcept {
        if (active || now < last_active_) {
            last_active_ = now;
        }
        return possible_ && now - last_active_ >= kQuiet && (!due || *due - now >= 2 * length_);
    }

private:
    Duration length_;
    bool possible_;
    Instant last_active_{};
};

}  // namespace meshnet::station
