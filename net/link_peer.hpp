// SPDX-License-Identifier: MIT
// Everything between us and one neighbour before the first packet: handshakes, and the sessions they make.
//
//     1 | e 32 | tag 1 | padding 72                        first message, 106 bytes: the answer is no longer
//     2 | e 32 | s 48 | sealed(tag 1, time 8) 25           second, 106
//     3 | time 8 | e 32 | tag 1 | s 48 | certificate 190   third, 280: brings back what the second was made from
//     the responder's certificate, in the new session      (Noise XX, link_session.hpp for data)
//
// - Nothing that an outsider sends ends anything: a responder keeps nothing before a valid third message, an initiator
//   follows up to four answers side by side, and only a valid third message ends an attempt of our own.
// - A new session replaces the old one only when the neighbour has shown that it holds its keys, so a forged or
//   replayed handshake never cuts a working link, and a neighbour that lost its state is back after three frames.
// - Both may start at once: of two sessions that cross, the one begun by the lower link number stays.
// - One number, one neighbour: while a session lives, nobody else gets one under its number.
// Spec: docs/spec/net.md, "Link handshake".
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "core/random.hpp"
#include "core/time.hpp"
#include "net/certificate.hpp"
#include "net/handshake_shared.hpp"
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
             RandomSource& random, HandshakeShared& shared, Admission admission);

    enum class Event : std::uint8_t {
        kNone,
        kUp,         ///< a new session is confirmed (first one, or it replaced another)
        kData,       ///< `plain` holds what the neighbour sent
        kUpAndData,  ///< both
        kConfirm,    ///< the neighbour does not know yet that its session is up: send it the greeting, or anything
        kForged,     ///< not genuine, or not for any session we have
        kReplayed,
        kRefused,  ///< genuine, but not admitted, or another has a session under its number
        kMalformed,
        kLimited,  ///< over the limit of unauthenticated messages
    };
    struct Outcome {
        Event event = Event::kNone;
        Bytes plain;
        bool replaced = false;  ///< sealed in a session that a newer one has replaced
    };
    struct Handshake {
        Bytes frame;
        bool answer = false;  ///< to a first message
    };
    struct KeyChange {
        LinkKeys keys;
        bool in_use = true;
    };

    /// Starts a handshake now unless one is running.
    void start(Instant now);
    /// Stops a running attempt; sessions stay.
    void stop();
    [[nodiscard]] Outcome on_frame(Instant now, ByteView frame);  ///< any bytes at all
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;
    /// The next handshake frame to send, if any.
    [[nodiscard]] std::optional<Handshake> poll_handshake();
    [[nodiscard]] bool handshake_pending() const noexcept { return !outgoing_.empty(); }
    /// New keys for the link layer, if any.
    [[nodiscard]] std::optional<KeyChange> poll_keys();
    /// The first frame of a session that the neighbour began: our certificate, sealed. Precondition: up().
    [[nodiscard]] std::optional<Bytes> greeting();

    /// A session is there to send with.
    [[nodiscard]] bool up() const noexcept { return current_.has_value(); }
    /// Seals with the confirmed session. Precondition: up().
    [[nodiscard]] std::optional<Bytes> seal(ByteView plain);
    /// The neighbour reads what seal() makes: not before it has our certificate.
    [[nodiscard]] bool readable() const noexcept { return current_ && (current_->heard || current_->knows_us); }
    /// The neighbour's certificate. Precondition: up().
    [[nodiscard]] const Certificate& certificate() const noexcept { return *current_->certificate; }
    [[nodiscard]] const NodeId& id() const noexcept { return current_->id; }
    /// Keys of the link layer for the session. Precondition: up().
    [[nodiscard]] const LinkKeys& link_keys() const noexcept { return current_->mac; }
    [[nodiscard]] std::uint32_t frames_sent() const noexcept { return current_ ? current_->session.frames_sent() : 0; }
    [[nodiscard]] std::uint64_t handshakes() const noexcept { return handshakes_; }
    /// When the session was made. Precondition: up().
    [[nodiscard]] Instant since() const noexcept { return current_->since; }
    /// We answered in the present session and have not heard anything in it.
    [[nodiscard]] bool unheard() const noexcept { return current_ && !current_->heard; }

    static constexpr std::size_t kFirstBytes = 106;
    static constexpr std::size_t kSecondBytes = 106;
    static constexpr std::size_t kThirdBytes = 280;

private:
    struct Established {
        LinkSession session;
        LinkKeys mac;
        Key32 exchange{};                        // the neighbour's static key
        std::optional<Certificate> certificate;  // of an initiator's proposal: unknown at first
        NodeId id{};
        Instant since{};
        bool heard = false;     // something was opened in it
        bool knows_us = false;  // the neighbour has our certificate from another session
    };
    struct Proposal {  // a second message was valid
        Established session;
        Bytes third;
        int repeats = 0;
    };
    struct Attempt {  // we are the initiator
        NoiseHandshake noise;
        std::uint8_t tag = 0;
        Bytes first;
        Instant next_send{};
        int sends = 0;
        std::vector<Proposal> proposals;
        std::optional<Instant> ended;  // its other proposals may still be confirmed for a while
        bool crossed = false;          // a valid third message ended it
    };

    Outcome on_first(Instant now, ByteView frame);
    Outcome on_second(Instant now, ByteView frame);
    Outcome on_third(Instant now, ByteView frame);
    Outcome on_data(Instant now, ByteView frame);
    Outcome on_proposed(Instant now, std::size_t index, Bytes plain);
    [[nodiscard]] std::optional<Certificate> admitted(Instant now, const Key32& exchange, ByteView certificate,
                                                      Event& why) const;
    /// The responder's side after its answer; nothing if the first message is not one.
    struct Answered {
        NoiseHandshake noise;
        std::uint8_t tag = 0, peer_tag = 0;
        Bytes second;
    };
    [[nodiscard]] std::optional<Answered> answer(Instant now, std::uint64_t stamp, ByteView first_core);
    void establish(Instant now, Established next);
    void send(Bytes frame, bool answer);
    [[nodiscard]] Bytes prologue(bool initiator) const;

    const Certificate& own_certificate_;
    const Key32& exchange_secret_;
    NeighborId self_, peer_;
    RandomSource& random_;
    HandshakeShared& shared_;
    Admission admission_;

    std::optional<Attempt> attempt_;
    std::optional<Established> current_, previous_;
    Instant previous_until_{};
    Instant heard_at_{};                         // something was opened in the present session
    std::uint64_t newest_third_ = 0;             // its time: no older one makes a session
    std::array<std::uint8_t, 16> last_third_{};  // hash of the message that made `current_`, if we were the responder
    std::vector<Handshake> outgoing_;
    std::vector<KeyChange> key_changes_;
    TokenBucket firsts_{16, 16};
    TokenBucket seconds_{16, 16};
    TokenBucket thirds_{16, 16};
    TokenBucket confirms_{4, 4};
    std::uint64_t handshakes_ = 0;
};

}  // namespace meshnet::net
