// SPDX-License-Identifier: MIT
// The credit of one paying neighbour in bytes: how many may be forwarded for it that no receipt has resolved yet.
//
// It grows with what the neighbour settles and shrinks with what it does not. Beside it stands an allowance for what is
// never proven: a gift at the start, a share of what is proven after that. The window never exceeds what is left of it,
// so what is carried without proof is at most the gift and that share of what was paid, over any number of flows and
// hours. Spec: docs/spec/payment.md, "Window".
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/time.hpp"

namespace meshnet::net {

class CreditWindow {
public:
    static constexpr std::uint64_t kLeast = 16'384;       ///< it never shrinks below, bytes
    static constexpr std::uint64_t kFloor = 65'536;       ///< what any neighbour may come to that settles, bytes
    static constexpr std::uint64_t kEarnedShare = 3;      ///< of so many bytes proven one more may stay unproven
    static constexpr std::uint64_t kHourlyGift = 65'536;  ///< bytes, so that nobody is locked out for ever
    static constexpr Duration kPatience = 10s;            ///< of a full window before it is halved

    /// Bytes; `max` >= `initial`.
    CreditWindow(std::uint64_t initial, std::uint64_t max) noexcept : CreditWindow(initial, max, initial) {}
    /// `allowance`: what of the gift is left, bytes.
    CreditWindow(std::uint64_t initial, std::uint64_t max, std::uint64_t allowance) noexcept
        : initial_(initial), max_(max), window_(initial), allowance_(allowance) {}

    /// A flow that the neighbour pays for now has `unresolved` bytes; `before` is what it had when last counted.
    void recount(Instant now, std::uint64_t before, std::uint64_t unresolved) noexcept {
        unresolved_ += unresolved;
        unresolved_ -= before;
        if (open()) {
            full_since_.reset();
        } else if (!full_since_) {
            full_since_ = now;
        }
    }
    /// A flow of which `counted` bytes were unresolved is forgotten.
    void release(std::uint64_t counted) noexcept { unresolved_ -= std::min(unresolved_, counted); }

    /// A receipt resolved `bytes`; `in_flight` were unresolved before. Once a whole window was settled the window
    /// doubles, up to twice what is in flight (2 x rate x round trip) and to the maximum.
    void settle(std::uint64_t bytes, std::uint64_t in_flight) noexcept {
        most_in_flight_ = std::max(most_in_flight_, in_flight);
        settled_ += bytes;
        full_since_.reset();
        if (settled_ >= window_) {
            settled_ = 0;
            const std::uint64_t most = std::clamp(2 * most_in_flight_, std::min(kFloor, max_), max_);
            window_ = std::min(2 * window_, std::max({most, window_, initial_}));
        }
    }
    /// `bytes` were forwarded and will never be proven: the loss is ours, and a large one halves the window.
    void write_off(std::uint64_t bytes) noexcept {
        if (bytes >= window_ / 4) {
            halve();
        }
        forfeit(bytes);
    }
    /// `bytes` are accounted for and not proven.
    void forfeit(std::uint64_t bytes) noexcept {
        allowance_ -= std::min(allowance_, bytes);
        unproven_ += bytes;
    }
    /// `bytes` that were forfeited are proven after all.
    void give_back(std::uint64_t bytes) noexcept {
        allowance_ = std::min(max_, allowance_ + bytes);
        unproven_ -= std::min(unproven_, bytes);
    }
    /// `bytes` more are proven.
    void earn(std::uint64_t bytes) noexcept {
        earned_ += bytes;
        const std::uint64_t more = earned_ / kEarnedShare;
        earned_ %= kEarnedShare;
        allowance_ = std::min(max_, allowance_ + more);
    }
    /// Once a second: the estimate of what is in flight decays, and a window that stays full is halved.
    void sweep(Instant now) noexcept {
        most_in_flight_ -= most_in_flight_ / 64;
        if (allowance_ < initial_ && now >= gift_at_) {
            if (gift_at_ != Instant{}) {
                allowance_ = std::min(initial_, allowance_ + kHourlyGift / 60);
            }
            gift_at_ = now + 60s;
        }
        if (full_since_ && now - *full_since_ >= kPatience) {
            halve();
            full_since_ = now;
        }
    }

    [[nodiscard]] bool open() const noexcept { return unresolved_ < bytes(); }
    /// At least half is used: time to probe destinations for what arrived.
    [[nodiscard]] bool half_used() const noexcept { return unresolved_ * 2 >= bytes(); }
    [[nodiscard]] std::uint64_t unresolved() const noexcept { return unresolved_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return std::min(window_, allowance_); }
    [[nodiscard]] std::uint64_t allowance() const noexcept { return allowance_; }
    /// Carried and never proven, all in all since the start.
    [[nodiscard]] std::uint64_t unproven() const noexcept { return unproven_; }

private:
    void halve() noexcept { window_ = std::max(window_ / 2, kLeast); }

    std::uint64_t initial_, max_;
    std::uint64_t window_;
    std::uint64_t allowance_;
    std::uint64_t unproven_ = 0;
    std::uint64_t earned_ = 0;  // not yet in the allowance: less than kEarnedShare
    Instant gift_at_{};
    std::uint64_t unresolved_ = 0;
    std::uint64_t settled_ = 0;         // since the window last grew
    std::uint64_t most_in_flight_ = 0;  // slowly falling maximum: an estimate of rate x round trip
    std::optional<Instant> full_since_;
};

}  // namespace meshnet::net
