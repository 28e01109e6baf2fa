// SPDX-License-Identifier: MIT
// Who a node is: keys, the id made from them, the IPv6 address made from the id.
//
// Spec: docs/spec/net.md, "Identity".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "core/result.hpp"

namespace meshnet::net {

/// BLAKE2b-256 of the master public key.
using NodeId = std::array<std::uint8_t, 32>;
/// IPv6 address: 0xfd and the first 120 bits of the node id.
using Address = std::array<std::uint8_t, 16>;

/// The secrets of one station: the keys of its device and the certificate by which they act for the node; a station
/// made by generate() also holds the master key, one made from a device key does not (net/master_key.hpp). Move-only;
/// memory is wiped on destruction.
class Identity {
public:
    Identity();
    ~Identity();
    Identity(Identity&&) noexcept;
    Identity& operator=(Identity&&) noexcept;

    /// New keys from `random` (the daemon passes libsodium's generator; simulations a seed).
    [[nodiscard]] static Identity generate(RandomSource& random);
    /// The text form kept in a key file (one line of printable characters, versioned, checksummed), and back. Errors
    /// are one clear line that never shows key material.
    [[nodiscard]] static Result<Identity> from_text(std::string_view text);
    [[nodiscard]] std::string to_text() const;

    /// The master key is here as well, so whoever has this file can replace the device.
    [[nodiscard]] bool has_master() const noexcept;
    /// The same device without the master key: all that a station needs.
    [[nodiscard]] Identity device_only() const;

    [[nodiscard]] const NodeId& id() const noexcept;
    [[nodiscard]] Address address() const noexcept;
    /// First four bytes of the id, most significant first; never 0 nor 0xFFFFFFFF (generate() draws again).
    [[nodiscard]] std::uint32_t station_id() const noexcept;

    struct Secrets;
    [[nodiscard]] const Secrets& secrets() const noexcept;

private:
    std::unique_ptr<Secrets> secrets_;
};

[[nodiscard]] Address address_of(const NodeId& id) noexcept;
[[nodiscard]] std::string to_string(const Address& address);  ///< RFC 5952 text
[[nodiscard]] std::string to_string(const NodeId& id);        ///< hexadecimal
[[nodiscard]] std::optional<NodeId> node_id_from_string(std::string_view text);

}  // namespace meshnet::net
