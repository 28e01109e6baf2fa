// SPDX-License-Identifier: MIT
// Statements of a ledger, and settlements through the port.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "net/payments.hpp"
#include "station/ledger/ledger_sqlite.hpp"
#include "station/settle/account_maker.hpp"
#include "station/settle/account_text.hpp"
#include "station/settle/payment_views.hpp"
#include "station/settle/settler.hpp"
#include "tests/net/net_world.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

using net::AccountStatement;
using Verdict = net::AccountFinding::Verdict;

/// A relay that carried for a neighbour and was paid outside the mesh; ledgers on disk.
class Accounts : public ::testing::Test {
protected:
    Accounts() {
        w_.join(coast_, beacon_);
        w_.join(beacon_, ship_);
        w_.run(3s);
        for (int i = 0; i < 300; ++i) {
            w_.after(i * 10ms, [this] { w_.send(coast_, ship_, Bytes(1'200, 1)); });
        }
        w_.run(20s);
        const net::NodeId coast = w_.node(coast_).id, beacon = w_.node(beacon_).id;
        EXPECT_TRUE(w_.router(coast_).payments().record(w_.now(), {beacon, true, 100, "first, \"half\"", 5}, [] {}));
        EXPECT_TRUE(w_.router(beacon_).payments().record(w_.now(), {coast, false, 100, "first, \"half\"", 6}, [] {}));
        w_.pump(coast_);
        w_.pump(beacon_);
        w_.run(15s);
        EXPECT_EQ(w_.find_disagreement(), "");
    }
    std::string ledger_of(std::size_t node) {
        const std::string path = folder_.path("ledger" + std::to_string(node));
        auto ledger = SqliteLedger::open(path, {.owner = w_.node(node).id});
        EXPECT_TRUE(ledger.ok());
        net::LedgerBatch batch;
        batch.number = 1;
        for (const auto& [key, row] : w_.node(node).disk) {
            batch.rows.push_back(row);
        }
        (*ledger)->submit(batch);
        (*ledger)->close();
        EXPECT_FALSE((*ledger)->failure());
        return path;
    }
    AccountStatement statement_of(std::size_t node) {
        const auto identity = net::Identity::from_text(w_.node(node).key);
        auto out = make_account(ledger_of(node), *identity, 1'700'000'000);
        EXPECT_TRUE(out.ok()) << (out ? "" : out.error().message);
        return out ? *out : AccountStatement{};
    }
    static std::size_t count(const std::vector<net::AccountFinding>& findings, Verdict verdict) {
        return static_cast<std::size_t>(
            std::count_if(findings.begin(), findings.end(), [&](const auto& f) { return f.verdict == verdict; }));
    }

    test::TemporaryFolder folder_;
    net::test::World w_;
    std::size_t coast_ = w_.add(), beacon_ = w_.add(), ship_ = w_.add();
};

TEST_F(Accounts, AStatementHoldsWithoutAnythingElse) {
    const AccountStatement s = statement_of(beacon_);
    ASSERT_EQ(s.parties.size(), 1U) << "the ship owes nothing";
    EXPECT_EQ(s.parties[0].id, w_.node(coast_).id);
    EXPECT_GT(s.parties[0].claimed_nsat, 0);
    EXPECT_EQ(s.parties[0].owed_nsat, 100'000'000);
    EXPECT_TRUE(s.parties[0].signer);
    EXPECT_EQ(s.parties[0].flows.size(), 1U);
    EXPECT_EQ(s.parties[0].payments.size(), 1U);
    const auto findings = net::check_account(s);
    EXPECT_EQ(count(findings, Verdict::kHolds), findings.size());
    EXPECT_GE(findings.size(), 7U);
    for (const auto& f : findings) {
        EXPECT_EQ(f.line.find('\n'), std::string::npos);
    }
}

TEST_F(Accounts, TwoNeighboursStatementsSayWhoOwesWhom) {
    const AccountStatement a = statement_of(beacon_), b = statement_of(coast_);
    const auto found = net::compare_accounts(a, b);
    ASSERT_EQ(found.size(), 3U);
    const auto& p = a.parties[0];
    EXPECT_NE(found[2].line.find(net::to_string(w_.node(coast_).address) + " owes " +
                                 net::to_string(w_.node(beacon_).address) + " " +
                                 std::to_string(p.claimed_nsat - p.owed_nsat) + " nsat"),
              std::string::npos)
        << found[2].line;
    EXPECT_EQ(net::compare_accounts(a, a)[0].verdict, Verdict::kFails);
}

TEST_F(Accounts, WhateverIsAlteredDoesNotHold) {
    const AccountStatement good = statement_of(beacon_);
    const Bytes bytes = [&] {
        Bytes out = good.encode();
        out.insert(out.end(), good.signature.begin(), good.signature.end());
        return out;
    }();
    ASSERT_TRUE(AccountStatement::decode(bytes));
    std::size_t readable = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes bad = bytes;
        bad[i] ^= 1;
        const auto s = AccountStatement::decode(bad);
        if (s) {
            ++readable;
            EXPECT_EQ(net::check_account(*s)[0].verdict, Verdict::kFails) << "byte " << i;
        }
        const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_FALSE(AccountStatement::decode(cut)) << i;
    }
    EXPECT_GT(readable, bytes.size() / 2);
}

/// What a station that signs lies with its own key can not make look proven.
TEST_F(Accounts, AStationThatLiesInItsOwnStatementIsFound) {
    const AccountStatement good = statement_of(beacon_);
    const auto identity = net::Identity::from_text(w_.node(beacon_).key);
    const auto fails = [&](const std::function<void(net::AccountParty&)>& lie) {
        AccountStatement s = good;
        lie(s.parties[0]);
        s.signature = identity->secrets().device.sign(net::kAccountContext, s.encode());
        const auto findings = net::check_account(s);
        EXPECT_EQ(findings[0].verdict, Verdict::kHolds);
        return count(findings, Verdict::kFails);
    };
    EXPECT_EQ(fails([](auto&) {}), 0U);
    EXPECT_EQ(fails([](auto& p) { p.theirs.owed_nsat += 1; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.claimed_nsat += 1; }), 1U) << "entries";
    EXPECT_EQ(fails([](auto& p) { p.sums[0] += 1; }), 1U);
    EXPECT_EQ(fails([](auto& p) {
                  p.sums = {};
                  p.sums[0] = INT64_MAX;
                  p.sums[2] = 5;
              }),
              1U)
        << "overflow";
    EXPECT_EQ(fails([](auto& p) { p.signer.reset(); }), 1U);
    EXPECT_EQ(fails([&](auto& p) { p.signer = identity->secrets().certificate; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.flows[0].bytes += 1; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.flows[0].root[3] ^= 1; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.payments[0].msat += 1; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.payments[0].reference = "another"; }), 1U);
    EXPECT_EQ(fails([](auto& p) { p.payments.clear(); }), 1U) << "booked and not shown";
    // A claim beyond the signature is only unproven: that is every statement between two balances.
    AccountStatement s = good;
    s.parties[0].claimed_nsat += 7;
    s.parties[0].sums[0] += 7;
    s.signature = identity->secrets().device.sign(net::kAccountContext, s.encode());
    EXPECT_EQ(count(net::check_account(s), Verdict::kUnproven), 1U);
}

TEST_F(Accounts, BothFormsAreReadBackAndMustSayWhatIsSigned) {
    const AccountStatement s = statement_of(beacon_);
    for (const std::string& text : {account_json(s), account_csv(s)}) {
        const auto read = account_from_text(text);
        ASSERT_TRUE(read) << read.error().message;
        EXPECT_EQ(read->encode(), s.encode());
        EXPECT_EQ(read->signature, s.signature);
        const auto error = [&](const std::string& bad) {
            const auto out = account_from_text(bad);
            return out ? std::string("accepted") : out.error().message;
        };
        std::string edited = text;
        edited.replace(edited.find("100000000"), 9, "100000001");
        EXPECT_EQ(error(edited), "its readable part says something else than what is signed");
        for (std::size_t at = 0; at + 2 < text.size(); at += 13) {
            const std::string cut = error(text.substr(0, at));
            EXPECT_TRUE(cut == "it is truncated" || cut == "it is not a meshnet account statement") << at << cut;
        }
        std::string version = text;
        const auto hex = version.rfind("01" + to_hex(s.encode()).substr(2, 60));
        ASSERT_NE(hex, std::string::npos);
        version.replace(hex, 2, "07");
        EXPECT_EQ(error(version), "it has version 7, this program reads version 1");
        EXPECT_EQ(error("{\"format\": \"something else\"}"), "it is not a meshnet account statement");
        EXPECT_EQ(error("[1]"), "it is not a meshnet account statement");
        EXPECT_EQ(error(""), "it is not a meshnet account statement");
    }
    // Programs may write the JSON anew with other white space.
    std::string dense = account_json(s);
    dense.erase(std::remove(dense.begin(), dense.end(), '\n'), dense.end());
    EXPECT_TRUE(account_from_text(dense));
}

TEST_F(Accounts, TheLedgerOfAnotherStationIsRefused) {
    const auto identity = net::Identity::from_text(w_.node(ship_).key);
    const auto out = make_account(ledger_of(beacon_), *identity, 1);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, ErrorCode::kPermission);
    EXPECT_NE(payments_of_file(folder_.path("ledger" + std::to_string(beacon_)), 10)->find("first, \\\"half\\\""),
              std::string::npos);
}

// ---- settlements ----

struct Killed {};

/// A ledger, an adapter and a process between them that can be killed at every step; what is on disk stays.
struct SettleWorld {
    struct Ledger final : SettlementLedger {
        explicit Ledger(SettleWorld& world) : w(world) {}
        Result<Reserved> reserve(const net::NodeId& peer, std::int64_t msat) override {
            w.step();
            const bool fresh = w.state == net::PaymentState::kPaid || w.state == net::PaymentState::kFailed;
            if (fresh) {
                ++w.epoch;
                w.state = net::PaymentState::kProposed;
                w.msat = msat;
            }
            w.step();
            Reserved out;
            out.proposal = {net::PaymentId{w.epoch}, peer, w.msat, "balance 0." + std::to_string(w.epoch)};
            out.state = w.state;
            out.fresh = fresh;
            return out;
        }
        Result<net::PaymentState> note(const net::PaymentId& /*id*/, net::PaymentState next) override {
            w.step();
            w.state = next;
            w.step();
            return next;
        }
        SettleWorld& w;
    };
    struct Port final : SettlementPort {
        explicit Port(SettleWorld& world) : w(world) {}
        Status propose(const SettlementProposal& p) override {
            w.step();
            ++w.transfers[p.id];
            w.step();
            return w.answer;
        }
        SettlementStatus status(const net::PaymentId& /*id*/) override {
            w.step();
            return w.status;
        }
        SettleWorld& w;
    };
    void step() {
        if (steps_left-- == 0) {
            throw Killed{};
        }
    }
    Result<SettlementResult> run(int kill_at = -1) {
        steps_left = kill_at;
        Ledger ledger(*this);
        Port port(*this);
        return settle(ledger, port, net::NodeId{1}, 50);
    }
    std::uint8_t epoch = 0;
    net::PaymentState state = net::PaymentState::kPaid;
    std::int64_t msat = 0;
    std::map<net::PaymentId, int> transfers;
    Status answer = Ok{};
    SettlementStatus status = SettlementStatus::kUnknown;
    int steps_left = -1;
};

TEST(Settler, PaysOnceWhereverItIsKilled) {
    for (int kill_at = 0; kill_at < 6; ++kill_at) {
        for (const auto status : {SettlementStatus::kUnknown, SettlementStatus::kPending, SettlementStatus::kPaid}) {
            SettleWorld w;
            w.status = status;
            EXPECT_THROW((void)w.run(kill_at), Killed) << kill_at;
            for (int again = 0; again < 3; ++again) {
                ASSERT_TRUE(w.run());
            }
            ASSERT_EQ(w.epoch, 1) << "no second settlement beside one that is open";
            EXPECT_LE(w.transfers[net::PaymentId{1}], 1) << kill_at;
        }
    }
}

TEST(Settler, UnknownIsNeverRetriedBlindly) {
    SettleWorld w;
    w.answer = Error{ErrorCode::kUnavailable, "the node does not answer"};
    auto out = w.run();
    ASSERT_TRUE(out);
    EXPECT_EQ(out->state, net::PaymentState::kUnknown);
    EXPECT_EQ(out->why, "the node does not answer");
    w.answer = Ok{};
    for (int i = 0; i < 5; ++i) {
        out = w.run();
        ASSERT_TRUE(out);
        EXPECT_EQ(out->state, net::PaymentState::kUnknown);
        EXPECT_FALSE(out->fresh);
    }
    EXPECT_EQ(w.transfers[net::PaymentId{1}], 1);
    w.status = SettlementStatus::kPaid;
    EXPECT_EQ(w.run()->state, net::PaymentState::kPending) << "paid is what the payee signs";
}

TEST(Settler, WhatCertainlyFailedMayBePaidAgainInTheNextEpoch) {
    SettleWorld w;
    w.answer = Error{ErrorCode::kLimit, "no route with that capacity"};
    EXPECT_EQ(w.run()->state, net::PaymentState::kFailed);
    w.answer = Ok{};
    EXPECT_EQ(w.run()->state, net::PaymentState::kPending);
    EXPECT_EQ(w.epoch, 2);
}

}  // namespace
}  // namespace meshnet::station
