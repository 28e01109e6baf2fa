// SPDX-License-Identifier: MIT
// Which counters were seen: each is accepted once, out of order within the newest 2048.
//
// Source: X. Zhang, T. Tsou, "IPsec Anti-Replay Algorithm without Bit Shifting", RFC 6479 (2012): a ring of words.
#pragma once

#include <array>
#include <cstdint>

namespace meshnet::net {

class ReplayWindow {
public:
    static constexpr std::uint64_t kWindow = 2048;  ///< counters this far behind the newest are still accepted

    /// True if `counter` was not seen and is not too old. Does not change anything.
    [[nodiscard]] bool fresh(std::uint64_t counter) const noexcept {
        if (counter >= next_) {
            return true;
        }
        if (next_ - counter > kWindow) {
            return false;
        }
        return (ring_[index(counter)] & bit(counter)) == 0;
    }

    /// Marks `counter` as seen; call only after its frame proved genuine, and only if fresh().
    void mark(std::uint64_t counter) noexcept {
        if (counter >= next_) {
            const std::uint64_t old_word = next_ == 0 ? 0 : (next_ - 1) / 64;
            const std::uint64_t new_word = counter / 64;
            const std::uint64_t steps = new_word - old_word;
            for (std::uint64_t i = 1; i <= (steps < ring_.size() ? steps : ring_.size()); ++i) {
                ring_[(old_word + i) % ring_.size()] = 0;
            }
            next_ = counter + 1;
        }
        ring_[index(counter)] |= bit(counter);
    }

    /// One more than the highest counter seen; 0 if none.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

private:
    static constexpr std::size_t kWords = kWindow / 64 + 1;  // one word of slack, so that no shift is needed
    static std::size_t index(std::uint64_t counter) noexcept { return (counter / 64) % kWords; }
    static std::uint64_t bit(std::uint64_t counter) noexcept { return std::uint64_t{1} << (counter % 64); }

    std::array<std::uint64_t, kWords> ring_{};
    std::uint64_t next_ = 0;
};

}  // namespace meshnet::net
