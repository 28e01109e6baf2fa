// SPDX-License-Identifier: MIT
// Which symbols of a frame are hit by a short burst of interference far above the frame: static, radar, a collision.
//
// Such a symbol says nothing of the frame's phase, time and channel, and its LLRs are worth what the burst left of
// them. A level that stays is no burst: after kLongest it is taken for the frame's own (fading) or for interference
// that the noise estimate has to follow.
#pragma once

#include <algorithm>
#include <cstddef>

namespace meshnet::phy {

/// Follows the level of one frame. Powers are means over the carriers of a symbol, in any unit.
class BurstGuard {
public:
    static constexpr float kRatio = 4.0F;       ///< over the frame's level: a burst, whatever the pilots say
    static constexpr float kDoubtful = 2.0F;    ///< a burst if the pilots miss what was expected too
    static constexpr double kLongest = 2.5e-3;  ///< seconds of a burst

    /// `level`: power of the training; `symbol_seconds`: length of a symbol.
    void start(float level, double symbol_seconds) noexcept {
        level_ = level;
        longest_ = std::max<std::size_t>(4, static_cast<std::size_t>(kLongest / symbol_seconds));
        run_ = 0;
    }
    /// Power of the next symbol -> power that does not belong to the frame, 0 for a symbol that is not hit. `missed`:
    /// its pilots are not where they were expected.
    [[nodiscard]] float excess(float power, bool missed) noexcept {
        if (power > (missed ? kDoubtful : kRatio) * level_ && run_ < longest_) {
            ++run_;
            return power - level_;
        }
        run_ = 0;
        level_ = std::max(power, kFall * level_);
        return 0.0F;
    }

private:
    static constexpr float kFall = 0.99F;  // of the level, each symbol: slower than fades, whose ends are no bursts
    float level_ = 0.0F;
    std::size_t longest_ = 4;
    std::size_t run_ = 0;
};

}  // namespace meshnet::phy
