// SPDX-License-Identifier: MIT
#include "bitcoin/header_chain.hpp"

#include <algorithm>
#include <array>
#include <cassert>

namespace meshnet::bitcoin {

namespace {

constexpr std::uint32_t kTwentyMinutes = 1'200;
constexpr std::size_t kMedianOf = 11;

}  // namespace

HeaderChain::HeaderChain(Network network, const Checkpoint& checkpoint)
    : rules_(chain_rules(network)), root_height_(checkpoint.height) {
    assert(checkpoint.height % kBlocksPerRetarget == 0 || !rules_.retargets);
    const Hash256 hash = checkpoint.header.hash();
    entries_[hash] = {checkpoint.header, checkpoint.height, U256{}};
    best_.push_back(hash);
}

HeaderChain::Added HeaderChain::add(const BlockHeader& header, std::optional<std::uint64_t> unix_s) {
    const Hash256 hash = header.hash();
    if (entries_.count(hash) != 0) {
        return Added::kKnown;
    }
    const auto target = target_of(header.bits);
    if (!target || *target > rules_.easiest || U256::from_bytes(hash) > *target) {
        return Added::kInvalid;  // before anything that costs more
    }
    const auto parent = entries_.find(header.previous);
    if (parent == entries_.end()) {
        return Added::kOrphan;
    }
    if (header.bits != required_bits(header.previous, header.time) || header.time <= median_time(header.previous)) {
        return Added::kInvalid;
    }
    if (unix_s && header.time > *unix_s + kAhead) {
        return Added::kTooEarly;
    }
    const std::uint32_t at = parent->second.height + 1;
    const bool extends_best = header.previous == best_.back();
    const U256 all = parent->second.work + work_of(*target);
    if (!extends_best && beside_.size() >= kMostBeside) {
        prune();
    }
    if (!extends_best &&
        (at + kDeepestFork <= height() || beside_.size() >= kMostBeside || entries_.count(header.previous) == 0)) {
        return Added::kRefused;
    }
    entries_[hash] = {header, at, all};
    if (all > work()) {
        adopt(hash);
        return Added::kExtends;
    }
    beside_.insert(hash);
    return Added::kBeside;  // of two with the same work the first stands
}

std::uint32_t HeaderChain::required_bits(const Hash256& parent, std::uint32_t time) const {
    const Entry* before = &entries_.at(parent);
    if (!rules_.retargets) {
        return before->header.bits;
    }
    const std::uint32_t next_height = before->height + 1;
    if (next_height % kBlocksPerRetarget == 0) {
        const Entry* first = before;
        for (std::uint32_t i = 1; i < kBlocksPerRetarget; ++i) {
            first = &entries_.at(first->header.previous);
        }
        return retarget(rules_, before->header.bits, first->header.time, before->header.time);
    }
    if (!rules_.minimum_after_20_min) {
        return before->header.bits;
    }
    const std::uint32_t easiest = bits_of(rules_.easiest);
    if (std::uint64_t{time} > std::uint64_t{before->header.time} + kTwentyMinutes) {
        return easiest;
    }
    while (before->height % kBlocksPerRetarget != 0 && before->header.bits == easiest) {
        before = &entries_.at(before->header.previous);
    }
    return before->header.bits;
}

std::uint32_t HeaderChain::median_time(Hash256 hash) const {
    std::array<std::uint32_t, kMedianOf> times{};
    std::size_t n = 0;
    for (auto it = entries_.find(hash); it != entries_.end() && n < kMedianOf;
         it = entries_.find(it->second.header.previous)) {
        times[n++] = it->second.header.time;
    }
    std::sort(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(n));
    return times[n / 2];
}

bool HeaderChain::in_best(const Hash256& hash, std::uint32_t height) const {
    return height >= root_height_ && height - root_height_ < best_.size() && best_[height - root_height_] == hash;
}

/// The branch that ends with `hash` becomes the best chain.
void HeaderChain::adopt(Hash256 hash) {
    const std::uint32_t top = entries_.at(hash).height;
    for (; height() > top; best_.pop_back()) {
        beside_.insert(best_.back());
    }
    const std::size_t known = best_.size();
    best_.resize(top - root_height_ + 1);
    for (std::uint32_t at = top; !in_best(hash, at); --at) {
        Hash256& place = best_[at - root_height_];
        if (at - root_height_ < known) {
            beside_.insert(place);
        }
        beside_.erase(hash);
        place = hash;
        hash = entries_.at(hash).header.previous;
    }
}

/// Forgets branches that begin so deep that they are no longer followed, with all that stands on them.
void HeaderChain::prune() {
    for (bool any = true; any;) {
        any = false;
        for (auto it = beside_.begin(); it != beside_.end();) {
            const Entry& entry = entries_.at(*it);
            const bool old = entry.height + kDeepestFork <= height() || entries_.count(entry.header.previous) == 0;
            if (old) {
                entries_.erase(*it);
            }
            any = any || old;
            it = old ? beside_.erase(it) : std::next(it);
        }
    }
}

std::optional<BlockHeader> HeaderChain::at(std::uint32_t height) const {
    if (height < root_height_ || height - root_height_ >= best_.size()) {
        return std::nullopt;
    }
    return entries_.at(best_[height - root_height_]).header;
}

const BlockHeader* HeaderChain::find(const Hash256& hash) const {
    const auto it = entries_.find(hash);
    return it == entries_.end() ? nullptr : &it->second.header;
}

std::uint32_t HeaderChain::confirmations(const Hash256& hash) const {
    const auto it = entries_.find(hash);
    return it != entries_.end() && in_best(hash, it->second.height) ? height() - it->second.height + 1 : 0;
}

}  // namespace meshnet::bitcoin
