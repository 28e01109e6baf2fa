// SPDX-License-Identifier: MIT
// Attacks on money by neighbours, sources and destinations that hold keys. Each costs the attacked at most what
// docs/spec/payment.md, "Exposure", allows.
#include <gtest/gtest.h>

#include "net/payment/amount.hpp"
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

constexpr std::int64_t kStranger = 200'000 * kNsatPerMsat;
constexpr std::uint64_t kGift = 262'144;

struct MoneyAttack : ::testing::Test {
    World w;
    LinkOptions fast{1ms, 1e7, 0.0, 8'192.0};

    const Identity::Secrets& secrets(std::size_t i) { return RouterTestAccess::secrets(w.router(i)); }
    void plain(std::size_t from, std::size_t to, const Bytes& message) {
        RouterTestAccess::feed(w.router(to), w.now(), w.node(from).link, message);
        w.pump(to);
    }
    void traffic(std::size_t from, std::size_t to, int packets, Duration spacing = 2ms) {
        for (int i = 0; i < packets; ++i) w.after(i * spacing, [this, from, to] { w.send(from, to, Bytes(1'300, 1)); });
        w.run(packets * spacing + 200ms);
    }
    [[nodiscard]] std::int64_t owes(std::size_t debtor, std::size_t creditor) {
        const auto* b = RouterTestAccess::book(w.router(debtor)).find(w.node(creditor).id);
        return b == nullptr ? 0 : b->owed_nsat;
    }
    [[nodiscard]] std::int64_t claims(std::size_t creditor, std::size_t debtor) {
        const auto* b = RouterTestAccess::book(w.router(creditor)).find(w.node(debtor).id);
        return b == nullptr ? 0 : b->claimed_nsat;
    }
    [[nodiscard]] std::uint64_t carried(std::size_t relay) {
        return w.router(relay).counters().packets_forwarded * 1'300;
    }
};

TEST_F(MoneyAttack, APayerThatNeverPaysCostsARelayTheStrangerLimitWhateverPricesAreNamed) {
    // A throw-away payer, and a relay of the attacker that names the highest price it can.
    const auto reckless = [](Router::Config& c) {
        c.max_price_msat_per_mib = 4'000'000'000;
        c.spend.day_msat = c.spend.destination_msat = 1'000'000'000'000;
    };
    const auto a = w.add(reckless), r = w.add();
    const auto x = w.add([](Router::Config& c) { c.price_msat_per_mib = 990'000; });
    const auto b = w.add();
    w.join(a, r, fast);
    w.join(r, x, fast);
    w.join(x, b, fast);
    w.check = [&] {
        EXPECT_LE(RouterTestAccess::exposure(w.router(r), w.node(a).id).nsat, kStranger + 2'000 * kNsatPerMsat);
    };
    w.run(8s);
    for (int i = 0; i < 20; ++i) traffic(a, b, 200);
    w.check = nullptr;
    w.kill(a);
    w.run(20s);
    EXPECT_GT(owes(r, x), kStranger / 4) << "the flow did run";
    EXPECT_LE(owes(r, x), kStranger) << "4 MB at this price are " << 4 * 990 << " sat";
    EXPECT_GT(w.router(r).counters().dropped_window + w.router(r).counters().flows_refused_credit, 0U);
}

TEST_F(MoneyAttack, APriceAboveTheCeilingIsNotCarriedAtAll) {
    const auto a = w.add([](Router::Config& c) { c.max_price_msat_per_mib = 4'000'000'000; });
    const auto r = w.add();
    const auto x = w.add([](Router::Config& c) { c.price_msat_per_mib = 3'900'000'000; });
    const auto b = w.add();
    w.join(a, r);
    w.join(r, x);
    w.join(x, b);
    w.run(8s);
    traffic(a, b, 100);
    w.run(5s);
    EXPECT_EQ(owes(r, x), 0);
    EXPECT_EQ(carried(r), 0U);
}

TEST_F(MoneyAttack, ADestinationThatProvesNothingGetsTheGiftOnceOverAnyNumberOfFlows) {
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(3s);
    w.check = [&] {  // the destination delivers to its host, and counts nothing
        for (auto& [id, f] : const_cast<FlowTable&>(RouterTestAccess::flows(w.router(b)))) f.delivered_bytes = 0;
    };
    for (int round = 0; round < 40; ++round) {
        traffic(a, b, 100);
        for (const auto& [id, f] : RouterTestAccess::flows(w.router(r))) {
            Statement s;
            s.label = f.label_out;
            s.sequence = f.highest_sequence;
            s.signature = secrets(b).device.sign(kStatementContext, Statement::signed_part(id, 0, s.sequence));
            plain(b, r, s.encode());
        }
        w.run(2s);
    }
    EXPECT_EQ(claims(r, a), 0);
    EXPECT_GT(carried(r), 100'000U);
    EXPECT_LE(RouterTestAccess::credit(w.router(r)).window(w.node(a).id)->unproven(), kGift + 10'000)
        << "sent were " << 40 * 100 * 1'300 << " bytes";
}

TEST_F(MoneyAttack, ADebtorThatSignsForNothingGetsLittle) {
    const auto a = w.add([](Router::Config& c) {
        c.max_price_msat_per_mib = 1'000'000;
        c.spend.day_msat = c.spend.destination_msat = 1'000'000'000;
    });
    const auto r = w.add([](Router::Config& c) { c.price_msat_per_mib = 10'000; });
    const auto b = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(3s);
    std::uint64_t sequence = 0;
    w.check = [&] {  // each of its balances is replaced by one that says 0
        const auto* book = RouterTestAccess::book(w.router(r)).find(w.node(a).id);
        if (book != nullptr && book->theirs.owed_nsat != 0) {
            BalanceMessage zero;
            zero.generation = book->theirs.generation;
            zero.sequence = sequence = book->theirs.sequence + 1;
            zero.signature = secrets(a).device.sign(kBalanceContext, zero.signed_part(w.node(a).id, w.node(r).id));
            RouterTestAccess::feed(w.router(r), w.now(), w.node(a).link, zero.encode());
        }
    };
    for (int i = 0; i < 10; ++i) traffic(a, b, 800);
    EXPECT_GT(sequence, 0U);
    EXPECT_LE(claims(r, a), 12'000 * kNsatPerMsat) << "10 MB were asked for, at 10 sat a MiB";
}

TEST_F(MoneyAttack, AnsweringAStrangerNeverCosts) {
    const auto stranger = w.add([](Router::Config& c) { c.pay = false; });
    const auto r = w.add([](Router::Config& c) { c.price_msat_per_mib = 0; });
    const auto v = w.add();
    w.join(stranger, r);
    w.join(r, v);
    w.run(3s);
    w.node(v).on_packet = [&](Instant, const Bytes& packet) {
        Bytes reply(packet.begin() + 40, packet.end());
        reply[0] = 129;
        w.send(v, stranger, reply, 58);
    };
    Bytes echo(1'000, 7);
    echo[0] = 128;
    for (int i = 0; i < 500; ++i) {
        if (i == 250) w.router(r).set_price(w.now(), 50'000);  // the relay is the stranger's, and now it charges
        w.after(i * 20ms, [&, echo] { w.send(stranger, v, echo, 58); });
        w.run(20ms);
    }
    w.run(5s);
    EXPECT_GT(w.node(v).received.size(), 100U);
    EXPECT_EQ(owes(v, r), 0);
    EXPECT_EQ(w.router(v).money(w.now()).spent_msat, 0);
}

TEST_F(MoneyAttack, NobodyIsChargedMoreThanWasAdvertised) {
    const auto a = w.add(), x = w.add(), b = w.add();
    w.join(a, x);
    w.join(x, b);
    w.run(3s);
    RouterTestAccess::charge(w.router(x), 90'000);  // and 1000 advertised
    traffic(a, b, 100, 10ms);
    w.run(10s);
    EXPECT_EQ(owes(a, x), 0);
    EXPECT_GT(w.router(a).counters().unreachable_price, 0U) << "the sender learns why";
    RouterTestAccess::charge(w.router(x), 1'200);  // within a fifth
    traffic(a, b, 100, 10ms);
    w.run(10s);
    EXPECT_GT(owes(a, x), 0);
}

TEST_F(MoneyAttack, AFlowOpenPlayedAgainAfterTheRelayForgotItIsOneMoreFlow) {
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r);
    w.join(r, b);
    w.run(3s);
    FlowOpen open;
    open.destination = w.node(b).id;
    open.nonce = {5};
    open.unit_bytes = 1'024;
    open.max_units = 100;
    open.max_price = 5'000;
    open.source = secrets(a).certificate;
    Bytes prologue;
    prologue.reserve(512);
    ByteWriter p(prologue);
    p.bytes(as_bytes("meshnet flow v1"));
    p.bytes(ByteView(open.source.id()));
    p.bytes(ByteView(open.destination));
    p.bytes(ByteView(open.nonce));
    NoiseHandshake noise(NoisePattern::kIK, true, prologue, secrets(a).exchange_secret, Key32{9},
                         secrets(b).certificate.exchange);
    ASSERT_TRUE(noise.write(Bytes(5, 0), open.noise));
    open.signature = secrets(a).device.sign(kOpenContext, open.signed_part());
    for (int round = 0; round < 3; ++round) {
        plain(a, r, open.encode());
        w.run(2s);
        const auto& flows = RouterTestAccess::flows(w.router(r));
        const Flow* f = flows.find(open.id());
        ASSERT_NE(f, nullptr) << round;
        NoiseHandshake copy = noise;
        ASSERT_TRUE(copy.read(f->accept->noise));
        MessageBundle bundle(4'000);
        Bytes sealed;
        aead_seal(copy.split().send, 0, {}, Bytes(2'048, 0), sealed);
        ASSERT_TRUE(bundle.add({f->label_in, 0, 9, sealed}));
        plain(a, r, bundle.bytes());
        w.run(5s);
        plain(a, r, ReceiptAck{flows.find(open.id())->label_in, 2'048}.encode());
        w.run(800s);  // the relay and the destination forget the settled flow
        EXPECT_EQ(flows.find(open.id()), nullptr);
        EXPECT_EQ(claims(r, a), (round + 1) * price_nsat(1'000, 2'048)) << round;
        EXPECT_EQ(w.disk_entries(r, a), w.disk_balance(r, a));
    }
}

TEST_F(MoneyAttack, WhatACrashLeftUncertainIsBookedOnlyWhenUpstreamAgrees) {
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(3s);
    traffic(a, b, 200);
    w.run(4s);
    const std::int64_t before = claims(r, a);
    ASSERT_GT(before, 0);
    w.kill(r);
    w.run(100ms);
    w.restart(r);
    w.run(2s);
    const auto& flows = RouterTestAccess::flows(w.router(r));
    int played = 0;
    for (const auto& [id, f] : flows) {
        if (f.role != FlowRole::kRelay || f.forwarded_bytes <= f.best.bytes) continue;
        ++played;
        Statement s;  // the destination claims all that the relay could have forwarded
        s.label = f.label_out;
        s.bytes = f.forwarded_bytes;
        s.sequence = 0xFFFF;
        s.signature = secrets(b).device.sign(kStatementContext, Statement::signed_part(id, s.bytes, s.sequence));
        plain(b, r, s.encode());
    }
    ASSERT_GT(played, 0);
    w.run(5s);
    EXPECT_EQ(claims(r, a), before) << "the payer never sent it, so nobody owes it";
    traffic(a, b, 200);
    w.run(6s);
    EXPECT_GT(claims(r, a), before) << "and it goes on paying";
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(MoneyAttack, ARestartForgetsNoDebtOfStrangers) {
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(3s);
    traffic(a, b, 400);
    w.run(12s);
    const std::int64_t before = w.router(r).money(w.now()).strangers_msat;
    ASSERT_GT(before, 0);
    w.kill(r);
    w.restart(r);
    EXPECT_EQ(w.router(r).money(w.now()).strangers_msat, before) << "before anybody has spoken";
}

TEST_F(MoneyAttack, ARestoredCopyOfTheLedgerLosesNothing) {
    const auto a = w.add(), r = w.add(), b = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(3s);
    traffic(a, b, 200);
    w.run(12s);
    const auto copy = w.node(r).disk;
    const std::int64_t early = claims(r, a);
    traffic(a, b, 400);
    w.run(12s);
    const std::int64_t late = claims(r, a);
    ASSERT_GT(late, early);
    w.kill(r);
    w.node(r).disk = copy;
    w.run(1s);
    w.restart(r);
    w.run(10s);
    EXPECT_EQ(w.router(r).counters().balances_restored, 1U);
    EXPECT_EQ(claims(r, a), late) << "the debtor's signature is the evidence";
    EXPECT_EQ(w.find_disagreement(), "");
    EXPECT_EQ(w.disk_entries(r, a), w.disk_balance(r, a));
    traffic(a, b, 200);
    w.run(12s);
    EXPECT_GT(claims(r, a), late);
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(MoneyAttack, OneNeighbourCannotTakeTheRoomOfOthers) {
    const auto a = w.add(), r = w.add(), b = w.add(), c = w.add();
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.join(c, r, fast);
    w.run(3s);
    Rng rng(4);
    for (int i = 0; i < 1'200; ++i) {  // tiny flows that are never acknowledged
        FlowOpen open;
        open.destination = w.node(b).id;
        open.unit_bytes = 1'024;
        open.max_units = 1;
        open.max_price = 1'000'000;
        open.source = secrets(a).certificate;
        rng.fill(open.nonce);
        open.signature = secrets(a).device.sign(kOpenContext, open.signed_part());
        plain(a, r, open.encode());
        w.run(100ms);
    }
    const std::size_t before = w.node(b).received.size();
    traffic(c, b, 50, 10ms);
    traffic(r, b, 50, 10ms);
    w.run(2s);
    EXPECT_GE(w.node(b).received.size(), before + 98);
}

TEST(Book, ALedgerGrowsByTimeAndNotByReceipts) {
    Book book(1);
    const NodeId peer{3};
    std::map<Bytes, LedgerRow> disk;
    Instant now = instant_from_ns(1'000'000'000);
    std::int64_t total = 0;
    for (int i = 0; i < 86'400; ++i, now += 1s) {  // a day: a new flow each second, ten receipts each
        FlowId flow{};
        flow[0] = static_cast<std::uint8_t>(i);
        flow[1] = static_cast<std::uint8_t>(i >> 8);
        flow[2] = static_cast<std::uint8_t>(i >> 16);
        flow[3] = 1;
        for (unsigned receipt = 0; receipt < 10; ++receipt) {
            book.enter(now, peer, flow, receipt, receipt + 1, 5, "relay");
            total += 5;
        }
        std::vector<LedgerRow> rows;
        book.take(rows);
        for (LedgerRow& row : rows) {
            if (row.table == LedgerRow::Table::kEntry) disk[row.key] = std::move(row);
        }
    }
    std::size_t bytes = 0;
    std::int64_t sum = 0;
    for (const auto& [key, row] : disk) {
        bytes += 2 * key.size() + row.value.size() + row.kind.size() + 32 + 40;  // as SQLite keeps it, with its index
        sum += row.amount_nsat;
    }
    EXPECT_EQ(sum, total);
    EXPECT_LT(bytes, 1'000'000U) << disk.size() << " rows for 864 000 receipts";
}

}  // namespace
}  // namespace meshnet::net::test
