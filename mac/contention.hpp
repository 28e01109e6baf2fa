// SPDX-License-Identifier: MIT
// When may a station without a grant begin to send: carrier sense, reservations heard, backoff.
//
//     carrier, reservations, own bursts -> [Contention] -> the instant at which to send
//
// A slot is the time within which two stations cannot know of each other: decision, transmit lead, propagation,
// detection. Spec: docs/spec/mac.md, 5 "Access".
#pragma once

#include <cstdint>
#include <optional>

#include "core/random.hpp"
#include "core/time.hpp"

namespace meshnet::mac {

/// Before anything that can happen, and far enough from the end of the range to be added to.
inline constexpr Instant kLongAgo{Duration{INT64_MIN / 4}};

class Contention {
public:
    struct Config {
        Duration slot{};         ///< 2 tau + L + lead
        Duration idle_before{};  ///< the channel must have been idle this long: L + tau, so that a frame just ended is
                                 ///< read first
        Duration unread_wait{};  ///< more after a busy period of which no header was read: room for an answer we know
                                 ///< nothing of
        Duration patience =
            2s;  ///< a carrier without end or header does not silence us longer than this: one burst for each
        unsigned window_min = 4;   ///< slots
        unsigned window_max = 32;  ///< slots
    };

    Contention(const Config& config, RandomSource& random) noexcept : config_(config), random_(random) {}

    /// Other times from now on, as the host is seen to be slower or faster.
    void reconfigure(Instant now, const Config& config);
    void on_carrier(Instant now, bool busy);
    /// A burst header was read: whatever the carrier was, it was this; `reserved_until` by it (now if nothing is). A
    /// header of the station that made the present reservation, or of the one it was made for, replaces it; others only
    /// extend it.
    void on_header(Instant now, std::uint32_t sender, std::uint32_t grantee, Instant reserved_until);
    /// The same of a burst that proves nothing, whose end was heard at `heard_end`. It shortens no reservation that was
    /// proven, and its own ends at `sense_by` (if given) unless another carrier is sensed until then.
    void on_unproven(Instant now, std::uint32_t sender, std::uint32_t grantee, Instant reserved_until,
                     Instant heard_end, std::optional<Instant> sense_by);
    /// A frame of which nothing is believed: it ends the busy period like any other.
    void on_unbelieved(Instant now);
    /// Our own transmission occupies the channel until `end`.
    void on_own_burst(Instant now, Instant end);
    /// Our own burst kept others quiet for us until then; we keep quiet too unless answered.
    void hold_until(Instant now, Instant until);

    /// There is something to send. Draws a backoff if the channel is not idle or the last attempt failed; harmless if
    /// repeated.
    void request(Instant now, unsigned extra_slots);
    /// Nothing to send any more.
    void cancel() noexcept { wanted_ = false; }
    /// How many others are likely to want the channel: the smallest window leaves about two slots to each.
    void expect(std::size_t others) noexcept;
    /// The attempt was answered, or needed no answer: next time starts from the smallest window.
    void succeeded() noexcept { failures_ = 0; }
    /// The attempt was not answered: the window doubles.
    void failed() noexcept { failures_ += failures_ < 8 ? 1U : 0U; }
    /// True after an attempt that failed.
    [[nodiscard]] bool contended() const noexcept { return failures_ > 0; }

    /// When to send if nothing happens before; nothing if nothing was requested. While the carrier is busy: when
    /// patience ends.
    [[nodiscard]] std::optional<Instant> ready_at() const noexcept;
    [[nodiscard]] bool wanted() const noexcept { return wanted_; }
    [[nodiscard]] bool carrier_busy() const noexcept { return busy_; }
    [[nodiscard]] Instant busy_since() const noexcept { return busy_since_; }
    [[nodiscard]] Instant reserved_until() const noexcept {
        return sense_by_ ? std::min(reserved_until_, *sense_by_) : reserved_until_;
    }
    [[nodiscard]] std::uint32_t reserved_by() const noexcept { return reserved_by_; }
    [[nodiscard]] const Config& config() const noexcept { return config_; }

private:
    [[nodiscard]] Instant idle_from() const noexcept;
    void on_read(Instant now);
    void reserve(std::uint32_t sender, std::uint32_t grantee, Instant until, bool proven);
    void consume(Instant now) noexcept;
    void defer();
    [[nodiscard]] std::uint64_t draw();

    Config config_;
    RandomSource& random_;
    bool busy_ = false;
    bool header_read_ = false;  // in the present or last busy period
    bool wanted_ = false;
    unsigned failures_ = 0;
    unsigned expected_ = 0;
    std::uint64_t slots_left_ = 0;
    Instant busy_since_{};
    Instant header_read_at_ = kLongAgo;
    Instant idle_since_ = kLongAgo;
    Instant unread_until_ = kLongAgo;
    Instant reserved_until_ = kLongAgo;
    Instant counted_from_ = kLongAgo;
    std::optional<Instant> sense_by_;  // the reservation ends then
    bool reserved_proven_ = false;
    std::uint32_t reserved_by_ = 0;
    std::uint32_t reserved_for_ = 0;
};

}  // namespace meshnet::mac
