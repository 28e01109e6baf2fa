// SPDX-License-Identifier: MIT
// The chain of headers with the most work behind a checkpoint. It believes nobody: each header proves its work, and the
// difficulty follows the rules. Who gives no headers can starve it, nobody can lie to it below the cost of the work.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "bitcoin/block_header.hpp"

namespace meshnet::bitcoin {

class HeaderChain {
public:
    static constexpr std::uint32_t kDeepestFork = kBlocksPerRetarget;  ///< branches that leave deeper are not kept
    static constexpr std::size_t kMostBeside = 10'000;                 ///< headers on other branches
    static constexpr std::uint32_t kAhead = 2 * 3'600;                 ///< seconds a header may be ahead of our clock

    /// A header that is taken for granted. Its height is a multiple of 2016 where the difficulty changes, so that the
    /// rules can be checked from there.
    struct Checkpoint {
        BlockHeader header;
        std::uint32_t height = 0;
    };
    /// Precondition: checkpoint.height % 2016 == 0 unless the network's difficulty never changes.
    HeaderChain(Network network, const Checkpoint& checkpoint);

    enum class Added : std::uint8_t {
        kExtends,  ///< it has the most work now
        kBeside,   ///< on another branch
        kKnown,
        kOrphan,    ///< its parent is not known: ask for what is between
        kInvalid,   ///< work, difficulty or time are wrong
        kTooEarly,  ///< ahead of our clock: it may be right later
        kRefused,   ///< leaves the best chain too deep, or there are too many of such
    };
    /// `unix_s`: our clock; nothing if it is not trusted: then only the rules of the chain count.
    Added add(const BlockHeader& header, std::optional<std::uint64_t> unix_s);

    [[nodiscard]] std::uint32_t height() const noexcept {
        return root_height_ + static_cast<std::uint32_t>(best_.size()) - 1;
    }
    [[nodiscard]] const Hash256& tip() const noexcept { return best_.back(); }
    [[nodiscard]] const BlockHeader& tip_header() const { return entries_.at(best_.back()).header; }
    [[nodiscard]] const U256& work() const { return entries_.at(best_.back()).work; }  ///< behind the checkpoint
    /// The header at a height of the best chain; nothing below the checkpoint or above the tip.
    [[nodiscard]] std::optional<BlockHeader> at(std::uint32_t height) const;
    [[nodiscard]] const BlockHeader* find(const Hash256& hash) const;
    /// 1 for the tip; 0 if the block is not in the best chain.
    [[nodiscard]] std::uint32_t confirmations(const Hash256& hash) const;
    /// Median of the times of a block and the ten before it: the time that lock times are compared with (BIP 113).
    [[nodiscard]] std::uint32_t median_time() const { return median_time(best_.back()); }
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

private:
    struct Entry {
        BlockHeader header;
        std::uint32_t height = 0;
        U256 work;
    };
    [[nodiscard]] std::uint32_t required_bits(const Hash256& parent, std::uint32_t time) const;
    [[nodiscard]] std::uint32_t median_time(Hash256 hash) const;
    [[nodiscard]] bool in_best(const Hash256& hash, std::uint32_t height) const;
    void adopt(Hash256 hash);
    void prune();

    const ChainRules& rules_;
    std::uint32_t root_height_;
    std::map<Hash256, Entry> entries_;
    std::vector<Hash256> best_;  // [i]: at height root_height_ + i
    std::set<Hash256> beside_;   // all others
};

}  // namespace meshnet::bitcoin
