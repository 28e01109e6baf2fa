// SPDX-License-Identifier: MIT
// The shared medium of a world without samples: who receives what, after which delay, at which SINR.
//
//     transmit(radio, start, burst) -> arrivals at the radios in range        arrival ended -> receive() -> RxFrame
//
// Half duplex, collisions by mean SINR over each code block, capture, errors drawn from TablePhy. World time only: the
// medium knows no node and no node's clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/counters.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"
#include "sim/table_phy.hpp"

namespace meshnet::sim {

/// What happened on the medium, counted over all radios.
struct MediumCounters {
    std::uint64_t transmissions = 0;
    std::uint64_t late = 0;               ///< requests that came too late for the radio, or overlapped another
    std::uint64_t arrivals = 0;           ///< frames times receivers in range
    std::uint64_t missed = 0;             ///< preamble or header lost to noise or collision
    std::uint64_t half_duplex_blind = 0;  ///< the receiver was transmitting
    std::uint64_t with_block_errors = 0;  ///< received with at least one block error
    std::uint64_t error_free = 0;         ///< received without
};
template <class Visit>
constexpr void visit_counters(const MediumCounters& c, Visit&& visit) {
    visit("transmissions", c.transmissions);
    visit("late", c.late);
    visit("arrivals", c.arrivals);
    visit("missed", c.missed);
    visit("half_duplex_blind", c.half_duplex_blind);
    visit("with_block_errors", c.with_block_errors);
    visit("error_free", c.error_free);
}
static_assert(visits_every_counter<MediumCounters>());

class TableMedium {
public:
    struct Burst {
        Bytes payload;
        mac::ModeIndex mode = 0;
    };
    /// A burst on the air. Its frame is lent to one receiver at a time: what differs is set just before.
    struct OnAir {
        mac::RxFrame frame;         ///< as received without block errors
        Duration before_payload{};  ///< preamble and header
        Duration airtime{};
    };
    /// What became of an arrival.
    enum class Outcome : std::uint8_t { kPending, kNobody, kBlind, kLost, kCollided, kReceived };
    /// One burst as one radio receives it.
    struct Arrival {
        std::size_t radio = 0;
        std::shared_ptr<OnAir> burst;
        Instant start{}, end{};
        double power = 0.0;      ///< over noise
        double snr_db = 0.0;     ///< the same
        float cfo_hz = 0.0F;     ///< carrier offset of the path
        bool sensed = false;     ///< strong enough for carrier sense
        bool done = false;       ///< its last sample has been received, or nobody was there to receive it
        bool disturbed = false;  ///< others arrived meanwhile, or the radio was transmitting
        Outcome outcome = Outcome::kPending;
        float intact = 0.0F;  ///< share of the payload received without block errors
    };
    /// What a receiver made of an arrival. An error-free one refers to the burst instead of copying it.
    class Reception {
    public:
        Instant start{}, end{};  ///< in world time
        float snr_db = 0.0F;
        float cfo_hz = 0.0F;
        std::shared_ptr<OnAir> burst;
        std::unique_ptr<mac::RxFrame> with_errors;

        /// The frame with these times, valid until the next call for the same burst.
        [[nodiscard]] const mac::RxFrame& frame(Instant at_start, Instant at_end) const;
    };

    /// `shortest_lead`: a burst that starts sooner after transmit() is late. `random` must outlive the medium.
    /// `frame_loss`, [0, 1]: share of the arrivals that are missed whatever their SINR, as under short interference.
    TableMedium(const phy::Profile& profile, double decade_db, Duration shortest_lead, double frame_loss, Rng& random);
    TableMedium(const TablePhy& phy, Duration shortest_lead, double frame_loss, Rng& random);

    /// A radio that hears nobody yet; the index counts from 0.
    std::size_t add_radio();
    /// Path in both directions; `snr_db` in the occupied band. Called again: replaces it.
    void connect(std::size_t a, std::size_t b, double snr_db, Duration delay, double cfo_hz = 0.0);
    void disconnect(std::size_t a, std::size_t b);
    /// The radio hears nothing from `from` to `to`, as one that switches slowly. Call in order of time.
    void blind(std::size_t radio, Instant from, Instant to);

    /// A burst on the medium, and what it becomes at every radio in range.
    struct Transmission {
        std::shared_ptr<OnAir> burst;
        Instant end{};
        std::vector<std::shared_ptr<Arrival>> arrivals;
    };
    /// Nothing (counted as late) if `start` is too soon, the radio is transmitting then, or the burst is impossible.
    std::optional<Transmission> transmit(Instant now, std::size_t radio, Instant start, Burst burst);
    /// To be called once when an arrival has ended: the frame the receiver makes of it, in world time, or nothing if it
    /// was missed. `listening` false: nobody was there.
    std::optional<Reception> receive(Instant now, Arrival& arrival, bool listening);

    [[nodiscard]] const TablePhy& phy() const noexcept { return phy_; }
    [[nodiscard]] const MediumCounters& counters() const noexcept { return counters_; }

private:
    struct Interval {
        Instant start{}, end{};
    };
    struct Radio {
        std::deque<Interval> own;    ///< transmissions, oldest first
        std::deque<Interval> blind;  ///< more time without reception
        std::deque<std::shared_ptr<Arrival>> arrivals;
    };
    struct Path {
        std::size_t to = 0;
        double power = 0.0;
        double snr_db = 0.0;
        Duration delay{};
        float cfo_hz = 0.0F;
        std::vector<std::int8_t> sensed;  ///< by mode; -1: not asked yet
    };

    [[nodiscard]] Path* path(std::size_t from, std::size_t to);
    [[nodiscard]] bool sensed(Path& path, mac::ModeIndex mode) const;
    [[nodiscard]] Reception demodulate(const Radio& radio, Arrival& arrival, Instant payload_start,
                                       double header_sinr_db);
    [[nodiscard]] static double sinr_db(const Radio& radio, const Arrival& of, Instant from, Instant to);
    [[nodiscard]] static bool overlaps(const std::deque<Interval>& intervals, Instant from, Instant to);
    [[nodiscard]] static bool hears_nothing(const Radio& radio, Instant from, Instant to);
    [[nodiscard]] static bool disturbed(const Radio& radio, const Arrival& arrival);
    void forget_old(Instant now, Radio& radio) const;

    TablePhy phy_;
    Duration shortest_lead_;
    double frame_loss_;
    Rng& random_;
    std::vector<Radio> radios_;
    std::vector<std::vector<Path>> paths_;  ///< from each radio, by the index of the other
    MediumCounters counters_;
    Duration longest_frame_{};
};

}  // namespace meshnet::sim
