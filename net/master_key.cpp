// SPDX-License-Identifier: MIT
#include "net/master_key.hpp"

#include <sodium.h>

#include <cassert>
#include <new>
#include <utility>

#include "net/checked_text.hpp"
#include "net/identity_secrets.hpp"

namespace meshnet::net {

namespace {

constexpr std::string_view kMasterPrefix = "meshnet-master-v1:";
constexpr std::string_view kPendingPrefix = "meshnet-pending-v1:";
constexpr std::string_view kRequestPrefix = "meshnet-request-v1:";
constexpr std::string_view kCertificatePrefix = "meshnet-certificate-v1:";
constexpr std::uint32_t kLastSerial = 0xFFFF'FFFF;

}  // namespace

struct MasterKey::Secrets {
    Key32 seed{};
    SigningKey key;
    NodeId id{};

    explicit Secrets(const Key32& from) : seed(from), key(from), id(blake2b<32>({ByteView(key.public_key())})) {}
    static void* operator new(std::size_t size) {
        crypto_init();
        void* memory = sodium_malloc((size + 63) / 64 * 64);
        if (memory == nullptr) {
            throw std::bad_alloc();
        }
        return memory;
    }
    static void operator delete(void* memory) noexcept { sodium_free(memory); }
};

MasterKey::MasterKey(std::unique_ptr<Secrets> secrets) : secrets_(std::move(secrets)) {}
MasterKey::~MasterKey() = default;
MasterKey::MasterKey(MasterKey&&) noexcept = default;
MasterKey& MasterKey::operator=(MasterKey&&) noexcept = default;

MasterKey MasterKey::generate(RandomSource& random) {
    Key32 seed{};
    std::unique_ptr<Secrets> secrets;
    do {
        random.fill(seed);
        secrets = std::make_unique<Secrets>(seed);
    } while (!usable_id(secrets->id));
    wipe(seed);
    return MasterKey(std::move(secrets));
}

Result<MasterKey> MasterKey::from_text(std::string_view text) {
    crypto_init();
    text = trimmed(text);
    Key32 seed{};
    if (text.substr(0, kKeyPrefix.size()) == kKeyPrefix) {
        const auto identity = Identity::from_text(text);
        if (!identity) {
            return identity.error();
        }
        seed = identity->secrets().master_seed;
    } else {
        auto body = from_checked_text(kMasterPrefix, 32, "master key", text);
        if (!body) {
            return body.error();
        }
        std::copy(body->begin(), body->end(), seed.begin());
        wipe(*body);
    }
    auto secrets = std::make_unique<Secrets>(seed);
    wipe(seed);
    if (!usable_id(secrets->id)) {
        return Error{ErrorCode::kInvalidData, "the master key makes a node id that is reserved; generate another"};
    }
    return MasterKey(std::move(secrets));
}

std::string MasterKey::to_text() const {
    assert(secrets_);
    return to_checked_text(kMasterPrefix, secrets_->seed);
}

const NodeId& MasterKey::id() const noexcept {
    assert(secrets_);
    return secrets_->id;
}

Result<Certificate> MasterKey::certify(const DeviceRequest& device, std::uint32_t serial, std::uint64_t expiry) const {
    assert(secrets_);
    if (serial == 0 || serial == kLastSerial) {
        return Error{ErrorCode::kInvalidArgument, "the serial of a certificate must be 1..4294967294"};
    }
    Certificate c;
    c.signing = device.signing;
    c.exchange = device.exchange;
    c.serial = serial;
    c.expiry = expiry;
    if (c.revokes()) {
        return Error{ErrorCode::kInvalidArgument, "the request holds no keys"};
    }
    net::certify(c, secrets_->key);
    return c;
}

Result<Certificate> MasterKey::revoke(std::uint32_t serial) const {
    assert(secrets_);
    if (serial == 0) {
        return Error{ErrorCode::kInvalidArgument, "the serial of a revocation must be 1..4294967295"};
    }
    Certificate c;
    c.serial = serial;
    net::certify(c, secrets_->key);
    return c;
}

DeviceKey::DeviceKey(std::unique_ptr<Identity::Secrets> secrets) : secrets_(std::move(secrets)) {}
DeviceKey::~DeviceKey() = default;
DeviceKey::DeviceKey(DeviceKey&&) noexcept = default;
DeviceKey& DeviceKey::operator=(DeviceKey&&) noexcept = default;

DeviceKey DeviceKey::generate(RandomSource& random) {
    auto secrets = std::make_unique<Identity::Secrets>();
    random.fill(secrets->device_seed);
    random.fill(secrets->exchange_secret);
    return DeviceKey(std::move(secrets));
}

Result<DeviceKey> DeviceKey::from_text(std::string_view text) {
    auto body = from_checked_text(kPendingPrefix, 64, "device key", text);
    if (!body) {
        return body.error();
    }
    auto secrets = std::make_unique<Identity::Secrets>();
    ByteReader r(*body);
    secrets->device_seed = r.array<32>();
    secrets->exchange_secret = r.array<32>();
    wipe(*body);
    return DeviceKey(std::move(secrets));
}

std::string DeviceKey::to_text() const {
    assert(secrets_);
    Bytes body;
    body.reserve(64);
    ByteWriter w(body);
    w.bytes(secrets_->device_seed);
    w.bytes(secrets_->exchange_secret);
    std::string text = to_checked_text(kPendingPrefix, body);
    wipe(body);
    return text;
}

DeviceRequest DeviceKey::request() const {
    assert(secrets_);
    return {SigningKey(secrets_->device_seed).public_key(), dh_public(secrets_->exchange_secret)};
}

Result<Identity> DeviceKey::certified(const Certificate& certificate) const {
    assert(secrets_);
    auto secrets = std::make_unique<Identity::Secrets>(*secrets_);
    secrets->certificate = certificate;
    if (!derive(*secrets)) {
        return Error{ErrorCode::kInvalidArgument, certificate.revokes()
                                                      ? "this is a revocation, not a certificate"
                                                      : "the certificate is not for this device, or not genuine"};
    }
    if (!usable_id(secrets->id)) {
        return Error{ErrorCode::kInvalidData, "the master key makes a node id that is reserved; generate another"};
    }
    return Identity::Secrets::identity_of(std::move(secrets));
}

std::string DeviceRequest::to_text() const {
    Bytes body;
    ByteWriter w(body);
    w.bytes(signing);
    w.bytes(exchange);
    return to_checked_text(kRequestPrefix, body);
}

Result<DeviceRequest> DeviceRequest::from_text(std::string_view text) {
    const auto body = from_checked_text(kRequestPrefix, 64, "request", text);
    if (!body) {
        return body.error();
    }
    ByteReader r(*body);
    DeviceRequest out;
    out.signing = r.array<32>();
    out.exchange = r.array<32>();
    return out;
}

std::string to_text(const Certificate& certificate) {
    Bytes body;
    certificate.encode(body);
    return to_checked_text(kCertificatePrefix, body);
}

Result<Certificate> certificate_from_text(std::string_view text) {
    const auto body = from_checked_text(kCertificatePrefix, Certificate::kBytes, "certificate", text);
    if (!body) {
        return body.error();
    }
    const auto c = Certificate::decode(*body);
    if (!c) {
        return Error{ErrorCode::kInvalidData, "the certificate is not signed by its master key"};
    }
    return *c;
}

}  // namespace meshnet::net
