// SPDX-License-Identifier: MIT
#include "net/crypto.hpp"

#include <sodium.h>

#include <cassert>
#include <cstring>
#include <stdexcept>

namespace meshnet::net {

namespace {

std::array<std::uint8_t, 12> nonce_of(std::uint64_t counter) noexcept {
    std::array<std::uint8_t, 12> nonce{};
    for (std::size_t i = 0; i < 8; ++i) {
        nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
    }
    return nonce;
}

Bytes with_context(std::string_view context, ByteView message) {
    Bytes all;
    all.reserve(context.size() + 1 + message.size());
    ByteWriter w(all);
    w.bytes(as_bytes(context));
    w.u8(0);
    w.bytes(message);
    return all;
}

thread_local SignatureMemo* memo = nullptr;

SignatureMemo::Key memo_key(const Key32& key, ByteView all, const Signature& signature) {
    return blake2b<32>({ByteView(key), ByteView(signature), all});
}

}  // namespace

SignatureMemo::SignatureMemo() noexcept : before_(memo) {
    memo = this;
}

SignatureMemo::~SignatureMemo() {
    memo = before_;
}

void SignatureMemo::insert(const Key& key) {
    if (valid_.size() >= kMost) {
        valid_.clear();
    }
    valid_.insert(key);
}

std::size_t SignatureMemo::FirstBytes::operator()(const Key& key) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, key.data(), sizeof out);
    return out;
}

void crypto_init() {
    if (sodium_init() < 0) {
        throw std::runtime_error("libsodium could not be initialised");
    }
}

void blake2b(std::span<std::uint8_t> out, std::initializer_list<ByteView> parts) noexcept {
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init(&state, nullptr, 0, out.size());
    for (const ByteView part : parts) {
        crypto_generichash_blake2b_update(&state, part.data(), part.size());
    }
    crypto_generichash_blake2b_final(&state, out.data(), out.size());
}

SigningKey::SigningKey(const Key32& seed) noexcept {
    crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
}

SigningKey::~SigningKey() {
    wipe(secret_);
}

Signature SigningKey::sign(std::string_view context, ByteView message) const {
    Signature out{};
    const Bytes all = with_context(context, message);
    crypto_sign_detached(out.data(), nullptr, all.data(), all.size(), secret_.data());
    if (memo != nullptr) {
        memo->insert(memo_key(public_, all, out));
    }
    return out;
}

bool verify(const Key32& key, std::string_view context, ByteView message, const Signature& signature) {
    const Bytes all = with_context(context, message);
    if (memo == nullptr) {
        return crypto_sign_verify_detached(signature.data(), all.data(), all.size(), key.data()) == 0;
    }
    const auto hash = memo_key(key, all, signature);
    if (memo->contains(hash)) {
        return true;
    }
    const bool valid = crypto_sign_verify_detached(signature.data(), all.data(), all.size(), key.data()) == 0;
    if (valid) {
        memo->insert(hash);
    }
    return valid;
}

Key32 dh_public(const Key32& secret) noexcept {
    Key32 out{};
    crypto_scalarmult_base(out.data(), secret.data());
    return out;
}

std::optional<Key32> dh(const Key32& secret, const Key32& public_key) noexcept {
    Key32 out{};
    if (crypto_scalarmult(out.data(), secret.data(), public_key.data()) != 0) {
        return std::nullopt;
    }
    return out;
}

void aead_seal(const Key32& key, std::uint64_t counter, ByteView associated, ByteView plain, Bytes& out) {
    const auto nonce = nonce_of(counter);
    const std::size_t at = out.size();
    out.resize(at + plain.size() + kAeadTagBytes);
    unsigned long long written = 0;
    crypto_aead_chacha20poly1305_ietf_encrypt(out.data() + at, &written, plain.data(), plain.size(), associated.data(),
                                              associated.size(), nullptr, nonce.data(), key.data());
    assert(written == plain.size() + kAeadTagBytes);
}

std::optional<Bytes> aead_open(const Key32& key, std::uint64_t counter, ByteView associated, ByteView sealed) {
    if (sealed.size() < kAeadTagBytes) {
        return std::nullopt;
    }
    const auto nonce = nonce_of(counter);
    Bytes plain(sealed.size() - kAeadTagBytes);
    unsigned long long written = 0;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain.data(), &written, nullptr, sealed.data(), sealed.size(),
                                                  associated.data(), associated.size(), nonce.data(),
                                                  key.data()) != 0) {
        return std::nullopt;
    }
    return plain;
}

Key32 random_key(RandomSource& random) {
    Key32 key{};
    random.fill(key);
    return key;
}

void wipe(std::span<std::uint8_t> secret) noexcept {
    sodium_memzero(secret.data(), secret.size());
}

}  // namespace meshnet::net
