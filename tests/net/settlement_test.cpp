// SPDX-License-Identifier: MIT
// The money of one relay, without a network around: end 0 is the relay, end 1 its neighbour on both sides.
#include <gtest/gtest.h>

#include "net/payment/amount.hpp"
#include "net/settlement.hpp"
#include "tests/net/joined_links.hpp"

namespace meshnet::net::test {
namespace {

constexpr std::uint32_t kUnit = 16'384;
constexpr std::uint32_t kLabelIn = 11, kLabelOut = 22;

struct SettlementTest : ::testing::Test {
    JoinedLinks w;
    LinkTable& links = *w.ends[0].links;
    RouterCounters& counters = w.ends[0].counters;
    NeighborId other = w.ends[1].link;
    FlowTable flows{w.random, [this](const Flow& f) { credit.release(f); }};
    KeyAlarms alarms{NodeId{}};
    Book book{1};
    CreditControl credit{{65'536, 1'048'576, {}}, links, flows, book, alarms, counters};
    Outbox outbox;
    SpendBudget spend{{}};
    ReturnTraffic returns;
    Settlement settlement{{w.ends[0].identity.secrets(), links, flows, book, credit, spend, returns, outbox, counters}};
    HashChain chain;
    std::vector<LedgerRow> rows;  // of the last batch

    SettlementTest() {
        w.join();
        outbox.add_source([this](Outbox::Rows& r) { flows.take_rows(r); });
        outbox.add_source([this](Outbox::Rows& r) { book.take(r); });
        Payword last{};
        last.fill(7);
        const FlowId id{9};
        chain = HashChain(id, 100, last);
        Flow f;
        f.id = id;
        f.role = FlowRole::kRelay;
        f.prev = f.next = other;
        f.prev_id = f.next_id = w.ends[1].identity.id();
        f.label_in = kLabelIn;
        f.label_out = kLabelOut;
        f.unit_bytes = kUnit;
        f.max_units = 100;
        f.total_price = 1'000;
        f.claim_price = 1'000;
        f.destination_key = w.ends[1].identity.secrets().device.public_key();
        f.payword = chain.payword(0);
        f.limit_bytes = credit.limit_for(f);
        flows.add(w.now, std::move(f));
        store();
        w.messages(1);
    }
    Flow& flow() { return *flows.by_label_out(other, kLabelOut); }
    void forward(std::uint32_t sequence, std::size_t plain_bytes) {
        FlowQueue::Packet p;
        p.label = kLabelOut;
        p.sequence = sequence;
        p.sealed.resize(plain_bytes + kAeadTagBytes);
        credit.on_sent(w.now, other, p);
    }
    void payword(std::uint32_t index, std::uint32_t sequence) {
        const Bytes message = PaywordReceipt{kLabelOut, index, sequence, chain.payword(index)}.encode();
        settlement.on_payword(w.now, other, ByteView(message).subspan(1));
    }
    void statement(std::uint64_t bytes, std::uint32_t sequence) {
        const Signature s = w.ends[1].identity.secrets().device.sign(
            kStatementContext, Statement::signed_part(flow().id, bytes, sequence));
        const Bytes message = Statement{kLabelOut, bytes, sequence, s}.encode();
        settlement.on_statement(w.now, other, ByteView(message).subspan(1));
    }
    void acknowledge(std::uint64_t bytes) {
        const Bytes message = ReceiptAck{kLabelIn, bytes}.encode();
        settlement.on_receipt_ack(w.now, other, ByteView(message).subspan(1));
    }
    /// The next batch reaches the disk.
    void store() {
        const auto batch = outbox.poll();
        rows = batch ? batch->rows : std::vector<LedgerRow>{};
        if (batch) {
            outbox.persisted(w.now, batch->number);
        }
        w.carry();
    }
    [[nodiscard]] std::vector<MessageType> sent() {
        w.carry();
        std::vector<MessageType> out;
        for (const auto& [type, body] : w.messages(1)) {
            out.push_back(type);
        }
        return out;
    }
    [[nodiscard]] std::int64_t claimed() const {
        const auto* b = book.find(w.ends[1].identity.id());
        return b == nullptr ? 0 : b->claimed_nsat;
    }
    using Types = std::vector<MessageType>;
};

TEST_F(SettlementTest, AReceiptIsShownToNobodyBeforeItIsOnDisk) {
    forward(1, kUnit);
    payword(1, 1);
    EXPECT_EQ(counters.paywords_accepted, 1U);
    EXPECT_EQ(claimed(), price_nsat(1'000, kUnit)) << "booked at once";
    EXPECT_EQ(sent(), Types{}) << "and not yet shown";
    const auto batch = outbox.poll();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->rows.size(), 3U) << "flow, entry and balance together";
    EXPECT_EQ(sent(), Types{});
    outbox.persisted(w.now, batch->number);
    EXPECT_EQ(sent(), (Types{MessageType::kReceiptAck, MessageType::kPayword}));
}

TEST_F(SettlementTest, MoreThanWasForwardedIsRefused) {
    forward(1, kUnit - 1);
    payword(1, 1);
    EXPECT_EQ(counters.paywords_refused, 1U);
    statement(kUnit, 1);
    EXPECT_EQ(counters.statements_refused, 1U);
    EXPECT_EQ(claimed(), 0);
    statement(kUnit - 1, 1);
    EXPECT_EQ(counters.statements_accepted, 1U);
    EXPECT_EQ(claimed(), price_nsat(1'000, kUnit - 1));
}

TEST_F(SettlementTest, AForgedPaywordIsRefused) {
    forward(1, 3 * kUnit);
    Payword forged = chain.payword(2);
    forged[0] ^= 1;
    const Bytes message = PaywordReceipt{kLabelOut, 2, 1, forged}.encode();
    settlement.on_payword(w.now, other, ByteView(message).subspan(1));
    EXPECT_EQ(counters.paywords_refused, 1U);
    payword(2, 1);
    EXPECT_EQ(counters.paywords_accepted, 1U);
    settlement.on_payword(w.now, other, {});
    EXPECT_EQ(counters.dropped_malformed, 1U);
}

TEST_F(SettlementTest, EvidenceIsBookedOnce) {
    forward(1, 2 * kUnit);
    payword(1, 1);
    store();
    const std::int64_t once = claimed();
    w.messages(1);
    payword(1, 1);
    EXPECT_EQ(claimed(), once);
    EXPECT_EQ(sent(), Types{MessageType::kReceiptAck}) << "our acknowledgement was lost: it is repeated";
    statement(kUnit / 2, 1);
    EXPECT_EQ(claimed(), once) << "smaller than what is proven";
    payword(2, 1);
    EXPECT_EQ(claimed(), price_nsat(1'000, 2 * kUnit));
}

TEST_F(SettlementTest, AReceiptIsRepeatedUntilItIsAcknowledged) {
    forward(1, kUnit);
    payword(1, 1);
    store();
    w.messages(1);
    int repeats = 0;
    for (int i = 0; i < 70; ++i) {
        w.now += 100ms;
        while (Flow* f = flows.pop_due(w.now)) {
            settlement.on_flow_timeout(w.now, *f);
        }
        for (const MessageType type : sent()) {
            repeats += type == MessageType::kPayword ? 1 : 0;
        }
    }
    EXPECT_EQ(repeats, 3) << "after 1, 2 and 4 s";
    acknowledge(kUnit);
    EXPECT_EQ(flow().upstream_acked, kUnit);
    EXPECT_FALSE(flow().receipt_at);
    acknowledge(100 * kUnit);
    EXPECT_EQ(flow().upstream_acked, kUnit) << "not more than was shown";
}

TEST_F(SettlementTest, TheWindowClosesAndReceiptsOpenIt) {
    EXPECT_TRUE(credit.may_send(other, kLabelOut));
    for (std::uint32_t i = 1; i <= 4; ++i) {
        forward(i, kUnit);
    }
    EXPECT_FALSE(credit.may_send(other, kLabelOut)) << "64 KiB are unresolved";
    EXPECT_TRUE(credit.may_send(other, 999)) << "an unpaid or unknown flow is not held";
    EXPECT_TRUE(flow().probe_at);
    payword(3, 3);
    store();
    EXPECT_FALSE(credit.may_send(other, kLabelOut)) << "proven, but the payer has not acknowledged the debt";
    acknowledge(3 * kUnit);
    EXPECT_TRUE(credit.may_send(other, kLabelOut));
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->unresolved(), kUnit);
}

TEST_F(SettlementTest, AFullWindowIsProbed) {
    for (std::uint32_t i = 1; i <= 4; ++i) {
        forward(i, kUnit);
    }
    w.messages(1);
    w.now += 200ms;
    Flow* due = flows.pop_due(w.now);
    ASSERT_NE(due, nullptr);
    settlement.on_flow_timeout(w.now, *due);
    EXPECT_EQ(sent(), Types{MessageType::kProbe});
    EXPECT_EQ(counters.probes_sent, 1U);
    EXPECT_EQ(due->probe_at, w.now + 500ms);
}

TEST_F(SettlementTest, AConfirmationWithoutBytesComesOffTheAllowance) {
    for (std::uint32_t i = 1; i <= 8; ++i) {
        forward(i, kUnit);
    }
    statement(0, 8);  // all 128 KiB accounted for, nothing delivered
    EXPECT_EQ(flow().resolved_bytes, 8 * kUnit);
    const CreditWindow& window = *credit.window(w.ends[1].identity.id());
    EXPECT_EQ(window.allowance(), 0U) << "the gift was 64 KiB";
    EXPECT_FALSE(credit.may_send(other, kLabelOut));
    statement(8 * kUnit, 8);  // it arrived after all
    EXPECT_EQ(window.unproven(), 0U);
    store();
    acknowledge(8 * kUnit);
    EXPECT_TRUE(credit.may_send(other, kLabelOut));
}

TEST_F(SettlementTest, ABalanceLeavesOnceItsNumberIsOnDisk) {
    forward(1, kUnit);
    payword(1, 1);
    store();
    w.messages(1);
    ASSERT_TRUE(settlement.next_timeout());
    EXPECT_EQ(*settlement.next_timeout(), w.now + 10s);
    w.now += 10s;
    settlement.on_timeout(w.now);
    EXPECT_FALSE(settlement.next_timeout());
    EXPECT_EQ(sent(), Types{});
    store();
    const auto messages = w.messages(1);
    ASSERT_EQ(messages.size(), 1U);
    ASSERT_EQ(messages[0].first, MessageType::kBalance);
    const auto balance = BalanceMessage::decode(messages[0].second);
    ASSERT_TRUE(balance);
    EXPECT_EQ(balance->claimed_nsat, price_nsat(1'000, kUnit));
    EXPECT_EQ(balance->sequence, 1U);
    EXPECT_TRUE(verify(w.ends[0].identity.secrets().device.public_key(), kBalanceContext,
                       balance->signed_part(w.ends[0].identity.id(), w.ends[1].identity.id()), balance->signature));
}

TEST_F(SettlementTest, ANewSessionIsSentWhatItLacks) {
    forward(1, kUnit);
    payword(1, 1);
    store();
    w.messages(1);
    settlement.on_session_up(w.now, other);
    EXPECT_EQ(sent(), Types{MessageType::kPayword});
    EXPECT_EQ(*settlement.next_timeout(), w.now + 1s) << "and the balance a second later";
}

TEST_F(SettlementTest, ABrokenFlowIsWrittenOffAndCostsTrust) {
    for (std::uint32_t i = 1; i <= 2; ++i) {
        forward(i, kUnit);
    }
    flow().broken = true;
    credit.write_off_lost(w.now + 29s);
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->unresolved(), 2U * kUnit);
    credit.write_off_lost(w.now + 30s);
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->unresolved(), 0U);
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->bytes(), 32'768U);
}

TEST_F(SettlementTest, AForgottenFlowFreesItsPartOfTheWindow) {
    forward(1, kUnit);
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->unresolved(), kUnit);
    flows.remove_idle(w.now + 90'000s);
    EXPECT_EQ(credit.window(w.ends[1].identity.id())->unresolved(), 0U);
}

}  // namespace
}  // namespace meshnet::net::test
