// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdio>

#include "net/flow.hpp"
#include "net/flow_queue.hpp"
#include "net/identity_secrets.hpp"
#include "net/ip_header.hpp"
#include "net/link_session.hpp"
#include "net/packet_format.hpp"
#include "net/payment/book.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {
namespace {

template <class M>
void round_trip(const M& m) {
    const Bytes bytes = m.encode();
    const ByteView body = ByteView(bytes).subspan(1);
    const auto decoded = M::decode(body);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->encode(), bytes);
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
        EXPECT_FALSE(M::decode(body.first(cut))) << cut;
    }
    Bytes longer(body.begin(), body.end());
    longer.push_back(0);
    EXPECT_FALSE(M::decode(longer));
}

TEST(Format, EveryMessageGoesThereAndBackAndNoOtherLength) {
    Rng rng(1);
    const Identity identity = Identity::generate(rng);
    FlowOpen open;
    open.price_so_far = 7;
    open.payer_is_destination = true;
    open.destination = identity.id();
    open.unit_bytes = 16'384;
    open.max_units = 4'096;
    open.max_price = 9;
    open.source = identity.secrets().certificate;
    open.noise = Bytes(101, 3);
    round_trip(open);
    FlowAccept accept;
    accept.label = 77;
    accept.noise = Bytes(48, 1);
    round_trip(accept);
    round_trip(FlowReject{open.id(), RejectReason::kPrice});
    round_trip(FlowError{5});
    round_trip(PaywordReceipt{1, 2, 3, {}});
    round_trip(Statement{1, 2, 3, {}});
    round_trip(ReceiptAck{1, 2});
    round_trip(Probe{1, 2});
    round_trip(BalanceMessage{1, 2, 3, 4, {}});
    RouteUpdate update;
    update.destination = short_id(identity.id());
    round_trip(update);
    update.signature.emplace();
    round_trip(update);
    update.instance = {7, 0x0102030405060708, 9, true};
    round_trip(update);
    update.notice = true;
    update.certificate = identity.secrets().certificate;
    round_trip(update);
    round_trip(SeqnoRequest{short_id(identity.id()), 4, 5});
    round_trip(RouteState{0x01020304, 5});
    round_trip(RouteSync{0x01020304, 5});
}

TEST(Format, ListsOfRoutesGoThereAndBack) {
    Rng rng(1);
    const Identity identity = Identity::generate(rng);
    RouteUpdates m;
    m.span = RouteUpdates::Span{7, 100, 104};
    m.entries.resize(4);
    m.entries[1].metric = RouteMetric{1, 2, 3, 4};  // a route among retractions
    m.entries[1].seqno = 9;
    m.entries[1].via = 0x0A0B;
    m.entries[1].run = 0x0C0D;
    m.entries[2].certificate = identity.secrets().certificate;
    m.entries[3] = m.entries[1];
    m.entries[3].signature.emplace();
    m.entries[3].instance = {7, 0x0102030405060708, 9, true};
    Bytes bytes = m.encode();
    std::size_t size = RouteUpdates::kHeaderBytes;
    for (const RouteUpdate& u : m.entries) size += u.bytes();
    EXPECT_EQ(bytes.size(), size);
    EXPECT_EQ(m.entries[1].bytes(), 28U) << "what a destination costs that the neighbour knows";
    const auto back = RouteUpdates::decode(ByteView(bytes).subspan(1));
    ASSERT_TRUE(back && back->span == m.span && back->entries.size() == 4);
    EXPECT_EQ(back->encode(), bytes);
    EXPECT_FALSE(RouteUpdates::decode(ByteView(bytes).subspan(1, size - 2)));
    m.span->upto = 99;
    bytes = m.encode();
    EXPECT_FALSE(RouteUpdates::decode(ByteView(bytes).subspan(1))) << "a journal does not run back";
    RouteRequest request;
    request.destinations = {ShortId{1}, ShortId{2}};
    for (const bool certificates : {false, true}) {
        request.certificates = certificates;
        bytes = request.encode();
        const auto r = RouteRequest::decode(ByteView(bytes).subspan(1));
        ASSERT_TRUE(r);
        EXPECT_EQ(r->encode(), bytes);
        EXPECT_FALSE(RouteRequest::decode(ByteView(bytes).subspan(1, 16)));
    }
}

TEST(Format, TheIdOfAFlowCoversWhatIsSignedAndNotWhatHopsChange) {
    FlowOpen a;
    a.unit_bytes = 16'384;
    a.max_units = 1;
    FlowOpen b = a;
    b.price_so_far = 99;
    b.hops_left = 3;
    EXPECT_EQ(a.id(), b.id());
    b = a;
    b.max_price = 1;
    EXPECT_NE(a.id(), b.id());
    b = a;
    b.nonce[0] = 1;
    EXPECT_NE(a.id(), b.id());
}

TEST(Format, AmountsOutOfRangeAreRefused) {
    FlowOpen open;
    open.unit_bytes = 512;
    open.max_units = 1;
    EXPECT_FALSE(FlowOpen::decode(ByteView(open.encode()).subspan(1)));
    open.unit_bytes = 1'024;
    open.max_units = 65'537;
    EXPECT_FALSE(FlowOpen::decode(ByteView(open.encode()).subspan(1)));
    BalanceMessage b;
    b.owed_nsat = -1;
    EXPECT_FALSE(BalanceMessage::decode(ByteView(b.encode()).subspan(1)));
}

TEST(Format, ABundleGivesBackWhatWasPutIn) {
    Rng rng(2);
    for (int round = 0; round < 300; ++round) {
        MessageBundle bundle(4'000);
        std::vector<Message> expected;
        std::vector<Bytes> keep;
        keep.reserve(40);
        std::uint32_t sequence = 100;
        for (int i = 0; i < 30; ++i) {
            Bytes content(16 + rng.below(300));
            rng.fill(content);
            if (rng.below(4) == 0) {
                content[0] = static_cast<std::uint8_t>(1 + rng.below(13));
                if (!bundle.add_control(content)) break;
                keep.push_back(content);
                expected.emplace_back(
                    ControlMessage{static_cast<MessageType>(content[0]), ByteView(keep.back()).subspan(1)});
            } else {
                sequence += static_cast<std::uint32_t>(rng.below(2)) + (rng.below(8) == 0 ? 5U : 0U);
                keep.push_back(content);
                const DataMessage d{static_cast<std::uint32_t>(1 + rng.below(2)), sequence,
                                    static_cast<std::uint8_t>(rng.below(32)), keep.back()};
                if (!bundle.add(d)) break;
                expected.emplace_back(d);
            }
        }
        ASSERT_LE(bundle.bytes().size(), 4'000U);
        MessageReader reader(bundle.bytes());
        for (const Message& e : expected) {
            const auto m = reader.next();
            ASSERT_TRUE(m);
            ASSERT_EQ(m->index(), e.index());
            if (const auto* d = std::get_if<DataMessage>(&e)) {
                const auto& got = std::get<DataMessage>(*m);
                EXPECT_EQ(got.label, d->label);
                EXPECT_EQ(got.sequence, d->sequence);
                EXPECT_EQ(got.hops_left, d->hops_left);
                EXPECT_TRUE(std::equal(got.sealed.begin(), got.sealed.end(), d->sealed.begin(), d->sealed.end()));
            } else {
                const auto& got = std::get<ControlMessage>(*m);
                EXPECT_EQ(got.type, std::get<ControlMessage>(e).type);
                EXPECT_EQ(got.body.size(), std::get<ControlMessage>(e).body.size());
            }
        }
        EXPECT_FALSE(reader.next());
        EXPECT_FALSE(reader.malformed());
    }
}

// What a packet costs beside its IP payload, and what payment costs: the figures of docs/spec/net.md.
TEST(Format, BytesOnTheAir) {
    const Bytes sealed(1'400 + kAeadTagBytes);
    MessageBundle one(8'000);
    ASSERT_TRUE(one.add({1, 1, 31, sealed}));
    const std::size_t alone = one.bytes().size() + LinkSession::kOverheadBytes - 1'400;
    MessageBundle four(8'000);
    for (std::uint32_t i = 0; i < 4; ++i) ASSERT_TRUE(four.add({1, i, 31, sealed}));
    const double burst = static_cast<double>(four.bytes().size() + LinkSession::kOverheadBytes - 4 * 1'400) / 4;
    const std::size_t payword = PaywordReceipt{}.encode().size();
    const double payment = static_cast<double>(payword + ReceiptAck{}.encode().size()) * 1'400 / 65'536;
    std::printf("header bytes: one packet alone %zu, four of a flow in a frame %.2f each\n", alone, burst);
    std::printf("receipt %zu, statement %zu, acknowledgement %zu, balance %zu bytes\n", payword,
                Statement{}.encode().size(), ReceiptAck{}.encode().size(), BalanceMessage{}.encode().size());
    std::printf("payment per delivered 1400-byte packet, unit 64 KiB: %.2f bytes (16 KiB: %.2f)\n", payment,
                4 * payment);
    EXPECT_EQ(alone, 46U);
    EXPECT_LE(burst, 30.3);
    EXPECT_EQ(payword, 29U);
    EXPECT_LE(payment, 1.5);
}

Bytes ip(std::uint32_t first, std::uint8_t next, std::uint8_t hop, std::size_t length) {
    Bytes out;
    out.reserve(64 + length);
    ByteWriter w(out);
    w.u32(first);
    w.u16(static_cast<std::uint16_t>(length));
    w.u8(next);
    w.u8(hop);
    for (int i = 0; i < 32; ++i) w.u8(static_cast<std::uint8_t>(i));
    for (std::size_t i = 0; i < length; ++i) w.u8(static_cast<std::uint8_t>(i * 7));
    return out;
}

TEST(IpHeader, IsRestoredBitByBit) {
    Rng rng(5);
    for (const std::uint8_t next : {6, 17, 58, 0, 43, 59, 255}) {
        for (const std::uint8_t hop : {64, 0, 1, 63, 65, 255}) {
            for (const std::uint32_t flow :
                 {0U, 1U, 0xF'FFFFU, 0xFFF'FFFFU, static_cast<unsigned>(rng.below(1U << 28))}) {
                const Bytes packet = ip((6U << 28) | flow, next, hop, rng.below(100));
                const auto view = parse_ip(packet);
                ASSERT_TRUE(view);
                const Bytes small = compress_ip(*view);
                EXPECT_LE(small.size(), view->payload.size() + 7);
                const auto back = restore_ip(small, view->source, view->destination);
                ASSERT_TRUE(back);
                EXPECT_EQ(*back, packet);
            }
        }
    }
    EXPECT_EQ(compress_ip(*parse_ip(ip(6U << 28, 6, 64, 20))).size(), 21U);
}

TEST(IpHeader, WhatIsNotIpv6IsNotParsed) {
    EXPECT_FALSE(parse_ip({}));
    EXPECT_FALSE(parse_ip(ip(4U << 28, 6, 64, 10)));
    Bytes cut = ip(6U << 28, 6, 64, 10);
    cut.pop_back();
    EXPECT_FALSE(parse_ip(cut));
    cut.resize(39);
    EXPECT_FALSE(parse_ip(cut));
    EXPECT_FALSE(restore_ip({}, {}, {}));
    EXPECT_FALSE(restore_ip(Bytes{0xE0}, {}, {}));
    EXPECT_FALSE(restore_ip(Bytes{0x01}, {}, {}));
    EXPECT_FALSE(restore_ip(Bytes{0x60}, {}, {}));
}

TEST(IpHeader, PingAndShellAreInteractiveBulkIsNot) {
    const auto of = [](std::uint32_t dscp, std::uint8_t next, std::size_t size) {
        const Bytes p = ip((6U << 28) | (dscp << 22), next, 64, size);
        return class_of(*parse_ip(p));
    };
    EXPECT_EQ(of(0, 58, 64), FlowClass::kInteractive);
    EXPECT_EQ(of(0, 58, 1'200), FlowClass::kBulk);
    EXPECT_EQ(of(18, 6, 100), FlowClass::kInteractive);   // AF21, what OpenSSH requests
    EXPECT_EQ(of(46, 17, 100), FlowClass::kInteractive);  // EF
    EXPECT_EQ(of(8, 6, 100), FlowClass::kBulk);           // CS1
    EXPECT_EQ(of(0, 6, 1'000), FlowClass::kBulk);
}

TEST(FlowQueue, FlowsShareByBytesAndKeepTheirOrder) {
    FlowQueue q;
    const Instant t = instant_from_ns(1);
    for (std::uint32_t i = 0; i < 40; ++i) {
        ASSERT_TRUE(q.push(FlowClass::kBulk, {1, i, 1, Bytes(1'400), t}));
        ASSERT_TRUE(q.push(FlowClass::kBulk, {2, i, 1, Bytes(200), t}));
    }
    const auto open = [](std::uint32_t) { return true; };
    const auto fits = [](std::size_t) { return true; };
    std::size_t bytes[3] = {};
    std::uint32_t next[3] = {};
    while (next[2] < 40) {
        const auto p = q.pop(t, FlowClass::kBulk, open, fits);
        ASSERT_TRUE(p);
        EXPECT_EQ(p->sequence, next[p->label]++);
        bytes[p->label] += p->sealed.size();
    }
    EXPECT_NEAR(static_cast<double>(bytes[1]), static_cast<double>(bytes[2]), 3'200.0);
}

TEST(FlowQueue, AShutFlowWaitsAndOthersPass) {
    FlowQueue q;
    const Instant t = instant_from_ns(1);
    q.push(FlowClass::kBulk, {1, 0, 1, Bytes(100), t});
    q.push(FlowClass::kBulk, {2, 0, 1, Bytes(100), t});
    const auto gate = [](std::uint32_t label) { return label == 2; };
    const auto fits = [](std::size_t) { return true; };
    EXPECT_EQ(q.pop(t, FlowClass::kBulk, gate, fits)->label, 2U);
    EXPECT_FALSE(q.ready(FlowClass::kBulk, gate));
    EXPECT_FALSE(q.pop(t, FlowClass::kBulk, gate, fits));
    EXPECT_TRUE(q.pop(
        t, FlowClass::kBulk, [](std::uint32_t) { return true; }, fits));
}

TEST(FlowQueue, BoundedInBytesAndInAge) {
    FlowQueue q;
    const Instant t = instant_from_ns(1);
    std::size_t taken = 0;
    while (q.push(FlowClass::kBulk, {1, 0, 1, Bytes(1'000), t})) ++taken;
    EXPECT_EQ(taken, FlowQueue::kFlowBytes / 1'000);
    const auto open = [](std::uint32_t) { return true; };
    const auto fits = [](std::size_t size) { return size <= 2'000; };
    EXPECT_FALSE(q.pop(t + 2s, FlowClass::kBulk, open, fits));
    EXPECT_EQ(q.dropped_old(), taken);
    q.push(FlowClass::kBulk, {1, 0, 1, Bytes(3'000), t});
    EXPECT_FALSE(q.pop(t, FlowClass::kBulk, open, fits));
    EXPECT_TRUE(q.pop(t, FlowClass::kBulk, open, [](std::size_t) { return true; }));
    taken = 0;
    while (q.push_control(Bytes(1'000))) ++taken;
    EXPECT_EQ(taken, FlowQueue::kControlBytes / 1'000);
}

TEST(Flow, ItsRowGoesThereAndBack) {
    Flow f;
    f.id[3] = 9;
    f.role = FlowRole::kRelay;
    f.payer_is_destination = true;
    f.prev_id[0] = 1;
    f.next_id[3] = 2;
    f.unit_bytes = 16'384;
    f.max_units = 100;
    f.claim_price = 5;
    f.best.bytes = 123;
    f.best.is_statement = true;
    f.limit_bytes = 456;
    LedgerRow row = flow_row(f);
    const auto back = flow_from_row(row);
    ASSERT_TRUE(back);
    EXPECT_EQ(flow_row(*back).value, row.value);
    EXPECT_EQ(back->prev, 0x0100'0000U);
    EXPECT_EQ(back->next, 2U);
    EXPECT_EQ(back->durable.bytes, 123U);
    row.value.pop_back();
    EXPECT_FALSE(flow_from_row(row));
}

TEST(Book, TotalsEntriesAndRowsAgree) {
    const Instant now{};
    Book book(1);
    NodeId peer{};
    peer[0] = 4;
    book.enter(now, peer, {}, 0, 100, 700, "relay");
    book.enter(now, peer, {}, 100, 200, -300, "pay");
    book.enter(now, peer, {}, 200, 300, 0, "pay");
    EXPECT_EQ(book.find(peer)->net_nsat(), 400);
    std::vector<LedgerRow> rows;
    book.take(rows);
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].amount_nsat + rows[1].amount_nsat, rows[2].amount_nsat);
    EXPECT_FALSE(book.dirty());
    Book again(2);
    ASSERT_TRUE(again.restore(rows[2]));
    EXPECT_EQ(again.find(peer)->net_nsat(), 400);
    EXPECT_EQ(again.next_to_sign(peer).sequence, 1U);
    rows[2].value.pop_back();
    EXPECT_FALSE(again.restore(rows[2]));
}

}  // namespace
}  // namespace meshnet::net
