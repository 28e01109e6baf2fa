// SPDX-License-Identifier: MIT
#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <cstdio>

#include "net/identity_secrets.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

namespace {

constexpr std::string_view kTextPrefix = "meshnet-key-v1:";
constexpr std::size_t kBodyBytes = 32 + 32 + 32 + 4 + 8;
constexpr std::size_t kChecksumBytes = 4;

std::array<std::uint8_t, 16> checksum(ByteView body) {
    return blake2b<16>({as_bytes(kTextPrefix), body});
}

std::uint32_t station_id_of(const NodeId& id) noexcept {
    return (std::uint32_t{id[0]} << 24) | (std::uint32_t{id[1]} << 16) | (std::uint32_t{id[2]} << 8) | id[3];
}

bool station_id_usable(const NodeId& id) noexcept {
    const std::uint32_t station = station_id_of(id);
    return station != 0 && station != 0xFFFF'FFFF;
}

}  // namespace

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

void derive(Identity::Secrets& s) {
    const SigningKey master(s.master_seed);
    s.device = SigningKey(s.device_seed);
    s.certificate.signing = s.device.public_key();
    s.certificate.exchange = dh_public(s.exchange_secret);
    certify(s.certificate, master);
    s.id = s.certificate.id();
}

Identity::Identity() = default;
Identity::~Identity() = default;
Identity::Identity(Identity&&) noexcept = default;
Identity& Identity::operator=(Identity&&) noexcept = default;

Identity Identity::generate(RandomSource& random) {
    Identity identity;
    identity.secrets_ = std::make_unique<Secrets>();
    Secrets& s = *identity.secrets_;
    do {
        random.fill(s.master_seed);
        random.fill(s.device_seed);
        random.fill(s.exchange_secret);
        s.certificate.serial = 1;
        s.certificate.expiry = 0;
        derive(s);
    } while (!station_id_usable(s.id));
    return identity;
}

std::string Identity::to_text() const {
    assert(secrets_);
    Bytes body;
    body.reserve(kBodyBytes);  // what grows leaves copies behind
    ByteWriter w(body);
    w.bytes(secrets_->master_seed);
    w.bytes(secrets_->device_seed);
    w.bytes(secrets_->exchange_secret);
    w.u32(secrets_->certificate.serial);
    w.u64(secrets_->certificate.expiry);
    const auto sum = checksum(body);
    std::string digits = to_hex(body);
    std::string text;
    text.reserve(kTextPrefix.size() + digits.size() + 2 * kChecksumBytes + 1);
    text.append(kTextPrefix).append(digits).append(":").append(to_hex(ByteView(sum).first(kChecksumBytes)));
    sodium_memzero(digits.data(), digits.size());
    wipe(body);
    return text;
}

Result<Identity> Identity::from_text(std::string_view text) {
    crypto_init();
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    if (text.empty()) {
        return Error{ErrorCode::kInvalidData,
                     "the key is empty; a key is one line that begins with " + std::string(kTextPrefix)};
    }
    if (text.substr(0, kTextPrefix.size()) != kTextPrefix) {
        if (text.substr(0, 12) == kTextPrefix.substr(0, 12)) {
            return Error{ErrorCode::kUnsupported,
                         "the key is of a newer version than this program reads (" + std::string(kTextPrefix) + ")"};
        }
        return Error{ErrorCode::kInvalidData,
                     "this is not a meshnet key: it does not begin with " + std::string(kTextPrefix)};
    }
    text.remove_prefix(kTextPrefix.size());
    const std::size_t expected = 2 * kBodyBytes + 1 + 2 * kChecksumBytes;
    if (text.size() != expected) {
        return Error{ErrorCode::kInvalidData, "the key has " + std::to_string(text.size()) +
                                                  " characters after its prefix, expected " + std::to_string(expected) +
                                                  ": it is cut or has something appended"};
    }
    auto body = from_hex(text.substr(0, 2 * kBodyBytes));
    const auto sum = from_hex(text.substr(2 * kBodyBytes + 1));
    if (!body || !sum || text[2 * kBodyBytes] != ':') {
        if (body) {
            wipe(*body);
        }
        return Error{ErrorCode::kInvalidData, "the key contains a character that is not hexadecimal"};
    }
    const auto expected_sum = checksum(*body);
    if (!std::equal(sum->begin(), sum->end(), expected_sum.begin())) {
        wipe(*body);
        return Error{ErrorCode::kInvalidData, "the key's checksum is wrong: at least one character was changed"};
    }
    Identity identity;
    identity.secrets_ = std::make_unique<Secrets>();
    Secrets& s = *identity.secrets_;
    ByteReader r(*body);
    s.master_seed = r.array<32>();
    s.device_seed = r.array<32>();
    s.exchange_secret = r.array<32>();
    s.certificate.serial = r.u32();
    s.certificate.expiry = r.u64();
    wipe(*body);
    derive(s);
    if (!station_id_usable(s.id)) {
        return Error{ErrorCode::kInvalidData, "the key makes a station number that is reserved; generate another"};
    }
    return identity;
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
