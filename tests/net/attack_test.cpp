// SPDX-License-Identifier: MIT
// Attacks, played: each must cost the attacked nothing, or at most what docs/spec/payment.md allows.
#include <gtest/gtest.h>

#include "net/ip_header.hpp"
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

struct Attack : ::testing::Test {
    World w;
    std::size_t a = w.add(), r = w.add(), b = w.add();
    Attack() {
        w.join(a, r);
        w.join(r, b);
        w.run(3s);
    }
    const Identity::Secrets& secrets(std::size_t i) { return RouterTestAccess::secrets(w.router(i)); }
    void traffic(int packets = 100) {
        for (int i = 0; i < packets; ++i) w.after(i * 10ms, [this] { w.send(a, b, Bytes(1'000, 1)); });
        w.run(10ms * packets + 200ms);
    }
    /// A message from node `from` to node `to` as if its session had carried it.
    void plain(std::size_t from, std::size_t to, const Bytes& message) {
        RouterTestAccess::feed(w.router(to), w.now(), w.node(from).link, message);
        w.pump(to);
    }
    const Flow& flow_at(std::size_t i, FlowRole role) {
        for (const auto& [id, f] : RouterTestAccess::flows(w.router(i))) {
            if (f.role == role) return f;
        }
        ADD_FAILURE() << "no such flow";
        std::abort();
    }
    [[nodiscard]] std::int64_t earned() const { return w.disk_balance(r, a); }
};

TEST_F(Attack, ReplayedFramesAreOpenedOnce) {
    std::vector<std::tuple<std::size_t, std::size_t, Bytes>> recorded;
    w.tamper = [&](std::size_t from, std::size_t to, Bytes& frame) { recorded.emplace_back(from, to, frame); };
    traffic(50);
    w.run(4s);
    w.tamper = nullptr;
    ASSERT_EQ(w.node(b).received.size(), 50U);
    const std::int64_t before = earned();
    for (const auto& [from, to, frame] : recorded) w.inject(to, w.node(from).link, frame);
    w.run(5s);
    EXPECT_EQ(w.node(b).received.size(), 50U);
    EXPECT_EQ(earned(), before);
    EXPECT_GT(w.router(b).counters().dropped_replay, 15U);
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(Attack, ChangedFramesAreDropped) {
    w.tamper = [&](std::size_t from, std::size_t, Bytes& frame) {
        if (from == r && frame.size() > 500 && w.rng().below(2) == 0) frame[w.rng().below(frame.size())] ^= 0x10;
    };
    traffic();
    w.run(5s);
    EXPECT_GT(w.node(b).received.size(), 20U);
    EXPECT_LT(w.node(b).received.size(), 80U);
    for (const Bytes& p : w.node(b).received) EXPECT_EQ(p, w.packet(a, b, Bytes(1'000, 1)));
    w.tamper = nullptr;
    w.run(5s);
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(Attack, ARelayCannotReadChangeOrRepeatAPacket) {
    traffic(1);
    w.run(2s);
    ASSERT_EQ(w.node(b).received.size(), 1U);
    const Flow& f = flow_at(r, FlowRole::kRelay);
    const Flow& s = flow_at(a, FlowRole::kSource);
    Bytes sealed;
    aead_seal(*s.key, 7, {}, compress_ip(*parse_ip(w.packet(a, b, Bytes(100, 5)))), sealed);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes forged = sealed;
        forged[i] ^= 1;
        MessageBundle bundle(4'000);
        ASSERT_TRUE(bundle.add({f.label_out, 7, 3, forged}));
        plain(r, b, bundle.bytes());
    }
    EXPECT_EQ(w.node(b).received.size(), 1U);
    EXPECT_EQ(flow_at(b, FlowRole::kDestination).delivered_bytes, 1'001U);
    MessageBundle bundle(4'000);
    ASSERT_TRUE(bundle.add({f.label_out, 7, 3, sealed}));
    for (int i = 0; i < 5; ++i) plain(r, b, bundle.bytes());  // units cannot be inflated by repeating
    EXPECT_EQ(w.node(b).received.size(), 2U);
    EXPECT_EQ(flow_at(b, FlowRole::kDestination).delivered_bytes, 1'001U + 101U);
}

TEST_F(Attack, ForgedAndReplayedPaywordsEarnNothing) {
    traffic();
    w.run(4s);
    const std::int64_t before = earned();
    ASSERT_GT(before, 0);
    const Flow& f = flow_at(r, FlowRole::kRelay);
    Rng rng(3);
    for (int i = 0; i < 200; ++i) {
        PaywordReceipt m;
        m.label = f.label_out;
        m.index = f.payword_index + static_cast<std::uint32_t>(rng.below(4));
        m.sequence = static_cast<std::uint32_t>(rng.next_u64());
        rng.fill(m.payword);
        if (i % 3 == 0) m.payword = f.payword;  // an old one under a new number
        plain(b, r, m.encode());
        Statement s;
        s.label = f.label_out;
        s.bytes = f.best.bytes + 1 + rng.below(1'000'000);
        rng.fill(s.signature);
        plain(b, r, s.encode());
    }
    w.run(3s);
    EXPECT_EQ(earned(), before);
    EXPECT_GT(w.router(r).counters().paywords_refused, 50U);
    EXPECT_EQ(w.find_disagreement(), "");
}

// Destination and last relay together claim what was never sent: the payer's audit holds.
TEST_F(Attack, EvidenceBeyondWhatWasSentIsRefused) {
    traffic();
    w.run(4s);
    const std::int64_t before = w.disk_balance(a, r);
    const Flow& source = flow_at(a, FlowRole::kSource);
    const Flow& destination = flow_at(b, FlowRole::kDestination);
    const Flow& relay = flow_at(r, FlowRole::kRelay);
    const std::uint64_t too_much = source.forwarded_bytes + 1;
    Statement s;
    s.label = source.label_out;
    s.bytes = too_much;
    s.signature = secrets(b).device.sign(kStatementContext, Statement::signed_part(source.id, too_much, 0));
    plain(r, a, s.encode());
    PaywordReceipt m;
    m.label = source.label_out;
    m.index = static_cast<std::uint32_t>(source.forwarded_bytes / source.unit_bytes) + 1;
    m.payword = destination.chain.payword(m.index);
    plain(r, a, m.encode());
    m.label = relay.label_out;
    plain(b, r, m.encode());  // nor does an honest relay pay onward for it
    w.run(2s);
    EXPECT_EQ(w.disk_balance(a, r), before);
    EXPECT_GT(w.router(a).counters().paywords_refused + w.router(a).counters().statements_refused, 1U);
}

// The same when the destination pays: b, who will never pay, and a, who would be paid, agree on a number.
TEST_F(Attack, ARelayPaysNobodyForWhatItDidNotCarry) {
    World v;
    const auto payee = v.add(), relay = v.add(), near = v.add(), payer = v.add();
    v.join(near, payee);
    v.join(payee, relay);
    v.join(relay, payer);
    v.run(3s);
    v.send(payer, near, Bytes(50, 1));  // the payer opens the conversation, so the way back is at its cost
    v.run(1s);
    for (int i = 0; i < 60; ++i) v.after(i * 10ms, [&] { v.send(near, payer, Bytes(1'000, 1)); });
    v.run(4s);
    const Flow* f = nullptr;
    for (const auto& [id, flow] : RouterTestAccess::flows(v.router(relay))) {
        if (flow.payer_is_destination) f = &flow;
    }
    ASSERT_TRUE(f != nullptr && f->pay_price > 0);
    const std::int64_t owed = v.disk_balance(relay, payee);
    ASSERT_LT(owed, 0);
    Statement s;
    s.label = f->label_out;
    s.bytes = f->forwarded_bytes + 1'000'000;
    s.signature = RouterTestAccess::secrets(v.router(payer))
                      .device.sign(kStatementContext, Statement::signed_part(f->id, s.bytes, 0));
    RouterTestAccess::feed(v.router(relay), v.now(), v.node(payer).link, s.encode());
    v.pump(relay);
    v.run(2s);
    EXPECT_EQ(v.disk_balance(relay, payee), owed);
    EXPECT_EQ(v.router(relay).counters().statements_refused, 1U);
    EXPECT_EQ(v.find_disagreement(), "");
}

TEST_F(Attack, AForgedBalanceIsRefusedAndAnOldOneIgnored) {
    traffic();
    w.run(12s);
    const NodeId& id = w.node(r).id;
    const auto* balance = RouterTestAccess::book(w.router(a)).find(id);
    ASSERT_TRUE(balance != nullptr && balance->theirs.sequence > 0);
    const BalanceMessage good = balance->theirs;
    BalanceMessage m = good;
    m.sequence += 10;
    m.claimed_nsat *= 1'000;
    plain(r, a, m.encode());
    EXPECT_EQ(w.router(a).counters().balances_refused, 1U);
    m.signature = secrets(b).device.sign(  // by somebody else
        kBalanceContext, m.signed_part(id, w.node(a).id));
    plain(r, a, m.encode());
    EXPECT_EQ(w.router(a).counters().balances_refused, 2U);
    plain(r, a, good.encode());
    EXPECT_EQ(RouterTestAccess::book(w.router(a)).find(id)->theirs.sequence, good.sequence);
    // A valid signature over a false claim is kept as evidence and changes no book.
    m.signature = secrets(r).device.sign(kBalanceContext, m.signed_part(id, w.node(a).id));
    const std::int64_t owed = w.disk_balance(a, r);
    plain(r, a, m.encode());
    w.run(1s);
    EXPECT_EQ(w.disk_balance(a, r), owed);
}

TEST_F(Attack, NobodyPaysWithoutHavingOffered) {
    // b opens a flow to a that a shall pay; a never opened one to b.
    RouterTestAccess::offer(w.router(b), w.now(), w.node(a).id, 1'000'000);
    for (int i = 0; i < 20; ++i) w.after(i * 100ms, [this] { w.send(b, a, Bytes(1'000, 1)); });
    w.run(6s);
    EXPECT_GE(w.disk_balance(a, r), 0) << "a was made to pay";
    EXPECT_LT(w.disk_balance(b, r), 0) << "b pays for itself once it is refused";
    EXPECT_GT(w.node(a).received.size(), 10U);
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(Attack, AFalseOriginIsRefused) {
    // r claims a route to a destination with a forged and with somebody else's signature.
    const NodeId victim = w.node(b).id;
    const RouteTable& routes = RouterTestAccess::routes(w.router(a));
    const auto before = routes.lookup(victim);
    ASSERT_TRUE(before);
    RouteUpdate u;
    u.destination = short_id(victim);
    u.seqno = routes.routes().at(0).seqno + 100;
    u.metric = RouteMetric::origin();
    u.metric.airtime_us_per_kib = 1;
    u.serial = 1;
    u.signature = secrets(r).device.sign(kRouteContext, RouteUpdate::signed_part(victim, u.seqno, 1));
    plain(r, a, u.encode());
    u.certificate = secrets(r).certificate;
    plain(r, a, u.encode());
    EXPECT_EQ(routes.lookup(victim)->metric, before->metric);
    EXPECT_GE(w.router(a).route_counters().refused, 2U);
}

TEST_F(Attack, OpensAreLimitedAndTablesAreCapped) {
    Rng rng(4);
    for (int i = 0; i < 5'000; ++i) {
        FlowOpen open;
        open.destination = w.node(b).id;
        open.unit_bytes = 16'384;
        open.max_units = 1;
        open.max_price = 1'000'000;
        open.source = secrets(a).certificate;
        rng.fill(open.nonce);
        open.signature = secrets(a).device.sign(kOpenContext, open.signed_part());
        plain(a, r, open.encode());
    }
    EXPECT_LE(RouterTestAccess::openings(w.router(r)), 64U);
    EXPECT_GT(w.router(r).counters().flows_refused, 4'000U);
    for (int i = 0; i < 20'000; ++i) {  // and junk of every kind
        Bytes junk(1 + rng.below(200));
        rng.fill(junk);
        plain(a, r, junk);
        w.inject(r, w.node(a).link, junk);
        w.inject(r, static_cast<NeighborId>(rng.next_u64()), junk);
    }
    w.run(20s);
    traffic(20);
    w.run(4s);
    EXPECT_GT(w.node(b).received.size(), 10U);
}

TEST_F(Attack, AClosedFleetKeepsStrangersOut) {
    World v;
    NodeId friend_id{};
    const auto closed = v.add([&](Router::Config& c) { c.closed_fleet = {friend_id}; });
    const auto known = v.add();
    friend_id = v.node(known).id;
    v.kill(closed);
    v.restart(closed);
    const auto stranger = v.add();
    v.join(closed, known);
    v.join(closed, stranger);
    v.run(5s);
    EXPECT_TRUE(v.route(closed, known));
    EXPECT_FALSE(v.route(closed, stranger));
    EXPECT_FALSE(v.route(stranger, closed));
    EXPECT_GT(v.router(closed).counters().handshakes_refused, 0U);
}

TEST_F(Attack, KeysChangeByCountWithoutLosingPackets) {
    World v;
    const auto often = [](Router::Config& c) { c.rekey_after_frames = 40; };
    const auto x = v.add(often), y = v.add(often);
    v.join(x, y);
    v.run(2s);
    for (int i = 0; i < 500; ++i) v.after(i * 10ms, [&] { v.send(x, y, Bytes(100, 1)); });
    v.run(8s);
    EXPECT_EQ(v.node(y).received.size(), 500U);
    EXPECT_GT(v.router(x).counters().handshakes, 5U);
}

TEST(Router, RefusesAConfigurationByName) {
    Rng rng(1);
    const auto message = [&](const std::function<void(Router::Config&)>& change) -> std::string {
        Router::Config c;
        c.identity = Identity::generate(rng);
        change(c);
        try {
            const Router router(std::move(c), rng, {});
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_EQ(message([](Router::Config&) {}), "");
    EXPECT_NE(message([](Router::Config& c) { c.unit_bytes = 100; }).find("unit_bytes"), std::string::npos);
    EXPECT_NE(message([](Router::Config& c) { c.mtu = 2'000; }).find("mtu"), std::string::npos);
    EXPECT_NE(message([](Router::Config& c) { c.max_window_bytes = 1; }).find("max_window_bytes"), std::string::npos);
    EXPECT_NE(message([](Router::Config& c) { c.price_msat_per_mib = 1ULL << 32; }).find("price_msat"),
              std::string::npos);
    EXPECT_NE(message([](Router::Config& c) { c.update_interval = 1ms; }).find("update_interval"), std::string::npos);
    Router::Config c;
    c.identity = Identity::generate(rng);
    LedgerState broken;
    broken.rows.emplace_back();
    broken.rows[0].table = LedgerRow::Table::kBalance;
    EXPECT_THROW(Router(std::move(c), rng, broken), std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::net::test
