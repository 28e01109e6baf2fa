// SPDX-License-Identifier: MIT
#include "bitcoin/keys.hpp"

#include <secp256k1.h>
#include <sodium.h>

#include <algorithm>

namespace meshnet::bitcoin {

namespace {

/// One for all: signing needs no more than this to be safe to share; blinding is done once, at the start.
const secp256k1_context* context() {
    static const secp256k1_context* const made = [] {
        secp256k1_context* c = secp256k1_context_create(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_VERIFY);
        SecretBytes seed{};
        if (sodium_init() >= 0) {
            randombytes_buf(seed.data(), seed.size());
            (void)!secp256k1_context_randomize(c, seed.data());
            sodium_memzero(seed.data(), seed.size());
        }
        return c;
    }();
    return made;
}

PublicKey compressed(const secp256k1_pubkey& key) noexcept {
    PublicKey out{};
    std::size_t size = out.size();
    (void)secp256k1_ec_pubkey_serialize(context(), out.data(), &size, &key, SECP256K1_EC_COMPRESSED);
    return out;
}

}  // namespace

bool valid(const PublicKey& key) noexcept {
    secp256k1_pubkey parsed;
    return secp256k1_ec_pubkey_parse(context(), &parsed, key.data(), key.size()) == 1;
}

std::optional<SecretKey> SecretKey::from_bytes(const SecretBytes& bytes) noexcept {
    return secp256k1_ec_seckey_verify(context(), bytes.data()) == 1 ? std::optional(SecretKey(bytes)) : std::nullopt;
}

SecretKey::~SecretKey() {
    sodium_memzero(bytes_.data(), bytes_.size());
}

PublicKey SecretKey::public_key() const noexcept {
    secp256k1_pubkey key;
    (void)!secp256k1_ec_pubkey_create(context(), &key, bytes_.data());
    return compressed(key);
}

Bytes SecretKey::sign(const Hash256& hash) const {
    secp256k1_ecdsa_signature signature;
    (void)!secp256k1_ecdsa_sign(context(), &signature, hash.data(), bytes_.data(), nullptr, nullptr);
    Bytes der(72);
    std::size_t size = der.size();
    (void)secp256k1_ecdsa_signature_serialize_der(context(), der.data(), &size, &signature);
    der.resize(size);
    return der;
}

std::optional<SecretKey> SecretKey::add(const SecretBytes& tweak) const noexcept {
    SecretKey out(bytes_);
    return secp256k1_ec_seckey_tweak_add(context(), out.bytes_.data(), tweak.data()) == 1 ? std::optional(out)
                                                                                          : std::nullopt;
}

std::optional<PublicKey> add(const PublicKey& key, const SecretBytes& tweak) noexcept {
    secp256k1_pubkey parsed;
    if (secp256k1_ec_pubkey_parse(context(), &parsed, key.data(), key.size()) != 1 ||
        secp256k1_ec_pubkey_tweak_add(context(), &parsed, tweak.data()) != 1) {
        return std::nullopt;
    }
    return compressed(parsed);
}

bool verify(const PublicKey& key, const Hash256& hash, ByteView der) noexcept {
    secp256k1_pubkey parsed;
    secp256k1_ecdsa_signature signature;
    std::array<std::uint8_t, 72> again{};
    std::size_t size = again.size();
    // What is not written again byte for byte was not strict DER.
    return secp256k1_ec_pubkey_parse(context(), &parsed, key.data(), key.size()) == 1 &&
           secp256k1_ecdsa_signature_parse_der(context(), &signature, der.data(), der.size()) == 1 &&
           secp256k1_ecdsa_signature_serialize_der(context(), again.data(), &size, &signature) == 1 &&
           std::equal(again.begin(), again.begin() + static_cast<std::ptrdiff_t>(size), der.begin(), der.end()) &&
           secp256k1_ecdsa_verify(context(), &signature, hash.data(), &parsed) == 1;
}

}  // namespace meshnet::bitcoin
