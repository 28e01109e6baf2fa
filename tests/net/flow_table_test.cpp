// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "net/flow_table.hpp"

namespace meshnet::net {
namespace {

struct FlowTableTest : ::testing::Test {
    Rng random{1};
    std::vector<FlowId> removed;
    FlowTable flows{random, [this](const Flow& f) { removed.push_back(f.id); }};
    Instant now = instant_from_ns(1'000'000'000);

    static FlowId id_of(unsigned n) { return {static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}; }
    static Flow relay(unsigned n) {
        Flow f;
        f.id = id_of(n);
        f.role = FlowRole::kRelay;
        f.prev = 1;
        f.next = 2;
        f.prev_id[3] = 1;
        f.next_id[3] = 2;
        f.label_in = 100 + n;
        f.label_out = 200 + n;
        f.unit_bytes = 16'384;
        f.max_units = 10;
        f.total_price = 1'000;
        return f;
    }
    std::vector<LedgerRow> rows() {
        std::vector<LedgerRow> out;
        flows.take_rows(out);
        return out;
    }
};

TEST_F(FlowTableTest, FindsAFlowByItsLabels) {
    flows.add(now, relay(1));
    ASSERT_NE(flows.by_label_in(1, 101), nullptr);
    EXPECT_EQ(flows.by_label_in(1, 101)->id, id_of(1));
    EXPECT_EQ(flows.by_label_out(2, 201)->id, id_of(1));
    EXPECT_EQ(flows.by_label_in(2, 101), nullptr) << "a label is the neighbour's";
    EXPECT_EQ(flows.by_label_in(1, 201), nullptr);
    EXPECT_EQ(flows.find(id_of(2)), nullptr);
}

TEST_F(FlowTableTest, AnEndHasOneLabelOnly) {
    Flow source = relay(1);
    source.role = FlowRole::kSource;
    Flow destination = relay(2);
    destination.role = FlowRole::kDestination;
    flows.add(now, std::move(source));
    flows.add(now, std::move(destination));
    EXPECT_EQ(flows.by_label_in(1, 101), nullptr);
    EXPECT_NE(flows.by_label_out(2, 201), nullptr);
    EXPECT_NE(flows.by_label_in(1, 102), nullptr);
    EXPECT_EQ(flows.by_label_out(2, 202), nullptr);
}

TEST_F(FlowTableTest, PaidFlowsHaveRowsAndFreeOnesDoNot) {
    Flow free = relay(1);
    free.total_price = 0;
    flows.add(now, std::move(free));
    EXPECT_TRUE(rows().empty());
    flows.add(now, relay(2));
    EXPECT_EQ(rows().size(), 1U);
    EXPECT_TRUE(rows().empty()) << "a row leaves once";
    flows.mark_changed(*flows.find(id_of(2)));
    EXPECT_EQ(rows().size(), 1U);
    flows.remove_idle(now + 90'000s);
    const auto gone = rows();
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_TRUE(gone[0].value.empty()) << "an empty value deletes the row";
    EXPECT_EQ(removed.size(), 2U);
    EXPECT_EQ(flows.by_label_in(1, 102), nullptr);
}

TEST_F(FlowTableTest, DeadlinesComeInOrderAndOnce) {
    for (unsigned n = 1; n <= 3; ++n) {
        Flow& f = flows.add(now, relay(n));
        f.receipt_at = now + (4 - n) * 1s;
        f.probe_at = now + 10s;
        flows.schedule(f);
    }
    EXPECT_EQ(flows.next_deadline(), now + 1s);
    EXPECT_EQ(flows.pop_due(now), nullptr);
    Flow* first = flows.pop_due(now + 2s);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->id, id_of(3));
    first->receipt_at.reset();
    flows.schedule(*first);
    EXPECT_EQ(flows.pop_due(now + 2s)->id, id_of(2));
    EXPECT_EQ(flows.pop_due(now + 2s), nullptr);
    EXPECT_EQ(flows.pop_due(now + 3s)->id, id_of(1));
    EXPECT_EQ(flows.next_deadline(), now + 10s);
}

TEST_F(FlowTableTest, AFullTableForgetsTheLeastAtStakeOfWhoHasMost) {
    for (unsigned n = 0; n < FlowTable::kMaxFlows; ++n) {
        Flow f = relay(n);
        f.role = n % 8 == 7 ? FlowRole::kSource : FlowRole::kRelay;
        f.prev_id = NodeId{static_cast<std::uint8_t>(n % 4 == 0 ? 2 : 1)};
        f.claim_price = 1'000;
        f.best.bytes = n == 1 ? 100 : 10'000;  // proven, and not yet acknowledged upstream
        ASSERT_TRUE(flows.make_room(f.role == FlowRole::kSource ? NodeId{} : f.prev_id));
        flows.add(now + n * 1ms, std::move(f));
    }
    EXPECT_TRUE(flows.make_room(NodeId{2})) << "a neighbour with few flows finds room";
    EXPECT_EQ(removed, std::vector<FlowId>{id_of(1)}) << "in place of the least at stake of the one with most";
    Flow newcomer = relay(5'000);
    newcomer.prev_id = NodeId{2};
    flows.add(now, std::move(newcomer));
    EXPECT_FALSE(flows.make_room(NodeId{})) << "128 places are ours, and all are in use";
    flows.find(id_of(7))->broken = true;
    EXPECT_TRUE(flows.make_room(NodeId{}));
    EXPECT_EQ(removed.back(), id_of(7));
}

TEST_F(FlowTableTest, IdleFlowsGoOnceTheyAreSettled) {
    flows.add(now, relay(1));
    flows.add(now, relay(2)).best.bytes = 1;
    flows.remove_idle(now + 599s);
    EXPECT_EQ(flows.size(), 2U);
    flows.remove_idle(now + 600s);
    EXPECT_EQ(removed, std::vector<FlowId>{id_of(1)});
    flows.remove_idle(now + 86'400s);
    EXPECT_TRUE(flows.empty());
}

TEST_F(FlowTableTest, ARestoredRelayGoesOnAndAnEndIsOnlySettled) {
    Flow r = relay(1);
    r.limit_bytes = 5'000;
    Flow s = relay(2);
    s.role = FlowRole::kSource;
    ASSERT_TRUE(flows.restore(flow_row(r)));
    ASSERT_TRUE(flows.restore(flow_row(s)));
    const Flow* found = flows.by_label_in(1, 101);
    ASSERT_NE(found, nullptr);
    EXPECT_FALSE(found->broken);
    EXPECT_EQ(found->forwarded_bytes, 5'000U) << "a crash may have forgotten so much";
    EXPECT_TRUE(flows.by_label_out(2, 202)->broken);
    LedgerRow junk;
    junk.table = LedgerRow::Table::kFlow;
    EXPECT_FALSE(flows.restore(junk));
    flows.remove_idle(now + 90'000s);  // ages count from the first sweep
    EXPECT_EQ(flows.size(), 2U);
}

TEST_F(FlowTableTest, UnusedLabelsAreNeverZeroNorTaken) {
    for (unsigned n = 0; n < 200; ++n) {
        const std::uint32_t label = flows.unused_label(1);
        EXPECT_NE(label, 0U);
        EXPECT_EQ(flows.by_label_in(1, label), nullptr);
        Flow f = relay(n);
        f.label_in = label;
        flows.add(now, std::move(f));
    }
}

}  // namespace
}  // namespace meshnet::net
