// SPDX-License-Identifier: MIT
// Radios without time stamps that switch slowly between receiving and transmitting (timing class B, as a HackRF):
// bursts start at random up to 23 ms late, and for tens of milliseconds around them nothing is heard.
#include <gtest/gtest.h>

#include <cstdio>

#include "mac/frame_format.hpp"
#include "tests/mac/traffic.hpp"

namespace meshnet::mac::test {
namespace {

// A HackRF's figures: a USB transfer of 131 072 samples, a switch of 10 to 33 ms.
constexpr RadioTiming kSlow{20ms, 30ms, 23ms, 60ms, 200us};
constexpr Duration kSwitch = 33ms;

std::size_t add_slow(Medium& m) {
    const std::size_t i = m.add({});
    m[i].decode_time = 18ms;
    m.set_timing(i, kSlow, kSwitch);
    return i;
}

TEST(MacSlowSwitch, APairMeetsAndLosesNothing) {
    Medium m(11);
    add_slow(m);
    add_slow(m);
    m.connect(0, 1, 200us, 13.0F);
    Flow there(m, 0, 1, 1, {});
    Flow back(m, 1, 0, 2, {});
    run_for(m, 6s);
    there.start();
    back.start();
    run_for(m, 10s);
    there.mark();
    back.mark();
    const auto lost_before = m.frames_lost;
    const auto frames_before = m.frames;
    run_for(m, 30s);
    const double both = there.goodput_bps() + back.goodput_bps();
    std::printf("two slow radios: %.0f kbit/s, %llu of %llu frames lost\n", both * 1e-3,
                static_cast<unsigned long long>(m.frames_lost - lost_before),
                static_cast<unsigned long long>(m.frames - frames_before));
    EXPECT_EQ(there.corrupt + there.failed + there.gaps + there.out_of_order, 0U);
    EXPECT_EQ(back.corrupt + back.failed + back.gaps + back.out_of_order, 0U);
    // Turns are granted: no answer falls into the time in which its receiver is blind.
    EXPECT_LT(static_cast<double>(m.frames_lost - lost_before), 0.05 * static_cast<double>(m.frames - frames_before));
    EXPECT_GT(there.goodput_bps(), 0.2 * both);
    EXPECT_GT(back.goodput_bps(), 0.2 * both);
}

TEST(MacSlowSwitch, AFastRadioWaitsForASlowOne) {
    Medium m(12);
    m.add({});
    add_slow(m);
    m.connect(0, 1, 200us, 13.0F);
    Flow there(m, 0, 1, 1, {});
    Flow back(m, 1, 0, 2, {});
    run_for(m, 6s);
    there.start();
    back.start();
    run_for(m, 10s);
    const auto lost_before = m.frames_lost;
    const auto frames_before = m.frames;
    run_for(m, 30s);
    EXPECT_EQ(there.corrupt + there.failed + there.gaps, 0U);
    EXPECT_EQ(back.corrupt + back.failed + back.gaps, 0U);
    EXPECT_LT(static_cast<double>(m.frames_lost - lost_before), 0.03 * static_cast<double>(m.frames - frames_before));
}

// Starts that are not where their stamps say would measure kilometres that are not there.
TEST(MacSlowSwitch, JitterMeasuresNoDistance) {
    Medium m(13);
    m.add({});
    add_slow(m);
    m.connect(0, 1, 200us, 13.0F);
    run_for(m, 20s);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto neighbors = m.mac(i).neighbors(m.local(i));
        ASSERT_EQ(neighbors.size(), 1U);
        EXPECT_TRUE(neighbors[0].up);
        EXPECT_EQ(neighbors[0].quality.propagation, Duration::zero());
    }
}

TEST(MacSlowSwitch, TheConfigurationIsTheLeastAndAbsurdTimesAreCut) {
    Medium m(14);
    Mac::Config config;
    config.self = 7;
    config.turnaround = 9ms;
    m.add(config);
    const auto gap_of = [&](const RadioTiming& timing) {
        m.mac(0).set_radio_timing(m.local(0), timing);
        Duration gap{};
        m.on_sent = [&](Instant, std::size_t, const TxRequest& request, Duration) {
            gap = parse_burst(request.payload)->header.gap;
        };
        run_for(m, 5s);
        return gap;
    };
    EXPECT_EQ(gap_of({1ms, 1ms, 0ms, 0ms, 0ms}), 11ms);  // 9 ms and 2 ms of the configuration
    EXPECT_EQ(gap_of({10ms, 6ms, 5ms, 0ms, 0ms}), 21ms);
    EXPECT_EQ(gap_of({1h, 1h, 1h, 1h, 0ms}), kMostGap);
    EXPECT_EQ(gap_of({-1h, -1h, -1h, -1h, 0ms}), 11ms);
}

}  // namespace
}  // namespace meshnet::mac::test
