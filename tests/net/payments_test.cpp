// SPDX-License-Identifier: MIT
// Payments made outside the mesh: booked once on both sides, whoever is killed, whatever is said twice.
#include "net/payments.hpp"

#include <gtest/gtest.h>

#include "net/payment/amount.hpp"
#include "net/payment/settlement_policy.hpp"
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

constexpr std::int64_t kMsat = 5'000;
constexpr std::int64_t kNsat = kMsat * kNsatPerMsat;
const std::string kReference = "bank transfer 2026-11, \"no. 7\"";

struct Pair {
    explicit Pair(WorldOptions options = {}, LinkOptions link = {}) : w(options) {
        w.join(payer, payee, link);
        w.run(2s);
    }
    Payments& payments(std::size_t i) { return w.router(i).payments(); }
    Result<Payments::Outcome> record(std::size_t at, bool paid, std::int64_t msat = kMsat) {
        stored = false;
        while (!w.node(at).router) {
            w.run(100ms);
        }
        auto out = payments(at).record(w.now(), {w.node(at == payer ? payee : payer).id, paid, msat, kReference, 1'000},
                                       [this] { stored = true; });
        w.pump(at);
        return out;
    }
    PaymentState state(std::size_t at) {
        const auto& records = payments(at).records();
        EXPECT_EQ(records.size(), 1U);
        return records.empty() ? PaymentState{} : records.begin()->second.state;
    }
    [[nodiscard]] std::int64_t balance(std::size_t a, std::size_t b) const { return w.disk_balance(a, b); }
    void expect_paid_once() {
        EXPECT_EQ(state(payer), PaymentState::kPaid);
        EXPECT_EQ(state(payee), PaymentState::kPaid);
        EXPECT_EQ(balance(payer, payee), kNsat);
        EXPECT_EQ(balance(payee, payer), -kNsat);
        EXPECT_EQ(w.disk_entries(payer, payee), kNsat);
        EXPECT_EQ(w.find_disagreement(), "");
        for (const std::size_t i : {payer, payee}) {
            EXPECT_TRUE(payments(i).records().begin()->second.verify_peer(w.node(i).id));
        }
    }

    World w;
    std::size_t payer = w.add(), payee = w.add();
    bool stored = false;
};

TEST(Payments, MoveTheBalanceOnBothSidesOnceThePayeeConfirms) {
    Pair p;
    ASSERT_TRUE(p.record(p.payer, true));
    EXPECT_FALSE(p.stored) << "not before it is on disk";
    p.w.run(2s);
    EXPECT_TRUE(p.stored);
    EXPECT_EQ(p.state(p.payer), PaymentState::kPending);
    EXPECT_EQ(p.balance(p.payer, p.payee), 0) << "the payer's word alone moves nothing";
    ASSERT_EQ(p.payments(p.payee).claims().size(), 1U);
    EXPECT_EQ(p.payments(p.payee).claims()[0].reference, kReference);
    ASSERT_TRUE(p.record(p.payee, false));
    p.w.run(2s);
    p.expect_paid_once();
    // The payee's signed balance has it.
    const auto* b = RouterTestAccess::book(p.w.router(p.payer)).find(p.w.node(p.payee).id);
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(b->theirs.owed_nsat, kNsat);
}

TEST(Payments, ThePayeeMayRecordItFirst) {
    Pair p;
    ASSERT_TRUE(p.record(p.payee, false));
    p.w.run(1s);
    EXPECT_EQ(p.state(p.payee), PaymentState::kExpected);
    EXPECT_EQ(p.balance(p.payee, p.payer), 0);
    ASSERT_TRUE(p.record(p.payer, true));
    p.w.run(2s);
    p.expect_paid_once();
}

TEST(Payments, WhatIsRecordedTwiceIsBookedOnce) {
    Pair p;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(p.record(p.payer, true));
        ASSERT_TRUE(p.record(p.payee, false));
        p.w.run(2s);
    }
    p.expect_paid_once();
    const auto again = p.record(p.payer, true);
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->known);
    EXPECT_TRUE(p.stored) << "at once: nothing was written";
}

TEST(Payments, AnotherAmountUnderTheReferenceIsRefused) {
    Pair p;
    ASSERT_TRUE(p.record(p.payer, true));
    p.w.run(1s);
    EXPECT_EQ(p.record(p.payer, true, kMsat + 1).error().code, ErrorCode::kAlreadyExists);
    EXPECT_EQ(p.record(p.payee, false, kMsat + 1).error().code, ErrorCode::kAlreadyExists);
    ASSERT_TRUE(p.record(p.payee, false));
    p.w.run(1s);
    EXPECT_EQ(p.record(p.payee, false, kMsat + 1).error().code, ErrorCode::kAlreadyExists);
    p.expect_paid_once();
}

TEST(Payments, ThePayerLearnsThatThePayeeHasAnotherAmount) {
    Pair p;
    ASSERT_TRUE(p.record(p.payee, false, kMsat - 1));
    p.w.run(1s);
    ASSERT_TRUE(p.record(p.payer, true));
    p.w.run(1s);
    EXPECT_EQ(p.state(p.payer), PaymentState::kPending);
    EXPECT_EQ(p.payments(p.payer).records().begin()->second.theirs_msat, kMsat - 1);
    EXPECT_EQ(p.balance(p.payer, p.payee), 0);
    ASSERT_TRUE(p.record(p.payee, false)) << "the payee's operator mends it";
    p.w.run(61s);
    p.expect_paid_once();
}

TEST(Payments, WrongOrdersAreRefused) {
    Pair p;
    Payments& payments = p.payments(p.payer);
    const NodeId peer = p.w.node(p.payee).id;
    const auto refused = [&](const Payments::Order& order) {
        const auto out = payments.record(p.w.now(), order, [] { FAIL(); });
        return !out && out.error().message.find('\n') == std::string::npos;
    };
    EXPECT_TRUE(refused({peer, true, 0, "r", 0}));
    EXPECT_TRUE(refused({peer, true, -5, "r", 0}));
    EXPECT_TRUE(refused({peer, true, kMostPaymentMsat + 1, "r", 0}));
    EXPECT_TRUE(refused({peer, true, 5, "", 0}));
    EXPECT_TRUE(refused({peer, true, 5, " r", 0}));
    EXPECT_TRUE(refused({peer, true, 5, "r\n", 0}));
    EXPECT_TRUE(refused({peer, true, 5, std::string(81, 'r'), 0}));
    EXPECT_TRUE(refused({p.w.node(p.payer).id, true, 5, "r", 0}));
    EXPECT_TRUE(payments.records().empty());
    EXPECT_EQ(payments.note(p.w.now(), PaymentId{}, PaymentState::kFailed, [] {}).error().code, ErrorCode::kNotFound);
}

TEST(Payments, TheRangeOfMoneyIsNotLeft) {
    Pair p;
    const NodeId peer = p.w.node(p.payee).id;
    int booked = 0;
    for (int i = 0; i < 12; ++i) {  // 10 bitcoin each; the range ends at 92
        const std::string reference = "gold " + std::to_string(i);
        const bool fits =
            p.payments(p.payee)
                .record(p.w.now(), {p.w.node(p.payer).id, false, kMostPaymentMsat, reference, 0}, [] {})
                .ok() &&
            p.payments(p.payer).record(p.w.now(), {peer, true, kMostPaymentMsat, reference, 0}, [] {}).ok();
        p.w.pump(p.payee);
        p.w.pump(p.payer);
        p.w.run(3s);
        booked += fits ? 1 : 0;
    }
    EXPECT_EQ(booked, 9);
    EXPECT_EQ(p.balance(p.payer, p.payee), 9 * kMostPaymentMsat * kNsatPerMsat);
    EXPECT_EQ(p.w.find_disagreement(), "");
}

TEST(Payments, ForgedAndMalformedMessagesChangeNothing) {
    Pair p;
    ASSERT_TRUE(p.record(p.payer, true));
    p.w.run(1s);
    const NodeId id = p.w.node(p.payee).id;
    PaymentReceipt forged;
    forged.id = p.payments(p.payer).records().begin()->first;
    forged.verdict = PaymentReceipt::Verdict::kReceived;
    forged.msat = kMsat;
    forged.signature.fill(9);
    const auto feed = [&](std::size_t to, std::size_t from, const Bytes& message) {
        RouterTestAccess::feed(p.w.router(to), p.w.now(), p.w.node(from).link, message);
        p.w.pump(to);
    };
    feed(p.payer, p.payee, forged.encode());
    EXPECT_EQ(p.w.router(p.payer).counters().payments_refused, 1U);
    PaymentMessage claim{0, kMsat, "mine", {}};
    feed(p.payee, p.payer, claim.encode());
    EXPECT_EQ(p.w.router(p.payee).counters().payments_refused, 1U);
    Bytes cut = forged.encode();
    cut.pop_back();
    feed(p.payer, p.payee, cut);
    EXPECT_EQ(p.w.router(p.payer).counters().dropped_malformed, 1U);
    // The payee's own signature for one payment is worth nothing for another.
    const auto& keys = RouterTestAccess::secrets(p.w.router(p.payee));
    const PaymentTerms other{p.w.node(p.payer).id, id, 0, kMsat, "another"};
    forged.signature = keys.device.sign(kPaymentReceiptContext, other.signed_part());
    feed(p.payer, p.payee, forged.encode());
    EXPECT_EQ(p.state(p.payer), PaymentState::kPending);
    p.w.run(2s);
    EXPECT_EQ(p.balance(p.payer, p.payee), 0);
}

TEST(Payments, ClaimsOfANeighbourAreBounded) {
    Pair p;
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(p.payments(p.payer).record(
            p.w.now(), {p.w.node(p.payee).id, true, 1, "claim " + std::to_string(i), 0}, [] {}));
    }
    p.w.pump(p.payer);
    p.w.run(120s);
    EXPECT_LE(p.payments(p.payee).claims().size(), Payments::kClaimsOfNeighbor);
    EXPECT_TRUE(p.payments(p.payee).records().empty()) << "nothing of them is on disk";
}

// kill -9 of either side at every event after the commands; the operator repeats a command that did not say "stored".
struct KillPayments : ::testing::TestWithParam<bool> {};

TEST_P(KillPayments, BookedOnceWheneverOneSideIsKilled) {
    int kills = 0;
    for (std::uint64_t point = 0; point < 500; ++point) {
        WorldOptions options;
        options.seed = 1 + point % 7;
        LinkOptions lossy;
        lossy.loss = point % 3 == 0 ? 0.2 : 0.0;
        Pair p(options, lossy);
        const std::size_t victim = GetParam() ? p.payer : p.payee;
        const std::uint64_t at = p.w.events() + point / 7 * 3;
        bool killed = false;
        p.w.check = [&] {
            if (!killed && p.w.events() >= at) {
                killed = true;
                ++kills;
                p.w.kill(victim);
                p.w.after(300ms, [&] { p.w.restart(victim); });
            }
        };
        ASSERT_TRUE(p.record(p.payer, true));
        p.w.run(250ms);
        ASSERT_TRUE(p.record(p.payee, false));
        p.w.run(3s);
        ASSERT_TRUE(p.record(p.payer, true));  // again: harmless if it was stored
        ASSERT_TRUE(p.record(p.payee, false));
        p.w.run(200s);
        p.expect_paid_once();
        if (HasFailure()) {
            FAIL() << "point " << point;
        }
    }
    EXPECT_GT(kills, 400);
}
INSTANTIATE_TEST_SUITE_P(Either, KillPayments, ::testing::Bool());

TEST(Payments, BooksThatWereLostAreNotCreditedTwice) {
    Pair p;
    ASSERT_TRUE(p.record(p.payer, true));
    ASSERT_TRUE(p.record(p.payee, false));
    p.w.run(15s);
    p.expect_paid_once();
    const auto backup = decltype(p.w.node(p.payer).disk){};  // an empty ledger
    p.w.kill(p.payer);
    p.w.node(p.payer).disk = backup;
    p.w.restart(p.payer);
    p.w.run(20s);
    EXPECT_EQ(p.balance(p.payer, p.payee), kNsat) << "the payee's signature brought it back";
    ASSERT_TRUE(p.record(p.payer, true));
    p.w.run(20s);
    EXPECT_EQ(p.state(p.payer), PaymentState::kPaid);
    EXPECT_EQ(p.balance(p.payer, p.payee), kNsat);
    EXPECT_EQ(p.balance(p.payee, p.payer), -kNsat);
}

// ---- settlements ----

TEST(Settlements, OneAtATimeByTheEpochOfTheBalance) {
    Pair p;
    Payments& payments = p.payments(p.payer);
    const NodeId peer = p.w.node(p.payee).id;
    const auto first = payments.propose(p.w.now(), peer, 70, "statement", 1'000, [] {});
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->known);
    EXPECT_EQ(first->record.reference, "balance 0.1");
    EXPECT_EQ(first->record.state, PaymentState::kProposed);
    p.w.pump(p.payer);
    p.w.run(3s);
    EXPECT_TRUE(p.payments(p.payee).claims().empty()) << "the adapter has not been asked yet";
    const PaymentId id = first->record.id(p.w.node(p.payer).id);
    for (const PaymentState state : {PaymentState::kPending, PaymentState::kUnknown}) {
        ASSERT_TRUE(payments.note(p.w.now(), id, state, [] {}));
        p.w.pump(p.payer);
        p.w.run(1s);
        const auto again = payments.propose(p.w.now(), peer, 99, "statement", 2'000, [] {});
        ASSERT_TRUE(again);
        EXPECT_TRUE(again->known);
        EXPECT_EQ(again->record.msat, 70) << "whatever is wanted: the open one";
    }
    EXPECT_EQ(payments.paid_today_msat(peer, 1'000), 70);
    ASSERT_TRUE(payments.note(p.w.now(), id, PaymentState::kFailed, [] {}));
    EXPECT_EQ(payments.paid_today_msat(peer, 1'000), 0);
    EXPECT_EQ(payments.note(p.w.now(), id, PaymentState::kPaid, [] {}).error().code, ErrorCode::kInvalidArgument)
        << "only the payee makes it paid";
    const auto next = payments.propose(p.w.now(), peer, 80, "statement", 2'000, [] {});
    ASSERT_TRUE(next);
    EXPECT_EQ(next->record.reference, "balance 0.2");
    EXPECT_EQ(payments.paid_today_msat(peer, 2'000 + 86'399), 80);
    EXPECT_EQ(payments.paid_today_msat(peer, 2'000 + 86'400), 0);
    EXPECT_EQ(payments.paid_today_msat(peer, 0), 80) << "a clock that was wrong opens no budget";
}

TEST(Settlements, ThePayeesSignatureClosesEvenWhatIsUnknown) {
    Pair p;
    Payments& payments = p.payments(p.payer);
    const auto made = payments.propose(p.w.now(), p.w.node(p.payee).id, kMsat, "statement", 1'000, [] {});
    ASSERT_TRUE(made);
    const PaymentId id = made->record.id(p.w.node(p.payer).id);
    ASSERT_TRUE(payments.note(p.w.now(), id, PaymentState::kUnknown, [] {}));
    p.w.pump(p.payer);
    p.w.run(1s);
    ASSERT_TRUE(p.payments(p.payee).record(p.w.now(),
                                           {p.w.node(p.payer).id, false, kMsat, made->record.reference, 1'000}, [] {}));
    p.w.pump(p.payee);
    p.w.run(2s);
    p.expect_paid_once();
    const auto late = payments.note(p.w.now(), id, PaymentState::kFailed, [] {});
    ASSERT_TRUE(late);
    EXPECT_EQ(late->record.state, PaymentState::kPaid) << "an adapter's word does not undo it";
}

TEST(Settlements, SurviveARestart) {
    Pair p;
    ASSERT_TRUE(p.payments(p.payer).propose(p.w.now(), p.w.node(p.payee).id, 70, "statement", 1'000, [] {}));
    p.w.pump(p.payer);
    p.w.run(1s);
    p.w.kill(p.payer);
    p.w.restart(p.payer);
    p.w.run(2s);
    const PaymentRecord* open = p.payments(p.payer).open_settlement(p.w.node(p.payee).id);
    ASSERT_NE(open, nullptr);
    EXPECT_EQ(open->state, PaymentState::kProposed);
    EXPECT_EQ(open->epoch, 1U);
}

TEST(SettlementPolicy, PaysWhatIsOwedWithinTheBudgetInWholeMsat) {
    SettlementPolicy policy;
    policy.day_msat = 1'000;
    const auto amount = [&](std::int64_t owed_nsat, std::int64_t today, std::int64_t wanted) {
        const auto out = amount_to_settle(policy, owed_nsat, today, wanted);
        return out ? *out : -static_cast<std::int64_t>(out.error().code) - 1;
    };
    constexpr std::int64_t kWrong = -static_cast<std::int64_t>(ErrorCode::kInvalidArgument) - 1;
    constexpr std::int64_t kLimit = -static_cast<std::int64_t>(ErrorCode::kLimit) - 1;
    EXPECT_EQ(amount(7 * kNsatPerMsat + 999'999, 0, 0), 7) << "never more than is owed";
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 0, 0), 1'000);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 400, 0), 600);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 1'000, 0), kLimit);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 5'000, 0), kLimit);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 400, 601), kLimit);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 0, 2'001), kWrong);
    EXPECT_EQ(amount(999'999, 0, 0), kWrong);
    EXPECT_EQ(amount(-5 * kNsatPerMsat, 0, 0), kWrong);
    EXPECT_EQ(amount(2'000 * kNsatPerMsat, 0, -1), kWrong);
    policy.day_msat = ~std::uint64_t{0};
    EXPECT_EQ(amount(9'000'000'000'000 * kNsatPerMsat, 0, 0), 9'000'000'000'000);
}

}  // namespace
}  // namespace meshnet::net::test
