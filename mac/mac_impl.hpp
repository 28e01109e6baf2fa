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
//     mac_lead.cpp     leading superframes: when, and who gets how much
//     mac_reserve.cpp  superframes
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
#include "mac/superframe.hpp"

namespace meshnet::mac {

struct Mac::Impl {
    Impl(const Config& config, const PhyModel& phy, RandomSource& random);

    // A transmission opportunity (TXOP) that `from` granted us (0: our own, continued, or taken back from a station
    // that did not answer).
    struct TxopGrant {
        StationId from = 0;
        Instant heard_end{};              // end of the granting burst at our antenna
        Instant delivered_at = kLongAgo;  // when it was delivered to us
        Instant decide_at{};              // when to decide what to send
        Duration limit{};                 // longest burst
        std::uint8_t chain_left = 0;
        bool wants_txop = false;
        bool retake = false;
        Instant not_before = kLongAgo;  // the burst starts no sooner
        // A slot of a superframe: nobody answers, and it ends then.
        bool reserved = false;
        Instant slot_end = kLongAgo;
        bool continued = false;        // not the first frame of the slot
        std::optional<Beacon> beacon;  // that opens it
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
        bool reserved = false;   // in a slot of a superframe
        bool beacon = false;
        Instant slot_end = kLongAgo;
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
    // The superframe that is under way, on our clock.
    struct OwnSlot {
        Instant start{};
        Duration length{};
    };
    struct OtherSlot {
        StationId station = 0;
        Instant start{};
        Duration length{};
    };
    struct Superframe {
        StationId coordinator = 0;
        std::uint16_t number = 0;
        Instant begin{};
        Duration period{};
        Duration open{};
        bool last = false;
        bool paired = false;
        std::size_t slots_given = 0;  // to us
        Duration given{};             // all of them
        std::deque<OwnSlot> own;      // that are still to come
        std::vector<OtherSlot> others;
        bool followed = false;  // we lead, and somebody used a slot
        unsigned missed = 0;    // beacons since
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
        bool beacon = false;    // so is the beacon
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
    void note_turn(Instant now, const RxFrame& frame, const Burst& burst, Neighbor& n);
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
    void plan_reserved(const TxopGrant& by, Draft& draft) const;
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
    [[nodiscard]] std::vector<Neighbor*> to_list(Instant now, bool robust);
    void add_data(Instant now, Draft& draft, Neighbor* primary);
    [[nodiscard]] Neighbor* choose_primary();
    [[nodiscard]] const Neighbor* choose_primary() const;
    [[nodiscard]] Neighbor* choose_grantee(Instant now, const Draft& draft, const std::optional<TxopGrant>& by);
    /// Our end to the start of its answer, at most.
    [[nodiscard]] Duration answer_gap(const Neighbor& grantee) const;
    [[nodiscard]] Duration answer_airtime(Instant now, const Neighbor& n, bool with_data) const;
    [[nodiscard]] bool wants_to_send(const Neighbor& n) const {
        return n.up && (n.sender.ready() || n.ack_requests > 0) && !blind_to_us(n);
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

    // mac_reserve.cpp
    [[nodiscard]] bool superframes_allowed() const;
    /// No contention now: slots are given.
    [[nodiscard]] bool gated(Instant now) const;
    [[nodiscard]] Instant beacon_due() const;
    [[nodiscard]] bool in_window(Instant now) const;
    [[nodiscard]] bool may_contend(Instant now) const;
    [[nodiscard]] std::size_t own_backlog() const;
    [[nodiscard]] Duration report_age() const;
    [[nodiscard]] std::size_t backlog_of(Instant now, const Neighbor& n) const;
    [[nodiscard]] std::size_t demand(Instant now) const;
    [[nodiscard]] Duration need_of(Instant now, const Neighbor& n) const;
    [[nodiscard]] Duration turn_airtime(ModeIndex mode, std::size_t bytes) const;
    [[nodiscard]] Duration whole_frames(const Neighbor* n, Duration most) const;
    [[nodiscard]] Duration bid_slot() const;
    [[nodiscard]] bool one_domain(Instant now) const;
    [[nodiscard]] bool may_lead(Instant now);
    [[nodiscard]] bool enough_load(Instant now) const;
    void consider_leading(Instant now);
    [[nodiscard]] Beacon make_beacon(Instant now, Duration* own_slot);
    [[nodiscard]] std::vector<Member> wanted_slots(Instant now, const std::vector<Neighbor*>& others);
    [[nodiscard]] SuperframePlan plan_for(Instant now, std::vector<Member>& members,
                                          const std::vector<Neighbor*>& others, const PlanLimits& limits,
                                          Beacon& beacon);
    [[nodiscard]] std::optional<TxRequest> lead(Instant now, Instant not_before);
    void note_follower(Instant start, StationId sender);
    void on_beacon(Instant now, Instant start, const Beacon& beacon, Neighbor& n);
    void adopt(Instant now, const Beacon& beacon, Superframe s, std::int64_t rate_ppb);
    void judge_share(Instant now, const Beacon& beacon, Neighbor& coordinator);
    void leave_superframes(Instant now);
    void settle_superframe(Instant now);
    void on_reserve_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> reserve_wake() const;
    [[nodiscard]] std::optional<TxRequest> poll_reserved(Instant now);
    void add_coordinator_witness(Draft& draft) const;
    void on_late_slot(Instant now, const Pending& p);
    [[nodiscard]] bool blind_to_us(const Neighbor& n) const;

    // mac_links.cpp
    [[nodiscard]] LinkQuality quality(Instant now, const Neighbor& n) const;
    void link_up(Instant now, Neighbor& n);
    void link_down(Neighbor& n);
    void report_changes(Instant now, Neighbor& n);
    void expire_links(Instant now);
    [[nodiscard]] Duration hello_period() const;
    [[nodiscard]] Duration hello_round(const Neighbor& n) const;
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
    std::optional<Superframe> reserve;
    bool lead_wanted = false;      // the next burst of ours opens a superframe
    Instant domain_at = kLongAgo;  // when everybody around us was last seen to hear everybody
    unsigned lead_rank = 0;        // candidates before us
    unsigned unused_rounds = 0;    // superframes in a row that we led, and nobody used a slot
    std::optional<Instant> loaded_since;
    Instant loaded_at = kLongAgo;
    Instant opened_at = kLongAgo;  // last window for strangers
    std::uint16_t superframe_number = 0;
    std::size_t advertised_backlog = 0;  // in our last header
    Instant sending_from{};              // of the burst being put together
    Instant sending_until{};
    std::optional<TxopGrant> txop;
    std::deque<Pending> pending;  // one, or the frames of a turn in their order
    std::optional<Wait> wait;
};

inline constexpr std::size_t kAnswerBytes = 200;      ///< header, acknowledgement and a little more
inline constexpr Duration kLongestTurn = 2s;          ///< in a slot of a superframe
inline constexpr Duration kLongestFrameAhead = 65ms;  ///< a frame is taken for no longer when asking who can hear it
inline constexpr Duration kLongBurst = 30ms;          ///< beyond this a burst is worth a request
inline constexpr Duration kWithBroadcast = 60ms;      ///< a burst slowed down for a broadcast ends after this
inline constexpr Duration kMargin = 1ms;              ///< of all waits
inline constexpr std::uint8_t kChainLength = 15;      ///< bursts from one contention to the next
inline constexpr unsigned kMissedHellos = 4;
inline constexpr unsigned kEchoedHellos = 5;  ///< a link is up while what we sent in so many intervals is echoed
inline constexpr Duration kDoubtEvery = 2s;
inline constexpr Duration kFar = 5ms;            ///< delays beyond it make superframes worth it for one station, too
inline constexpr Duration kOpenOverrun = 400ms;  ///< a beacon waits so long for a burst begun in the window before it
inline constexpr Duration kSlotEarly = 1ms;      ///< before the radio must have a burst: the host's scheduling
inline constexpr Duration kFrameSlot = 65ms;     ///< one full frame of the modes that matter for throughput
inline constexpr std::size_t kMuch = 4'000;      ///< bytes waiting: worth a superframe
inline constexpr Duration kLeastUse = 5ms;       ///< of a slot, or it is left
inline constexpr std::size_t kRobustHelloBytes = 130;  ///< a hello alone in the most robust mode
inline constexpr std::size_t kListedStrangers = 8;     ///< in one hello
inline constexpr std::size_t kListedRobust = 3;        ///< of all, in one in the most robust mode
inline constexpr Duration kLongestHelloPeriod = 4s;
inline constexpr std::int64_t kStationsPerHello = 16;  ///< beyond so many stations the period of hellos grows with them

}  // namespace meshnet::mac
