// SPDX-License-Identifier: MIT
// Everything between us and one neighbour before the first packet: handshakes, and the sessions they make.
//
//     1 | e 32 | tag 1                      first message, 34 bytes
//     2 | e 32 | s 48 | certificate+tag 190    second, 271
//     3 | s 48 | certificate 189            third, 238                      (Noise XX, link_session.hpp for data)
//
// - A new session replaces the old one only when the neighbour has shown that it holds its keys, so a forged or
// replayed
//   handshake never cuts a working link, and a neighbour that lost its state is back after three frames.
// - Both may start at once: the lower link number stays initiator, the other drops its attempt and answers.
// - Unauthenticated work is bounded: a token bucket on first messages, four half-open answers.
// Spec: docs/spec/net.md, "Link handshake".
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "core/random.hpp"
#include "core/time.hpp"
#include "net/certificate.hpp"
#include "net/link.hpp"
#include "net/link_session.hpp"
#include "net/noise.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

class LinkPeer {
public:
    /// May this node be our neighbour? Called once its certificate is verified.
    using Admission = std::function<bool(const NodeId&)>;

    /// References must outlive the LinkPeer.
    LinkPeer(const Certificate& certificate, const Key32& exchange_secret, NeighborId self, NeighborId peer,
             RandomSource& random, Admission admission);

    enum class Event : std::uint8_t {
        kNone,
        kUp,         ///< a new session is confirmed (first one, or it replaced another)
        kData,       ///< `plain` holds what the neighbour sent
        kUpAndData,  ///< both
        kConfirm,    ///< the neighbour has no confirmation yet that its session is up: send it anything
        kForged,     ///< not genuine, or not for any session we have
        kReplayed,
        kRefused,  ///< genuine, but not admitted, or not the station the link layer names
        kMalformed,
        kLimited,  ///< over the limit of unauthenticated messages
    };
    struct Outcome {
        Event event = Event::kNone;
        Bytes plain;
        bool replaced = false;  ///< sealed in a session that a newer one has replaced
    };

    /// Starts a handshake now unless one is running.
    void start(Instant now);
    /// Stops a running attempt; sessions stay.
    void stop();
    [[nodiscard]] Outcome on_frame(Instant now, ByteView frame);  ///< any bytes at all
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    /// The next handshake frame to send, if any.
    [[nodiscard]] std::optional<Bytes> poll_handshake();
    /// Its size, 0 if there is none.
    [[nodiscard]] std::size_t handshake_bytes() const noexcept {
        return outgoing_.empty() ? 0 : outgoing_.front().size();
    }
    [[nodiscard]] bool handshake_pending() const noexcept { return !outgoing_.empty(); }

    /// A session is there to send with.
    [[nodiscard]] bool up() const noexcept { return current_.has_value(); }
    /// Seals with the confirmed session. Precondition: up().
    [[nodiscard]] std::optional<Bytes> seal(ByteView plain);
    /// The neighbour's certificate. Precondition: up().
    [[nodiscard]] const Certificate& certificate() const noexcept { return current_->certificate; }
    [[nodiscard]] const NodeId& id() const noexcept { return current_->id; }
    [[nodiscard]] std::uint32_t frames_sent() const noexcept { return current_ ? current_->session.frames_sent() : 0; }
    [[nodiscard]] std::uint64_t handshakes() const noexcept { return handshakes_; }

private:
    struct Established {
        LinkSession session;
        Certificate certificate;
        NodeId id{};
    };
    struct Attempt {  // we are the initiator
        NoiseHandshake noise;
        std::uint8_t tag = 0;
        Bytes frame;  // the message we repeat until it is answered
        Instant next_send{};
        Duration interval{};
        int repeats = 0;
        std::optional<Established> proposed;  // after message 2, until the first frame of it arrives
    };
    struct HalfOpen {  // we are the responder
        NoiseHandshake noise;
        std::uint8_t tag = 0, peer_tag = 0;
        Bytes first, second;  // messages 1 and 2
        Instant since{};
    };

    Outcome on_first(Instant now, ByteView frame);
    Outcome on_second(Instant now, ByteView frame);
    Outcome on_third(Instant now, ByteView frame);
    Outcome on_data(Instant now, ByteView frame);
    [[nodiscard]] std::optional<Certificate> admitted(const NoiseHandshake& noise, ByteView certificate,
                                                      Event& why) const;
    void establish(Instant now, Established next);
    [[nodiscard]] std::uint8_t unused_tag();
    [[nodiscard]] Bytes prologue(bool initiator) const;

    const Certificate& own_certificate_;
    const Key32& exchange_secret_;
    NeighborId self_, peer_;
    RandomSource& random_;
    Admission admission_;

    std::optional<Attempt> attempt_;
    std::vector<HalfOpen> half_open_;
    std::optional<Established> current_, previous_;
    Instant previous_until_{};
    std::array<std::uint8_t, 16> last_third_{};  // hash of the message that made `current_`, if we were the responder
    std::vector<Bytes> outgoing_;
    TokenBucket first_messages_{4, 8};
    TokenBucket confirms_{4, 4};
    std::uint64_t handshakes_ = 0;
};

}  // namespace meshnet::net
