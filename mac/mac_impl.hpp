// SPDX-License-Identifier: MIT
// The state of one Mac and the steps it is made of. Private to mac/.
//
//     mac.cpp          the public face, queues, timers
//     mac_receive.cpp  what a received burst changes
//     mac_proof.cpp    what of it is proven, and what happens to the rest
//     mac_open.cpp     frames outside of sessions
//     mac_transmit.cpp when to send, and what follows
//     mac_burst.cpp    what a burst carries, how fast, and to whom it grants the answer
//     mac_build.cpp    putting one burst together
//     mac_links.cpp    which neighbours are up, and what is reported to routing
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "mac/contention.hpp"
#include "mac/duty_cycle.hpp"
#include "mac/frame_format.hpp"
#include "mac/host_delay.hpp"
#include "mac/mac.hpp"
#include "mac/neighbor.hpp"
#include "mac/strangers.hpp"

namespace meshnet::mac {

struct Mac::Impl {
    Impl(const Config& config, const PhyModel& phy, RandomSource& random);

    // A transmission opportunity (TXOP) that `from` granted us (0: our own, continued, or taken back from a station
    // that did not answer).
    struct TxopGrant {
        StationId from = 0;
        Instant heard_end{};  // end of the granting burst at our antenna
        Instant decide_at{};  // when to decide what to send
        Duration limit{};     // longest burst
        std::uint8_t chain_left = 0;
        bool wants_txop = false;
        bool retake = false;
        Instant not_before = kLongAgo;  // the burst starts no sooner
    };
    // A burst that the radio has, until it reports what became of it.
    struct Pending {
        std::uint64_t id = 0;
        std::uint8_t burst = 0;
        Instant at{};
        Instant end{};
        Duration airtime{};
        bool by_contention = false;
        bool retake = false;
        std::uint8_t chain_left = 0;
        StationId grantee = 0;
        Duration nav{};
        Duration answer_start{};  // after our end, until the answer must have been sensed
        std::optional<std::uint16_t> hello;
        bool robust_hello = false;
        std::vector<StationId> acked;
        bool more = false;
        bool long_data = false;  // worth an acknowledgement request before it is sent again
        Duration continues{};    // after it we send once more, at most this long
    };
    // An answer is due.
    struct Wait {
        StationId grantee = 0;
        std::uint8_t burst = 0;
        Instant deadline{};
        Instant hard_deadline{};
        bool carrier_seen = false;
        bool by_contention = false;
        bool retake = false;
        std::uint8_t chain_left = 0;
        bool more = false;
        bool long_data = false;
    };
    // A frame outside of any session, to be sent.
    struct OpenWaiting {
        StationId to = 0;
        Bytes bytes;
        Instant since{};
        bool answer = false;
    };
    // When a burst of ours was sent, by its number.
    struct SentBurst {
        std::uint32_t number = 0;
        Instant at = kLongAgo;
    };
    // A burst being put together, and the decisions it is made of.
    struct Draft {
        Burst burst;
        Neighbor* grantor = nullptr;  // who granted us this burst; it is acknowledged in any case
        Neighbor* primary = nullptr;  // main receiver of data
        Neighbor* grantee = nullptr;  // who may answer
        bool foreign = false;         // the channel is reserved by a third station: acknowledge, no more
        bool robust_alone = false;    // a hello alone in the most robust mode
        bool request_only = false;    // a short burst whose answer silences stations hidden from us
        bool continues = false;       // one more burst of ours follows
        ModeIndex mode = 0;
        Duration limit{};
        std::size_t budget = 0;  // payload bytes left
        bool data = false;
        bool opens = false;             // open frames and what fits with them, no data
        std::vector<OpenWaiting> sent;  // those it carries
    };
    // What a burst has shown to be its sender's.
    struct Proof {
        bool proven = false;    // a tag holds and the number is new
        bool replayed = false;  // a tag holds and the number is old
        bool forged = false;    // a tag does not hold
        bool hello = false;     // so is the hello
    };
    // A reservation that nobody has proven.
    struct Watch {
        StationId sender = 0;
        StationId grantee = 0;
        Instant from{};
        Instant until{};
        Duration busy_before{};
    };

    // mac.cpp
    void refresh(Instant now);
    [[nodiscard]] Duration resend_after() const;
    [[nodiscard]] Duration burst_limit() const;
    [[nodiscard]] Contention::Config contention_config() const;
    [[nodiscard]] std::size_t held_bytes() const;
    [[nodiscard]] std::size_t turn_bytes(const Neighbor& n) const;
    /// Bytes free for `peer` if its queue were `limit` long, or one turn if that is more; 0 if it is not up.
    [[nodiscard]] std::size_t room(StationId peer, std::size_t limit) const;
    bool enqueue(Instant now, Sdu sdu);
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    // mac_proof.cpp
    void on_checked_frame(Instant now, const RxFrame& frame, Burst& burst);
    [[nodiscard]] Proof prove(Instant now, Burst& burst, Neighbor& n);
    void on_stranger(Instant now, const RxFrame& frame, const Burst& burst, Neighbor& n);
    void note_reservation(Instant now, Instant heard_end, const BurstHeader& header, const Neighbor* n, bool proven);
    /// Charges what nobody used of the reservations that are over, or that `proven_by` has replaced.
    void settle_watches(Instant now, StationId proven_by);
    /// How long a carrier has been sensed since the start.
    [[nodiscard]] Duration busy_time(Instant now) const;
    void doubt(Instant now, const Burst& burst, Neighbor& n);
    void note_echo(Instant now, Instant sent, Neighbor& n);
    void set_link_keys(Instant now, StationId peer, const LinkKeys& keys, bool in_use);
    void forget_link_keys(Instant now, StationId peer);
    [[nodiscard]] Neighbor* stranger_for(Instant now, StationId id, bool create);
    void welcome(Instant now);

    // mac_open.cpp
    [[nodiscard]] bool enqueue_open(Instant now, Sdu sdu);
    [[nodiscard]] std::size_t room_to_all() const;
    void deliver_opens(const Burst& burst);
    [[nodiscard]] unsigned standing(const OpenWaiting& w) const;
    [[nodiscard]] static Duration kept_from(const Neighbor& n);
    [[nodiscard]] bool affordable(Instant now, const OpenWaiting& w) const;
    /// When the first that waits may go; nothing if none does.
    [[nodiscard]] std::optional<Instant> open_at(Instant now) const;
    [[nodiscard]] ModeIndex open_mode(const OpenWaiting& w) const;
    void plan_opens(Instant now, Draft& draft);
    void add_opens(Instant now, Draft& draft);
    void account_opens(Instant now, const Draft& draft, Duration airtime);
    void expire_opens(Instant now);

    // mac_receive.cpp
    void on_trusted(Instant now, Instant heard_end, const RxFrame& frame, const Burst& burst, Neighbor& n);
    [[nodiscard]] Neighbor& add_neighbor(StationId id);
    [[nodiscard]] Instant early_hello(Instant now);
    void on_frame(Instant now, const RxFrame& frame);
    [[nodiscard]] Neighbor* neighbor_for(Instant now, StationId id);
    void on_header(Instant now, Instant heard_end, const BurstHeader& header, Neighbor& n);
    void on_ack(Instant now, const BlockAck& ack, Neighbor& n);
    void on_hello(Instant now, Instant start, const Hello& hello, Neighbor& n);
    void on_content(Instant now, const Burst& burst, Neighbor& n);
    void on_answer(Neighbor& n);

    // mac_transmit.cpp and mac_burst.cpp
    [[nodiscard]] std::optional<TxRequest> poll_transmit(Instant now);
    [[nodiscard]] Instant continue_at() const;
    [[nodiscard]] std::optional<TxRequest> continue_turn(Instant now);
    void on_transmitted(Instant now, std::uint64_t id, TxOutcome outcome);
    void on_no_answer(Instant now);
    [[nodiscard]] bool has_work(Instant now) const;
    [[nodiscard]] const Neighbor* poll_target(Instant now) const;
    [[nodiscard]] unsigned extra_slots(Instant now) const;
    [[nodiscard]] std::optional<TxRequest> build(Instant now, const std::optional<TxopGrant>& by);
    [[nodiscard]] Draft plan(Instant now, const std::optional<TxopGrant>& by);
    void add_content(Instant now, const std::optional<TxopGrant>& by, Draft& draft);
    void choose_answer(Instant now, const std::optional<TxopGrant>& by, Draft& draft);
    void prove_grant(Draft& draft);
    void add_witnesses(Instant now, Draft& draft);
    void write_header(Instant now, Draft& draft, Pending& p);
    [[nodiscard]] TxRequest encode(Instant at, Draft& draft);
    void account(Instant now, const Draft& draft, Pending& p);
    void account_hello(Instant now, const Draft& draft, Pending& p);
    void choose_mode(Draft& draft);
    void add_acks(Draft& draft);
    void add_hello(Instant now, Draft& draft);
    [[nodiscard]] std::vector<Neighbor*> to_list(Instant now);
    void add_data(Instant now, Draft& draft, Neighbor* primary);
    [[nodiscard]] Neighbor* choose_primary();
    [[nodiscard]] Neighbor* choose_grantee(Instant now, const Draft& draft, const std::optional<TxopGrant>& by);
    /// Our end to the start of its answer, at most.
    [[nodiscard]] Duration answer_gap(const Neighbor& grantee) const;
    [[nodiscard]] Duration answer_airtime(Instant now, const Neighbor& n, bool with_data) const;
    [[nodiscard]] static bool wants_to_send(const Neighbor& n) {
        return n.up && (n.sender.ready() || n.ack_requests > 0);
    }
    [[nodiscard]] bool needs_request(Instant now, const Draft& draft, const Neighbor& primary) const;
    [[nodiscard]] bool worth_splitting(const Draft& draft, const TxopGrant& by, const Neighbor& grantor,
                                       const Neighbor& primary) const;
    [[nodiscard]] Duration more_frames(const Draft& draft, const Neighbor& primary) const;
    [[nodiscard]] bool others_wait(Instant now, StationId except) const;
    [[nodiscard]] std::size_t bytes_within(ModeIndex mode, Duration limit) const;
    [[nodiscard]] std::size_t fragment_bytes(ModeIndex mode) const;
    [[nodiscard]] ModeIndex mode_at(float snr_db) const;
    [[nodiscard]] ModeIndex base_mode() const;
    [[nodiscard]] bool hidden_beyond(Instant now, const Neighbor& n) const;

    // mac_links.cpp
    [[nodiscard]] LinkQuality quality(const Neighbor& n) const;
    void link_up(Instant now, Neighbor& n);
    void link_down(Neighbor& n);
    void report_changes(Instant now, Neighbor& n);
    void expire_links(Instant now);
    void collect_done(Neighbor& n);
    void update_hub();

    Config config;
    const PhyModel& phy;
    RandomSource& random;
    HostDelay host;
    Contention contention;
    DutyCycle duty;
    NeighborTable table;
    ArqSender broadcast;
    std::deque<Event> events;
    MacCounters counters;

    std::uint16_t epoch = 0;
    std::uint32_t burst_number = 0;
    std::array<SentBurst, 1'024> sent_bursts{};
    StrangerBudgets strangers;
    std::deque<OpenWaiting> opens;
    std::vector<Watch> watches;
    Duration carrier_time{};           // busy, up to the last change
    Instant charged_until = kLongAgo;  // unused reservations
    Instant welcomed_at = kLongAgo;    // last early hello for a stranger
    std::uint64_t next_id = 1;
    std::uint16_t hello_number = 0;
    SentHellos sent_hellos;
    bool started = false;
    Instant refreshed_at = kLongAgo;
    Regime regime = Regime::kInvite;
    Instant hello_at{};
    Instant robust_hello_at{};
    Instant duty_at = kLongAgo;    // no contention before: the air-time cap
    Instant expire_at = kLongAgo;  // next check for silent links
    bool hub = false;              // two of our neighbours cannot hear each other
    std::optional<TxopGrant> txop;
    std::deque<Pending> pending;  // one, or the frames of a turn in their order
    std::optional<Wait> wait;
};

inline constexpr std::size_t kAnswerBytes = 200;  ///< header, acknowledgement and a little more
inline constexpr Duration kLongBurst = 30ms;      ///< beyond this a burst is worth a request
inline constexpr Duration kWithBroadcast = 60ms;  ///< a burst slowed down for a broadcast ends after this
inline constexpr Duration kMargin = 1ms;          ///< of all waits
inline constexpr std::uint8_t kChainLength = 15;  ///< bursts from one contention to the next
inline constexpr unsigned kMissedHellos = 4;
inline constexpr unsigned kEchoedHellos = 5;  ///< a link is up while what we sent in so many intervals is echoed
inline constexpr Duration kDoubtEvery = 2s;
inline constexpr std::size_t kListedStrangers = 8;  ///< in one hello

}  // namespace meshnet::mac
