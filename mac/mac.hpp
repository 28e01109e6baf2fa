// SPDX-License-Identifier: MIT
// Frames <-> packets on one shared channel: the public face of the medium access layer.
//
//     net packets -> [Mac] -> TxRequest{payload, mode, at} -> phy          phy frames -> [Mac] -> net packets, link
//     quality
//
// No socket, no clock, no thread: `now` is an argument, randomness is injected, actions are polled out.
// Spec: docs/spec/mac.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.hpp"
#include "core/counters.hpp"
#include "core/link.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "mac/doppler_tracker.hpp"

namespace meshnet::mac {

/// A station on this channel, by a number that it draws (node/) or is given. 0 is nobody.
using StationId = std::uint32_t;

/// Index into the modem's mode table, the most robust mode first.
using ModeIndex = std::uint8_t;

/// What the MAC must know of the modem. A station implements it over phy; simulations over a table.
class PhyModel {
public:
    PhyModel() = default;
    PhyModel(const PhyModel&) = default;
    PhyModel& operator=(const PhyModel&) = default;
    virtual ~PhyModel() = default;
    [[nodiscard]] virtual std::size_t mode_count() const = 0;
    /// Air time of a frame with `bytes` of payload, preamble and header included. Any `bytes`: fewer than 1 count
    /// as 1, more than max_bytes() as that.
    [[nodiscard]] virtual Duration airtime(ModeIndex mode, std::size_t bytes) const = 0;
    /// Payload bytes a frame can carry at most.
    [[nodiscard]] virtual std::size_t max_bytes() const = 0;
    /// SNR in dB at which 1000 bytes are lost with probability 1e-2 (static channel).
    [[nodiscard]] virtual float required_snr_db(ModeIndex mode) const = 0;
    /// Information bits per second during payload symbols.
    [[nodiscard]] virtual double payload_rate_bps(ModeIndex mode) const = 0;
};

/// A stretch of a received payload and whether its block CRC passed. Segments cover the payload in order.
struct Segment {
    std::size_t offset = 0;
    std::size_t length = 0;
    bool ok = false;
};

/// One frame as phy heard it.
struct RxFrame {
    Instant start{};  ///< first preamble sample at our antenna
    Instant end{};    ///< one past the last sample
    ModeIndex mode = 0;
    float snr_db = 0.0F;
    float cfo_hz = 0.0F;            ///< its carrier minus ours, at its end
    float cfo_deviation_hz = 0.0F;  ///< standard deviation of that, 0: unknown
    Bytes payload;
    std::vector<Segment> segments;
};

/// One frame to send. Starts at the antenna at `at` exactly (timing class A), or as soon after it as the radio can.
struct TxRequest {
    std::uint64_t id = 0;
    Bytes payload;
    ModeIndex mode = 0;
    Instant at{};
};

/// Times of a radio and its host. A radio without time stamps that switches between receiving and transmitting (timing
/// class B) has all four; one with device time (class A) neither jitter nor recovery.
struct RadioTiming {
    Duration turnaround{};  ///< L: antenna samples in to a decision on the air
    Duration lead{};        ///< `at` of a TxRequest is at least this after it is polled
    Duration jitter{};      ///< a burst starts at most this after its `at`
    Duration recovery{};    ///< after a burst's end, until the radio receives again
    Duration spacing{};     ///< between the end of a burst and the start of the next of the same turn, at least

    bool operator==(const RadioTiming&) const = default;

    static constexpr Duration kMostTurnaround = 200ms;
    static constexpr Duration kMostLead = 300ms;
    static constexpr Duration kMostJitter = 100ms;
    static constexpr Duration kMostRecovery = 200ms;
    static constexpr Duration kMostSpacing = 100ms;
};

/// What became of a TxRequest. `kLate`: the radio could not meet `at`; nothing was sent.
enum class TxOutcome : std::uint8_t { kSent, kLate };

/// A packet for, or from, a neighbour. From the MAC's view opaque bytes, 1..kMaxSduBytes.
struct Sdu {
    StationId peer = 0;  ///< receiver when sending (kBroadcast: everybody, unacknowledged), sender when received
    Priority priority = Priority::kBulk;
    std::uint64_t tag = 0;  ///< the sender's own mark, comes back in SduDone; not sent
    Bytes bytes;
    /// Sent, or received, outside of any session: whole, unacknowledged, proven by nobody; at most 511 bytes. Frames to
    /// everybody are that always if the Mac is authenticated, and then have at most 1500 bytes.
    bool open = false;
    bool answer = false;  ///< when sending an open one: caused by an open frame received
    /// When sending: packets of one number keep their order; the numbers of one receiver and class take turns. Not
    /// sent.
    std::uint32_t flow = 0;
};
inline constexpr std::size_t kMaxSduBytes = 8'192;

/// How stations come to the air (docs/spec/mac.md). kAuto: each collision domain chooses by its load and distances.
enum class Regime : std::uint8_t {
    kAuto,     ///< as load and distances ask for
    kInvite,   ///< carrier sense, then turns passed on by grants
    kReserve,  ///< superframes: bursts back to back at the instants of a coordinator's beacon
    kPaired,   ///< two stations on a long link: both send at once, then both receive
};

/// Payload bytes of the smallest burst that is worth a contention: a header for one target (36 bytes) and a hello that
/// lists as many neighbours as it can (333 bytes), with a little room. The most robust mode must carry it within
/// Config::max_burst and Config::duty_cycle; a burst that only requests a long answer is no longer than this.
inline constexpr std::size_t kSmallestBurstBytes = 400;

/// What two stations that have made a session prove their bursts to each other with: one key for each direction.
struct LinkKeys {
    std::array<std::uint8_t, 16> send{}, receive{};
    bool operator==(const LinkKeys&) const = default;
};

/// How well a neighbour is reached, for routing.
struct LinkQuality {
    StationId peer = 0;
    float snr_db = 0.0F;              ///< of what we hear from it
    float peer_snr_db = 0.0F;         ///< of what it hears from us, as it reported
    double rate_bps = 0.0;            ///< payload rate of the mode now used towards it
    double loss = 0.0;                ///< 0..1, of transmissions to it after the mode was chosen, smoothed
    double airtime_us_per_kib = 0.0;  ///< expected, retransmissions and overhead included
    Duration propagation{};           ///< one way, as far as known (0: unknown)
    ModeIndex mode = 0;               ///< used towards it
};
/// A neighbour hears us and we hear it. If the Mac is authenticated, before it has keys: only open frames pass.
struct LinkUp {
    LinkQuality quality;
};
struct LinkChanged {
    LinkQuality quality;
};
struct LinkDown {
    StationId peer = 0;
};
/// A neighbour that we have keys of is heard, and for some time has proven nothing: perhaps it has lost its own, or it
/// is another that goes by its number. Its link is down.
struct LinkUnproven {
    StationId peer = 0;
};
struct Received {
    Sdu sdu;
};
/// The fate of an enqueued unicast SDU: acknowledged by the neighbour, or given up.
struct SduDone {
    StationId peer = 0;
    std::uint64_t tag = 0;
    bool delivered = false;
};
using Event = std::variant<LinkUp, LinkChanged, LinkDown, Received, SduDone, LinkUnproven>;

/// One neighbour as `meshnet neighbours` shows it.
struct NeighborView {
    LinkQuality quality;
    bool up = false;
    Duration heard_ago{};
    std::size_t queued_bytes = 0;
    std::uint64_t sdus_sent = 0, sdus_acknowledged = 0, sdus_failed = 0, sdus_received = 0, duplicates = 0;
    std::uint64_t retransmissions = 0;
    std::optional<DopplerEstimate> doppler;  ///< nothing while it is not known
};

struct MacCounters {
    std::uint64_t frames_sent = 0, frames_received = 0, frames_unreadable = 0, frames_late = 0;
    std::uint64_t frames_empty =
        0;                          ///< sent, with neither data nor acknowledgement nor hello: grants and beacons alone
    std::uint64_t grants = 0;       ///< given to others, by burst or beacon
    std::uint64_t superframes = 0;  ///< in which we knew our place
    std::uint64_t beacons_sent = 0, beacons_missed = 0;
    Duration time_invite{}, time_reserve{},
        time_paired{};               ///< since the start, by regime; only invite, reserve, paired
    std::uint64_t sdus_refused = 0;  ///< enqueue() returned false: queue full or no such neighbour
    Duration airtime_used{};         ///< transmitted
    // Authenticated only: what was heard and not believed.
    std::uint64_t forged_targets = 0, forged_acks = 0, forged_hellos = 0,
                  forged_beacons = 0;       ///< in the name of a neighbour with keys
    std::uint64_t replayed = 0;             ///< bursts with a tag that holds, and a number used before
    std::uint64_t impossible = 0;           ///< fields that no honest station sends
    std::uint64_t unproven_grants = 0;      ///< to us, by nobody we have keys of: not used
    std::uint64_t unused_reservations = 0;  ///< unproven, and nobody was heard to use them
    std::uint64_t own_number = 0;           ///< bursts under our own number
    std::uint64_t opens_sent = 0, opens_received = 0;
    std::uint64_t opens_expired = 0;  ///< waited too long for the air time that strangers are given
    Duration airtime_strangers{};     ///< transmitted for stations that have not proven who they are
};
template <class Visit>
constexpr void visit_counters(const MacCounters& c, Visit&& visit) {
    visit("frames_sent", c.frames_sent);
    visit("frames_received", c.frames_received);
    visit("frames_unreadable", c.frames_unreadable);
    visit("frames_late", c.frames_late);
    visit("frames_empty", c.frames_empty);
    visit("grants", c.grants);
    visit("superframes", c.superframes);
    visit("beacons_sent", c.beacons_sent);
    visit("beacons_missed", c.beacons_missed);
    visit("time_invite", c.time_invite);
    visit("time_reserve", c.time_reserve);
    visit("time_paired", c.time_paired);
    visit("sdus_refused", c.sdus_refused);
    visit("airtime_used", c.airtime_used);
    visit("forged_targets", c.forged_targets);
    visit("forged_acks", c.forged_acks);
    visit("forged_hellos", c.forged_hellos);
    visit("forged_beacons", c.forged_beacons);
    visit("replayed", c.replayed);
    visit("impossible", c.impossible);
    visit("unproven_grants", c.unproven_grants);
    visit("unused_reservations", c.unused_reservations);
    visit("own_number", c.own_number);
    visit("opens_sent", c.opens_sent);
    visit("opens_received", c.opens_received);
    visit("opens_expired", c.opens_expired);
    visit("airtime_strangers", c.airtime_strangers);
}
static_assert(visits_every_counter<MacCounters>());

class Mac {
public:
    struct Config {
        StationId self = 0;
        Duration turnaround = 5ms;            ///< L: antenna samples in to a decision on the air
        Duration transmit_lead = 2ms;         ///< `at` of a TxRequest is at least this after it is polled
        Duration max_propagation = 1ms;       ///< tau of the farthest neighbour to expect (300 km: 1 ms)
        Duration hello_interval = 1s;         ///< beacons; jittered
        Duration max_burst = 200ms;           ///< longest transmission; longer for a radio slow to switch (burst_limit)
        std::size_t queue_bytes = 65'536;     ///< per neighbour, more where a turn holds more, and in all x 4
        double snr_margin_db = 1.5;           ///< starting margin of rate adaptation, learnt from losses afterwards
        double duty_cycle = 1.0;              ///< (0, 1]: share of any 10 minutes we may transmit
        std::optional<ModeIndex> fixed_mode;  ///< for tests: no rate adaptation
        Regime regime = Regime::kAuto;
        /// Believe of a neighbour only what it proves with the keys of set_link_keys(), and carry packets between us
        /// only with them. False: believe everybody; for simulations and networks without the layer that makes keys.
        bool authenticated = false;
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range. `phy` and `random` must outlive the
    /// Mac.
    Mac(const Config& config, const PhyModel& phy, RandomSource& random);
    ~Mac();
    Mac(const Mac&) = delete;
    Mac& operator=(const Mac&) = delete;

    // What happened, and when.
    void on_frame(Instant now, const RxFrame& frame);
    void on_carrier(Instant now, bool busy);  ///< carrier sense changed
    void on_transmitted(Instant now, std::uint64_t id,
                        TxOutcome outcome);  ///< when its last sample left (or it was late)
    void on_timeout(Instant now);            ///< harmless if early or repeated

    /// The radio was opened, or knows more of itself. Where the configuration says more, that counts.
    void set_radio_timing(Instant now, const RadioTiming& timing);

    /// Keys shared with `peer` (Config::authenticated). `in_use`: it has them for certain; otherwise they are used from
    /// the first burst on that it proves with them. Those before stay valid for a while.
    void set_link_keys(Instant now, StationId peer, const LinkKeys& keys, bool in_use = true);
    /// `peer` is a stranger again: its link goes down.
    void forget_link_keys(Instant now, StationId peer);

    /// Takes a packet to send; false (and counted) if its queue is full or there is no such neighbour.
    bool enqueue(Instant now, Sdu sdu);
    /// The same of a packet inside the session with `peer`, by its class; `flow` as in Sdu.
    bool submit(Instant now, StationId peer, TrafficClass traffic, Bytes bytes, std::uint32_t flow = 0,
                std::uint64_t tag = 0);
    /// Room, in bytes, for packets to that neighbour (or kBroadcast).
    [[nodiscard]] std::size_t room(StationId peer) const;

    // What to do: poll until empty after any call above.
    [[nodiscard]] std::optional<TxRequest> poll_transmit(Instant now);
    [[nodiscard]] std::optional<Event> poll_event();
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    // For displays.
    /// The number of this station on the channel.
    [[nodiscard]] StationId self() const noexcept;
    [[nodiscard]] std::vector<NeighborView> neighbors(Instant now) const;
    [[nodiscard]] const MacCounters& counters() const;
    /// The present one: kInvite, kReserve or kPaired.
    [[nodiscard]] Regime regime() const;

    /// Where the carriers of the neighbours are expected at `now`, of those of whom it is known.
    [[nodiscard]] std::vector<DopplerEstimate> doppler(Instant now) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::mac
