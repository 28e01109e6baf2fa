// SPDX-License-Identifier: MIT
// Scenarios with the real MAC: reproducible, every option has its effect, and the checks find what they look for.
#include "sim/mac_scenario.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/time.hpp"
#include "mac/frame_format.hpp"
#include "sim/mac_air_use.hpp"
#include "sim/mac_checks.hpp"
#include "sim/mac_flows.hpp"
#include "sim/mac_geometry.hpp"
#include "sim/mac_tcp.hpp"

namespace meshnet::sim {
namespace {

MacScenario short_scenario() {
    MacScenario s;
    s.seconds = 10.0;
    return s;
}

double sum_of(const AirShares& a) {
    return a.data + a.header + a.control + a.lost + a.collision + a.gap + a.idle;
}

TEST(MacScenario, TheSameSeedGivesTheSameRun) {
    MacScenario s = short_scenario();
    s.loss = 0.05;
    s.late = 0.05;
    const MacReport first = run_mac_scenario(s);
    const MacReport again = run_mac_scenario(s);
    EXPECT_EQ(first.hash, again.hash);
    EXPECT_EQ(first.fraction, again.fraction);
    s.seed = 2;
    EXPECT_NE(run_mac_scenario(s).hash, first.hash);
}

TEST(MacScenario, ASaturatedCircleKeepsTheInvariantsAndItsAirAddsUp) {
    const MacReport r = run_mac_scenario(short_scenario());
    EXPECT_EQ(r.violations, 0U) << (r.examples.empty() ? "" : r.examples.front());
    EXPECT_GT(r.fraction, 0.7);
    EXPECT_GT(r.jain, 0.95);
    EXPECT_NEAR(sum_of(r.air), 1.0, 1e-9);
    // What is delivered was on the air as data; packets that wait for others of their order make the rest.
    EXPECT_NEAR(r.air.data, r.fraction, 0.06);
    EXPECT_EQ(r.delivery, 1.0);
    EXPECT_GT(r.delay_ms.p50, 0.0);
    EXPECT_LE(r.delay_ms.p50, r.delay_ms.p95);
    EXPECT_LE(r.delay_ms.p95, r.delay_ms.p99);
}

TEST(MacScenario, LossAndLateBurstsCost) {
    MacScenario s = short_scenario();
    const MacReport clean = run_mac_scenario(s);
    s.loss = 0.1;
    const MacReport lossy = run_mac_scenario(s);
    EXPECT_LT(lossy.fraction, clean.fraction);
    EXPECT_NEAR(lossy.air.lost, 0.09, 0.04);
    s.loss = 0.0;
    s.late = 0.1;
    const MacReport late = run_mac_scenario(s);
    const double share = static_cast<double>(late.late_bursts) / static_cast<double>(late.late_bursts + late.bursts);
    EXPECT_NEAR(share, 0.1, 0.06);
    EXPECT_LT(late.fraction, clean.fraction);
}

TEST(MacScenario, AChainForwardsFromEndToEnd) {
    MacScenario s = short_scenario();
    s.chain = 3;
    s.distance_km = 50.0;
    const MacReport r = run_mac_scenario(s);
    EXPECT_EQ(r.violations, 0U) << (r.examples.empty() ? "" : r.examples.front());
    EXPECT_GT(r.fraction, 0.1);
    EXPECT_LT(r.fraction, 0.5);
}

TEST(MacScenario, VoiceAndTcpTravelBesideBulk) {
    MacScenario s = short_scenario();
    s.voice = 2;
    MacReport r = run_mac_scenario(s);
    EXPECT_GT(r.voice_ms.p95, 0.0);
    EXPECT_GT(r.voice_delivery, 0.95);
    s = short_scenario();
    s.stations = 2;
    s.tcp = 1;
    r = run_mac_scenario(s);
    EXPECT_GT(r.fraction, 0.3);
    EXPECT_EQ(r.violations, 0U) << (r.examples.empty() ? "" : r.examples.front());
}

TEST(MacScenario, ARadioThatSwitchesSlowlyIsHeard) {
    MacScenario s = short_scenario();
    s.class_b = 1;
    const MacReport r = run_mac_scenario(s);
    EXPECT_GT(r.class_b_share, 0.0);
    EXPECT_GT(r.others_share, 0.3);
    EXPECT_LT(r.fraction, run_mac_scenario(short_scenario()).fraction);
}

TEST(MacScenario, AStationStaysBelowItsCapOfAirTime) {
    MacScenario s = short_scenario();
    s.stations = 2;
    s.duty_cycle = 0.1;
    s.warmup_s = 300.0;  // the bucket is full at the start
    s.seconds = 200.0;
    const MacReport r = run_mac_scenario(s);
    EXPECT_LT(r.fraction, 0.25);
    for (const std::string& what : r.examples) {
        EXPECT_EQ(what.find("cap"), std::string::npos) << what;
    }
}

TEST(MacScenario, RangingFollowsAPass) {
    MacScenario s = short_scenario();
    s.orbit = MacScenario::Orbit::kLeo;
    const MacReport r = run_mac_scenario(s);
    EXPECT_GT(r.ranging_us.p95, 0.0);
    EXPECT_LT(r.ranging_us.p95, 1'000.0);
    EXPECT_GT(r.fraction, 0.3);
}

TEST(MacScenario, ImpossibleOptionsAreNamed) {
    const auto message = [](auto change) -> std::string {
        MacScenario s;
        change(s);
        try {
            (void)run_mac_scenario(s);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_EQ(message([](auto& s) { s.stations = 1; }), "stations must be 2..64");
    EXPECT_EQ(message([](auto& s) { s.loss = 1.0; }), "loss must be 0..0.95");
    EXPECT_EQ(message([](auto& s) { s.distance_km = -1.0; }), "distance-km must be 0.001..60000");
    EXPECT_EQ(message([](auto& s) { s.rate_mbps = 0.05; }), "rate-mbps is below the slowest mode's");
    EXPECT_NE(message([](auto& s) { s.queue = 1; }), "");
    EXPECT_NE(message([](auto& s) { s.seconds = 0.0 / 0.0; }), "");
}

// ---- the parts ----

TEST(MacAirUse, ABurstIsSplitByWhatItsBytesAreFor) {
    mac::Burst burst;
    burst.header.sender = 1;
    burst.header.grantee = 2;
    burst.header.targets.push_back({2, 3, 4});
    burst.acks.push_back({3, 1, 2, 3.0F, 4, {}});
    const Bytes data(700, 0x55);
    burst.fragments.push_back({0, Priority::kBulk, 1, 1, 0, 1, data});
    const Bytes payload = mac::encode_burst(burst, true);
    const MacAirUse::Content c = MacAirUse::content_of(payload);
    EXPECT_EQ(c.data, 700U);
    EXPECT_EQ(c.control, mac::ack_bytes(0));
    EXPECT_EQ(c.data + c.header + c.control, payload.size());
    EXPECT_EQ(c.grantee, 2U);
    EXPECT_EQ(c.receivers, std::vector<mac::StationId>{2});
}

TEST(MacAirUse, GapsIdleTimeAndCollisionsAreToldApartBySharesOfTime) {
    MacAirUse use(1ms);
    use.measure(Instant{});
    MacAirUse::Content content;
    content.data = 100;
    content.grantee = 2;
    use.add(1, 1, Instant{} + 100ms, 100ms, Duration::zero(), content);  // 100 ms idle before it
    use.on_outcome(1, 1.0, false);
    use.add(2, 2, Instant{} + 250ms, 50ms, Duration::zero(), content);  // 50 ms of gap: it was granted
    use.on_outcome(2, 0.0, true);
    use.add(3, 3, Instant{} + 275ms, 50ms, Duration::zero(), content);  // half of it at the same time
    use.on_outcome(3, 0.0, true);
    use.settle(Instant{} + 400ms);
    const AirShares a = use.shares(Instant{} + 400ms);
    EXPECT_NEAR(a.idle, (100.0 + 75.0) / 400.0, 1e-9);
    EXPECT_NEAR(a.gap, 50.0 / 400.0, 1e-9);
    EXPECT_NEAR(a.data, 100.0 / 400.0, 1e-9);
    EXPECT_NEAR(a.collision, 75.0 / 400.0, 1e-9);
    EXPECT_NEAR(a.reuse, 200.0 / 175.0, 1e-9);
}

TEST(MacChecks, EachRuleIsNoticedWhenItIsBroken) {
    MacChecks checks(2, {0.5, 10ms});
    const auto at = [](Duration d) { return Instant{} + d; };
    checks.on_transmit({0, at(0s), at(1s), at(2s), false});
    checks.on_transmit({0, at(0s), at(1500ms), at(2s), false});
    EXPECT_EQ(checks.violations(), 1U);  // twice at once
    checks.on_carrier(at(3s), 1, true);
    checks.on_granted(at(3s), 1);
    checks.on_transmit({1, at(3005ms), at(3010ms), at(4s), false});
    EXPECT_EQ(checks.violations(), 1U);  // granted
    checks.on_carrier(at(5s), 1, true);
    checks.on_transmit({1, at(5500ms), at(6s), at(7s), true});
    EXPECT_EQ(checks.violations(), 1U);  // scheduled
    checks.on_transmit({1, at(6900ms), at(7500ms), at(8s), false});
    EXPECT_EQ(checks.violations(), 2U);  // into a carrier
    checks.on_transmit({0, at(9s), at(10s), at(310s), false});
    EXPECT_EQ(checks.violations(), 3U);  // over its cap
    EXPECT_NE(checks.examples().back().find("cap"), std::string::npos);
}

TEST(MacFlows, DuplicatesAndChangedPacketsAreViolations) {
    std::vector<Bytes> sent;
    std::vector<std::string> violations;
    MacScenario s;
    s.stations = 2;
    s.outstanding = 1;
    MacFlows flows(s, 1e6, 1,
                   {[](std::size_t, std::size_t) { return std::size_t{100'000}; },
                    [&](std::size_t, std::size_t, TrafficClass, std::uint32_t, std::uint64_t, Bytes& p) {
                        sent.push_back(p);
                        return true;
                    },
                    [&](Instant, std::size_t) {}, [&](std::string what) { violations.push_back(std::move(what)); }});
    flows.start(Instant{});
    flows.on_timer(Instant{}, 0);
    ASSERT_EQ(sent.size(), 1U);
    flows.receive(Instant{} + 1ms, 1, sent[0]);
    EXPECT_TRUE(violations.empty());
    flows.receive(Instant{} + 2ms, 1, sent[0]);
    EXPECT_EQ(violations.size(), 1U);
    sent[0].back() ^= 1;
    flows.receive(Instant{} + 3ms, 1, sent[0]);
    EXPECT_EQ(violations.size(), 2U);
    flows.check_starvation(Instant{} + 11s);
    EXPECT_EQ(violations.size(), 3U);
}

TEST(MacGeometry, APassChangesDelayAsItsDopplerShiftSays) {
    MacScenario s;
    s.orbit = MacScenario::Orbit::kLeo;
    s.distance_km = 100.0;
    const MacGeometry g(s);
    const auto near_horizon = g.path(0, 1, Instant{} + 1s);
    EXPECT_NEAR(to_seconds(near_horizon.delay), 13e-3, 0.5e-3);
    for (const Duration t : {Duration{60s}, Duration{200s}, Duration{700s}, Duration{1200s}}) {
        const double before = to_seconds(g.path(0, 1, Instant{} + t - 1s).delay);
        const double after = to_seconds(g.path(0, 1, Instant{} + t + 1s).delay);
        const double shift = g.path(0, 1, Instant{} + t).cfo_hz;
        EXPECT_NEAR(shift, -(after - before) / 2.0 * 2.4e9, 50.0);
        EXPECT_GE(to_seconds(g.longest()), after);
    }
    s.orbit = MacScenario::Orbit::kGeo;
    EXPECT_NEAR(to_seconds(MacGeometry(s).path(0, 1, Instant{} + 1s).delay), 125e-3, 1e-3);
}

TEST(TcpSender, TheWindowGrowsAndHalvesAtALoss) {
    TcpSender sender;
    Instant now{};
    const auto burst = [&] {
        std::vector<std::uint32_t> out;
        while (const auto n = sender.next(now)) {
            out.push_back(*n);
        }
        return out;
    };
    EXPECT_EQ(burst().size(), 10U);
    now += 100ms;
    sender.on_acknowledged(now, 10);
    EXPECT_EQ(burst().size(), 20U);  // slow start
    now += 100ms;
    sender.on_acknowledged(now, 12);  // packet 12 was lost
    (void)burst();
    for (int i = 0; i < 3; ++i) {
        sender.on_acknowledged(now, 12);
    }
    EXPECT_EQ(burst(), std::vector<std::uint32_t>{12});
    sender.on_acknowledged(now, 34);
    EXPECT_EQ(burst().size(), 11U);
    now += 10s;
    sender.on_timer(now);
    EXPECT_EQ(burst().size(), 1U);
}

}  // namespace
}  // namespace meshnet::sim
