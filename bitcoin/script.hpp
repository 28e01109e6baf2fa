// SPDX-License-Identifier: MIT
// The scripts this project uses: pay to a key (P2WPKH), and the channel's output (P2WSH), which payer and payee spend
// together, or the payer alone once the chain's time has come (BIP 65, BIP 141).
//
//     IF <payee> CHECKSIGVERIFY ELSE <expiry> CHECKLOCKTIMEVERIFY DROP ENDIF <payer> CHECKSIG
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bitcoin/keys.hpp"
#include "core/bytes.hpp"

namespace meshnet::bitcoin {

/// nLockTime from here on is seconds since 1970, below it a height.
inline constexpr std::uint32_t kLockTimeIsSeconds = 500'000'000;
/// Outputs below are not relayed by default: three times the fee, at 1 sat per byte, of spending one (Bitcoin Core's
/// default dust relay fee).
inline constexpr std::int64_t kDustP2wpkh = 294, kDustP2wsh = 330;

/// Version 0 witness programs, as output scripts.
[[nodiscard]] Bytes p2wpkh(const PublicKey& key);
[[nodiscard]] Bytes p2wsh(ByteView witness_script);
/// What a signature of a P2WPKH input signs in place of a script (BIP 143).
[[nodiscard]] Bytes p2wpkh_script_code(const PublicKey& key);
/// Smallest output of this script that is relayed: 294 for P2WPKH, 330 for P2WSH, nothing for other scripts.
[[nodiscard]] std::optional<std::int64_t> dust_limit(ByteView output_script);

/// A channel's output.
struct ChannelScript {
    PublicKey payer{}, payee{};
    std::uint32_t expiry = 0;  ///< nLockTime: height, or seconds from kLockTimeIsSeconds on; 1..2^31 - 1

    [[nodiscard]] Bytes witness_script() const;
    [[nodiscard]] Bytes output_script() const { return p2wsh(witness_script()); }
    /// The channel of a witness script; nothing if it is another script, to the byte.
    [[nodiscard]] static std::optional<ChannelScript> parse(ByteView witness_script);
    bool operator==(const ChannelScript&) const = default;
};

/// Witnesses that spend a channel's output; signatures end with the type of hash (1).
[[nodiscard]] std::vector<Bytes> channel_close_witness(const ChannelScript& channel, const Bytes& payer_signature,
                                                       const Bytes& payee_signature);
[[nodiscard]] std::vector<Bytes> channel_refund_witness(const ChannelScript& channel, const Bytes& payer_signature);

/// A number on the stack as the interpreter writes it, pushed.
[[nodiscard]] Bytes push_number(std::uint32_t number);

}  // namespace meshnet::bitcoin
