// SPDX-License-Identifier: MIT
#include "node/node_driver.hpp"

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "node/phy_model.hpp"
#include "phy/profile.hpp"

namespace meshnet::node {
namespace {

/// Counts requests; bursts end and batches are durable at once.
struct CountingSinks {
    void transmit(mac::TxRequest&& request) {
        EXPECT_FALSE(request.payload.empty());
        ++bursts;
        node->on_transmitted(request.at + 1ms, request.id, mac::TxOutcome::kSent);
    }
    void deliver(Bytes&& /*packet*/) { ++packets; }
    void persist(net::LedgerBatch&& batch) {
        ++batches;
        node->on_persisted(now, batch.number);
    }
    Node* node = nullptr;
    Instant now{};
    int bursts = 0, packets = 0, batches = 0;
};

class NodeDriverTest : public ::testing::Test {
protected:
    NodeDriverTest() { sinks_.node = &node_; }
    Node::Config config() {
        Node::Config c;
        c.router.identity = net::Identity::generate(random_);
        return c;
    }
    Rng random_{3};
    PhyModel model_{*phy::find_profile("1M"), SampleRate::from_hz(1e6), first_mode(phy::PreambleClass::kShort)};
    Node node_{config(), model_, random_, {}};
    CountingSinks sinks_;
};

TEST_F(NodeDriverTest, RunsTheTimersAndCarriesOutEveryRequest) {
    for (; sinks_.now < Instant{10s}; sinks_.now += 1ms) {
        wake(node_, sinks_.now);
        drive(node_, sinks_.now, sinks_);
    }
    EXPECT_GE(sinks_.bursts, 3) << "hellos, when the MAC's timer is due";
    EXPECT_GE(sinks_.batches, 1) << "the reserved sequence numbers";
    EXPECT_EQ(sinks_.packets, 0);
    EXPECT_FALSE(node_.poll_transmit(sinks_.now).has_value()) << "nothing is left";
    EXPECT_FALSE(node_.poll_persist(sinks_.now).has_value());
}

TEST_F(NodeDriverTest, WithoutTimeNoTimerRuns) {
    for (int i = 0; i < 10'000; ++i) {
        wake(node_, Instant{});
        drive(node_, Instant{}, sinks_);
    }
    EXPECT_EQ(sinks_.bursts, 0);
}

}  // namespace
}  // namespace meshnet::node
