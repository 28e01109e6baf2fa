// SPDX-License-Identifier: MIT
// Addresses of witness programs: Bech32 (BIP 173) for version 0, Bech32m (BIP 350) for later ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace meshnet::bitcoin {

enum class Network : std::uint8_t { kMainnet, kTestnet, kSignet, kRegtest };
[[nodiscard]] const char* to_string(Network network) noexcept;
[[nodiscard]] std::optional<Network> network_from_string(std::string_view name) noexcept;
/// "bc", "tb" (testnet and signet share it) or "bcrt".
[[nodiscard]] std::string_view address_prefix(Network network) noexcept;

/// Data words of 5 bits with checksum. Precondition: `prefix` is 1..83 characters of '!'..'~', no upper case, the
/// whole at most 90 characters.
[[nodiscard]] std::string bech32_encode(std::string_view prefix, ByteView words, bool modified);
struct Bech32 {
    std::string prefix;  ///< in lower case
    Bytes words;
    bool modified = false;  ///< Bech32m
};
[[nodiscard]] std::optional<Bech32> bech32_decode(std::string_view text);

/// The address of an output script that is a witness program (version 0: 20 or 32 bytes); nothing for other scripts.
[[nodiscard]] std::optional<std::string> address_of(Network network, ByteView output_script);
/// The output script of an address. Errors are one line: not an address, of another network.
[[nodiscard]] Result<Bytes> script_of(Network network, std::string_view address);

}  // namespace meshnet::bitcoin
