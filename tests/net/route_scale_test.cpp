// SPDX-License-Identifier: MIT
// Routing in larger networks: how soon everybody is found from cold, what it costs when nothing happens, and that
// nothing loops whatever happens.
//
// Times are virtual. Links carry 3170 kbit/s, what a channel of 1 MHz has in its best mode; the share of the air is
// counted in bytes and in bursts, of 2 ms of preamble, header and gap each.
#include <gtest/gtest.h>

#include <malloc.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "tests/net/route_net.hpp"

namespace meshnet::net::test {
namespace {

constexpr double kBurstSeconds = 2e-3;

RouteNet::Options options(std::uint64_t seed, double broadcast_loss = 0.02) {
    RouteNet::Options o;
    o.seed = seed;
    o.broadcast_loss = broadcast_loss;
    return o;
}

/// Nodes at random in a square; who is near is linked, and each to one before it at least, so that all hang together.
void random_geometric(RouteNet& net, std::size_t n, double degree) {
    std::vector<std::pair<double, double>> at;
    const double reach = std::sqrt(degree / (3.14159 * static_cast<double>(n)));
    for (std::size_t a = 0; a < n; ++a) {
        at.emplace_back(net.rng().uniform(), net.rng().uniform());
        net.add();
        std::size_t nearest = 0;
        bool any = a == 0;
        const auto distance = [&](std::size_t b) {
            return std::hypot(at[a].first - at[b].first, at[a].second - at[b].second);
        };
        for (std::size_t b = 0; b < a; ++b) {
            nearest = distance(b) < distance(nearest) ? b : nearest;
            if (distance(b) < reach) {
                net.join(a, b);
                any = true;
            }
        }
        if (!any) net.join(a, nearest);
    }
}

void full_mesh(RouteNet& net, std::size_t n) {
    for (std::size_t a = 0; a < n; ++a) {
        net.add();
        for (std::size_t b = 0; b < a; ++b) net.join(a, b);
    }
}

/// Seconds until everybody has a route to everybody, at most `limit`.
double converge(RouteNet& net, double limit) {
    for (double t = 0.5; t <= limit; t += 0.5) {
        net.run(500ms);
        if (net.missing_pairs() == 0) {
            std::printf(
                "  all %zu x %zu routes after %.1f s; %.1f KiB, %.0f bursts a node\n", net.size(), net.size() - 1, t,
                static_cast<double>(net.total(&RouteNet::Node::bytes)) / 1024.0 / static_cast<double>(net.size()),
                static_cast<double>(net.total(&RouteNet::Node::bursts)) / static_cast<double>(net.size()));
            return t;
        }
    }
    ADD_FAILURE() << net.missing_pairs() << " pairs without a route";
    return 1e9;
}

/// Share of `time` that the nodes keep the air around them busy: all nodes together, divided by how many such
/// neighbourhoods there are room for.
double busy_share(RouteNet& net, Duration time, double neighborhoods) {
    net.clear_counters();
    net.run(time);
    const double seconds = std::chrono::duration<double>(time).count();
    const auto bytes = static_cast<double>(net.total(&RouteNet::Node::bytes));
    const auto bursts = static_cast<double>(net.total(&RouteNet::Node::bursts));
    const double share = (bytes * 8.0 / net.options().rate_bps + bursts * kBurstSeconds) / seconds / neighborhoods;
    std::printf("  idle: %.4f of the air; a node sends %.1f bytes/s in %.3f bursts/s\n", share,
                bytes / seconds / static_cast<double>(net.size()), bursts / seconds / static_cast<double>(net.size()));
    return share;
}

TEST(RouteScale, FiftyStationsFindEachOtherInFiveSeconds) {
    RouteNet net(options(1));
    random_geometric(net, 50, 8);
    EXPECT_LE(converge(net, 10), 5.0);
    EXPECT_EQ(net.find_loop(), "");
}

TEST(RouteScale, HundredStationsFindEachOtherInTenSeconds) {
    RouteNet net(options(2));
    random_geometric(net, 100, 8);
    EXPECT_LE(converge(net, 20), 10.0);
    EXPECT_EQ(net.find_loop(), "");
    net.run(60s);
    EXPECT_LE(busy_share(net, 1'200s, 100.0 / 9.0), 0.02);
}

TEST(RouteScale, TwoHundredStationsFindEachOtherInTwentySeconds) {
    RouteNet net(options(3));
    random_geometric(net, 200, 8);
    EXPECT_LE(converge(net, 40), 20.0);
    EXPECT_EQ(net.find_loop(), "");
}

// Every destination was sent to every neighbour each 4 s: 56 % of the air.
TEST(RouteScale, AFullMeshOfTwentyIsNearlySilent) {
    RouteNet net(options(4));
    full_mesh(net, 20);
    converge(net, 10);
    net.run(60s);
    EXPECT_LE(busy_share(net, 1'200s, 1.0), 0.02);
}

// ---- one large table ----

// 1000 neighbours, 10 000 destinations each of which twenty of them know: memory, and work when nothing happens.
TEST(RouteScale, TenThousandDestinationsOfAThousandNeighboursTakeLittle) {
    constexpr std::size_t kNeighbors = 1'000, kDestinations = 10'000, kKnownBy = 20;
    crypto_init();
    Rng rng(6);
    const Identity self = Identity::generate(rng);
    Instant now = instant_from_ns(1'000'000'000);
    RouteTable::Config config;
    config.broadcast = true;
    config.boot = 5;
    LinkQuality quality;
    quality.rate_bps = 3'170e3;
    const std::size_t before = mallinfo2().uordblks;
    RouteTable table(config, self.secrets().certificate, self.secrets().device, 0);
    for (std::size_t i = 0; i < kNeighbors; ++i) {
        NodeId id{0xEE, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)};
        table.neighbor_up(now, static_cast<NeighborId>(i + 1), id, quality);
    }
    std::uint64_t messages = 0;
    const auto step = [&] {
        table.on_timeout(now);
        while (const auto r = table.poll_reservation()) {
            if (r->ceiling) table.reserved(now, r->destination, r->ceiling->seqno);
        }
        while (table.poll_message()) ++messages;
    };
    RouteUpdate u;
    for (std::size_t i = 0; i < kDestinations; ++i) {
        Bytes seed(32, 0);
        ByteWriter(seed).u32(static_cast<std::uint32_t>(i));
        const auto id = blake2b<32>({ByteView(seed)});
        const SigningKey master(id), device(blake2b<32>({ByteView(id)}));
        u = {};
        u.certificate.emplace(Certificate{});
        u.certificate->signing = device.public_key();
        u.certificate->exchange[0] = 1;
        u.certificate->serial = 1;
        certify(*u.certificate, master);
        const NodeId node = u.certificate->id();
        u.destination = short_id(node);
        u.seqno = 1;
        u.instance = {1, i + 1, 0, false};
        u.run = u.instance.tag();
        u.serial = 1;
        u.signature = device.sign(kRouteContext, RouteUpdate::signed_part(node, 1, 1, u.instance));
        u.via = 1;
        for (std::size_t k = 0; k < kKnownBy; ++k) {
            u.metric = RouteMetric{1'000 + static_cast<std::uint32_t>(rng.below(1'000)), 0, 0, 1};
            table.on_update(now, static_cast<NeighborId>(1 + (i * 31 + k * 57) % kNeighbors), u);
            u.signature.reset();
            u.certificate.reset();
        }
        now += 1ms;
        step();
    }
    ASSERT_EQ(table.destinations(), kDestinations);
    for (int i = 0; i < 6'000; ++i) {  // what was to be told has been
        now += 100ms;
        step();
    }
    const std::size_t used = mallinfo2().uordblks - before;
    std::printf("  %.1f MiB: %zu bytes a destination\n", static_cast<double>(used) / 1048576.0, used / kDestinations);
    EXPECT_LE(used, 32U << 20U);

    messages = 0;
    int wakeups = 0;
    const Instant end = now + 60s;
    const auto started = std::chrono::steady_clock::now();
    while (table.next_timeout() && *table.next_timeout() <= end) {
        now = std::max(now, *table.next_timeout());
        step();
        ++wakeups;
    }
    std::printf("  idle: %d wakeups, %llu messages, %.1f ms of work in 60 s\n", wakeups,
                static_cast<unsigned long long>(messages),
                1e3 * std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    EXPECT_LE(wakeups, 60);
}

// ---- whatever happens ----

struct RouteChurn : ::testing::TestWithParam<std::uint64_t> {};

// Links come and go, nodes die and return with their disk or without, prices and rates change, a fifth of what is
// broadcast is lost: no loop after any event, and everybody is found once it is quiet.
TEST_P(RouteChurn, NeverLoopsAndAlwaysSettles) {
    RouteNet net(options(GetParam(), 0.2));
    constexpr std::size_t kNodes = 12;
    random_geometric(net, kNodes, 4);
    std::uint64_t events = 0;
    net.check = [&] {
        if (++events % 5 == 0) {
            ASSERT_EQ(net.find_loop(), "");
        }
    };
    net.run(4s);
    std::set<std::pair<std::size_t, std::size_t>> away;
    for (int i = 0; i < 120; ++i) {
        const std::size_t a = net.rng().below(kNodes);
        const auto& peers = net.node(a).neighbors;
        switch (net.rng().below(5)) {
            case 0:
                if (!peers.empty()) {
                    const std::size_t b =
                        *std::next(peers.begin(), static_cast<std::ptrdiff_t>(net.rng().below(peers.size())));
                    net.part(a, b);
                    away.emplace(a, b);
                }
                break;
            case 1:
                if (!away.empty()) {
                    const auto [x, y] = *away.begin();
                    away.erase(away.begin());
                    net.join(x, y);
                }
                break;
            case 2:
                net.kill(a);
                if (net.rng().below(3) == 0) net.node(a).disk.rows.clear();
                net.run(Duration{static_cast<std::int64_t>(net.rng().below(300'000'000))});
                net.restart(a);
                break;
            case 3:
                for (const std::size_t b : peers) {
                    LinkQuality q = net.quality();
                    q.airtime_us_per_kib *= 1.0 + static_cast<double>(net.rng().below(20));
                    net.table(a).neighbor_changed(net.now(), RouteNet::link(b), q);
                }
                net.pump(a);
                break;
            default:
                net.table(a).set_price(net.now(), static_cast<std::uint32_t>(net.rng().below(50'000)));
                net.pump(a);
                break;
        }
        net.run(Duration{static_cast<std::int64_t>(net.rng().below(500'000'000))});
    }
    for (const auto& [x, y] : away) net.join(x, y);
    net.run(60s);
    EXPECT_EQ(net.missing_pairs(), 0U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RouteChurn, ::testing::Range<std::uint64_t>(1, 17));

}  // namespace
}  // namespace meshnet::net::test
