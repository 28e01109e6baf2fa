// SPDX-License-Identifier: MIT
// The hashes of Bitcoin. SHA-256 and HMAC-SHA512 are libsodium's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace meshnet::bitcoin {

using Hash256 = std::array<std::uint8_t, 32>;  ///< in the order in which it is hashed and sent; shown reversed
using Hash160 = std::array<std::uint8_t, 20>;
using Hash512 = std::array<std::uint8_t, 64>;

[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

[[nodiscard]] Hash256 sha256(ByteView data) noexcept;
/// SHA-256 of SHA-256: ids of transactions and blocks.
[[nodiscard]] Hash256 sha256d(ByteView data) noexcept;
/// RIPEMD-160 (H. Dobbertin, A. Bosselaers, B. Preneel, 1996).
[[nodiscard]] Hash160 ripemd160(ByteView data) noexcept;
/// RIPEMD-160 of SHA-256: of public keys.
[[nodiscard]] Hash160 hash160(ByteView data) noexcept;
[[nodiscard]] Hash512 hmac_sha512(ByteView key, ByteView data) noexcept;
/// PBKDF2 (RFC 8018) with HMAC-SHA512, one block of output.
[[nodiscard]] Hash512 pbkdf2_sha512(ByteView password, ByteView salt, unsigned rounds) noexcept;

/// As people write ids: reversed hexadecimal.
[[nodiscard]] std::string shown(const Hash256& hash);
[[nodiscard]] std::optional<Hash256> hash_from_shown(std::string_view text);

}  // namespace meshnet::bitcoin
