// SPDX-License-Identifier: MIT
#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstdio>

#include "net/checked_text.hpp"
#include "net/identity_secrets.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

namespace {

constexpr std::string_view kDevicePrefix = "meshnet-device-v1:";
constexpr std::size_t kKeyBytes = 32 + 32 + 32 + 4 + 8;
constexpr std::size_t kDeviceBytes = 32 + 32 + Certificate::kBytes;

std::uint32_t station_id_of(const NodeId& id) noexcept {
    return (std::uint32_t{id[0]} << 24) | (std::uint32_t{id[1]} << 16) | (std::uint32_t{id[2]} << 8) | id[3];
}

}  // namespace

bool usable_id(const NodeId& id) noexcept {
    const std::uint32_t station = station_id_of(id);
    return station != 0 && station != 0xFFFF'FFFF;
}

void* Identity::Secrets::operator new(std::size_t size) {
    crypto_init();
    // The allocator places the block against a guard page, so its size must be a multiple of the alignment; sizeof is.
    void* memory = sodium_malloc(size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

void Identity::Secrets::operator delete(void* memory) noexcept {
    sodium_free(memory);
}

Identity Identity::Secrets::identity_of(std::unique_ptr<Secrets> secrets) {
    Identity identity;
    identity.secrets_ = std::move(secrets);
    return identity;
}

bool derive(Identity::Secrets& s) {
    s.device = SigningKey(s.device_seed);
    const Key32 exchange = dh_public(s.exchange_secret);
    if (s.has_master) {
        s.certificate.signing = s.device.public_key();
        s.certificate.exchange = exchange;
        certify(s.certificate, SigningKey(s.master_seed));
    } else {
        Bytes encoded;
        s.certificate.encode(encoded);
        if (s.certificate.signing != s.device.public_key() || s.certificate.exchange != exchange ||
            !Certificate::decode(encoded)) {
            return false;
        }
    }
    s.id = s.certificate.id();
    return true;
}

Identity::Identity() = default;
Identity::~Identity() = default;
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;

Identity Identity::generate(RandomSource& random) {
    Identity identity;
    identity.secrets_ = std::make_unique<Secrets>();
    Secrets& s = *identity.secrets_;
    s.has_master = true;
    do {
        random.fill(s.master_seed);
        random.fill(s.device_seed);
        random.fill(s.exchange_secret);
        s.certificate.serial = 1;
        s.certificate.expiry = 0;
        (void)derive(s);
    } while (!usable_id(s.id));
    return identity;
}

std::string Identity::to_text() const {
    assert(secrets_);
    const Secrets& s = *secrets_;
    Bytes body;
    body.reserve(kDeviceBytes);
    ByteWriter w(body);
    if (s.has_master) {
        w.bytes(s.master_seed);
    }
    w.bytes(s.device_seed);
    w.bytes(s.exchange_secret);
    if (s.has_master) {
        w.u32(s.certificate.serial);
        w.u64(s.certificate.expiry);
    } else {
        s.certificate.encode(body);
    }
    std::string text = to_checked_text(s.has_master ? kKeyPrefix : kDevicePrefix, body);
    wipe(body);
    return text;
}

Result<Identity> Identity::from_text(std::string_view text) {
    crypto_init();
    text = trimmed(text);
    const bool device = text.substr(0, kDevicePrefix.size()) == kDevicePrefix;
    auto body = from_checked_text(device ? kDevicePrefix : kKeyPrefix, device ? kDeviceBytes : kKeyBytes, "key", text);
    if (!body) {
        return body.error();
    }
    Identity identity;
    identity.secrets_ = std::make_unique<Secrets>();
    Secrets& s = *identity.secrets_;
    ByteReader r(*body);
    s.has_master = !device;
    if (s.has_master) {
        s.master_seed = r.array<32>();
    }
    s.device_seed = r.array<32>();
    s.exchange_secret = r.array<32>();
    bool complete = true;
    if (s.has_master) {
        s.certificate.serial = r.u32();
        s.certificate.expiry = r.u64();
    } else if (const auto certificate = Certificate::parse(r.bytes(Certificate::kBytes))) {
        s.certificate = *certificate;
    } else {
        complete = false;
    }
    wipe(*body);
    if (!complete || !derive(s)) {
        return Error{ErrorCode::kInvalidData,
                     "the key's certificate is not for this device, or not signed by its master"};
    }
    if (!usable_id(s.id)) {
        return Error{ErrorCode::kInvalidData, "the key makes a station number that is reserved; generate another"};
    }
    return identity;
}

bool Identity::has_master() const noexcept {
    assert(secrets_);
    return secrets_->has_master;
}

Identity Identity::device_only() const {
    assert(secrets_);
    Identity out;
    out.secrets_ = std::make_unique<Secrets>(*secrets_);
    out.secrets_->master_seed = {};
    out.secrets_->has_master = false;
    return out;
}

const NodeId& Identity::id() const noexcept {
    assert(secrets_);
    return secrets_->id;
}
Address Identity::address() const noexcept {
    return address_of(id());
}
std::uint32_t Identity::station_id() const noexcept {
    return station_id_of(id());
}
const Identity::Secrets& Identity::secrets() const noexcept {
    assert(secrets_);
    return *secrets_;
}

Address address_of(const NodeId& id) noexcept {
    Address out{};
    out[0] = 0xFD;
    std::copy_n(id.begin(), out.size() - 1, out.begin() + 1);
    return out;
}

std::string to_string(const Address& address) {
    // RFC 5952, 4.2: the longest run of two or more zero groups becomes "::", the first of equal ones.
    char text[8] = {};
    std::array<unsigned, 8> group{};
    for (std::size_t i = 0; i < 8; ++i) {
        group[i] = (unsigned{address[2 * i]} << 8) | address[2 * i + 1];
    }
    std::size_t best = 8;
    std::size_t best_length = 1;
    for (std::size_t i = 0; i < 8; ++i) {
        std::size_t n = 0;
        while (i + n < 8 && group[i + n] == 0) ++n;
        if (n > best_length) {
            best = i;
            best_length = n;
        }
    }
    std::string out;
    for (std::size_t i = 0; i < 8;) {
        if (i == best) {
            out += "::";
            i += best_length;
            continue;
        }
        if (!out.empty() && out.back() != ':') {
            out += ':';
        }
        std::snprintf(text, sizeof text, "%x", group[i]);
        out += text;
        ++i;
    }
    return out;
}

std::string to_string(const NodeId& id) {
    return to_hex(id);
}

std::optional<NodeId> node_id_from_string(std::string_view text) {
    const auto bytes = from_hex(text);
    if (!bytes || bytes->size() != 32) {
        return std::nullopt;
    }
    NodeId id{};
    std::copy(bytes->begin(), bytes->end(), id.begin());
    return id;
}

}  // namespace meshnet::net
