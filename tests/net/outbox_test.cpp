// SPDX-License-Identifier: MIT
// Persist before reveal: no action runs before the rows it depends on are on disk.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "net/outbox.hpp"

namespace meshnet::net {
namespace {

struct OutboxTest : ::testing::Test {
    Outbox outbox;
    std::vector<Bytes> changed;         // keys that the next batch will carry
    std::vector<std::string> revealed;  // names of actions that ran, in order
    Instant now = instant_from_ns(1'000);

    OutboxTest() {
        outbox.add_source([this](Outbox::Rows& rows) { take(changed, rows); });
    }
    static void take(std::vector<Bytes>& keys, Outbox::Rows& rows) {
        for (const Bytes& key : keys) {
            rows.emplace_back();
            rows.back().key = key;
        }
        keys.clear();
    }
    void reveal_later(const std::string& name) {
        outbox.after_persist([this, name](Instant) { revealed.push_back(name); });
    }
    std::uint64_t poll() {
        const auto batch = outbox.poll();
        return batch ? batch->number : 0;
    }
    using Names = std::vector<std::string>;
};

TEST_F(OutboxTest, AnEmptyOutboxGivesNoBatch) {
    EXPECT_FALSE(outbox.poll());
    outbox.persisted(now, 0);
    outbox.persisted(now, 99);
    EXPECT_EQ(revealed, Names{});
    changed = {{1}};
    EXPECT_EQ(poll(), 1U) << "an empty poll uses up no number";
}

TEST_F(OutboxTest, NothingIsRevealedBeforeItsBatchIsPersisted) {
    changed = {{1}};
    reveal_later("receipt");
    EXPECT_EQ(revealed, Names{});
    EXPECT_EQ(outbox.waiting(), 1U);
    outbox.persisted(now, 1);  // not polled yet: nothing is on disk
    EXPECT_EQ(revealed, Names{});
    EXPECT_EQ(poll(), 1U);
    EXPECT_EQ(outbox.waiting(), 0U);
    EXPECT_EQ(outbox.in_flight(), 1U);
    outbox.persisted(now, 0);
    EXPECT_EQ(revealed, Names{});
    outbox.persisted(now, 1);
    EXPECT_EQ(revealed, Names{"receipt"});
    outbox.persisted(now, 1);  // repeated
    EXPECT_EQ(revealed, Names{"receipt"});
    EXPECT_EQ(outbox.in_flight(), 0U);
}

TEST_F(OutboxTest, AnActionWithoutRowsWaitsForABatch) {
    reveal_later("early");
    EXPECT_FALSE(outbox.poll());
    outbox.persisted(now, 5);
    EXPECT_EQ(revealed, Names{});
    changed = {{1}};
    EXPECT_EQ(poll(), 1U);
    outbox.persisted(now, 1);
    EXPECT_EQ(revealed, Names{"early"});
}

TEST_F(OutboxTest, ActionsRunInTheOrderInWhichTheyWereEntered) {
    changed = {{1}};
    for (const char* name : {"a", "b", "c"}) {
        reveal_later(name);
    }
    EXPECT_EQ(poll(), 1U);
    changed = {{2}};
    reveal_later("d");
    EXPECT_EQ(poll(), 2U);
    outbox.persisted(now, 1);
    EXPECT_EQ(revealed, (Names{"a", "b", "c"}));
    outbox.persisted(now, 2);
    EXPECT_EQ(revealed, (Names{"a", "b", "c", "d"}));
}

TEST_F(OutboxTest, OneNumberCoversAllBatchesUpToIt) {
    for (std::uint8_t i = 1; i <= 4; ++i) {
        changed = {{i}};
        reveal_later(std::string(1, static_cast<char>('0' + i)));
        EXPECT_EQ(poll(), i);
    }
    EXPECT_EQ(outbox.in_flight(), 4U);
    outbox.persisted(now, 3);
    EXPECT_EQ(revealed, (Names{"1", "2", "3"}));
    outbox.persisted(now, 2);  // an older number changes nothing
    EXPECT_EQ(revealed.size(), 3U);
    outbox.persisted(now, 4);
    EXPECT_EQ(revealed.size(), 4U);
}

TEST_F(OutboxTest, WhatIsEnteredWhileABatchIsInFlightBelongsToTheNext) {
    changed = {{1}};
    reveal_later("first");
    EXPECT_EQ(poll(), 1U);
    reveal_later("second");
    changed = {{2}};
    outbox.persisted(now, 1);
    EXPECT_EQ(revealed, Names{"first"});
    EXPECT_EQ(poll(), 2U);
    outbox.persisted(now, 2);
    EXPECT_EQ(revealed, (Names{"first", "second"}));
}

TEST_F(OutboxTest, AnActionMayEnterAnotherOne) {
    changed = {{1}};
    outbox.after_persist([this](Instant) {
        revealed.emplace_back("outer");
        changed.push_back({2});
        reveal_later("inner");
    });
    EXPECT_EQ(poll(), 1U);
    outbox.persisted(now, 9);
    EXPECT_EQ(revealed, Names{"outer"}) << "the inner one has no batch yet";
    EXPECT_EQ(poll(), 2U);
    outbox.persisted(now, 2);
    EXPECT_EQ(revealed, (Names{"outer", "inner"}));
}

TEST_F(OutboxTest, ASourceMayEnterActionsForTheBatchItWrites) {
    bool pending = true;
    outbox.add_source([&](Outbox::Rows& rows) {
        if (pending) {
            pending = false;
            rows.emplace_back();
            reveal_later("ceiling");
        }
    });
    EXPECT_EQ(poll(), 1U);
    EXPECT_EQ(outbox.in_flight(), 1U);
    outbox.persisted(now, 1);
    EXPECT_EQ(revealed, Names{"ceiling"});
}

TEST_F(OutboxTest, ABatchHoldsTheRowsOfAllSourcesInTheirOrder) {
    std::vector<Bytes> more{{20}, {21}};
    outbox.add_source([&](Outbox::Rows& rows) { take(more, rows); });
    changed = {{10}, {11}};
    const auto batch = outbox.poll();
    ASSERT_TRUE(batch);
    std::vector<Bytes> keys;
    for (const LedgerRow& row : batch->rows) {
        keys.push_back(row.key);
    }
    EXPECT_EQ(keys, (std::vector<Bytes>{{10}, {11}, {20}, {21}}));
    EXPECT_FALSE(outbox.poll()) << "every row leaves once";
}

TEST_F(OutboxTest, ActionsLearnTheTimeAtWhichTheirBatchCame) {
    Instant seen{};
    changed = {{1}};
    outbox.after_persist([&](Instant at) { seen = at; });
    EXPECT_EQ(poll(), 1U);
    outbox.persisted(now + 60ms, 1);
    EXPECT_EQ(seen, now + 60ms);
}

// A crash loses what was in flight: the actions of the old process never run, and numbers start again.
TEST_F(OutboxTest, ARestartForgetsActionsAndCountsFromOne) {
    changed = {{1}};
    reveal_later("lost");
    EXPECT_EQ(poll(), 1U);
    Outbox restarted;
    std::vector<Bytes> rows_of_restarted{{2}};
    restarted.add_source([&](Outbox::Rows& rows) { take(rows_of_restarted, rows); });
    restarted.persisted(now, 1);  // a late report for the process before
    EXPECT_EQ(revealed, Names{});
    const auto batch = restarted.poll();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->number, 1U);
    EXPECT_EQ(restarted.in_flight(), 0U);
}

}  // namespace
}  // namespace meshnet::net
