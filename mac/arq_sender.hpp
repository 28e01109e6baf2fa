// SPDX-License-Identifier: MIT
// The sending half of selective repeat towards one neighbour: SDUs in, numbered fragments out, fates by block
// acknowledgement.
//
//     Sdu -> [ArqSender] -> fragments of a burst          BlockAck, silence, late bursts -> [ArqSender] -> which SDUs
//     arrived
//
// A fragment is ready, in flight (named by the burst it was last sent in) or resolved. Numbers are 16 bits; the window
// keeps at most 1024 unresolved, so they never confuse. An SDU is cut when it is first sent, to a size that suits the
// mode then used, and its fragments are numbered in a row. Spec: docs/spec/mac.md, 6 "Delivery".
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "mac/frame_format.hpp"
#include "mac/queue.hpp"

namespace meshnet::mac {

class ArqSender {
public:
    static constexpr std::size_t kWindow = 1'024;       ///< fragments
    static constexpr std::size_t kControlReserve = 64;  ///< of the window, for Priority::kControl only
    static constexpr unsigned kMaxTries = 12;           ///< of one fragment, then its SDU is given up

    /// What one acknowledgement reported of the fragments it covers.
    struct Fate {
        std::size_t sent = 0;
        std::size_t lost = 0;
        ModeIndex mode = 0;
    };
    struct Done {
        std::uint64_t tag = 0;
        bool delivered = false;
    };

    /// `rto`: after this long a fragment in flight that nothing was heard of is ready again.
    ArqSender(std::uint16_t session, Duration rto) noexcept : session_(session), rto_(rto) {}

    void set_rto(Duration rto) noexcept { rto_ = rto; }

    void push(Instant now, Sdu sdu);

    /// Appends ready fragments that fit `budget` payload bytes, overhead included, and marks them in flight in `burst`.
    /// Returns the bytes used. `fragment_bytes` (128..4096): size of newly cut fragments. `views` point into SDUs held
    /// here: encode at once.
    std::size_t take(Instant now, std::size_t budget, std::size_t fragment_bytes, std::uint8_t target,
                     std::uint8_t burst, ModeIndex mode, std::vector<FragmentView>& views);

    Fate on_ack(Instant now, const BlockAck& ack);
    /// The answer due after `burst` did not come: what it carried is ready again, and one try poorer.
    void on_silence(std::uint8_t burst);
    /// The same for all bursts in flight.
    void on_silence();
    /// `burst` was never on the air.
    void on_not_sent(std::uint8_t burst);
    /// `burst` was on the air and nobody acknowledges it (broadcasts).
    void on_sent_unacknowledged(std::uint8_t burst);
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const noexcept;

    /// The neighbour forgot its state: a new session, everything unresolved again from the start.
    void restart();
    /// Gives up everything.
    void flush();

    [[nodiscard]] std::optional<Done> poll_done();
    [[nodiscard]] bool ready() const noexcept { return ready_ > 0 || !queue_.empty(); }
    [[nodiscard]] Priority urgency() const noexcept;
    [[nodiscard]] std::size_t backlog_bytes() const noexcept {
        return ready_bytes_ + queue_.bytes();
    }  ///< to be sent now
    [[nodiscard]] std::size_t held_bytes() const noexcept {
        return held_bytes_ + queue_.bytes();
    }  ///< SDUs without a fate
    [[nodiscard]] bool in_flight() const noexcept { return flying_ > 0; }
    [[nodiscard]] std::uint16_t session() const noexcept { return session_; }
    [[nodiscard]] std::uint16_t floor() const noexcept;
    [[nodiscard]] std::uint64_t retransmissions() const noexcept { return retransmissions_; }

private:
    enum class State : std::uint8_t { kReady, kFlying, kResolved };
    struct Held {
        Sdu sdu;
        Instant since{};
        std::uint16_t number = 0;
        std::uint16_t first = 0;
        std::uint8_t count = 0;
        std::uint8_t unresolved = 0;
    };
    struct Fragment {
        std::shared_ptr<Held> sdu;
        std::uint8_t index = 0;
        State state = State::kReady;
        std::uint8_t tries = 0;  // that failed
        std::uint8_t burst = 0;
        bool sent_before = false;
        ModeIndex mode = 0;
        Instant sent_at{};
        std::size_t offset = 0;
        std::size_t length = 0;
    };

    bool admit(Instant now, std::size_t fragment_bytes, bool control_only);
    void set_state(Fragment& f, State to) noexcept;
    void lose(std::size_t position);
    void resolve(Fragment& f);
    void abandon(const std::shared_ptr<Held>& sdu);
    void trim();

    std::uint16_t session_;
    Duration rto_;
    SduQueue queue_;
    std::deque<Fragment> window_;  // front is fragment number floor()
    std::uint16_t next_ = 0;
    std::array<std::uint16_t, 3> next_sdu_{};
    std::deque<Done> done_;
    std::size_t ready_ = 0;
    std::size_t flying_ = 0;
    std::size_t ready_bytes_ = 0;
    std::size_t held_bytes_ = 0;
    Instant oldest_{};  // no fragment in flight was sent before
    std::uint64_t retransmissions_ = 0;
};

}  // namespace meshnet::mac
