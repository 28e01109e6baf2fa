// SPDX-License-Identifier: MIT
// What an Identity holds. Only net/ includes this. Kept in guarded, locked memory (libsodium's allocator) and is wiped.
#pragma once

#include <new>

#include "net/certificate.hpp"
#include "net/crypto.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

struct Identity::Secrets {
    Key32 master_seed{};
    Key32 device_seed{};
    Key32 exchange_secret{};  ///< X25519
    SigningKey device;
    Certificate certificate;
    NodeId id{};

    static void* operator new(std::size_t size);
    static void operator delete(void* memory) noexcept;
};

/// Completes `secrets` from its three secrets and the certificate's serial and expiry.
void derive(Identity::Secrets& secrets);

}  // namespace meshnet::net
