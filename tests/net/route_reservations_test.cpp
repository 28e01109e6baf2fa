// SPDX-License-Identifier: MIT
// Sequence numbers of routes across a crash.
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "net/identity_secrets.hpp"
#include "net/route_reservations.hpp"

namespace meshnet::net {
namespace {

struct RouteReservationsTest : ::testing::Test {
    Rng random{5};
    Identity identity = (crypto_init(), Identity::generate(random));
    Identity destination = Identity::generate(random);
    Instant now = instant_from_ns(1'000'000'000);

    /// One run of a node, from what is on its disk.
    struct Run {
        Run(const Identity& identity, const LedgerState& restored)
            : routes({}, identity.secrets().certificate, identity.secrets().device,
                     RouteReservations::restored_seqno(restored), RouteReservations::restored_ceilings(restored)),
              reservations(routes, outbox) {
            outbox.add_source([this](Outbox::Rows& rows) { reservations.take_rows(rows); });
        }
        /// Polls a batch, adds it to `disk`, reports it if `persisted`.
        std::size_t store(Instant at, LedgerState& disk, bool persisted = true) {
            const auto batch = outbox.poll();
            if (!batch) {
                return 0;
            }
            for (const LedgerRow& row : batch->rows) {
                std::erase_if(disk.rows, [&](const LedgerRow& r) { return r.key == row.key; });
                if (!row.value.empty()) {
                    disk.rows.push_back(row);
                }
            }
            if (persisted) {
                outbox.persisted(at, batch->number);
            }
            return batch->rows.size();
        }
        Outbox outbox;
        RouteTable routes;
        RouteReservations reservations;
    };

    [[nodiscard]] RouteUpdate update(std::uint32_t seqno) const {
        const auto& s = destination.secrets();
        RouteUpdate u;
        u.destination = short_id(s.id);
        u.seqno = seqno;
        u.metric = RouteMetric::origin();
        u.serial = s.certificate.serial;
        u.signature = s.device.sign(kRouteContext, RouteUpdate::signed_part(s.id, seqno, u.serial));
        u.certificate = s.certificate;
        return u;
    }
    /// Updates about the destination that the run sends until `at`.
    int advertised(Run& run, Instant at) {
        run.routes.on_timeout(at);
        int n = 0;
        while (const auto out = run.routes.poll_message()) {
            if (out->to == 5 && out->message[0] == static_cast<std::uint8_t>(MessageType::kUpdate)) {
                const auto m = RouteUpdates::decode(ByteView(out->message).subspan(1));
                for (const RouteUpdate& u : m->entries) {
                    n += u.destination == short_id(destination.id()) && u.metric.reachable() ? 1 : 0;
                }
            }
        }
        return n;
    }
};

TEST_F(RouteReservationsTest, OurOwnSeqnoIsReservedAheadAndNeverUsedTwice) {
    LedgerState disk;
    std::uint32_t used = 0;
    for (int restart = 0; restart < 5; ++restart) {
        Run run(identity, disk);
        EXPECT_GT(run.routes.own_seqno(), used) << restart;
        EXPECT_EQ(run.store(now, disk), 1U);
        EXPECT_EQ(run.store(now, disk), 0U);
        used = run.routes.own_seqno();
    }
    EXPECT_EQ(RouteReservations::restored_seqno(disk), used + 64);
}

TEST_F(RouteReservationsTest, MoreIsReservedBeforeTheReserveRunsOut) {
    LedgerState disk;
    Run run(identity, disk);
    run.store(now, disk);
    run.routes.neighbor_up(now, 5, NodeId{5}, {});
    int rows = 0;
    for (int i = 0; i < 200; ++i) {  // a neighbour requests ever newer numbers
        run.routes.on_seqno_request(now + i * 10s, 5, {short_id(identity.id()), run.routes.own_seqno() + 1, 3});
        run.reservations.advance();
        rows += static_cast<int>(run.store(now, disk));
        EXPECT_LT(run.routes.own_seqno(), RouteReservations::restored_seqno(disk));
    }
    EXPECT_GE(rows, 3);
    EXPECT_LE(rows, 6) << "one write for some fifty numbers";
}

TEST_F(RouteReservationsTest, ARouteIsAdvertisedOnceItsCeilingIsOnDisk) {
    LedgerState disk;
    Run run(identity, disk);
    run.store(now, disk);
    const NeighborId from = destination.station_id();
    run.routes.neighbor_up(now, from, destination.id(), {});
    run.routes.neighbor_up(now, 5, NodeId{5}, {});
    run.routes.on_update(now, from, update(100));
    ASSERT_TRUE(run.routes.lookup(destination.id()));
    EXPECT_EQ(advertised(run, now + 1s), 0);
    EXPECT_EQ(run.store(now, disk, false), 1U);
    EXPECT_EQ(advertised(run, now + 2s), 0) << "written, not yet durable";
    run.outbox.persisted(now + 2s, 2);
    EXPECT_EQ(advertised(run, now + 3s), 1);
    EXPECT_EQ(RouteReservations::restored_ceilings(disk).at(destination.id()).seqno, 102U);

    // After a crash an echo of what we advertised ourselves is refused, the destination itself is not.
    Run again(identity, disk);
    again.routes.neighbor_up(now, 5, NodeId{5}, {});
    RouteUpdate echo = update(100);
    echo.metric = echo.metric.over({10, 0}).over({10, 0});
    echo.via = 7;
    again.routes.on_update(now, 5, echo);
    EXPECT_FALSE(again.routes.lookup(destination.id()));
    again.routes.neighbor_up(now, from, destination.id(), {});
    again.routes.on_update(now, from, update(100));
    EXPECT_TRUE(again.routes.lookup(destination.id()));
}

TEST_F(RouteReservationsTest, EachRunHasAnEpochOfItsOwn) {
    LedgerState disk;
    Run run(identity, disk);
    run.store(now, disk);
    EXPECT_EQ(RouteReservations::restored_epoch(disk), run.routes.own_instance().epoch);
    EXPECT_GT(run.routes.own_instance().epoch, 0U);
}

// Whoever asked 33 times for a seqno 1000 ahead turned the 16 bits of version 1 by half, and nobody found us for days.
TEST_F(RouteReservationsTest, RequestsRaiseOurSeqnoByFourAnIntervalAtMost) {
    Run run(identity, {});
    run.routes.neighbor_up(now, 5, NodeId{5}, {});
    const std::uint32_t before = run.routes.own_seqno();
    for (int i = 0; i < 4'000; ++i) {
        const std::uint32_t far = i % 2 == 0 ? 0xFFFF'FFFF : run.routes.own_seqno() + 1'000;
        run.routes.on_seqno_request(now + i * 10ms, 5, {short_id(identity.id()), far, 3});
    }
    EXPECT_GT(run.routes.own_seqno(), before);
    EXPECT_LE(run.routes.own_seqno(), before + 4 * (4 + 10)) << "40 s are ten intervals, four are had in advance";
}

TEST_F(RouteReservationsTest, AnEmptyLedgerHoldsNothing) {
    EXPECT_EQ(RouteReservations::restored_seqno({}), 0U);
    EXPECT_EQ(RouteReservations::restored_epoch({}), 0U);
    EXPECT_TRUE(RouteReservations::restored_ceilings({}).empty());
}

}  // namespace
}  // namespace meshnet::net
