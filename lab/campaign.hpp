// SPDX-License-Identifier: MIT
// Campaigns over many seeds, split over machines and joined again: each machine runs a shard and writes one JSON
// object, `meshnet-lab merge` makes of all of them, byte for byte, what one machine would have written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace meshnet::lab {

/// Part `index` of `count`: every item k with k % count == index.
struct Shard {
    std::size_t index = 0;
    std::size_t count = 1;
    [[nodiscard]] bool whole() const noexcept { return count == 1; }
    [[nodiscard]] bool mine(std::size_t item) const noexcept { return item % count == index; }
    [[nodiscard]] std::string text() const { return std::to_string(index) + '/' + std::to_string(count); }
};
/// "i/n" with 0 <= i < n <= 100 000; empty: the whole.
[[nodiscard]] Result<Shard> parse_shard(std::string_view text);

/// Calls work(k) for those of 0..items - 1 that the shard has, on `threads` threads (0: one per core). The first
/// exception of a call is thrown again when all threads have ended. Lines of progress on stderr unless `quiet`.
void run_shard(std::size_t items, const Shard& shard, unsigned threads, bool quiet,
               const std::function<void(std::size_t)>& work);

/// What a shard writes: {"campaign", "options", "items", "shard", "rows": [[item, row], ...]}.
[[nodiscard]] nlohmann::ordered_json shard_json(std::string_view campaign, nlohmann::ordered_json options,
                                                std::size_t items, const Shard& shard,
                                                std::vector<nlohmann::ordered_json> rows);

/// The rows of all shards of one campaign by item. Error: one line that says what does not fit or is missing.
struct Joined {
    std::string campaign;
    nlohmann::ordered_json options;
    std::vector<nlohmann::ordered_json> rows;
};
[[nodiscard]] Result<Joined> join_shards(const std::vector<nlohmann::ordered_json>& shards);

}  // namespace meshnet::lab
