// SPDX-License-Identifier: MIT
#include "net/noise.hpp"

#include <algorithm>
#include <cassert>

namespace meshnet::net {

namespace {

constexpr std::size_t kBlock = 128;  // BLAKE2b's BLOCKLEN in the Noise specification, section 12.8

Hash64 hmac(const Hash64& key, std::initializer_list<ByteView> parts) {
    std::array<std::uint8_t, kBlock> inner{};
    std::array<std::uint8_t, kBlock> outer{};
    for (std::size_t i = 0; i < kBlock; ++i) {
        const std::uint8_t k = i < key.size() ? key[i] : std::uint8_t{0};
        inner[i] = static_cast<std::uint8_t>(k ^ 0x36);
        outer[i] = static_cast<std::uint8_t>(k ^ 0x5c);
    }
    Bytes message(inner.begin(), inner.end());
    for (const ByteView part : parts) {
        message.insert(message.end(), part.begin(), part.end());
    }
    const auto digest = blake2b<64>({ByteView(message)});
    wipe(message);
    return blake2b<64>({ByteView(outer), ByteView(digest)});
}

/// Section 4.3: HKDF with two outputs.
std::array<Hash64, 2> hkdf(const Hash64& chaining_key, ByteView input) {
    const Hash64 temp = hmac(chaining_key, {input});
    const std::array<std::uint8_t, 1> one{1};
    const std::array<std::uint8_t, 1> two{2};
    std::array<Hash64, 2> out{};
    out[0] = hmac(temp, {ByteView(one)});
    out[1] = hmac(temp, {ByteView(out[0]), ByteView(two)});
    return out;
}

Key32 truncate(const Hash64& hash) {
    Key32 key{};
    std::copy_n(hash.begin(), key.size(), key.begin());
    return key;
}

}  // namespace

NoiseHandshake::NoiseHandshake(NoisePattern pattern, bool initiator, ByteView prologue, const Key32& static_secret,
                               const Key32& ephemeral_secret, const std::optional<Key32>& remote_static)
    : pattern_(pattern),
      initiator_(initiator),
      static_secret_(&static_secret),
      ephemeral_secret_(ephemeral_secret),
      remote_static_(remote_static) {
    // "Initialize(protocol_name): if it is less than or equal to HASHLEN bytes, h is it with zero bytes appended."
    const std::string_view name =
        pattern == NoisePattern::kXX ? "Noise_XX_25519_ChaChaPoly_BLAKE2b" : "Noise_IK_25519_ChaChaPoly_BLAKE2b";
    static_assert(sizeof("Noise_XX_25519_ChaChaPoly_BLAKE2b") - 1 <= 64);
    std::copy(name.begin(), name.end(), hash_.begin());
    chaining_key_ = hash_;
    mix_hash(prologue);
    if (pattern == NoisePattern::kIK) {
        assert(initiator == remote_static.has_value());
        const Key32 responder = initiator ? *remote_static : dh_public(static_secret);
        mix_hash(responder);
    }
}

NoiseHandshake::~NoiseHandshake() {
    wipe(ephemeral_secret_);
    wipe(chaining_key_);
    if (key_) {
        wipe(*key_);
    }
}

std::span<const NoiseHandshake::Token> NoiseHandshake::tokens() const noexcept {
    using enum Token;
    static constexpr std::array kXX1{kE};
    static constexpr std::array kXX2{kE, kEE, kS, kES};
    static constexpr std::array kXX3{kS, kSE};
    static constexpr std::array kIK1{kE, kES, kS, kSS};
    static constexpr std::array kIK2{kE, kEE, kSE};
    if (pattern_ == NoisePattern::kXX) {
        switch (message_) {
            case 0:
                return kXX1;
            case 1:
                return kXX2;
            case 2:
                return kXX3;
            default:
                return {};
        }
    }
    switch (message_) {
        case 0:
            return kIK1;
        case 1:
            return kIK2;
        default:
            return {};
    }
}

bool NoiseHandshake::finished() const noexcept {
    return tokens().empty();
}

void NoiseHandshake::mix_hash(ByteView data) {
    hash_ = blake2b<64>({ByteView(hash_), data});
}

void NoiseHandshake::mix_key(ByteView input) {
    const auto out = hkdf(chaining_key_, input);
    chaining_key_ = out[0];
    key_ = truncate(out[1]);
    counter_ = 0;
}

bool NoiseHandshake::mix_dh(Token token) {
    // The first letter names the initiator's key, the second the responder's.
    const bool local_static = token == Token::kSS || (token == Token::kSE ? initiator_ : false) ||
                              (token == Token::kES ? !initiator_ : false);
    const bool remote_is_static = token == Token::kSS || (token == Token::kES ? initiator_ : false) ||
                                  (token == Token::kSE ? !initiator_ : false);
    const auto& remote = remote_is_static ? remote_static_ : remote_ephemeral_;
    assert(remote.has_value());
    auto shared = dh(local_static ? *static_secret_ : ephemeral_secret_, *remote);
    if (!shared) {
        return false;
    }
    mix_key(*shared);
    wipe(*shared);
    return true;
}

void NoiseHandshake::encrypt_and_hash(ByteView plain, Bytes& out) {
    const std::size_t at = out.size();
    if (key_) {
        aead_seal(*key_, counter_++, hash_, plain, out);
    } else {
        out.insert(out.end(), plain.begin(), plain.end());
    }
    mix_hash(ByteView(out).subspan(at));
}

std::optional<Bytes> NoiseHandshake::decrypt_and_hash(ByteView sealed) {
    std::optional<Bytes> plain;
    if (key_) {
        plain = aead_open(*key_, counter_++, hash_, sealed);
    } else {
        plain.emplace(sealed.begin(), sealed.end());
    }
    mix_hash(sealed);
    return plain;
}

bool NoiseHandshake::write(ByteView payload, Bytes& out) {
    assert(!finished() && my_turn());
    for (const Token token : tokens()) {
        if (token == Token::kE) {
            const Key32 e = dh_public(ephemeral_secret_);
            out.insert(out.end(), e.begin(), e.end());
            mix_hash(e);
        } else if (token == Token::kS) {
            encrypt_and_hash(dh_public(*static_secret_), out);
        } else if (!mix_dh(token)) {
            return false;
        }
    }
    encrypt_and_hash(payload, out);
    ++message_;
    return true;
}

std::optional<Bytes> NoiseHandshake::read(ByteView message) {
    if (finished() || my_turn()) {
        return std::nullopt;
    }
    ByteReader r(message);
    for (const Token token : tokens()) {
        if (token == Token::kE) {
            const Key32 e = r.array<32>();
            if (r.failed()) {
                return std::nullopt;
            }
            remote_ephemeral_ = e;
            mix_hash(e);
        } else if (token == Token::kS) {
            const auto s = decrypt_and_hash(r.bytes(key_ ? 32 + kAeadTagBytes : 32));
            if (!s || s->size() != 32) {
                return std::nullopt;
            }
            remote_static_.emplace();
            std::copy(s->begin(), s->end(), remote_static_->begin());
        } else if (!mix_dh(token)) {
            return std::nullopt;
        }
    }
    auto payload = decrypt_and_hash(r.rest());
    if (payload) {
        ++message_;
    }
    return payload;
}

NoiseHandshake::Keys NoiseHandshake::split() const {
    assert(finished());
    const auto out = hkdf(chaining_key_, {});
    Keys keys;
    keys.send = truncate(out[initiator_ ? 0 : 1]);
    keys.receive = truncate(out[initiator_ ? 1 : 0]);
    keys.hash = hash_;
    return keys;
}

}  // namespace meshnet::net
