// SPDX-License-Identifier: MIT
// What the handshakes with all neighbours share: the secrets of a responder without state, and how much work messages
// that nobody has proven may cause.
//
// A responder keeps nothing between its answer and the third message. Its ephemeral secret is a hash of a secret, the
// time of its answer and the first message; the third message brings time and first message back. Secrets live a
// minute and are accepted for another, so whoever takes longer starts anew.
// Spec: docs/spec/net.md, "Link handshake".
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/random.hpp"
#include "core/time.hpp"
#include "net/crypto.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {

class HandshakeShared {
public:
    static constexpr Duration kSecretLives = 60s;

    explicit HandshakeShared(RandomSource& random) noexcept : random_(random) {}
    HandshakeShared(const HandshakeShared&) = delete;
    HandshakeShared& operator=(const HandshakeShared&) = delete;
    ~HandshakeShared() {
        wipe(secret_);
        wipe(before_);
    }

    /// The time of an answer given now, in ns; no two answers have the same.
    [[nodiscard]] std::uint64_t stamp(Instant now) noexcept {
        newest_stamp_ = std::max(newest_stamp_ + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(to_ns(now), 0)));
        return newest_stamp_;
    }
    /// 32 bytes for the answer given at `stamp` (ns of our clock) to `first` from `link`; nothing if that is too long
    /// ago, or to come.
    [[nodiscard]] std::optional<Key32> derive(Instant now, std::uint64_t stamp, std::uint32_t link, ByteView first) {
        rotate(now);
        const Instant at = instant_from_ns(static_cast<std::int64_t>(stamp));
        if (stamp > newest_stamp_ || at < made_at_ - (have_before_ ? kSecretLives : Duration::zero())) {
            return std::nullopt;
        }
        const Key32& secret = at >= made_at_ ? secret_ : before_;
        Bytes context;
        ByteWriter w(context);
        w.u32(link);
        w.u64(stamp);
        w.bytes(first);
        return blake2b<32>({as_bytes("meshnet link responder v2"), ByteView(secret), ByteView(context)});
    }

    TokenBucket firsts{64, 64};
    TokenBucket thirds{64, 64};

private:
    void rotate(Instant now) {
        if (made_ && now < made_at_ + kSecretLives) {
            return;
        }
        // Answers of the time before the secret of before are void.
        have_before_ = made_ && now < made_at_ + 2 * kSecretLives;
        before_ = secret_;
        secret_ = random_key(random_);
        made_at_ = have_before_ ? made_at_ + kSecretLives : now;
        made_ = true;
    }

    RandomSource& random_;
    bool made_ = false;
    bool have_before_ = false;
    Instant made_at_{};
    std::uint64_t newest_stamp_ = 0;
    Key32 secret_{}, before_{};
};

}  // namespace meshnet::net
