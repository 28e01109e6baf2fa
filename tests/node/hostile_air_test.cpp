// SPDX-License-Identifier: MIT
// What one station without keys does to others on the air: rows 4, 5, 15, 16 of the list of attacks, each against
// unchanged nodes in virtual time.
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/hostile_air.hpp"

namespace meshnet::test {
namespace {

using mac::Burst;
using mac::StationId;

/// Two nodes with a session, and a flow between them that takes all it can get.
struct Pair {
    explicit Pair(std::uint64_t seed) : air(seed) {
        a = air.add();
        b = air.add();
        air.on_heard = [this](std::size_t from, const mac::TxRequest& request) {
            if (from == a) {
                last = request.payload;
            }
        };
        air.run_for(8s);
        air.send(a, b, 600);
        air.run_for(3s);
    }
    /// kbit/s from a to b over `time`, of 2 Mbit/s offered.
    double goodput(Duration time) {
        const Instant end = air.now() + time;
        air.every(5ms, end, [this] { air.send(a, b, 1'200); });
        const std::uint64_t before = air.delivered_bytes(b);
        air.run_until(end);
        return static_cast<double>(air.delivered_bytes(b) - before) * 8e-3 / to_seconds(time);
    }
    /// A header in the name of a, tags and number as of one that has just been heard.
    [[nodiscard]] Burst forged(std::uint32_t ahead = 1) const {
        Burst burst;
        burst.header.sender = air.number(a);
        burst.header.authenticated = true;
        burst.header.gap = 7ms;
        if (const auto heard = mac::parse_burst(last)) {
            burst.header.burst = heard->header.burst + ahead;
        }
        return burst;
    }
    HostileAir air;
    std::size_t a = 0, b = 0;
    Bytes last;  // payload that a sent
};

// ---- row 4 ----

Burst with_floor(const Pair& p, std::uint16_t ahead) {
    Burst burst = p.forged();
    const auto heard = mac::parse_burst(p.last);
    mac::Target t{p.air.number(p.b), 1, ahead};
    if (heard && !heard->header.targets.empty()) {
        t = heard->header.targets.front();
        t.floor = static_cast<std::uint16_t>(t.floor + ahead);
    }
    burst.header.targets = {t};
    return burst;
}

TEST(HostileAir, NoForgedBurstEndsALink) {
    Pair p(1);
    const double clean = p.goodput(10s);
    ASSERT_GT(clean, 1'000.0);
    const auto hears_nobody = [&] {
        Burst burst = p.forged();
        burst.hello = mac::Hello{};
        burst.hello->interval = 1s;
        burst.hello->number = 9'000;
        return burst;
    };
    const auto acknowledges_all = [&] {
        Burst burst = p.forged();
        mac::BlockAck ack;
        ack.peer = p.air.number(p.b);
        ack.base = 30'000;
        ack.snr_db = -30.0F;
        burst.acks.push_back(ack);
        return burst;
    };
    const auto bare = [&] {
        Burst burst = with_floor(p, 32'512);
        burst.header.authenticated = false;
        burst.header.epoch = 77;
        return burst;
    };
    const auto far_ahead = [&] {
        Burst burst = p.forged(1'000'000);
        burst.header.targets = {{p.air.number(p.b), 1, 0}};
        return burst;
    };
    const std::vector<std::function<Burst()>> kinds{[&] { return with_floor(p, 32'512); },
                                                    [&] { return with_floor(p, 1'000); },
                                                    hears_nobody,
                                                    acknowledges_all,
                                                    bare,
                                                    far_ahead};
    for (std::size_t k = 0; k < kinds.size(); ++k) {
        for (int i = 0; i < 3; ++i) {  // some meet other bursts, some do not
            p.air.forge(kinds[k]());
            p.air.run_for(i == 0 ? 31ms : 400ms);
        }
        EXPECT_GT(p.goodput(5s), 0.8 * clean) << "kind " << k;
    }
    const auto& seen = p.air.node(p.b).mac().counters();
    EXPECT_GT(seen.forged_targets + seen.forged_acks + seen.forged_hellos, 0U);
}

TEST(HostileAir, ReplayedBurstsChangeNothing) {
    Pair p(2);
    std::vector<Bytes> recorded;
    p.air.on_heard = [&](std::size_t, const mac::TxRequest& request) {
        if (recorded.size() < 400) {
            recorded.push_back(request.payload);
        }
    };
    const double clean = p.goodput(10s);
    ASSERT_GT(recorded.size(), 50U);
    std::erase_if(recorded, [](const Bytes& b) { return b.size() > 400; });
    p.air.every(100ms, p.air.now() + 10s, [&] { p.air.forge(recorded[p.air.random.below(recorded.size())]); });
    EXPECT_GT(p.goodput(10s), 0.45 * clean) << "ten a second, whatever they meet";
    EXPECT_GT(p.goodput(5s), 0.9 * clean);
    EXPECT_GT(p.air.node(p.b).mac().counters().replayed + p.air.node(p.a).mac().counters().replayed, 10U);
}

// Bursts heard, with fields changed at random and valid checks.
TEST(HostileAir, ALinkSurvivesAnyMixOfChangedBursts) {
    for (const std::uint64_t seed : {11U, 12U, 13U}) {
        Pair p(seed);
        const double clean = p.goodput(5s);
        p.air.every(97ms, p.air.now() + 10s, [&] {
            auto burst = mac::parse_burst(p.last);
            if (!burst) {
                return;
            }
            burst->fragments.clear();
            auto& h = burst->header;
            h.burst += static_cast<std::uint32_t>(p.air.random.below(1'000));
            h.nav = Duration{static_cast<std::int64_t>(p.air.random.below(1'000'000'000))};
            h.sender = p.air.number(p.air.random.below(2));
            for (auto& t : h.targets) {
                t.floor = static_cast<std::uint16_t>(p.air.random.next_u64());
            }
            for (auto& a : burst->acks) {
                a.base = static_cast<std::uint16_t>(p.air.random.next_u64());
            }
            p.air.forge(*burst);
        });
        p.air.run_for(10s);
        EXPECT_GT(p.goodput(5s), 0.8 * clean) << seed;
    }
}

// ---- row 5 ----

Burst forged_hello(const HostileAir& air, StationId sender, std::uint16_t number) {
    Burst burst;
    burst.header.sender = sender;
    burst.header.authenticated = true;
    burst.header.burst = number;
    burst.hello = mac::Hello{};
    burst.hello->interval = 1s;
    burst.hello->number = number;
    for (std::size_t i = 0; i < air.size(); ++i) {
        burst.hello->heard.push_back({air.number(i), 12.0F, 1, Duration{1}});
    }
    return burst;
}

void flood(std::uint64_t seed) {
    HostileAir air(seed);
    air.add();
    air.add();
    air.run_for(8s);
    ASSERT_TRUE(air.session(0, 1));
    const Instant start = air.now();
    const Duration strangers_before = air.node(0).mac().counters().airtime_strangers;
    std::uint32_t sent = 0;
    air.every(100ms, start + 60s, [&] {
        const auto id = static_cast<StationId>(0x5000'0000 + sent % 280);
        air.forge(forged_hello(air, id, static_cast<std::uint16_t>(sent / 280 + 1)));
        ++sent;
    });
    air.run_for(10s);
    const std::size_t newcomer = air.add();
    air.run_for(15s);
    EXPECT_TRUE(air.session(newcomer, 0) && air.session(newcomer, 1)) << "during the flood";
    air.run_until(start + 60s);
    const Duration spent = air.node(0).mac().counters().airtime_strangers - strangers_before;
    EXPECT_LE(spent, 600ms) << to_seconds(spent) << " s of 60 s";
    EXPECT_GT(spent, Duration::zero());
    EXPECT_LE(air.node(0).mac().neighbors(air.now()).size(), 64U + 32U);
    EXPECT_TRUE(air.session(0, 1) && air.session(1, 0));
    const std::size_t late = air.add();
    air.run_for(10s);
    EXPECT_TRUE(air.session(late, 0) && air.session(late, 1)) << "after the flood";
}

TEST(HostileAir, AFloodOfForgedHellosKeepsNobodyOut) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE(seed);
        flood(seed);
    }
}

// ---- row 15 ----

/// Goodput while `make` is sent at 1 % of air, over that without.
double share_kept(std::uint64_t seed, const std::function<Burst(Pair&)>& make, Duration* duty = nullptr) {
    Pair p(seed);
    const double clean = p.goodput(20s);
    const Duration before = p.air.forged_airtime();
    const Instant start = p.air.now();
    std::function<void()> next = [&] {
        const Burst burst = make(p);
        const Duration cost = p.air.phy().airtime(3, mac::encode_burst(burst, false, p.air.no_keys()).size());
        p.air.forge(burst);
        // 1 % of air, at random times.
        p.air.at(p.air.now() + Duration{static_cast<std::int64_t>(
                                   p.air.random.below(static_cast<std::uint64_t>((200 * cost).count())))},
                 [&] {
                     if (p.air.now() < start + 40s) {
                         next();
                     }
                 });
    };
    next();
    (void)p.goodput(5s);  // whatever it costs at first
    const double attacked = p.goodput(30s);
    if (duty != nullptr) {
        *duty = p.air.forged_airtime() - before;
    }
    std::printf("attacked %.0f of %.0f kbit/s = %.2f\n", attacked, clean, attacked / clean);
    return attacked / clean;
}

TEST(HostileAir, ForgedReservationsCostLittle) {
    const auto nav = [](Pair& p, StationId sender) {
        Burst burst = p.forged();
        burst.header.sender = sender;
        burst.header.grantee = 0x7777'7777;
        burst.header.grant = 1s;
        burst.header.nav = 1s;
        return burst;
    };
    EXPECT_GE(share_kept(21, [&](Pair& p) { return nav(p, 0x6666'6666); }), 0.8) << "of a stranger";
    EXPECT_GE(share_kept(22, [&](Pair& p) { return nav(p, p.air.number(p.a)); }), 0.8) << "of the sender";
    EXPECT_GE(share_kept(23, [&](Pair& p) { return nav(p, p.air.number(p.b)); }), 0.8) << "of the receiver";
    EXPECT_GE(share_kept(24, [&](Pair& p) { return nav(p, static_cast<StationId>(p.air.random.next_u64() | 1U)); }),
              0.8)
        << "of another each time";
}

TEST(HostileAir, ForgedEpochsReportsAndInvitationsCostLittle) {
    const auto epoch = [](Pair& p) {
        Burst burst = p.forged();
        burst.header.authenticated = false;
        burst.header.epoch = static_cast<std::uint16_t>(p.air.random.next_u64());
        return burst;
    };
    EXPECT_GE(share_kept(31, epoch), 0.8);
    const auto report = [](Pair& p) {
        Burst burst = p.forged();
        burst.header.sender = p.air.number(p.b);
        mac::BlockAck ack;
        ack.peer = p.air.number(p.a);
        ack.snr_db = -30.0F;
        burst.acks.push_back(ack);
        return burst;
    };
    EXPECT_GE(share_kept(32, report), 0.8);
    const auto invitation = [](Pair& p) {
        Burst burst = p.forged();
        burst.header.sender = 0x6666'6666;
        burst.header.grantee = p.air.number(p.air.random.below(2));
        burst.header.grant = 1s;
        burst.header.nav = 1s;
        return burst;
    };
    EXPECT_GE(share_kept(33, invitation), 0.8);
}

// ---- row 16 ----

/// Seconds until both have a session, while ten forged handshake frames a second are sent in their names; `restarted`:
/// of one that has lost its session.
double seconds_to_session(std::uint64_t seed, bool attacked, bool restarted = false) {
    HostileAir air(seed);
    Bytes last_first;
    air.on_heard = [&](std::size_t, const mac::TxRequest& request) {
        const auto burst = mac::parse_burst(request.payload);
        for (const auto& open : burst ? burst->opens : std::vector<mac::OpenFrame>{}) {
            if (open.data[0] == 1) {
                last_first.assign(open.data.begin(), open.data.end());
            }
        }
    };
    air.add();
    air.add();
    if (restarted) {
        air.run_for(8s);
    }
    const Instant start = air.now();
    int kind = 0;
    const auto forge = [&] {
        const std::size_t to = air.random.below(2);
        Bytes frame;
        switch (kind++ % 4) {
            case 0:  // a first message that reads well
                frame.assign(106, 0);
                air.random.fill(frame);
                frame[0] = 1;
                frame[33] = 5;
                break;
            case 1:  // an answer
                frame.assign(106, 0);
                air.random.fill(frame);
                frame[0] = 2;
                break;
            case 2:
                frame.assign(280, 0);
                air.random.fill(frame);
                frame[0] = 3;
                break;
            default:  // a first message heard
                frame = last_first;
                break;
        }
        if (frame.empty() || air.number(0) == 0 || air.number(1) == 0) {
            return;
        }
        Burst burst;
        burst.header.sender = air.number(1 - to);
        burst.header.authenticated = true;
        burst.opens.push_back({air.number(to), frame});
        air.forge(burst);
    };
    if (attacked) {
        air.every(100ms, start + 30s, forge);
    }
    if (restarted) {
        air.run_for(1s);
        air.restart(0);
        const Instant lost = air.now();
        while (air.now() < start + 30s && !(air.session(0, 1) && air.session(1, 0))) {
            air.run_for(10ms);
        }
        return to_seconds(air.now() - lost);
    }
    while (air.now() < start + 30s && !(air.session(0, 1) && air.session(1, 0))) {
        air.run_for(10ms);
    }
    return to_seconds(air.now() - start);
}

TEST(HostileAir, SessionsAreMadeWhileHandshakesAreForged) {
    double slowest = 0.0;
    double slowest_clean = 0.0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        slowest_clean = std::max(slowest_clean, seconds_to_session(seed, false));
        const double seconds = seconds_to_session(seed, true);
        EXPECT_LE(seconds, 3.0) << seed;
        slowest = std::max(slowest, seconds);
    }
    std::printf("slowest of 20 sessions: %.2f s, without attack %.2f s\n", slowest, slowest_clean);
}

TEST(HostileAir, ARestartedNodeIsBackWhileHandshakesAreForged) {
    double slowest = 0.0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const double seconds = seconds_to_session(seed, true, true);
        EXPECT_LE(seconds, 3.0) << seed;
        slowest = std::max(slowest, seconds);
    }
    std::printf("slowest of 20 restarts: %.2f s\n", slowest);
}

// ---- counters ----

TEST(HostileAir, ForgeriesAreCountedByKind) {
    Pair p(41);
    const auto before = p.air.node(p.b).mac().counters();
    Burst grant = p.forged();
    grant.header.sender = 0x6666'6666;
    grant.header.grantee = p.air.number(p.b);
    grant.hello = mac::Hello{};
    Burst own = p.forged();
    own.header.sender = p.air.number(p.b);
    for (int i = 0; i < 5; ++i) {  // some may meet others
        p.air.forge(with_floor(p, 5));
        p.air.run_for(100ms);
        p.air.forge(grant);
        p.air.run_for(100ms);
        p.air.forge(own);
        p.air.run_for(100ms);
    }
    const auto after = p.air.node(p.b).mac().counters();
    const auto few = [](std::uint64_t n) { return n >= 2 && n <= 5; };
    EXPECT_PRED1(few, after.forged_targets - before.forged_targets);
    EXPECT_PRED1(few, after.unproven_grants - before.unproven_grants);
    EXPECT_PRED1(few, after.own_number - before.own_number);
}

}  // namespace
}  // namespace meshnet::test
