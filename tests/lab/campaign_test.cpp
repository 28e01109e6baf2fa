// SPDX-License-Identifier: MIT
#include "lab/campaign.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>
#include <vector>

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

TEST(Campaign, AShardIsReadOrRefused) {
    const auto third = parse_shard("2/3");
    ASSERT_TRUE(third);
    EXPECT_EQ(third->index, 2U);
    EXPECT_EQ(third->count, 3U);
    EXPECT_EQ(third->text(), "2/3");
    ASSERT_TRUE(parse_shard(""));
    EXPECT_TRUE(parse_shard("")->whole());
    for (const char* wrong : {"3/3", "1", "/2", "1/", "1/0", "-1/2", "1/2x", "a/b", "0/100001"}) {
        EXPECT_FALSE(parse_shard(wrong)) << wrong;
    }
}

TEST(Campaign, EveryItemRunsOnceInOneShard) {
    std::vector<int> runs(10);
    for (std::size_t i = 0; i < 3; ++i) {
        run_shard(runs.size(), {i, 3}, 2, true, [&](std::size_t k) {
            ++runs[k];
            EXPECT_EQ(k % 3, i);
        });
    }
    EXPECT_EQ(runs, std::vector<int>(10, 1));
    run_shard(1, {1, 3}, 4, true, [](std::size_t) { FAIL() << "no item is in this shard"; });
    EXPECT_THROW(run_shard(10, {}, 4, true, [](std::size_t) { throw std::invalid_argument("no"); }),
                 std::invalid_argument);
}

TEST(Campaign, ShardsAreJoinedWhateverTheirOrderAndRefusedIfIncomplete) {
    const auto make = [](std::size_t i, int option = 1) {
        std::vector<Json> rows(5);
        for (std::size_t k = 0; k < rows.size(); ++k) {
            rows[k] = 0.1 * static_cast<double>(k);
        }
        // As it comes out of a file.
        return Json::parse(shard_json("mac", {{"option", option}}, 5, {i, 2}, std::move(rows)).dump());
    };
    const auto joined = join_shards({make(1), make(0)});
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->campaign, "mac");
    for (std::size_t k = 0; k < 5; ++k) {
        EXPECT_EQ(joined->rows[k].get<double>(), 0.1 * static_cast<double>(k));
    }
    EXPECT_FALSE(join_shards({make(0)}));
    EXPECT_FALSE(join_shards({make(0), make(0), make(1)}));
    EXPECT_FALSE(join_shards({make(0), make(1, 2)}));
    EXPECT_FALSE(join_shards({}));
    EXPECT_FALSE(join_shards({Json::array({1, 2})}));
    Json far = make(0);
    far["rows"][0][0] = 77;
    EXPECT_FALSE(join_shards({far, make(1)}));
}

}  // namespace
}  // namespace meshnet::lab
