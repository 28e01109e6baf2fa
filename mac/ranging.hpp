// SPDX-License-Identifier: MIT
// One-way propagation delay to one neighbour from two-way time stamps in hellos.
//
//     A sends at t1 -> B hears at t2, sends its own at t3 -> A hears at t4;   tau = ((t4 - t1) - (t3 - t2)) / 2
//
// t3 - t2 runs on B's clock; over a second 20 ppm are 20 us. The rate of B's clock against ours is measured from two
// successive hellos of B and taken out. All integer nanoseconds. Source: the two-way exchange is that of IEEE Std
// 1588-2019, clause 11.3 (delay request-response).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/time.hpp"
#include "mac/frame_format.hpp"

namespace meshnet::mac {

/// The start times of our own last hellos, by number.
class SentHellos {
public:
    void add(std::uint16_t number, Instant sent) noexcept;
    /// It was not sent after all.
    void forget(std::uint16_t number) noexcept;
    [[nodiscard]] std::optional<Instant> find(std::uint16_t number) const noexcept;

private:
    struct Entry {
        std::uint16_t number = 0;
        bool used = false;
        Instant sent{};
    };
    std::array<Entry, 16> entries_{};
};

class Ranging {
public:
    /// Beyond a path through a geostationary satellite and some way on the ground.
    static constexpr Duration kMostPropagation = 300ms;

    /// A hello of the neighbour arrived, first sample at `received` on our clock; `about_us` is its entry for us, if
    /// any.
    void on_hello(Instant received, const Hello& hello, const std::optional<Heard>& about_us,
                  const SentHellos& ours) noexcept;
    /// The neighbour started anew: its clock is another.
    void reset() noexcept;

    /// At `now`, by the line through the last estimates; nothing before the first. A distance that changes by 20 km/s
    /// at most is followed.
    [[nodiscard]] std::optional<Duration> propagation(Instant now) const noexcept;
    /// (our clock - its clock) / its clock, parts in 10^9; 0 while unknown.
    [[nodiscard]] std::int64_t rate_ppb() const noexcept { return rate_known_ ? rate_ppb_ : 0; }
    /// For our own hello: number and arrival of the neighbour's last one.
    [[nodiscard]] bool heard() const noexcept { return heard_; }
    [[nodiscard]] std::uint16_t last_number() const noexcept { return last_number_; }
    [[nodiscard]] Instant last_received() const noexcept { return last_received_; }

private:
    [[nodiscard]] std::int64_t slope_ppb() const noexcept;

    static constexpr std::size_t kEstimates = 8;
    static constexpr std::size_t kLeastForSlope = 4;
    struct Estimate {
        Instant at{};
        Duration tau{};
    };

    bool heard_ = false;
    bool rate_known_ = false;
    std::uint16_t last_number_ = 0;
    Instant last_received_{};
    Duration last_sent_{};       // 48-bit stamp of the neighbour
    std::int64_t rate_ppb_ = 0;  // (our clock - its clock) / its clock
    std::array<Estimate, kEstimates> estimates_{};
    std::size_t count_ = 0;
};

}  // namespace meshnet::mac
