// SPDX-License-Identifier: MIT
// The medium alone: range, delay, half duplex, collision and capture, bursts that come too late.
#include "sim/table_medium.hpp"

#include <gtest/gtest.h>

#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::sim {
namespace {

constexpr Instant kStart{10ms};

class TableMediumTest : public ::testing::Test {
protected:
    TableMediumTest() : medium(*phy::find_profile("1M"), 0.5, 1ms, 0.0, random) {
        for (int i = 0; i < 3; ++i) {
            medium.add_radio();
        }
    }
    TableMedium::Burst burst(std::size_t bytes = 1'000) const {
        return {Bytes(bytes, 0x5a), *phy::find_mode("16qam-1/2")};
    }
    std::optional<mac::RxFrame> receive(TableMedium::Arrival& arrival) {
        const auto got = medium.receive(arrival.end, arrival, true);
        return got ? std::optional(got->frame(got->start, got->end)) : std::nullopt;
    }

    Rng random{1};
    TableMedium medium;
};

TEST_F(TableMediumTest, ABurstReachesTheRadiosInRangeAfterTheirDelay) {
    medium.connect(0, 1, 20.0, 200us);
    const auto sent = medium.transmit(Instant{}, 0, kStart, burst());
    ASSERT_TRUE(sent);
    ASSERT_EQ(sent->arrivals.size(), 1U);
    EXPECT_EQ(sent->end, kStart + medium.phy().airtime(*phy::find_mode("16qam-1/2"), 1'000));
    EXPECT_EQ(sent->arrivals[0]->start, kStart + 200us);
    EXPECT_TRUE(sent->arrivals[0]->sensed);
    const auto frame = receive(*sent->arrivals[0]);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->payload, Bytes(1'000, 0x5a));
    EXPECT_NEAR(frame->snr_db, 20.0, 1.5);
    EXPECT_EQ(medium.counters().error_free, 1U);
}

TEST_F(TableMediumTest, ATransmittingRadioReceivesNothing) {
    medium.connect(0, 1, 20.0, 200us);
    const auto first = medium.transmit(Instant{}, 0, kStart, burst());
    const auto second = medium.transmit(Instant{}, 1, kStart, burst());
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(receive(*first->arrivals[0]));
    EXPECT_FALSE(receive(*second->arrivals[0]));
    EXPECT_EQ(medium.counters().half_duplex_blind, 2U);
}

TEST_F(TableMediumTest, EqualFramesCollideAndAStrongerOneIsCaptured) {
    medium.connect(0, 1, 15.0, 200us);
    medium.connect(2, 1, 15.0, 200us);
    auto first = medium.transmit(Instant{}, 0, kStart, burst());
    auto second = medium.transmit(Instant{}, 2, kStart, burst());
    EXPECT_FALSE(receive(*first->arrivals[0]));
    EXPECT_FALSE(receive(*second->arrivals[0]));
    EXPECT_EQ(medium.counters().missed, 2U);
    medium.connect(2, 1, 40.0, 200us);
    first = medium.transmit(kStart + 1s, 0, kStart + 2s, burst());
    second = medium.transmit(kStart + 1s, 2, kStart + 2s, burst());
    EXPECT_FALSE(receive(*first->arrivals[0]));
    EXPECT_TRUE(receive(*second->arrivals[0]));
}

TEST_F(TableMediumTest, OnlyTheBlocksUnderACollisionFail) {
    medium.connect(0, 1, 20.0, 200us);
    medium.connect(2, 1, 30.0, 200us);
    const auto frame = medium.transmit(Instant{}, 0, kStart, burst(10'000));
    ASSERT_TRUE(frame);
    const auto other = medium.transmit(Instant{}, 2, frame->end - 2ms, burst(20));
    ASSERT_TRUE(other);
    const auto received = receive(*frame->arrivals[0]);
    ASSERT_TRUE(received);
    ASSERT_EQ(received->segments.size(), 10U);
    EXPECT_TRUE(received->segments.front().ok);
    EXPECT_FALSE(received->segments.back().ok);
    EXPECT_EQ(medium.counters().with_block_errors, 1U);
}

TEST_F(TableMediumTest, LateOverlappingAndImpossibleBurstsAreRefusedAndCounted) {
    EXPECT_FALSE(medium.transmit(kStart, 0, kStart + 999us, burst()));
    EXPECT_FALSE(medium.transmit(Instant{}, 0, kStart, burst(0)));
    EXPECT_FALSE(medium.transmit(Instant{}, 0, kStart, burst(medium.phy().max_bytes() + 1)));
    TableMedium::Burst no_such_mode = burst();
    no_such_mode.mode = static_cast<mac::ModeIndex>(medium.phy().mode_count());
    EXPECT_FALSE(medium.transmit(Instant{}, 0, kStart, no_such_mode));
    EXPECT_EQ(medium.counters().late, 4U);
    EXPECT_TRUE(medium.transmit(Instant{}, 0, kStart, burst()));
    EXPECT_FALSE(medium.transmit(Instant{}, 0, kStart + 1ms, burst()));
    EXPECT_EQ(medium.counters().late, 5U);
}

TEST_F(TableMediumTest, WithoutAPathOrAListenerNothingIsReceived) {
    const auto alone = medium.transmit(Instant{}, 0, kStart, burst());
    ASSERT_TRUE(alone);
    EXPECT_TRUE(alone->arrivals.empty());
    medium.connect(0, 1, 20.0, 200us);
    const auto sent = medium.transmit(kStart + 1s, 0, kStart + 2s, burst());
    EXPECT_FALSE(medium.receive(sent->end, *sent->arrivals[0], false));
    EXPECT_EQ(medium.counters().missed, 0U);
}

}  // namespace
}  // namespace meshnet::sim
