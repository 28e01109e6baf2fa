// SPDX-License-Identifier: MIT
// Block headers: their proof of work, the difficulty that the rules ask for, and proofs that a transaction is in a
// block.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "bitcoin/address.hpp"
#include "bitcoin/hash.hpp"
#include "core/bytes.hpp"

namespace meshnet::bitcoin {

/// An unsigned number of 256 bits, wrapping.
class U256 {
public:
    constexpr U256() = default;
    constexpr explicit U256(std::uint64_t v) : limbs_{v, 0, 0, 0} {}
    /// 32 bytes, least significant first, as a hash is compared with a target.
    [[nodiscard]] static U256 from_bytes(const Hash256& bytes) noexcept;
    [[nodiscard]] bool is_zero() const noexcept { return *this == U256{}; }
    [[nodiscard]] unsigned bits() const noexcept;  ///< of the number, without leading zeros
    [[nodiscard]] std::uint64_t low() const noexcept { return limbs_[0]; }
    [[nodiscard]] U256 operator<<(unsigned n) const noexcept;
    [[nodiscard]] U256 operator>>(unsigned n) const noexcept;
    [[nodiscard]] U256 operator+(const U256& o) const noexcept;
    [[nodiscard]] U256 operator-(const U256& o) const noexcept;
    [[nodiscard]] U256 operator~() const noexcept;
    [[nodiscard]] U256 times(std::uint32_t v) const noexcept;
    /// Precondition: `divisor` is not zero.
    [[nodiscard]] U256 operator/(const U256& divisor) const noexcept;
    bool operator==(const U256&) const = default;
    std::strong_ordering operator<=>(const U256& o) const noexcept;

private:
    std::array<std::uint64_t, 4> limbs_{};  // least significant first
};

/// The target of the compact form in a header; nothing if it is negative, zero or too large.
[[nodiscard]] std::optional<U256> target_of(std::uint32_t bits) noexcept;
[[nodiscard]] std::uint32_t bits_of(const U256& target) noexcept;
/// Hashes that are needed on average: 2^256 / (target + 1).
[[nodiscard]] U256 work_of(const U256& target) noexcept;

struct BlockHeader {
    static constexpr std::size_t kBytes = 80;
    std::uint32_t version = 0;
    Hash256 previous{}, merkle_root{};
    std::uint32_t time = 0;  ///< seconds since 1970
    std::uint32_t bits = 0;
    std::uint32_t nonce = 0;

    [[nodiscard]] Bytes encode() const;
    /// Nothing unless there are 80 bytes.
    [[nodiscard]] static std::optional<BlockHeader> decode(ByteView in) noexcept;
    [[nodiscard]] Hash256 hash() const;
    bool operator==(const BlockHeader&) const = default;
};

/// What the networks differ in.
struct ChainRules {
    U256 easiest;                       ///< largest target
    bool retargets = true;              ///< regtest: every block has the target of the one before
    bool minimum_after_20_min = false;  ///< testnet (version 3) and regtest: such blocks may have the easiest target
};
[[nodiscard]] const ChainRules& chain_rules(Network network) noexcept;
inline constexpr std::uint32_t kBlocksPerRetarget = 2'016;
inline constexpr std::uint32_t kRetargetSeconds = 14 * 24 * 3'600;
/// The target of the next period: the old one times what it took, within a quarter and four times.
[[nodiscard]] std::uint32_t retarget(const ChainRules& rules, std::uint32_t bits, std::uint32_t first_time,
                                     std::uint32_t last_time) noexcept;

/// The way from a transaction to the root of its block.
struct MerkleProof {
    static constexpr std::size_t kMostSiblings = 24;  ///< of a block of 4 million weight units there are fewer
    std::uint32_t index = 0;                          ///< of the transaction in the block
    std::vector<Hash256> siblings;                    ///< from the leaves up

    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<MerkleProof> decode(ByteView in);
    bool operator==(const MerkleProof&) const = default;
};
/// Precondition: at least one id.
[[nodiscard]] Hash256 merkle_root(std::vector<Hash256> txids);
[[nodiscard]] MerkleProof merkle_proof(std::vector<Hash256> txids, std::uint32_t index);
/// True if the transaction whose bytes (without witness) these are is in a block with this root. A transaction of 64
/// bytes proves nothing: it looks like an inner node (CVE-2017-12842).
[[nodiscard]] bool proves(const MerkleProof& proof, ByteView transaction, const Hash256& root);

}  // namespace meshnet::bitcoin
