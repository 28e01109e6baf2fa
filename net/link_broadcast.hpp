// SPDX-License-Identifier: MIT
// Control messages to all neighbours at once: sealed with a key that each was given inside its session, and signed,
// because all of them hold that key.
//
//     4 | counter 4 | sealed { signature 64 | messages }         associated data: the first 5 bytes
//
// Spec: docs/spec/net.md, "Frames to everybody".
#pragma once

#include <deque>
#include <optional>

#include "core/random.hpp"
#include "core/time.hpp"
#include "net/crypto.hpp"
#include "net/replay_window.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

/// What one neighbour told us of its broadcasts.
struct BroadcastReceiver {
    std::optional<Key32> key;
    ReplayWindow seen;
    TokenBucket verifications{10, 20};
};

class LinkBroadcast {
public:
    static constexpr std::uint8_t kType = 4;
    static constexpr std::size_t kOverheadBytes = 1 + 4 + 64 + kAeadTagBytes;
    static constexpr std::size_t kMaxFrame = 1'500;

    LinkBroadcast(const SigningKey& device, RandomSource& random) : device_(device), key_(random_key(random)) {}
    LinkBroadcast(const LinkBroadcast&) = delete;
    LinkBroadcast& operator=(const LinkBroadcast&) = delete;
    ~LinkBroadcast() { wipe(key_); }

    /// The control message that gives a neighbour our key, for the inside of a new session.
    [[nodiscard]] Bytes key_message() const;
    /// Takes such a message; false if it is none.
    [[nodiscard]] static bool on_key(ByteView body, BroadcastReceiver& receiver);

    /// Queues a control message (type and body); false if there is no room, or it fits no frame.
    [[nodiscard]] bool push(Bytes message);
    [[nodiscard]] bool pending() const noexcept { return !queue_.empty(); }
    /// One frame of at most `max_bytes` with what waits.
    [[nodiscard]] std::optional<Bytes> poll(std::size_t max_bytes);
    void clear() noexcept { queue_.clear(); }

    enum class Refusal : std::uint8_t { kNone, kForged, kReplayed, kLimited };
    struct Opened {
        Refusal refusal = Refusal::kForged;
        Bytes plain;
    };
    /// Any bytes at all. `device`: the neighbour's signing key.
    [[nodiscard]] static Opened open(Instant now, ByteView frame, const Key32& device, BroadcastReceiver& receiver);

private:
    const SigningKey& device_;
    Key32 key_;
    std::uint32_t counter_ = 0;
    std::deque<Bytes> queue_;
};

}  // namespace meshnet::net
