// SPDX-License-Identifier: MIT
#include "bitcoin/hash.hpp"

#include <sodium.h>

#include <algorithm>
#include <bit>

namespace meshnet::bitcoin {

namespace {

// Order of the message words and rotations, left and right line, five rounds of sixteen steps.
constexpr std::array<std::uint8_t, 80> kWordLeft{
    0,  1, 2,  3,  4, 5,  6,  7,  8, 9, 10, 11, 12, 13, 14, 15, 7, 4,  13, 1, 10, 6, 15, 3,  12, 0, 9,
    5,  2, 14, 11, 8, 3,  10, 14, 4, 9, 15, 8,  1,  2,  7,  0,  6, 13, 11, 5, 12, 1, 9,  11, 10, 0, 8,
    12, 4, 13, 3,  7, 15, 14, 5,  6, 2, 4,  0,  5,  9,  7,  12, 2, 10, 14, 1, 3,  8, 11, 6,  15, 13};
constexpr std::array<std::uint8_t, 80> kWordRight{
    5,  14, 7, 0,  9, 2,  11, 4, 13, 6,  15, 8,  1,  10, 3, 12, 6, 11, 3, 7, 0,  13, 5, 10, 14, 15, 8,
    12, 4,  9, 1,  2, 15, 5,  1, 3,  7,  14, 6,  9,  11, 8, 12, 2, 10, 0, 4, 13, 8,  6, 4,  1,  3,  11,
    15, 0,  5, 12, 2, 13, 9,  7, 10, 14, 12, 15, 10, 4,  1, 5,  8, 7,  6, 2, 13, 14, 0, 3,  9,  11};
constexpr std::array<std::uint8_t, 80> kTurnLeft{
    11, 14, 15, 12, 5,  8,  7,  9, 11, 13, 14, 15, 6,  7,  9, 8,  7,  6,  8,  13, 11, 9,  7,  15, 7,  12, 15,
    9,  11, 7,  13, 12, 11, 13, 6, 7,  14, 9,  13, 15, 14, 8, 13, 6,  5,  12, 7,  5,  11, 12, 14, 15, 14, 15,
    9,  8,  9,  14, 5,  6,  8,  6, 5,  12, 9,  15, 5,  11, 6, 8,  13, 12, 5,  12, 13, 14, 11, 8,  5,  6};
constexpr std::array<std::uint8_t, 80> kTurnRight{
    8, 9,  9,  11, 13, 15, 15, 5,  7,  7, 8, 11, 14, 14, 12, 6, 9,  13, 15, 7,  12, 8,  9,  11, 7,  7,  12,
    7, 6,  15, 13, 11, 9,  7,  15, 11, 8, 6, 6,  14, 12, 13, 5, 14, 13, 13, 7,  5,  15, 5,  8,  11, 14, 14,
    6, 14, 6,  9,  12, 9,  12, 5,  15, 8, 8, 5,  12, 9,  12, 5, 14, 6,  8,  13, 6,  5,  15, 13, 11, 11};
constexpr std::array<std::uint32_t, 5> kAddLeft{0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E};
constexpr std::array<std::uint32_t, 5> kAddRight{0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0};

std::uint32_t mix(unsigned round, std::uint32_t x, std::uint32_t y, std::uint32_t z) noexcept {
    switch (round) {
        case 0:
            return x ^ y ^ z;
        case 1:
            return (x & y) | (~x & z);
        case 2:
            return (x | ~y) ^ z;
        case 3:
            return (x & z) | (y & ~z);
        default:
            return x ^ (y | ~z);
    }
}

using State = std::array<std::uint32_t, 5>;

void step(State& s, unsigned function, std::uint32_t word, std::uint32_t constant, int turn) noexcept {
    const std::uint32_t t = std::rotl(s[0] + mix(function, s[1], s[2], s[3]) + word + constant, turn) + s[4];
    s = {s[4], t, s[1], std::rotl(s[2], 10), s[3]};
}

void compress(State& h, const std::uint8_t* block) noexcept {
    std::array<std::uint32_t, 16> x{};
    for (std::size_t i = 0; i < 64; ++i) {
        x[i / 4] |= static_cast<std::uint32_t>(block[i]) << (8 * (i % 4));
    }
    State left = h, right = h;
    for (unsigned i = 0; i < 80; ++i) {
        step(left, i / 16, x[kWordLeft[i]], kAddLeft[i / 16], kTurnLeft[i]);
        step(right, 4 - i / 16, x[kWordRight[i]], kAddRight[i / 16], kTurnRight[i]);
    }
    const std::uint32_t t = h[1] + left[2] + right[3];
    h[1] = h[2] + left[3] + right[4];
    h[2] = h[3] + left[4] + right[0];
    h[3] = h[4] + left[0] + right[1];
    h[4] = h[0] + left[1] + right[2];
    h[0] = t;
}

}  // namespace

Hash256 sha256(ByteView data) noexcept {
    Hash256 out{};
    crypto_hash_sha256(out.data(), data.data(), data.size());
    return out;
}

Hash256 sha256d(ByteView data) noexcept {
    return sha256(sha256(data));
}

Hash160 ripemd160(ByteView data) noexcept {
    State h{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    std::size_t at = 0;
    for (; at + 64 <= data.size(); at += 64) {
        compress(h, data.data() + at);
    }
    std::array<std::uint8_t, 128> last{};
    const std::size_t rest = data.size() - at;
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), rest, last.begin());
    last[rest] = 0x80;
    const std::size_t blocks = rest < 56 ? 1 : 2;
    const std::uint64_t bits = std::uint64_t{data.size()} * 8;
    for (std::size_t i = 0; i < 8; ++i) {
        last[64 * blocks - 8 + i] = static_cast<std::uint8_t>(bits >> (8 * i));
    }
    for (std::size_t i = 0; i < blocks; ++i) {
        compress(h, last.data() + 64 * i);
    }
    Hash160 out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>(h[i / 4] >> (8 * (i % 4)));
    }
    return out;
}

Hash160 hash160(ByteView data) noexcept {
    return ripemd160(sha256(data));
}

Hash512 hmac_sha512(ByteView key, ByteView data) noexcept {
    Hash512 out{};
    crypto_auth_hmacsha512_state state;
    crypto_auth_hmacsha512_init(&state, key.data(), key.size());
    crypto_auth_hmacsha512_update(&state, data.data(), data.size());
    crypto_auth_hmacsha512_final(&state, out.data());
    sodium_memzero(&state, sizeof state);
    return out;
}

Hash512 pbkdf2_sha512(ByteView password, ByteView salt, unsigned rounds) noexcept {
    crypto_auth_hmacsha512_state keyed;  // the state behind the key is the same for every round
    crypto_auth_hmacsha512_init(&keyed, password.data(), password.size());
    constexpr std::array<std::uint8_t, 4> kFirstBlock{0, 0, 0, 1};
    auto state = keyed;
    Hash512 u{};
    crypto_auth_hmacsha512_update(&state, salt.data(), salt.size());
    crypto_auth_hmacsha512_update(&state, kFirstBlock.data(), kFirstBlock.size());
    crypto_auth_hmacsha512_final(&state, u.data());
    Hash512 out = u;
    for (unsigned i = 1; i < rounds; ++i) {
        state = keyed;
        crypto_auth_hmacsha512_update(&state, u.data(), u.size());
        crypto_auth_hmacsha512_final(&state, u.data());
        for (std::size_t k = 0; k < out.size(); ++k) {
            out[k] ^= u[k];
        }
    }
    sodium_memzero(&keyed, sizeof keyed);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(u.data(), u.size());
    return out;
}

std::string shown(const Hash256& hash) {
    Hash256 reversed = hash;
    std::reverse(reversed.begin(), reversed.end());
    return to_hex(reversed);
}

std::optional<Hash256> hash_from_shown(std::string_view text) {
    const auto bytes = from_hex(text);
    if (!bytes || bytes->size() != Hash256{}.size()) {
        return std::nullopt;
    }
    Hash256 out{};
    std::copy(bytes->rbegin(), bytes->rend(), out.begin());
    return out;
}

}  // namespace meshnet::bitcoin
