// SPDX-License-Identifier: MIT
// An established link to one neighbour: seals and opens frames, refuses replays.
//
//     0b10tttttt 1 | counter 4 | ciphertext | tag 16         t: the receiver's number for this session
//
// Counter and nonce are one, so the order of sealing must be the order of sending: seal when the frame leaves.
// Spec: docs/spec/net.md, "Link frames".
#pragma once

#include <optional>

#include "net/crypto.hpp"
#include "net/replay_window.hpp"

namespace meshnet::net {

class LinkSession {
public:
    static constexpr std::size_t kHeaderBytes = 5;
    static constexpr std::size_t kOverheadBytes = kHeaderBytes + kAeadTagBytes;
    static constexpr std::uint8_t kTagMask = 0x3F;
    static constexpr std::uint8_t kDataType = 0x80;

    /// `our_tag`: the number peers write in frames to us; `peer_tag`: what we write.
    LinkSession(const Key32& send, const Key32& receive, std::uint8_t our_tag, std::uint8_t peer_tag) noexcept
        : send_(send), receive_(receive), our_tag_(our_tag), peer_tag_(peer_tag) {}
    ~LinkSession() {
        wipe(send_);
        wipe(receive_);
    }
    LinkSession(const LinkSession&) = default;
    LinkSession& operator=(const LinkSession&) = default;

    [[nodiscard]] static bool is_data(ByteView frame) noexcept {
        return !frame.empty() && (frame[0] & 0xC0) == kDataType;
    }
    [[nodiscard]] static std::uint8_t tag_of(ByteView frame) noexcept { return frame[0] & kTagMask; }

    /// The sealed frame; nothing once the counter is used up (2^32 - 1 frames: a new handshake is long due).
    [[nodiscard]] std::optional<Bytes> seal(ByteView plain);

    enum class Refusal : std::uint8_t { kNone, kForged, kReplayed };
    struct Opened {
        Refusal refusal = Refusal::kForged;
        Bytes plain;
    };
    /// Any bytes at all. A frame is opened once.
    [[nodiscard]] Opened open(ByteView frame);

    [[nodiscard]] std::uint8_t our_tag() const noexcept { return our_tag_; }
    [[nodiscard]] std::uint32_t frames_sent() const noexcept { return next_counter_; }

private:
    Key32 send_, receive_;
    std::uint8_t our_tag_, peer_tag_;
    std::uint32_t next_counter_ = 0;
    ReplayWindow replay_;
};

}  // namespace meshnet::net
