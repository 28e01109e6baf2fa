// SPDX-License-Identifier: MIT
// Keys and signatures on secp256k1, by libsecp256k1. Secrets are wiped on destruction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "bitcoin/hash.hpp"
#include "core/bytes.hpp"

namespace meshnet::bitcoin {

using PublicKey = std::array<std::uint8_t, 33>;  ///< compressed; use valid() before anything else
using SecretBytes = std::array<std::uint8_t, 32>;

[[nodiscard]] bool valid(const PublicKey& key) noexcept;

class SecretKey {
public:
    /// Nothing if the number is zero or not below the order of the group.
    [[nodiscard]] static std::optional<SecretKey> from_bytes(const SecretBytes& bytes) noexcept;
    ~SecretKey();
    SecretKey(const SecretKey&) = default;
    SecretKey& operator=(const SecretKey&) = default;

    [[nodiscard]] PublicKey public_key() const noexcept;
    [[nodiscard]] const SecretBytes& bytes() const noexcept { return bytes_; }
    /// ECDSA over a hash, nonce by RFC 6979, low s (BIP 62): DER, 70 or 71 bytes, sometimes fewer.
    [[nodiscard]] Bytes sign(const Hash256& hash) const;
    /// The sum with `tweak`, as BIP 32 has it; nothing if that is no key (chance 2^-127).
    [[nodiscard]] std::optional<SecretKey> add(const SecretBytes& tweak) const noexcept;

private:
    explicit SecretKey(const SecretBytes& bytes) noexcept : bytes_(bytes) {}
    SecretBytes bytes_{};
};

/// The same for a public key.
[[nodiscard]] std::optional<PublicKey> add(const PublicKey& key, const SecretBytes& tweak) noexcept;

/// A strict DER signature with low s over `hash`, by `key`. Anything else is false.
[[nodiscard]] bool verify(const PublicKey& key, const Hash256& hash, ByteView der) noexcept;

}  // namespace meshnet::bitcoin
