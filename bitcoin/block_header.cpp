// SPDX-License-Identifier: MIT
#include "bitcoin/block_header.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

#include "bitcoin/serial.hpp"

namespace meshnet::bitcoin {

U256 U256::from_bytes(const Hash256& bytes) noexcept {
    U256 out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        out.limbs_[i / 8] |= static_cast<std::uint64_t>(bytes[i]) << (8 * (i % 8));
    }
    return out;
}

unsigned U256::bits() const noexcept {
    for (std::size_t i = 4; i-- > 0;) {
        if (limbs_[i] != 0) {
            return static_cast<unsigned>(64 * i) + static_cast<unsigned>(std::bit_width(limbs_[i]));
        }
    }
    return 0;
}

U256 U256::operator<<(unsigned n) const noexcept {
    U256 out;
    for (std::size_t i = n / 64; i < 4 && n < 256; ++i) {
        const std::size_t from = i - n / 64;
        out.limbs_[i] = limbs_[from] << (n % 64);
        if (n % 64 != 0 && from > 0) {
            out.limbs_[i] |= limbs_[from - 1] >> (64 - n % 64);
        }
    }
    return out;
}

U256 U256::operator>>(unsigned n) const noexcept {
    U256 out;
    for (std::size_t i = 0; n < 256 && i + n / 64 < 4; ++i) {
        const std::size_t from = i + n / 64;
        out.limbs_[i] = limbs_[from] >> (n % 64);
        if (n % 64 != 0 && from < 3) {
            out.limbs_[i] |= limbs_[from + 1] << (64 - n % 64);
        }
    }
    return out;
}

U256 U256::operator+(const U256& o) const noexcept {
    U256 out;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const std::uint64_t sum = limbs_[i] + o.limbs_[i];
        out.limbs_[i] = sum + carry;
        carry = (sum < limbs_[i] ? 1U : 0U) | (out.limbs_[i] < sum ? 1U : 0U);
    }
    return out;
}

U256 U256::operator~() const noexcept {
    U256 out;
    for (std::size_t i = 0; i < 4; ++i) {
        out.limbs_[i] = ~limbs_[i];
    }
    return out;
}

U256 U256::operator-(const U256& o) const noexcept {
    return *this + ~o + U256(1);
}

U256 U256::times(std::uint32_t v) const noexcept {
    U256 out;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        const std::uint64_t digit = (limbs_[i / 2] >> (32 * (i % 2))) & 0xFFFF'FFFF;
        const std::uint64_t product = digit * v + carry;
        out.limbs_[i / 2] |= (product & 0xFFFF'FFFF) << (32 * (i % 2));
        carry = product >> 32;
    }
    return out;
}

U256 U256::operator/(const U256& divisor) const noexcept {
    assert(!divisor.is_zero());
    U256 out, rest = *this;
    for (unsigned shift = bits() >= divisor.bits() ? bits() - divisor.bits() + 1 : 0; shift-- > 0;) {
        const U256 part = divisor << shift;
        if (part <= rest) {
            rest = rest - part;
            out.limbs_[shift / 64] |= std::uint64_t{1} << (shift % 64);
        }
    }
    return out;
}

std::strong_ordering U256::operator<=>(const U256& o) const noexcept {
    for (std::size_t i = 4; i-- > 0;) {
        if (limbs_[i] != o.limbs_[i]) {
            return limbs_[i] <=> o.limbs_[i];
        }
    }
    return std::strong_ordering::equal;
}

std::optional<U256> target_of(std::uint32_t bits) noexcept {
    const unsigned size = bits >> 24;
    const U256 digits(bits & 0x007F'FFFF);
    const bool negative = (bits & 0x0080'0000) != 0;
    const U256 out = size <= 3 ? digits >> (8 * (3 - size)) : digits << (8 * (size - 3));
    if (negative || out.is_zero() || (size > 3 && digits.bits() + 8 * (size - 3) > 256)) {
        return std::nullopt;
    }
    return out;
}

std::uint32_t bits_of(const U256& target) noexcept {
    unsigned size = (target.bits() + 7) / 8;
    auto digits =
        static_cast<std::uint32_t>(size <= 3 ? target.low() << (8 * (3 - size)) : (target >> (8 * (size - 3))).low());
    if ((digits & 0x0080'0000) != 0) {  // that bit is the sign
        digits >>= 8;
        ++size;
    }
    return digits | size << 24;
}

U256 work_of(const U256& target) noexcept {
    const U256 one(1);
    if (target == ~U256{}) {
        return one;
    }
    return ~target / (target + one) + one;  // (2^256 - t - 1) / (t + 1) + 1
}

Bytes BlockHeader::encode() const {
    Bytes out;
    out.reserve(kBytes);
    SerialWriter w(out);
    w.u32(version);
    w.bytes(previous);
    w.bytes(merkle_root);
    w.u32(time);
    w.u32(bits);
    w.u32(nonce);
    return out;
}

std::optional<BlockHeader> BlockHeader::decode(ByteView in) noexcept {
    SerialReader r(in);
    BlockHeader h;
    h.version = r.u32();
    h.previous = r.array<32>();
    h.merkle_root = r.array<32>();
    h.time = r.u32();
    h.bits = r.u32();
    h.nonce = r.u32();
    return r.complete() ? std::optional(h) : std::nullopt;
}

Hash256 BlockHeader::hash() const {
    return sha256d(encode());
}

const ChainRules& chain_rules(Network network) noexcept {
    static const U256 all = ~U256{};
    static const std::array<ChainRules, 4> rules{{
        {all >> 32, true, false},
        {all >> 32, true, true},
        {U256(0x0377AE) << 216, true, false},  // signet's bits 1e0377ae
        {all >> 1, false, true},
    }};
    return rules[static_cast<std::size_t>(network)];
}

std::uint32_t retarget(const ChainRules& rules, std::uint32_t bits, std::uint32_t first_time,
                       std::uint32_t last_time) noexcept {
    const std::int64_t took = std::clamp<std::int64_t>(std::int64_t{last_time} - first_time, kRetargetSeconds / 4,
                                                       std::int64_t{kRetargetSeconds} * 4);
    const U256 before = target_of(bits).value_or(rules.easiest);  // below 2^226, so the product fits
    const U256 next = before.times(static_cast<std::uint32_t>(took)) / U256(kRetargetSeconds);
    return bits_of(std::min(next, rules.easiest));
}

// ---- proofs ----

namespace {

Hash256 parent_of(const Hash256& left, const Hash256& right) {
    std::array<std::uint8_t, 64> both{};
    std::copy(left.begin(), left.end(), both.begin());
    std::copy(right.begin(), right.end(), both.begin() + 32);
    return sha256d(both);
}

void next_level(std::vector<Hash256>& level) {
    if (level.size() % 2 == 1) {
        level.push_back(level.back());
    }
    for (std::size_t i = 0; i < level.size() / 2; ++i) {
        level[i] = parent_of(level[2 * i], level[2 * i + 1]);
    }
    level.resize(level.size() / 2);
}

}  // namespace

Hash256 merkle_root(std::vector<Hash256> txids) {
    assert(!txids.empty());
    while (txids.size() > 1) {
        next_level(txids);
    }
    return txids.front();
}

MerkleProof merkle_proof(std::vector<Hash256> txids, std::uint32_t index) {
    assert(index < txids.size());
    MerkleProof out;
    out.index = index;
    for (std::size_t at = index; txids.size() > 1; at /= 2) {
        const std::size_t sibling = at ^ 1U;
        out.siblings.push_back(sibling < txids.size() ? txids[sibling] : txids[at]);
        next_level(txids);
    }
    return out;
}

bool proves(const MerkleProof& proof, ByteView transaction, const Hash256& root) {
    if (transaction.size() == 64 || proof.siblings.size() > MerkleProof::kMostSiblings ||
        (std::uint64_t{proof.index} >> proof.siblings.size()) != 0) {
        return false;
    }
    Hash256 node = sha256d(transaction);
    for (std::size_t i = 0; i < proof.siblings.size(); ++i) {
        node = ((proof.index >> i) & 1) != 0 ? parent_of(proof.siblings[i], node) : parent_of(node, proof.siblings[i]);
    }
    return node == root;
}

Bytes MerkleProof::encode() const {
    Bytes out;
    SerialWriter w(out);
    w.u32(index);
    w.compact(siblings.size());
    for (const Hash256& s : siblings) {
        w.bytes(s);
    }
    return out;
}

std::optional<MerkleProof> MerkleProof::decode(ByteView in) {
    SerialReader r(in);
    MerkleProof out;
    out.index = r.u32();
    const std::size_t n = r.count(32);
    if (n > kMostSiblings) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < n; ++i) {
        out.siblings.push_back(r.array<32>());
    }
    return r.complete() ? std::optional(out) : std::nullopt;
}

}  // namespace meshnet::bitcoin
