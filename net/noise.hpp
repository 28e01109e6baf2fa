// SPDX-License-Identifier: MIT
// Noise handshakes: two parties without keys of each other (XX), or an initiator that knows the
// static key of the responder (IK), agree on two keys.
//
// Source: T. Perrin, "The Noise Protocol Framework", revision 34 (2018): sections 5 (processing rules), 7.5 (the
//         patterns), 12 (25519, ChaChaPoly, BLAKE2b: HASHLEN 64, BLOCKLEN 128).
#pragma once

#include <optional>

#include "net/crypto.hpp"

namespace meshnet::net {

enum class NoisePattern : std::uint8_t {
    kXX,  ///< -> e | <- e, ee, s, es | -> s, se
    kIK,  ///< <- s ... | -> e, es, s, ss | <- e, ee, se
};

/// One side of one handshake. Messages alternate, the initiator writes first.
/// A value: copy it before read() if a forged message must not spoil it.
class NoiseHandshake {
public:
    struct Keys {
        Key32 send{};
        Key32 receive{};
        Hash64 hash{};  ///< of the whole transcript; equal on both sides
    };

    /// `ephemeral_secret` must be fresh random bytes. `remote_static` is given for the initiator of IK only.
    /// `static_secret` must outlive the handshake and every copy of it.
    NoiseHandshake(NoisePattern pattern, bool initiator, ByteView prologue, const Key32& static_secret,
                   const Key32& ephemeral_secret, const std::optional<Key32>& remote_static = std::nullopt);
    ~NoiseHandshake();
    NoiseHandshake(const NoiseHandshake&) = default;
    NoiseHandshake& operator=(const NoiseHandshake&) = default;

    /// Appends our next message to `out`; false if the remote key is of low order (the handshake is dead).
    /// Precondition: it is our turn.
    [[nodiscard]] bool write(ByteView payload, Bytes& out);
    /// The payload of the remote's message; nothing if it is not genuine (the handshake is dead).
    [[nodiscard]] std::optional<Bytes> read(ByteView message);

    [[nodiscard]] bool finished() const noexcept;
    /// Precondition: finished().
    [[nodiscard]] Keys split() const;
    /// The remote's static key once it was received or given.
    [[nodiscard]] const std::optional<Key32>& remote_static() const noexcept { return remote_static_; }

private:
    enum class Token : std::uint8_t { kE, kS, kEE, kES, kSE, kSS };
    [[nodiscard]] std::span<const Token> tokens() const noexcept;
    [[nodiscard]] bool my_turn() const noexcept { return (message_ % 2 == 0) == initiator_; }
    [[nodiscard]] bool mix_dh(Token token);
    void mix_hash(ByteView data);
    void mix_key(ByteView input);
    void encrypt_and_hash(ByteView plain, Bytes& out);
    [[nodiscard]] std::optional<Bytes> decrypt_and_hash(ByteView sealed);

    NoisePattern pattern_;
    bool initiator_;
    int message_ = 0;
    Hash64 hash_{};
    Hash64 chaining_key_{};
    std::optional<Key32> key_;
    std::uint64_t counter_ = 0;
    const Key32* static_secret_;  // no copy: it stays where its owner guards it
    Key32 ephemeral_secret_{};
    std::optional<Key32> remote_static_, remote_ephemeral_;
};

}  // namespace meshnet::net
