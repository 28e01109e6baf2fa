// SPDX-License-Identifier: MIT
// Superframes among saturated stations: chosen by themselves, one leader, what late bursts, a slow host, a long way and
// a dead leader cost.
#include <gtest/gtest.h>

#include <cstdio>
#include <numbers>

#include "tests/mac/traffic.hpp"

namespace meshnet::mac::test {
namespace {

struct Circle {
    Circle(std::size_t n, double km, Duration satellite = {}, Mac::Config config = {}) : m(5) {
        for (std::size_t i = 0; i < n; ++i) {
            config.max_propagation = std::max<Duration>(1ms, satellite);
            config.fixed_mode = 7;
            config.hello_interval = 1s;
            m.add(config);
        }
        for (std::size_t a = 0; a < n; ++a) {
            for (std::size_t b = a + 1; b < n; ++b) {
                const double chord =
                    km * std::sin(std::numbers::pi * static_cast<double>(b - a) / static_cast<double>(n));
                m.connect(a, b, satellite > Duration::zero() ? satellite : from_seconds(chord / 299'792.458), 16.0F);
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            flows.push_back(std::make_unique<Flow>(m, i, (i + 1) % n, i + 1, Flow::Options{}));
        }
    }
    void start(Duration settle = 8s) {
        run_for(m, settle);
        for (auto& f : flows) f->start();
        run_for(m, settle);
        for (auto& f : flows) f->mark();
    }
    struct Result {
        double fraction = 0.0, jain = 0.0;
        std::uint64_t wrong = 0;
    };
    Result measure(Duration time) {
        run_for(m, time);
        double squares = 0.0;
        Result r;
        for (auto& f : flows) {
            const double x = f->goodput_bps() / m.phy().payload_rate_bps(7);
            r.fraction += x;
            squares += x * x;
            r.wrong += f->corrupt + f->out_of_order + f->failed;
        }
        r.jain = r.fraction * r.fraction / (static_cast<double>(flows.size()) * squares);
        return r;
    }
    [[nodiscard]] std::size_t in(Regime regime) {
        std::size_t count = 0;
        for (std::size_t i = 0; i < flows.size(); ++i) {
            count += m[i].alive && m.mac(i).regime() == regime ? 1 : 0;
        }
        return count;
    }
    Medium m;
    std::vector<std::unique_ptr<Flow>> flows;
};

void print(const char* what, const Circle::Result& r) {
    std::printf("%s: fraction %.3f, Jain %.3f\n", what, r.fraction, r.jain);
}

TEST(MacReserve, LoadBringsSuperframesAndItsEndEndsThem) {
    Circle c(5, 300.0);
    run_for(c.m, 8s);
    EXPECT_EQ(c.in(Regime::kInvite), 5U);
    c.start();
    EXPECT_EQ(c.in(Regime::kReserve), 5U);
    const auto r = c.measure(20s);
    print("circle of 300 km, N = 5", r);
    EXPECT_GE(r.fraction, 0.84);
    EXPECT_GE(r.jain, 0.98);
    EXPECT_EQ(r.wrong, 0U);
    for (auto& f : c.flows) f->stop();
    run_for(c.m, 10s);
    EXPECT_EQ(c.in(Regime::kInvite), 5U);
    for (auto& f : c.flows) EXPECT_EQ(f->sent, f->acknowledged);
}

TEST(MacReserve, InvitationsOnlyIfConfigured) {
    Mac::Config config;
    config.regime = Regime::kInvite;
    Circle c(5, 1.0, {}, config);
    c.start();
    EXPECT_EQ(c.in(Regime::kInvite), 5U);
    EXPECT_EQ(c.m.mac(0).counters().superframes, 0U);
}

TEST(MacReserve, ASlowHostAndLateBurstsCostLittle) {
    Circle clean(5, 1.0);
    clean.start();
    const double best = clean.measure(20s).fraction;
    Mac::Config slow;
    slow.turnaround = 15ms;
    Circle host(5, 1.0, {}, slow);
    host.start();
    const auto r = host.measure(20s);
    print("turnaround 15 ms instead of 5", r);
    EXPECT_GE(r.fraction, 0.97 * best);
    Circle late(5, 1.0);
    for (std::size_t i = 0; i < 5; ++i) late.m[i].late_share = 0.05;
    late.start();
    const auto l = late.measure(20s);
    print("5 % late bursts", l);
    EXPECT_GE(l.fraction, 0.95 * best);
    EXPECT_EQ(l.wrong, 0U);
}

TEST(MacReserve, ALongWayCostsNoTurns) {
    Circle geo(5, 0.0, 125ms);
    geo.start(30s);
    const auto r = geo.measure(40s);
    print("N = 5 by a geostationary satellite", r);
    EXPECT_EQ(geo.in(Regime::kReserve), 5U);
    EXPECT_GE(r.fraction, 0.80);
    EXPECT_EQ(r.wrong, 0U);
    Circle pair(2, 0.0, 125ms);
    pair.start(30s);
    const auto p = pair.measure(40s);
    print("a pair by a geostationary satellite", p);
    EXPECT_EQ(pair.in(Regime::kPaired), 2U);
    EXPECT_GE(p.fraction, 0.80);
    EXPECT_EQ(p.wrong, 0U);
}

TEST(MacReserve, AnotherLeadsWhenTheLeaderDies) {
    Circle c(4, 50.0);
    std::size_t downs = 0;
    Instant last_down{};
    for (std::size_t i = 1; i < 4; ++i) {
        c.m[i].on_event = [&, before = c.m[i].on_event](Instant t, const Event& e) {
            before(t, e);
            if (const auto* down = std::get_if<LinkDown>(&e); down != nullptr && down->peer == c.m.id(0)) {
                ++downs;
                last_down = c.m.now();
            }
        };
    }
    c.start();
    ASSERT_EQ(c.in(Regime::kReserve), 4U);
    const Instant died = c.m.now();
    c.m.stop(0);
    run_for(c.m, 10s);
    EXPECT_EQ(downs, 3U);
    EXPECT_LE(last_down - died, 6s);
    EXPECT_EQ(c.in(Regime::kReserve), 3U);
    const std::uint64_t before = c.flows[1]->received;
    run_for(c.m, 5s);
    EXPECT_GT(c.flows[1]->received, before + 100);
}

TEST(MacReserve, AStationThatDiesInItsSlotsIsDownInThreeSuperframes) {
    Circle c(4, 50.0);
    Instant down_at{};
    c.m[2].on_event = [&, before = c.m[2].on_event](Instant t, const Event& e) {
        before(t, e);
        if (const auto* down = std::get_if<LinkDown>(&e); down != nullptr && down->peer == c.m.id(3)) {
            down_at = c.m.now();
        }
    };
    c.start();
    const Instant died = c.m.now();
    c.m.stop(3);
    run_for(c.m, 6s);
    ASSERT_GT(down_at, died);
    EXPECT_LE(down_at - died, 2s);
}

// The carrier's end is told after the frame it belongs to: no grant is lost by it.
TEST(MacReserve, ACarrierToldLateVoidsNoGrant) {
    Mac::Config config;
    config.regime = Regime::kInvite;
    Circle c(2, 1.0, {}, config);
    for (std::size_t i = 0; i < 2; ++i)
        c.m[i].decode_time = 300us;  // carrier ends are told 500 us after the last sample
    c.start();
    EXPECT_GE(c.measure(10s).fraction, 0.7);
}

}  // namespace
}  // namespace meshnet::mac::test
