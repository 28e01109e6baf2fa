// SPDX-License-Identifier: MIT
// The few primitives everything above is made of, with lengths as types. A thin face of libsodium.
//
// Every hash and signature of ours begins with a context string that names protocol, purpose and version, so that bytes
// made for one purpose are never valid for another.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_set>

#include "core/bytes.hpp"
#include "core/random.hpp"

namespace meshnet::net {

using Key32 = std::array<std::uint8_t, 32>;
using Hash64 = std::array<std::uint8_t, 64>;
using Signature = std::array<std::uint8_t, 64>;
inline constexpr std::size_t kAeadTagBytes = 16;

/// Readies libsodium; cheap when repeated. Throws std::runtime_error if the library cannot start.
void crypto_init();

/// The bytes of a string literal or text, without a terminator.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// BLAKE2b (RFC 7693) of the parts one after the other; `out` is 16..64 bytes and its length is part of the hash.
void blake2b(std::span<std::uint8_t> out, std::initializer_list<ByteView> parts) noexcept;

template <std::size_t N>
[[nodiscard]] std::array<std::uint8_t, N> blake2b(std::initializer_list<ByteView> parts) noexcept {
    static_assert(N >= 16 && N <= 64);
    std::array<std::uint8_t, N> out{};
    blake2b(std::span<std::uint8_t>(out), parts);
    return out;
}

/// An Ed25519 key pair (RFC 8032) made from its 32-byte seed. Wiped on destruction.
class SigningKey {
public:
    SigningKey() = default;
    explicit SigningKey(const Key32& seed) noexcept;
    ~SigningKey();
    SigningKey(const SigningKey&) = default;
    SigningKey& operator=(const SigningKey&) = default;

    [[nodiscard]] const Key32& public_key() const noexcept { return public_; }
    /// Signature over `context` and then `message`.
    [[nodiscard]] Signature sign(std::string_view context, ByteView message) const;

private:
    Key32 public_{};
    std::array<std::uint8_t, 64> secret_{};
};

/// True if `signature` is `key`'s over `context` and `message`. About 0.1 ms: check everything cheap first.
[[nodiscard]] bool verify(const Key32& key, std::string_view context, ByteView message, const Signature& signature);

/// While one exists, signatures made or verified on its thread are remembered, and verify() finds them by a hash. For
/// simulations, where one process plays all nodes: the same signature is checked by each of them. Results stay the
/// same.
class SignatureMemo {
public:
    SignatureMemo() noexcept;
    ~SignatureMemo();
    SignatureMemo(const SignatureMemo&) = delete;
    SignatureMemo& operator=(const SignatureMemo&) = delete;

    using Key = std::array<std::uint8_t, 32>;
    [[nodiscard]] bool contains(const Key& key) const { return valid_.count(key) != 0; }
    void insert(const Key& key);

private:
    static constexpr std::size_t kMost = 1U << 16;  // then it starts anew
    struct FirstBytes {
        std::size_t operator()(const Key& key) const noexcept;
    };
    std::unordered_set<Key, FirstBytes> valid_;
    SignatureMemo* before_;
};

/// X25519 (RFC 7748): public key of a secret.
[[nodiscard]] Key32 dh_public(const Key32& secret) noexcept;
/// X25519 shared secret; nothing if the result is zero (a public key of low order).
[[nodiscard]] std::optional<Key32> dh(const Key32& secret, const Key32& public_key) noexcept;

/// ChaCha20-Poly1305 (RFC 8439), nonce = 32 zero bits and the counter, least significant byte first, as Noise has it.
/// Appends ciphertext and 16 bytes of tag to `out`.
void aead_seal(const Key32& key, std::uint64_t counter, ByteView associated, ByteView plain, Bytes& out);
/// The plaintext, or nothing if a single bit of it, of `associated`, of the counter or of the key differs.
[[nodiscard]] std::optional<Bytes> aead_open(const Key32& key, std::uint64_t counter, ByteView associated,
                                             ByteView sealed);

[[nodiscard]] Key32 random_key(RandomSource& random);

/// Overwrites a secret so that the compiler does not leave it out.
void wipe(std::span<std::uint8_t> secret) noexcept;

}  // namespace meshnet::net
