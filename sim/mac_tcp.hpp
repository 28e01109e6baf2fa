// SPDX-License-Identifier: MIT
// One TCP-like transfer of unlimited length: a congestion window of packets, cumulative acknowledgements (every second
// packet, or after 40 ms), slow start, fast retransmission after three duplicates, a timer.
//
// Source: the rules of NewReno, RFC 5681 and RFC 6582, counted in packets; timer as RFC 6298.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>

#include "core/time.hpp"

namespace meshnet::sim {

class TcpSender {
public:
    /// The next packet to send; nothing while the window is full.
    std::optional<std::uint32_t> next(Instant now) {
        std::uint32_t out = 0;
        if (again_) {
            out = *again_;
            again_.reset();
        } else if (next_ < acknowledged_ + window()) {
            out = next_++;
            most_ = std::max(most_, next_);
        } else {
            return std::nullopt;
        }
        if (out + 1 == most_ && !timed_) {
            timed_ = out;
            timed_at_ = now;
        }
        if (!timer_) {
            timer_ = now + timeout_;
        }
        return out;
    }

    /// Every packet before `number` has arrived.
    void on_acknowledged(Instant now, std::uint32_t number) {
        if (number <= acknowledged_) {
            if (number == acknowledged_ && most_ > number && ++duplicates_ == 3 && !recovering_) {
                threshold_ = std::max(2.0, congestion_ / 2.0);
                congestion_ = threshold_;
                recovering_ = most_;
                again_ = acknowledged_;
                timed_.reset();
            }
            return;
        }
        const double newly = static_cast<double>(number - acknowledged_);
        acknowledged_ = number;
        next_ = std::max(next_, number);
        duplicates_ = 0;
        timer_ = most_ > number ? std::optional(now + timeout_) : std::nullopt;
        if (timed_ && number > *timed_) {
            on_round_trip(now - timed_at_);
            timed_.reset();
        }
        if (recovering_) {
            if (number < *recovering_) {
                again_ = number;  // the next hole
            } else {
                recovering_.reset();
            }
            return;
        }
        congestion_ += congestion_ < threshold_ ? newly : newly / congestion_;
        congestion_ = std::min(congestion_, kMostWindow);
    }

    [[nodiscard]] std::optional<Instant> timer() const noexcept { return timer_; }
    void on_timer(Instant now) {
        if (!timer_ || now < *timer_) {
            return;
        }
        threshold_ = std::max(2.0, congestion_ / 2.0);
        congestion_ = 1.0;
        next_ = acknowledged_;
        recovering_.reset();
        again_.reset();
        timed_.reset();
        duplicates_ = 0;
        timeout_ = std::min(2 * timeout_, Duration{60s});
        timer_ = now + timeout_;
    }

private:
    static constexpr double kMostWindow = 2'000.0;  // 3 MB: a receiver's buffer as Linux grants it

    [[nodiscard]] std::uint32_t window() const noexcept { return static_cast<std::uint32_t>(congestion_); }
    void on_round_trip(Duration measured) {
        if (smoothed_ == Duration::zero()) {
            smoothed_ = measured;
            deviation_ = measured / 2;
        } else {
            const Duration error = measured > smoothed_ ? measured - smoothed_ : smoothed_ - measured;
            deviation_ += (error - deviation_) / 4;
            smoothed_ += (measured - smoothed_) / 8;
        }
        timeout_ = std::max(smoothed_ + 4 * deviation_, Duration{200ms});
    }

    std::uint32_t next_ = 0, most_ = 0, acknowledged_ = 0;
    unsigned duplicates_ = 0;
    double congestion_ = 10.0, threshold_ = 1e9;
    std::optional<std::uint32_t> again_, recovering_, timed_;
    Instant timed_at_{};
    std::optional<Instant> timer_;
    Duration timeout_ = 1s, smoothed_{}, deviation_{};
};

class TcpReceiver {
public:
    /// True if it is to be acknowledged at once.
    bool on_packet(std::uint32_t number) {
        if (number != expected_) {
            if (number > expected_) {
                later_.insert(number);
            }
            return true;
        }
        ++expected_;
        while (later_.erase(expected_) > 0) {
            ++expected_;
        }
        return ++unacknowledged_ >= 2 || !later_.empty();
    }
    [[nodiscard]] std::uint32_t acknowledgement() noexcept {
        unacknowledged_ = 0;
        return expected_;
    }
    [[nodiscard]] bool waiting() const noexcept { return unacknowledged_ > 0; }
    [[nodiscard]] std::uint32_t expected() const noexcept { return expected_; }

private:
    std::uint32_t expected_ = 0;
    unsigned unacknowledged_ = 0;
    std::set<std::uint32_t> later_;
};

}  // namespace meshnet::sim
