// SPDX-License-Identifier: MIT
#include "bitcoin/hd_key.hpp"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <charconv>

namespace meshnet::bitcoin {

namespace {

constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kMostText = 128, kMostIndices = 16, kKeyBytes = 78;
constexpr std::uint32_t kXprv = 0x0488'ADE4, kXpub = 0x0488'B21E, kTprv = 0x0435'8394, kTpub = 0x0435'87CF;

SecretBytes half(const Hash512& hash, std::size_t which) {
    SecretBytes out{};
    std::copy_n(hash.begin() + static_cast<std::ptrdiff_t>(32 * which), out.size(), out.begin());
    return out;
}

}  // namespace

std::string base58check(ByteView payload) {
    Bytes all(payload.begin(), payload.end());
    const Hash256 check = sha256d(payload);
    all.insert(all.end(), check.begin(), check.begin() + 4);
    Bytes digits;  // least significant first
    for (const std::uint8_t b : all) {
        unsigned carry = b;
        for (std::uint8_t& d : digits) {
            carry += 256U * d;
            d = static_cast<std::uint8_t>(carry % 58);
            carry /= 58;
        }
        for (; carry > 0; carry /= 58) {
            digits.push_back(static_cast<std::uint8_t>(carry % 58));
        }
    }
    std::string out;
    for (std::size_t i = 0; i < all.size() && all[i] == 0; ++i) {
        out += kBase58[0];
    }
    for (auto d = digits.rbegin(); d != digits.rend(); ++d) {
        out += kBase58[*d];
    }
    sodium_memzero(all.data(), all.size());
    sodium_memzero(digits.data(), digits.size());
    return out;
}

std::optional<Bytes> from_base58check(std::string_view text) {
    if (text.size() > kMostText) {
        return std::nullopt;
    }
    Bytes bytes;  // least significant first
    for (const char c : text) {
        const auto digit = kBase58.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        auto carry = static_cast<unsigned>(digit);
        for (std::uint8_t& b : bytes) {
            carry += 58U * b;
            b = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (carry > 0) {
            bytes.push_back(static_cast<std::uint8_t>(carry));
        }
    }
    for (std::size_t i = 0; i < text.size() && text[i] == kBase58[0]; ++i) {
        bytes.push_back(0);
    }
    std::reverse(bytes.begin(), bytes.end());
    if (bytes.size() < 4) {
        return std::nullopt;
    }
    const ByteView payload = ByteView(bytes).first(bytes.size() - 4);
    const Hash256 check = sha256d(payload);
    if (!std::equal(check.begin(), check.begin() + 4, bytes.end() - 4)) {
        return std::nullopt;
    }
    bytes.resize(bytes.size() - 4);
    return bytes;
}

Result<KeyPath> key_path(std::string_view text) {
    const Error wrong{ErrorCode::kInvalidArgument,
                      "\"" + std::string(text.substr(0, 80)) + "\" is not a path of keys; one is like m/84'/1'/0'/0/5"};
    if (text != "m" && !text.starts_with("m/")) {
        return wrong;
    }
    KeyPath out;
    std::string_view rest = text.substr(1);
    while (!rest.empty()) {
        rest.remove_prefix(1);  // the slash
        const std::string_view part = rest.substr(0, rest.find('/'));
        rest.remove_prefix(part.size());
        const bool hardened = part.ends_with('\'') || part.ends_with('h');
        const std::string_view digits = part.substr(0, part.size() - (hardened ? 1 : 0));
        std::uint32_t index = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
        if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || index >= kHardened ||
            out.size() == kMostIndices) {
            return wrong;
        }
        out.push_back(index | (hardened ? kHardened : 0));
    }
    return out;
}

std::string to_string(const KeyPath& path) {
    std::string out = "m";
    for (const std::uint32_t index : path) {
        out += "/" + std::to_string(index & ~kHardened) + ((index & kHardened) != 0 ? "'" : "");
    }
    return out;
}

KeyPath bip84_path(Network network, std::uint32_t account, bool change, std::uint32_t index) {
    const std::uint32_t coin = network == Network::kMainnet ? 0 : 1;
    return {84 | kHardened, coin | kHardened, account | kHardened, change ? 1U : 0U, index};
}

std::optional<HdKey> HdKey::from_seed(ByteView seed) {
    if (seed.size() < 16 || seed.size() > 64) {
        return std::nullopt;
    }
    Hash512 hash = hmac_sha512(as_bytes("Bitcoin seed"), seed);
    HdKey out;
    out.secret_ = SecretKey::from_bytes(half(hash, 0));
    out.chain_ = half(hash, 1);
    sodium_memzero(hash.data(), hash.size());
    if (!out.secret_) {
        return std::nullopt;
    }
    out.public_ = out.secret_->public_key();
    return out;
}

const SecretKey& HdKey::secret() const noexcept {
    assert(secret_);
    return *secret_;
}

std::uint32_t HdKey::fingerprint() const noexcept {
    const Hash160 id = hash160(public_);
    return ByteReader(id).u32();
}

std::optional<HdKey> HdKey::child(std::uint32_t index) const {
    const bool hardened = (index & kHardened) != 0;
    if ((hardened && !secret_) || depth_ == 255) {
        return std::nullopt;
    }
    Bytes data;
    data.reserve(37);
    ByteWriter w(data);
    if (hardened) {
        w.u8(0);
        w.bytes(secret_->bytes());
    } else {
        w.bytes(public_);
    }
    w.u32(index);
    Hash512 hash = hmac_sha512(chain_, data);
    sodium_memzero(data.data(), data.size());
    HdKey out;
    out.chain_ = half(hash, 1);
    out.parent_ = fingerprint();
    out.index_ = index;
    out.depth_ = static_cast<std::uint8_t>(depth_ + 1);
    const SecretBytes tweak = half(hash, 0);
    sodium_memzero(hash.data(), hash.size());
    if (secret_) {
        out.secret_ = secret_->add(tweak);
        if (!out.secret_) {
            return std::nullopt;
        }
        out.public_ = out.secret_->public_key();
        return out;
    }
    const auto key = add(public_, tweak);
    out.public_ = key.value_or(PublicKey{});
    return key ? std::optional(out) : std::nullopt;
}

std::optional<HdKey> HdKey::derive(const KeyPath& path) const {
    std::optional<HdKey> out = *this;
    for (const std::uint32_t index : path) {
        if (out = out->child(index); !out) {
            break;
        }
    }
    return out;
}

HdKey HdKey::public_only() const {
    HdKey out = *this;
    out.secret_.reset();
    return out;
}

std::string HdKey::to_text(Network network) const {
    const bool main = network == Network::kMainnet;
    Bytes bytes;
    bytes.reserve(kKeyBytes);
    ByteWriter w(bytes);
    w.u32(secret_ ? (main ? kXprv : kTprv) : (main ? kXpub : kTpub));
    w.u8(depth_);
    w.u32(parent_);
    w.u32(index_);
    w.bytes(chain_);
    if (secret_) {
        w.u8(0);
        w.bytes(secret_->bytes());
    } else {
        w.bytes(public_);
    }
    std::string out = base58check(bytes);
    sodium_memzero(bytes.data(), bytes.size());
    return out;
}

Result<HdKey> HdKey::from_text(std::string_view text) {
    const Error wrong{ErrorCode::kInvalidData, "it is not an extended key, or damaged"};
    auto bytes = from_base58check(text);
    if (!bytes || bytes->size() != kKeyBytes) {
        return wrong;
    }
    ByteReader r(*bytes);
    const std::uint32_t kind = r.u32();
    HdKey out;
    out.depth_ = r.u8();
    out.parent_ = r.u32();
    out.index_ = r.u32();
    out.chain_ = r.array<32>();
    bool fine = out.depth_ > 0 || (out.parent_ == 0 && out.index_ == 0);
    if (kind == kXprv || kind == kTprv) {
        fine = r.u8() == 0 && fine;
        out.secret_ = SecretKey::from_bytes(r.array<32>());
        fine = fine && out.secret_;
        out.public_ = fine ? out.secret_->public_key() : PublicKey{};
    } else {
        out.public_ = r.array<33>();
        fine = fine && (kind == kXpub || kind == kTpub) && valid(out.public_);
    }
    sodium_memzero(bytes->data(), bytes->size());
    return fine ? Result<HdKey>(out) : Result<HdKey>(wrong);
}

}  // namespace meshnet::bitcoin
