// SPDX-License-Identifier: MIT
// What an Identity holds. Only net/ includes this. Kept in guarded, locked memory (libsodium's allocator) and is wiped.
#pragma once

#include <new>

#include "net/certificate.hpp"
#include "net/crypto.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

struct Identity::Secrets {
    Key32 master_seed{};  ///< zero without has_master
    bool has_master = false;
    Key32 device_seed{};
    Key32 exchange_secret{};  ///< X25519
    SigningKey device;
    Certificate certificate;
    NodeId id{};

    /// Only for a station made from these secrets (DeviceKey).
    [[nodiscard]] static Identity identity_of(std::unique_ptr<Secrets> secrets);

    static void* operator new(std::size_t size);
    static void operator delete(void* memory) noexcept;
};

/// Completes `secrets`: with a master key from the three secrets and the certificate's serial and expiry; without from
/// two and the certificate, false if that is not the device's or not genuine.
[[nodiscard]] bool derive(Identity::Secrets& secrets);

/// A key file with a master key begins so.
inline constexpr std::string_view kKeyPrefix = "meshnet-key-v1:";

/// The first four bytes are a station number that is not reserved.
[[nodiscard]] bool usable_id(const NodeId& id) noexcept;

}  // namespace meshnet::net
