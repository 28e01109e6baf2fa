// SPDX-License-Identifier: MIT
// Five stations on a circle of 300 km, losses, reboots, late bursts, caps, ranging, and the same seed twice.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <numeric>
#include <set>

#include "mac/frame_format.hpp"
#include "tests/mac/traffic.hpp"

namespace meshnet::mac::test {
namespace {

Medium make_pair(std::uint64_t seed, float snr_db, const Mac::Config& config = {}) {
    Medium m(seed);
    m.add(config);
    m.add(config);
    m.connect(0, 1, 200us, snr_db);
    return m;
}

Medium make_circle(std::uint64_t seed, std::size_t n, double diameter_km, float snr_db) {
    Medium m(seed);
    for (std::size_t i = 0; i < n; ++i) {
        m.add({});
    }
    for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = a + 1; b < n; ++b) {
            const double km =
                diameter_km * std::sin(std::numbers::pi * static_cast<double>(b - a) / static_cast<double>(n));
            m.connect(a, b, from_seconds(km / 299'792.458), snr_db);
        }
    }
    return m;
}

struct CircleResult {
    double fraction = 0.0;
    double jain = 0.0;
    std::uint64_t wrong = 0;
};

CircleResult run_circle(std::size_t n, double km, std::size_t step) {
    auto m = make_circle(21, n, km, 13.0F);
    std::vector<std::unique_ptr<Flow>> flows;
    for (std::size_t i = 0; i < n; ++i) {
        flows.push_back(std::make_unique<Flow>(m, i, (i + step) % n, i + 1, Flow::Options{}));
    }
    run_for(m, 6s);
    for (auto& f : flows) {
        f->start();
    }
    run_for(m, 5s);
    for (auto& f : flows) {
        f->mark();
    }
    const double rate = run_and_average_rate(m, 0, 40);
    double sum = 0.0;
    double squares = 0.0;
    CircleResult r;
    for (auto& f : flows) {
        const double x = f->goodput_bps() / rate;
        sum += x;
        squares += x * x;
        r.wrong += f->corrupt + f->out_of_order + f->failed;
    }
    r.fraction = sum;
    r.jain = sum * sum / (static_cast<double>(n) * squares);
    return r;
}

TEST(MacNetwork, FiveStationsOnACircleOf300Km) {
    for (const std::size_t step : {1U, 2U}) {
        const CircleResult r = run_circle(5, 300.0, step);
        std::printf("circle of 300 km, N = 5, to the %zu. next: fraction %.3f, Jain %.3f\n", step, r.fraction, r.jain);
        EXPECT_GE(r.fraction, 0.70);
        EXPECT_GE(r.jain, 0.90);
        EXPECT_EQ(r.wrong, 0U);
    }
}

TEST(MacNetwork, LossesCostTheirShareAndNothingElse) {
    struct Case {
        double block, frame, least;
    };
    for (const Case c : {Case{0.1, 0.0, 0.55}, Case{0.3, 0.0, 0.2}, Case{0.0, 0.1, 0.5}, Case{0.0, 0.3, 0.2}}) {
        auto m = make_pair(31, 14.0F);
        Flow flow(m, 0, 1, 1, {});
        run_for(m, 4s);
        const double rate = m.mac(0).neighbors(m.local(0)).at(0).quality.rate_bps;
        m.block_loss = c.block;
        m.frame_loss = c.frame;
        flow.start();
        run_for(m, 6s);
        flow.mark();
        run_for(m, 30s);
        std::printf(
            "losses of blocks %.0f %%, of frames %.0f %%: %.3f of the loss-free PHY rate, %llu of %llu SDUs given up\n",
            c.block * 100, c.frame * 100, flow.goodput_bps() / rate, static_cast<unsigned long long>(flow.failed),
            static_cast<unsigned long long>(flow.sent));
        EXPECT_GE(flow.goodput_bps(), c.least * rate);
        EXPECT_EQ(flow.corrupt + flow.out_of_order, 0U);
        EXPECT_LE(flow.failed, flow.sent / 200);
    }
}

TEST(MacNetwork, ARebootedStationIsSpokenToAnew) {
    auto m = make_pair(41, 14.0F);
    std::vector<std::string> seen;
    int downs = 0;
    int ups = 0;
    m[0].on_event = [&](Instant, const Event& e) {
        downs += std::holds_alternative<LinkDown>(e) ? 1 : 0;
        ups += std::holds_alternative<LinkUp>(e) ? 1 : 0;
    };
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 3s);
    EXPECT_GT(flow.received, 100U);
    m.stop(1);
    run_for(m, 300ms);
    m.start(1);
    run_for(m, 5s);
    const std::uint64_t before = flow.received;
    run_for(m, 3s);
    EXPECT_GT(flow.received, before + 100);
    EXPECT_EQ(downs, 1);
    EXPECT_EQ(ups, 2);
    EXPECT_EQ(flow.out_of_order + flow.corrupt, 0U);
    // Every SDU has one fate and no more.
    flow.stop();
    run_for(m, 5s);
    EXPECT_EQ(flow.sent, flow.acknowledged + flow.failed);
}

TEST(MacNetwork, ASenderThatRebootsIsHeardAnew) {
    auto m = make_pair(42, 14.0F);
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 3s);
    m.stop(0);
    run_for(m, 300ms);
    m.start(0);
    run_for(m, 5s);
    const std::uint64_t before = flow.received;
    run_for(m, 3s);
    EXPECT_GT(flow.received, before + 100);
    EXPECT_EQ(flow.out_of_order + flow.corrupt, 0U);
}

TEST(MacNetwork, ASilentNeighbourGoesDownAndItsPacketsComeBack) {
    auto m = make_pair(43, 14.0F);
    Instant down_at{};
    m[0].on_event = [&](Instant, const Event& e) {
        if (std::holds_alternative<LinkDown>(e)) down_at = m.now();
    };
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 2s);
    const Instant stopped = m.now();
    m.stop(1);
    run_for(m, 10s);
    ASSERT_GT(down_at, stopped);
    EXPECT_LE(down_at - stopped, 6s);
    EXPECT_EQ(flow.sent, flow.acknowledged + flow.failed);
    EXPECT_EQ(m.mac(0).room(m.id(1)), 0U);
}

TEST(MacNetwork, LateBurstsAreSurvived) {
    auto m = make_pair(51, 14.0F);
    Flow flow(m, 0, 1, 1, {});
    Flow back(m, 1, 0, 2, {});
    run_for(m, 4s);
    m[0].late_share = m[1].late_share = 0.2;
    flow.start();
    back.start();
    run_for(m, 2s);
    flow.mark();
    back.mark();
    const double rate = run_and_average_rate(m, 0, 20);
    std::printf("20 %% late bursts: %.3f of the PHY rate\n", (flow.goodput_bps() + back.goodput_bps()) / rate);
    EXPECT_GE(flow.goodput_bps() + back.goodput_bps(), 0.4 * rate);
    EXPECT_GT(m.mac(0).counters().frames_late, 10U);
    EXPECT_EQ(flow.out_of_order + flow.corrupt + flow.failed, 0U);
    EXPECT_EQ(back.out_of_order + back.corrupt + back.failed, 0U);
}

// The host is slower than its configuration: frames are delivered late, the radio needs more lead.
TEST(MacNetwork, ASlowHostIsLearnt) {
    auto m = make_pair(52, 14.0F);
    for (std::size_t i = 0; i < 2; ++i) {
        m[i].decode_time = 22ms;
        m[i].needs_lead = 9ms;
    }
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 6s);
    flow.start();
    run_for(m, 6s);
    const std::uint64_t late = m.mac(0).counters().frames_late;
    flow.mark();
    const double rate = run_and_average_rate(m, 0, 20);
    std::printf("turnaround 22 ms instead of 5, lead 9 ms instead of 2: %.3f of the PHY rate\n",
                flow.goodput_bps() / rate);
    EXPECT_GE(flow.goodput_bps(), 0.5 * rate);
    EXPECT_LE(m.mac(0).counters().frames_late, late + 4);
    EXPECT_EQ(flow.out_of_order + flow.corrupt + flow.failed, 0U);
}

// A forger floods the channel with hellos and reservations of stations that do not exist.
TEST(MacNetwork, InventedStationsFillNoMoreThanTheTable) {
    auto m = make_pair(53, 14.0F);
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 1s);
    const std::uint64_t before = flow.received;
    for (std::uint32_t k = 0; k < 500; ++k) {
        Burst forged;
        forged.header.sender = 10'000 + k;
        forged.header.grantee = k % 3 == 0 ? m.id(0) : 77;
        forged.header.grant = 5ms;
        forged.header.nav = k % 50 == 0 ? Duration{900ms} : Duration{1ms};
        forged.header.backlog_bytes = 4'000'000;
        forged.hello = Hello{};
        RxFrame frame;
        frame.start = m.local(0) - 10ms;
        frame.end = m.local(0) - 4ms;
        frame.payload = encode_burst(forged, false);
        m.mac(0).on_frame(m.local(0), frame);
        ASSERT_LE(m.mac(0).neighbors(m.local(0)).size(), 64U);
        run_for(m, 40ms);
    }
    EXPECT_GT(flow.received, before + 200);
    EXPECT_EQ(flow.out_of_order + flow.corrupt + flow.failed, 0U);
}

TEST(MacNetwork, QueuesAreBounded) {
    Mac::Config c;
    c.queue_bytes = 20'000;  // more than a turn of this length holds
    c.max_burst = 35ms;
    auto m = make_pair(61, 14.0F, c);
    EXPECT_FALSE(m.enqueue(0, 1, Bytes(100, 1)));  // no such neighbour yet
    run_for(m, 4s);
    EXPECT_EQ(m.mac(0).room(m.id(1)), 20'000U);
    EXPECT_EQ(m.mac(0).room(4'242), 0U);
    EXPECT_FALSE(m.enqueue(0, 1, Bytes{}));
    EXPECT_FALSE(m.enqueue(0, 1, Bytes(kMaxSduBytes + 1, 1)));
    int accepted = 0;
    while (m.enqueue(0, 1, Bytes(1'000, 7))) {
        ++accepted;
    }
    EXPECT_EQ(accepted, 20);
    EXPECT_TRUE(m.enqueue(0, 1, Bytes(1'000, 7), Priority::kControl));  // control still finds room
    EXPECT_EQ(m.mac(0).counters().sdus_refused, 4U);
    int broadcasts = 0;
    while (m.enqueue_id(0, kBroadcast, Bytes(1'000, 8), Priority::kControl, 0)) {
        ++broadcasts;
        ASSERT_LE(broadcasts, 22);
    }
    run_for(m, 5s);
    EXPECT_EQ(m.mac(0).room(m.id(1)), 20'000U);
}

// A queue shorter than a turn would leave the turn short, whatever the configuration says.
TEST(MacNetwork, AQueueHoldsATurnAtTheRateOfTheLink) {
    Mac::Config c;
    c.queue_bytes = kMaxSduBytes;
    c.max_burst = 400ms;
    auto m = make_pair(61, 20.0F, c);
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 4s);
    flow.mark();
    run_for(m, 10s);
    const LinkQuality quality = m.mac(0).neighbors(m.local(0)).front().quality;
    EXPECT_GT(flow.goodput_bps(), 0.75 * quality.rate_bps);
}

TEST(MacNetwork, BroadcastsReachAllAndLargeSdusPass) {
    auto m = make_circle(62, 4, 50.0, 13.0F);
    std::vector<std::set<std::uint64_t>> got(4);
    for (std::size_t i = 0; i < 4; ++i) {
        m[i].on_event = [&got, i](Instant, const Event& e) {
            if (const auto* r = std::get_if<Received>(&e)) {
                const auto n = sdu_number(r->sdu.bytes);
                ASSERT_TRUE(n.has_value());
                EXPECT_TRUE(got[i].insert(*n).second) << "twice";
            }
        };
    }
    run_for(m, 5s);
    for (std::uint64_t k = 0; k < 20; ++k) {
        EXPECT_TRUE(m.enqueue_id(0, kBroadcast, make_sdu(k, k % 5 == 0 ? kMaxSduBytes : 300), Priority::kControl, 0));
        run_for(m, 400ms);
    }
    EXPECT_TRUE(m.enqueue(1, 2, make_sdu(1'000, kMaxSduBytes)));
    run_for(m, 2s);
    for (std::size_t i = 1; i < 4; ++i) {
        EXPECT_GE(got[i].size(), 19U) << i;
    }
    EXPECT_TRUE(got[2].count(1'000) == 1);
}

TEST(MacNetwork, UrgentPacketsOvertakeBulk) {
    auto m = make_pair(63, 14.0F);
    Flow bulk(m, 0, 1, 1, {1'500, Priority::kBulk, 4'000, {}, ~std::uint64_t{0}});
    std::map<std::uint64_t, Instant> sent_at;
    Duration worst{};
    int count = 0;
    m[1].on_event = [&, before = m[1].on_event](Instant t, const Event& e) {
        before(t, e);
        if (const auto* r = std::get_if<Received>(&e); r != nullptr && r->sdu.priority == Priority::kInteractive) {
            worst = std::max(worst, m.now() - sent_at[*sdu_number(r->sdu.bytes)]);
            ++count;
        }
    };
    run_for(m, 4s);
    bulk.start();
    for (std::uint64_t k = 0; k < 40; ++k) {
        run_for(m, 230ms);
        sent_at[k] = m.now();
        EXPECT_TRUE(m.enqueue(0, 1, make_sdu(k, 200), Priority::kInteractive));
    }
    run_for(m, 1s);
    std::printf("interactive packet behind saturated bulk: worst %.0f ms\n", to_seconds(worst) * 1e3);
    EXPECT_EQ(count, 40);
    EXPECT_LE(worst, 500ms);
}

TEST(MacNetwork, DutyCycleHoldsInEveryTenMinutes) {
    Mac::Config c;
    c.duty_cycle = 0.05;
    auto m = make_pair(71, 14.0F, c);
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 1'500s);
    const auto& sent = m[0].sent;
    ASSERT_GT(sent.size(), 100U);
    Duration worst{};
    for (std::size_t i = 0; i < sent.size(); ++i) {
        Duration sum{};
        for (std::size_t k = i; k < sent.size() && sent[k].second <= sent[i].first + 600s; ++k) {
            sum += sent[k].second - sent[k].first;
        }
        worst = std::max(worst, sum);
    }
    std::printf("duty cycle 5 %%: at most %.2f s of 600 s used, flow %llu SDUs\n", to_seconds(worst),
                static_cast<unsigned long long>(flow.acknowledged));
    EXPECT_LE(worst, 30s);
    EXPECT_GE(worst, 20s);
    EXPECT_GT(flow.acknowledged, 1'000U);
}

TEST(MacNetwork, RateFollowsTheChannel) {
    auto m = make_pair(81, 20.0F);
    Flow flow(m, 0, 1, 1, {});
    run_for(m, 4s);
    flow.start();
    run_for(m, 5s);
    const auto mode = [&] { return m.mac(0).neighbors(m.local(0)).at(0).quality.mode; };
    EXPECT_GE(mode(), 8);
    m.set_snr(0, 1, 6.5F);  // towards the receiver only
    run_for(m, 6s);
    EXPECT_GE(mode(), 2);
    EXPECT_LE(mode(), 4);
    flow.mark();
    run_for(m, 10s);
    EXPECT_GE(flow.goodput_bps(), 0.35e6);
    m.set_snr(0, 1, 20.0F);
    run_for(m, 20s);
    EXPECT_GE(mode(), 8);
    EXPECT_EQ(flow.failed + flow.out_of_order + flow.corrupt, 0U);
}

TEST(MacNetwork, PropagationIsKnownToTwoMicroseconds) {
    auto m = make_pair(91, 13.0F);
    m[0].clock_ppb = 20'000;
    m[1].clock_ppb = -20'000;
    m[0].clock_offset_ns = 3'000'000'000'000;
    m[1].clock_offset_ns = 77'000'000;
    m.set_hears(0, 1, true);
    run_for(m, 12s);
    for (std::size_t i = 0; i < 2; ++i) {
        const auto q = m.mac(i).neighbors(m.local(i)).at(0).quality;
        EXPECT_NEAR(static_cast<double>(q.propagation.count()), 200'000.0, 2'000.0);
    }
}

// One packet on an idle channel: lead, propagation, air time, decoding, and no more than a small wait.
TEST(MacNetwork, LightLoadLatency) {
    auto m = make_pair(101, 13.0F);
    std::map<std::uint64_t, Instant> sent_at;
    std::vector<double> delays;
    m[1].on_event = [&](Instant, const Event& e) {
        if (const auto* r = std::get_if<Received>(&e)) {
            delays.push_back(to_seconds(m.now() - sent_at[*sdu_number(r->sdu.bytes)]));
        }
    };
    run_for(m, 5s);
    for (std::uint64_t k = 0; k < 50; ++k) {
        run_for(m, 333ms);
        sent_at[k] = m.now();
        ASSERT_TRUE(m.enqueue(0, 1, make_sdu(k, 1'000)));
    }
    run_for(m, 1s);
    ASSERT_EQ(delays.size(), 50U);
    std::sort(delays.begin(), delays.end());
    const double airtime = to_seconds(m.phy().airtime(7, 1'100));
    const double least = 0.002 + 0.0002 + airtime + 0.004;
    std::printf("light load: median %.1f ms, 95 %% %.1f ms, of which lead + tau + T + decoding %.1f ms\n",
                delays[25] * 1e3, delays[47] * 1e3, least * 1e3);
    EXPECT_LE(delays[25], least + 0.003);
    EXPECT_LE(delays[47], least + 0.060);
}

TEST(MacNetwork, TheSameSeedGivesTheSameAir) {
    const auto run = [](std::uint64_t seed) {
        auto m = make_circle(seed, 4, 100.0, 12.0F);
        m.block_loss = 0.05;
        m.frame_loss = 0.02;
        Flow a(m, 0, 1, 1, {});
        Flow b(m, 2, 3, 2, {});
        run_for(m, 4s);
        a.start();
        b.start();
        run_for(m, 10s);
        EXPECT_GT(a.received + b.received, 100U);
        return m.trace();
    };
    EXPECT_EQ(run(7), run(7));
    EXPECT_NE(run(7), run(8));
}

}  // namespace
}  // namespace meshnet::mac::test
