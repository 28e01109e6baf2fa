// SPDX-License-Identifier: MIT
#include "net/settlement.hpp"

#include <algorithm>
#include <cassert>

#include "net/deadline.hpp"
#include "net/payment/amount.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kPaywordSpacing = 100ms;
constexpr Duration kIdleStatement = 1'200ms;
constexpr Duration kFirstStatement = 250ms;     // of a flow: its way is judged by it
constexpr Duration kLatestStatement = 1'500ms;  // of a flow too slow for a payword
constexpr Duration kReceiptInterval = 1s;
constexpr Duration kLongestReceiptInterval = 8s;
constexpr Duration kBalanceAfter = 10s;
constexpr Duration kBalanceSoon = 250ms;
constexpr Duration kBalanceAfterSession = 1s;
constexpr std::uint64_t kBalanceBytes = 262'144;
constexpr std::int64_t kBalanceNsat = 1'000 * kNsatPerMsat;  // of new debts of ours
constexpr std::int64_t kTolerance = 4'000 * kNsatPerMsat;    // of a claim that we cannot check, having lost our books
constexpr std::size_t kMostLost = 64;
constexpr std::uint64_t kFreeStatement = 4'096;  // bytes of a free flow that are worth a statement

/// Nobody books more than it forwarded, whoever pays: otherwise a destination and a node upstream could together make a
/// relay owe the one what the other will never pay.
bool plausible(const Flow& f, std::uint64_t bytes) {
    return bytes <= f.forwarded_bytes;
}

/// After a restart: every byte of it is known to have been forwarded.
bool certain(const Flow& f, std::uint64_t bytes) {
    return bytes + f.uncertain_bytes <= f.forwarded_bytes;
}

/// Our totals differ from those we last signed.
bool unsigned_change(const Book::Balance& b) {
    return b.claimed_nsat != b.signed_claimed_nsat || b.owed_nsat != b.signed_owed_nsat;
}

}  // namespace

// ---- the destination makes evidence ----

void Settlement::on_delivered(Instant now, Flow& f) {
    if (!f.paid() && f.prev_id == f.source) {
        return;  // nobody is between: the link itself acknowledges
    }
    if (!f.unproven_since) {
        f.unproven_since = now;
    }
    const bool first = f.paid() && f.best.bytes == 0;
    f.idle_at = first ? *f.unproven_since + kFirstStatement
                      : std::min(now + kIdleStatement, *f.unproven_since + kLatestStatement);
    consider_payword(now, f);
    flows_.schedule(f);
}

bool Settlement::pays_for(Instant now, const Flow& f, std::uint64_t bytes) const {
    return f.pay_price == 0 || (returns_.may_pay(f.source, bytes) && spend_.allows(now, f.source));
}

void Settlement::consider_payword(Instant now, Flow& f) {
    const std::uint64_t units = std::min<std::uint64_t>(f.delivered_bytes / f.unit_bytes, f.max_units);
    if (units <= f.payword_index || units * f.unit_bytes <= f.best.bytes || f.payword_at) {
        return;
    }
    Evidence e;
    e.index = static_cast<std::uint32_t>(units);
    e.bytes = units * f.unit_bytes;
    e.sequence = f.highest_sequence;
    e.payword = f.chain.payword(e.index);
    f.payword_index = e.index;
    f.payword = e.payword;
    f.payword_at = now + kPaywordSpacing;
    enter(now, f, e);
}

void Settlement::make_statement(Instant now, Flow& f, std::uint32_t sequence_at_least) {
    Evidence e;
    e.is_statement = true;
    e.bytes = f.delivered_bytes;
    e.sequence = std::max(f.highest_sequence, sequence_at_least);
    e.signature = self_.device.sign(kStatementContext, Statement::signed_part(f.id, e.bytes, e.sequence));
    if (e.bytes > f.best.bytes) {
        enter(now, f, e);
    } else {
        send_evidence(f, e);  // nothing new to owe: it only reports what is lost
    }
}

void Settlement::on_flow_timeout(Instant now, Flow& f) {
    if (f.payword_at && now >= *f.payword_at) {
        f.payword_at.reset();
        consider_payword(now, f);
    }
    if (f.idle_at && now >= *f.idle_at) {
        f.idle_at.reset();
        if (f.delivered_bytes >= f.best.bytes + (f.paid() ? 1 : kFreeStatement)) {
            make_statement(now, f, f.highest_sequence);
        }
    }
    if (f.receipt_at && now >= *f.receipt_at) {
        f.receipt_at.reset();
        send_receipt(now, f);
    }
    credit_.probe_if_due(now, f);
    flows_.schedule(f);
}

// ---- everybody books it, stores it, and then shows it ----

void Settlement::enter(Instant now, Flow& f, const Evidence& e) {
    assert(e.bytes > f.best.bytes);
    const std::uint64_t from = f.best.bytes;
    f.best = e;
    f.unproven_since.reset();
    if (!f.paid()) {  // nothing to book: it only shows the source that the way works
        f.durable = e;
        if (f.role != FlowRole::kSource && links_.reachable(f.prev)) {
            send_evidence(f, e);
        }
        return;
    }
    f.limit_bytes = std::max(f.limit_bytes, credit_.limit_for(f));
    const std::int64_t claim = price_nsat(f.claim_price, e.bytes) - price_nsat(f.claim_price, from);
    const std::int64_t pay = price_nsat(f.pay_price, e.bytes) - price_nsat(f.pay_price, from);
    if (claim > 0) {
        book_.enter(now, f.claims_from_id(), f.id, from, e.bytes, claim, "relay");
        balance_changed(now, f.claims_from_id());
    }
    if (pay > 0) {
        book_.enter(now, f.pays_to_id(), f.id, from, e.bytes, -pay, f.role == FlowRole::kRelay ? "pay" : "own");
        balance_changed(now, f.pays_to_id());
    }
    if (f.role == FlowRole::kDestination && pay > 0) {
        returns_.paid(f.source, e.bytes - from);
        spend_.spend(now, f.source, pay);
    }
    flows_.mark_changed(f);
    outbox_.after_persist([this, id = f.id, e](Instant then) {
        if (Flow* stored = flows_.find(id)) {
            on_stored(then, *stored, e);
        }
    });
    credit_.recount(now, f);
}

void Settlement::on_stored(Instant now, Flow& f, const Evidence& e) {
    if (e.bytes <= f.durable.bytes) {
        return;
    }
    f.durable = e;
    if (f.role != FlowRole::kDestination) {
        links_.send_control(f.next, ReceiptAck{f.label_out, e.bytes}.encode());
    }
    if (f.role != FlowRole::kSource) {
        f.receipt_interval = {};
        send_receipt(now, f);
    }
}

void Settlement::send_receipt(Instant now, Flow& f) {
    if (f.durable.bytes <= f.upstream_acked || f.role == FlowRole::kSource) {
        f.receipt_at.reset();
    } else if (links_.reachable(f.prev)) {
        send_evidence(f, f.durable);
        f.receipt_interval =
            std::clamp(2 * f.receipt_interval, Duration{kReceiptInterval}, Duration{kLongestReceiptInterval});
        f.receipt_at = now + f.receipt_interval;
    } else {
        f.receipt_at.reset();  // on_session_up() sends it
    }
    flows_.schedule(f);
}

void Settlement::send_evidence(const Flow& f, const Evidence& e) {
    if (e.is_statement) {
        links_.send_control(f.prev, Statement{f.label_in, e.bytes, e.sequence, e.signature}.encode());
    } else {
        ++counters_.paywords_sent;
        links_.send_control(f.prev, PaywordReceipt{f.label_in, e.index, e.sequence, e.payword}.encode());
    }
}

// ---- receipts on their way upstream ----

void Settlement::on_payword(Instant now, NeighborId from, ByteView body) {
    const auto m = PaywordReceipt::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    Flow* f = flows_.by_label_out(from, m->label);
    if (f == nullptr) {
        return;
    }
    const std::uint64_t bytes = std::uint64_t{m->index} * f->unit_bytes;
    if (bytes <= f->best.bytes) {  // repeated, because our acknowledgement was lost
        if (f->paid() && bytes <= f->durable.bytes) {
            links_.send_control(from, ReceiptAck{m->label, f->durable.bytes}.encode());
        }
        return;
    }
    if (m->index > f->max_units || !plausible(*f, bytes) || !follows(now, from, *f, *m)) {
        ++counters_.paywords_refused;
        return;
    }
    ++counters_.paywords_accepted;
    f->payword_index = m->index;
    f->payword = m->payword;
    Evidence e;
    e.bytes = bytes;
    e.sequence = m->sequence;
    e.index = m->index;
    e.payword = m->payword;
    accept(now, *f, e);
    credit_.resolve(now, *f, m->sequence, false);
}

// Each step to a payword that is accepted was paid for. Those to refused ones come off the neighbour's limit, so that
// forged paywords cost little time.
bool Settlement::follows(Instant now, NeighborId from, const Flow& f, const PaywordReceipt& m) {
    const std::int64_t steps = std::int64_t{m.index} - f.payword_index;
    if (steps <= 0 || !links_.within_limit(now, from, LinkTable::Effort::kHash, steps)) {
        return false;
    }
    if (!payword_follows(f.id, f.payword_index, f.payword, m.index, m.payword)) {
        return false;
    }
    links_.give_back(from, LinkTable::Effort::kHash, steps);
    return true;
}

// Evidence for what a crash left uncertain is booked once the side that pays has stored it: only then are we sure that
// we carried it.
void Settlement::accept(Instant now, Flow& f, const Evidence& e) {
    if (f.paid() && f.role == FlowRole::kRelay && !f.payer_is_destination && !certain(f, e.bytes)) {
        f.claimed = e;
        send_evidence(f, e);
        return;
    }
    enter(now, f, e);
}

void Settlement::on_statement(Instant now, NeighborId from, ByteView body) {
    const auto m = Statement::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    Flow* f = flows_.by_label_out(from, m->label);
    if (f == nullptr) {
        return;
    }
    const bool more_bytes = m->bytes > f->best.bytes;
    const bool resolves = !f->marks.empty() && m->sequence >= f->marks.front().sequence;
    if (!more_bytes && !resolves && !f->probe_from_upstream) {
        if (f->paid() && m->bytes <= f->durable.bytes) {
            links_.send_control(from, ReceiptAck{m->label, f->durable.bytes}.encode());
        }
        return;
    }
    const std::uint64_t most = std::uint64_t{f->max_units} * f->unit_bytes;
    if (!links_.within_limit(now, from, LinkTable::Effort::kAnswer) ||
        (more_bytes && (!plausible(*f, m->bytes) || m->bytes / 2 > most)) ||
        !verify(f->destination_key, kStatementContext, Statement::signed_part(f->id, m->bytes, m->sequence),
                m->signature)) {
        ++counters_.statements_refused;
        return;
    }
    ++counters_.statements_accepted;
    Evidence e;
    e.is_statement = true;
    e.bytes = m->bytes;
    e.sequence = m->sequence;
    e.signature = m->signature;
    if (more_bytes) {
        accept(now, *f, e);
    } else if (f->role == FlowRole::kRelay && f->probe_from_upstream) {
        send_evidence(*f, e);
    }
    f->probe_from_upstream = false;
    credit_.resolve(now, *f, m->sequence, true);
}

void Settlement::on_receipt_ack(Instant now, NeighborId from, ByteView body) {
    const auto m = ReceiptAck::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    Flow* f = flows_.by_label_in(from, m->label);
    if (f == nullptr || !f->paid()) {
        return;
    }
    if (f->claimed && m->bytes >= f->claimed->bytes && f->claimed->bytes > f->best.bytes) {
        const Evidence agreed = *f->claimed;
        f->uncertain_bytes = std::min(f->uncertain_bytes, f->forwarded_bytes - agreed.bytes);
        f->claimed.reset();
        enter(now, *f, agreed);
        credit_.resolve(now, *f, agreed.sequence, agreed.is_statement);
    }
    const std::uint64_t acked = std::min(m->bytes, f->durable.bytes);
    if (acked > f->upstream_acked) {
        f->upstream_acked = acked;
        credit_.recount(now, *f);
        if (acked == f->best.bytes) {
            flows_.mark_changed(*f);  // so that a restart does not send the receipt again
        }
    }
    if (f->upstream_acked >= f->durable.bytes) {
        f->receipt_at.reset();
        flows_.schedule(*f);
    }
}

void Settlement::on_probe(Instant now, NeighborId from, ByteView body) {
    const auto m = Probe::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    Flow* f = flows_.by_label_in(from, m->label);
    if (f == nullptr || !links_.within_limit(now, from, LinkTable::Effort::kAnswer)) {
        return;
    }
    if (f->role == FlowRole::kDestination) {
        return make_statement(now, *f, m->sequence);
    }
    f->probe_from_upstream = true;
    links_.send_control(f->next, Probe{f->label_out, std::min(m->sequence, f->highest_sequence)}.encode());
}

// ---- balances ----

void Settlement::on_session_up(Instant now, NeighborId link) {
    for (auto& [id, f] : flows_) {
        if (f.role != FlowRole::kSource && f.prev == link && f.durable.bytes > f.upstream_acked) {
            f.receipt_interval = {};
            send_receipt(now, f);
        }
        if (f.prev == link || f.next == link) {
            credit_.recount(now, f);
        }
    }
    const NodeId& peer = links_.find(link)->id;
    const auto* b = book_.find(peer);
    if (b == nullptr) {
        return;
    }
    // Whoever lost his books learns from the other what he had signed.
    if (b->theirs.sequence > 0) {
        links_.send_control(link, b->theirs.encode(MessageType::kBalanceEcho));
    }
    if (b->sequence > 0) {
        send_balance(link, peer);
    }
    if (unsigned_change(*b)) {
        balance_at_[peer] = now + kBalanceAfterSession;
    }
}

void Settlement::balance_changed(Instant now, const NodeId& peer) {
    credit_.balance_changed(peer);
    const auto* b = book_.find(peer);
    if (b == nullptr) {
        return;
    }
    // What we owe is worth a signature soon; what we claim is only told.
    const std::int64_t new_debt = b->owed_nsat - b->signed_owed_nsat;
    const bool soon = new_debt >= kBalanceNsat || (new_debt > 0 && b->bytes - b->signed_bytes >= kBalanceBytes);
    const Instant at = now + (soon ? kBalanceSoon : kBalanceAfter);
    const auto [it, added] = balance_at_.try_emplace(peer, at);
    it->second = std::min(it->second, at);
}

void Settlement::on_timeout(Instant now) {
    for (auto it = balance_at_.begin(); it != balance_at_.end();) {
        if (now < it->second) {
            ++it;
            continue;
        }
        const NodeId peer = it->first;
        it = balance_at_.erase(it);
        sign_balance(peer);
    }
}

std::optional<Instant> Settlement::next_timeout() const {
    std::optional<Instant> next;
    for (const auto& [peer, at] : balance_at_) {
        next = earliest(next, at);
    }
    return next;
}

void Settlement::sign_balance(const NodeId& peer) {
    const auto* before = book_.find(peer);
    const auto link = links_.link_of(peer);
    if (!link || !links_.reachable(*link) || before == nullptr || !unsigned_change(*before)) {
        return;  // on_session_up() comes back to it
    }
    (void)book_.next_to_sign(peer);
    // It leaves when its number and totals are on disk.
    outbox_.after_persist([this, peer, number = book_.find(peer)->sequence](Instant) {
        const auto now_at = links_.link_of(peer);
        if (now_at && book_.find(peer)->sequence == number) {
            send_balance(*now_at, peer);
        }
    });
}

void Settlement::send_balance(NeighborId link, const NodeId& peer) {
    BalanceMessage m = book_.find(peer)->last_signed();
    m.signature = self_.device.sign(kBalanceContext, m.signed_part(self_.id, peer));
    links_.send_control(link, m.encode());
}

bool Settlement::on_balance(Instant now, NeighborId from, ByteView body) {
    const auto m = BalanceMessage::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return false;
    }
    const LinkTable::Neighbor* n = links_.find(from);
    if (n == nullptr) {
        return false;
    }
    const auto* mine = book_.find(n->id);
    const auto lost = lost_.find(n->id);
    if (lost == lost_.end() && mine != nullptr && !m->newer_than(mine->theirs)) {
        return false;  // repeated
    }
    if (!links_.within_limit(now, from, LinkTable::Effort::kBalance) ||
        !verify(n->peer->certificate().signing, kBalanceContext, m->signed_part(n->id, self_.id), m->signature)) {
        ++counters_.balances_refused;
        return false;
    }
    ++counters_.balances_accepted;
    if (lost != lost_.end()) {
        const BalanceMessage echo = lost->second;
        lost_.erase(lost);
        restore_from(now, from, *m, echo);
    }
    mine = book_.find(n->id);
    if (mine == nullptr || m->newer_than(mine->theirs)) {
        book_.received(n->id, *m);
    }
    credit_.balance_changed(n->id);
    if (mine = book_.find(n->id); m->owed_nsat != mine->claimed_nsat || m->claimed_nsat != mine->owed_nsat) {
        // It may not have received our newest receipts: send them again.
        for (auto& [id, f] : flows_) {
            if (f.role != FlowRole::kSource && f.prev == from) {
                send_receipt(now, f);
            }
        }
    }
    return true;
}

// A neighbour shows the newest that it holds of ours. If it is newer than what we remember, we lost our books: they
// were restored from a copy, or the file was replaced.
void Settlement::on_balance_echo(Instant now, NeighborId from, ByteView body) {
    const auto m = BalanceMessage::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    const LinkTable::Neighbor* n = links_.find(from);
    const auto* mine = n == nullptr ? nullptr : book_.find(n->id);
    if (n == nullptr || (mine != nullptr && !m->newer_than(mine->last_signed()))) {
        return;
    }
    if (!links_.within_limit(now, from, LinkTable::Effort::kBalance) ||
        !verify(self_.device.public_key(), kBalanceContext, m->signed_part(self_.id, n->id), m->signature)) {
        ++counters_.balances_refused;
        return;
    }
    if (lost_.size() < kMostLost || lost_.count(n->id) != 0) {
        lost_[n->id] = *m;  // its own BALANCE, with what it owes, comes next
    }
}

// What we signed we owe; what it signed it owes. Flows that the books and the lost time share can no longer be told
// apart, so they end.
void Settlement::restore_from(Instant now, NeighborId from, const BalanceMessage& theirs, const BalanceMessage& echo) {
    const NodeId peer = links_.find(from)->id;
    const std::int64_t owed = std::max(echo.owed_nsat, std::min(theirs.claimed_nsat, echo.owed_nsat + kTolerance));
    ++counters_.balances_restored;
    book_.adopt(now, peer, echo, theirs.owed_nsat, owed);
    flows_.forget_restored(peer);
    balance_changed(now, peer);
}

}  // namespace meshnet::net
