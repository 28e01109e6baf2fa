// SPDX-License-Identifier: MIT
// Two stations: links come up, saturated goodput one way and both ways, latency when idle.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/mac/traffic.hpp"

namespace meshnet::mac::test {
namespace {

Medium make_pair(std::uint64_t seed, float snr_db, Duration delay = 200us) {
    Medium m(seed);
    m.add({});
    m.add({});
    m.connect(0, 1, delay, snr_db);
    return m;
}

TEST(MacPair, LinksComeUpAndKnowBothDirections) {
    auto m = make_pair(1, 13.0F);
    int ups = 0;
    for (std::size_t i = 0; i < 2; ++i) {
        m[i].on_event = [&](Instant, const Event& e) { ups += std::holds_alternative<LinkUp>(e) ? 1 : 0; };
    }
    run_for(m, 4s);
    EXPECT_EQ(ups, 2);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto views = m.mac(i).neighbors(m.local(i));
        ASSERT_EQ(views.size(), 1U);
        EXPECT_TRUE(views[0].up);
        EXPECT_NEAR(views[0].quality.snr_db, 13.0F, 1.0F);
        EXPECT_NEAR(views[0].quality.peer_snr_db, 13.0F, 1.5F);
        EXPECT_GT(views[0].quality.rate_bps, 1e6);
    }
}

TEST(MacPair, SaturatedOneWay) {
    for (const float snr : {6.5F, 10.0F, 14.0F, 20.0F}) {
        auto m = make_pair(2, snr);
        Flow flow(m, 0, 1, 1, {});
        run_for(m, 4s);
        flow.start();
        run_for(m, 6s);
        flow.mark();
        const double rate = run_and_average_rate(m, 0, 20);
        std::printf("one way, SNR %4.1f dB: %.3f Mbit/s = %.2f of the PHY rate\n", static_cast<double>(snr),
                    flow.goodput_bps() / 1e6, flow.goodput_bps() / rate);
        EXPECT_GE(flow.goodput_bps(), 0.70 * rate);
        EXPECT_EQ(flow.out_of_order + flow.corrupt + flow.failed + flow.gaps, 0U);
    }
}

TEST(MacPair, SaturatedBothWays) {
    auto m = make_pair(3, 14.0F);
    Flow there(m, 0, 1, 1, {});
    Flow back(m, 1, 0, 2, {});
    run_for(m, 4s);
    there.start();
    back.start();
    run_for(m, 6s);
    there.mark();
    back.mark();
    const double rate = run_and_average_rate(m, 0, 20);
    std::printf("both ways: %.2f + %.2f of the PHY rate\n", there.goodput_bps() / rate, back.goodput_bps() / rate);
    EXPECT_GE(there.goodput_bps() + back.goodput_bps(), 0.75 * rate);
    EXPECT_GE(there.goodput_bps(), 0.3 * rate);
    EXPECT_GE(back.goodput_bps(), 0.3 * rate);
    EXPECT_EQ(there.out_of_order + there.corrupt + there.failed, 0U);
    EXPECT_EQ(back.out_of_order + back.corrupt + back.failed, 0U);
}

}  // namespace
}  // namespace meshnet::mac::test
