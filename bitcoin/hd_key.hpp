// SPDX-License-Identifier: MIT
// Keys that are derived from one seed (BIP 32), and their text forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bitcoin/address.hpp"
#include "bitcoin/keys.hpp"
#include "core/result.hpp"

namespace meshnet::bitcoin {

inline constexpr std::uint32_t kHardened = 0x8000'0000;
using KeyPath = std::vector<std::uint32_t>;  ///< indices; kHardened is part of them

/// "m/84'/0'/0'/0/5", also with h in place of the apostrophe; at most 16 indices.
[[nodiscard]] Result<KeyPath> key_path(std::string_view text);
[[nodiscard]] std::string to_string(const KeyPath& path);
/// m/84'/coin'/account'/change/index (BIP 84): coin 0 on mainnet, 1 elsewhere.
[[nodiscard]] KeyPath bip84_path(Network network, std::uint32_t account, bool change, std::uint32_t index);

class HdKey {
public:
    /// The master key of a seed of 16 to 64 bytes; nothing if the seed gives none (chance 2^-127).
    [[nodiscard]] static std::optional<HdKey> from_seed(ByteView seed);
    /// xprv, xpub, tprv, tpub: a key of either kind. Errors are one line and show no key.
    [[nodiscard]] static Result<HdKey> from_text(std::string_view text);

    [[nodiscard]] bool has_secret() const noexcept { return secret_.has_value(); }
    /// Precondition: has_secret().
    [[nodiscard]] const SecretKey& secret() const noexcept;
    [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
    [[nodiscard]] std::uint32_t fingerprint() const noexcept;
    [[nodiscard]] unsigned depth() const noexcept { return depth_; }

    /// Nothing if there is no such key: hardened without the secret, deeper than 255, or by a chance of 2^-127.
    [[nodiscard]] std::optional<HdKey> child(std::uint32_t index) const;
    [[nodiscard]] std::optional<HdKey> derive(const KeyPath& path) const;
    /// The same without its secret.
    [[nodiscard]] HdKey public_only() const;
    [[nodiscard]] std::string to_text(Network network) const;

private:
    HdKey() = default;
    std::optional<SecretKey> secret_;
    PublicKey public_{};
    SecretBytes chain_{};
    std::uint32_t parent_ = 0;  // fingerprint
    std::uint32_t index_ = 0;
    std::uint8_t depth_ = 0;
};

/// Base58 with a checksum of four bytes.
[[nodiscard]] std::string base58check(ByteView payload);
[[nodiscard]] std::optional<Bytes> from_base58check(std::string_view text);

}  // namespace meshnet::bitcoin
