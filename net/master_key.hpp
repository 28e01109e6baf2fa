// SPDX-License-Identifier: MIT
// The master key of a node: it names the node and certifies the devices that act for it, and may lie in a safe.
//
//     make once             MasterKey::generate() -> to_text(): kept apart from every station
//     a device              DeviceKey::generate() on the station; its request() goes to the master key
//     certify               MasterKey::certify(request, serial) -> certificate, to_text(): back to the station
//     install               DeviceKey::certified(certificate) -> Identity::to_text(): the station's key file
//     replace, or revoke    certify another device with a higher serial, or revoke(serial); give the text to any
//     station
//
// Spec: docs/spec/net.md, "Identity".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/random.hpp"
#include "core/result.hpp"
#include "net/certificate.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

/// The public keys of a device that asks to be certified.
struct DeviceRequest {
    Key32 signing{};   ///< Ed25519
    Key32 exchange{};  ///< X25519
    [[nodiscard]] std::string to_text() const;
    [[nodiscard]] static Result<DeviceRequest> from_text(std::string_view text);
};

/// The keys of a device that waits for its certificate. Move-only, in guarded memory, wiped on destruction.
class DeviceKey {
public:
    ~DeviceKey();
    DeviceKey(DeviceKey&&) noexcept;
    DeviceKey& operator=(DeviceKey&&) noexcept;

    [[nodiscard]] static DeviceKey generate(RandomSource& random);
    [[nodiscard]] static Result<DeviceKey> from_text(std::string_view text);
    [[nodiscard]] std::string to_text() const;
    [[nodiscard]] DeviceRequest request() const;
    /// The station that these keys make with the certificate; an error if it is for another device, or not genuine.
    [[nodiscard]] Result<Identity> certified(const Certificate& certificate) const;

private:
    explicit DeviceKey(std::unique_ptr<Identity::Secrets> secrets);
    std::unique_ptr<Identity::Secrets> secrets_;
};

/// Move-only; its secret lies in guarded memory and is wiped on destruction.
class MasterKey {
public:
    ~MasterKey();
    MasterKey(MasterKey&&) noexcept;
    MasterKey& operator=(MasterKey&&) noexcept;

    [[nodiscard]] static MasterKey generate(RandomSource& random);
    /// One line, versioned, checksummed; also a key file that holds a master key beside its device. Errors are one line
    /// and show no key material.
    [[nodiscard]] static Result<MasterKey> from_text(std::string_view text);
    [[nodiscard]] std::string to_text() const;

    [[nodiscard]] const NodeId& id() const noexcept;

    /// A certificate for the device. `serial` must be higher than that of every device before it, 1..2^32 - 2;
    /// `expiry`: seconds since 1970 for display and policy, 0 for none.
    [[nodiscard]] Result<Certificate> certify(const DeviceRequest& device, std::uint32_t serial,
                                              std::uint64_t expiry = 0) const;
    /// Says that no device acts for the node under `serial` or a lower one: 1..2^32 - 1.
    [[nodiscard]] Result<Certificate> revoke(std::uint32_t serial) const;

private:
    struct Secrets;
    explicit MasterKey(std::unique_ptr<Secrets> secrets);
    std::unique_ptr<Secrets> secrets_;
};

/// Text form of certificates and revocations. from_text verifies the signature.
[[nodiscard]] std::string to_text(const Certificate& certificate);
[[nodiscard]] Result<Certificate> certificate_from_text(std::string_view text);

}  // namespace meshnet::net
