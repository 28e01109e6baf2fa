// SPDX-License-Identifier: MIT
// The device certificate: the master key, which the node id is made of, vouches for the keys a device uses every day.
//
//     version 2 | master key 32 | device signing key 32 | device X25519 key 32 | serial 4 | expiry 8 | signature 64
//
// Spec: docs/spec/net.md, "Identity".
#pragma once

#include <optional>

#include "net/crypto.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

struct Certificate {
    static constexpr std::size_t kBytes = 173;

    Key32 master{};            ///< Ed25519; BLAKE2b-256 of it is the node id
    Key32 signing{};           ///< Ed25519 of the device
    Key32 exchange{};          ///< X25519 of the device, the static key of every Noise handshake
    std::uint32_t serial = 0;  ///< a higher serial replaces all lower ones
    std::uint64_t expiry =
        0;                  ///< seconds since 1970 for display and policy, 0: none. The protocol itself reads no clock.
    Signature signature{};  ///< by `master`

    [[nodiscard]] NodeId id() const noexcept;
    /// Its keys are zero: no device acts for the node under this serial or a lower one.
    [[nodiscard]] bool revokes() const noexcept { return signing == Key32{} && exchange == Key32{}; }
    void encode(Bytes& out) const;
    /// Reads kBytes and verifies the signature (one Ed25519 verification); nothing if anything is wrong.
    [[nodiscard]] static std::optional<Certificate> decode(ByteView in);
    /// Like decode() without the verification, for bytes that were verified before.
    [[nodiscard]] static std::optional<Certificate> parse(ByteView in) noexcept;

    bool operator==(const Certificate&) const = default;
};

/// Signs the certificate of a device. `certificate.signature` is replaced, `master` set from the key.
void certify(Certificate& certificate, const SigningKey& master);

}  // namespace meshnet::net
