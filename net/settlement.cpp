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
constexpr Duration kReceiptInterval = 1s;
constexpr Duration kLongestReceiptInterval = 8s;
constexpr Duration kBalanceAfter = 10s;
constexpr Duration kBalanceSoon = 100ms;
constexpr Duration kBalanceAfterSession = 1s;
constexpr std::uint64_t kBalanceBytes = 262'144;

/// Nobody books more than it forwarded, whoever pays: otherwise a destination and a node upstream could together make a
/// relay owe the one what the other will never pay.
bool plausible(const Flow& f, std::uint64_t bytes) {
    return bytes <= f.forwarded_bytes;
}

/// Our totals differ from those we last signed.
bool unsigned_change(const Book::Balance& b) {
    return b.claimed_nsat != b.signed_claimed_nsat || b.owed_nsat != b.signed_owed_nsat;
}

}  // namespace

// ---- the destination makes evidence ----

void Settlement::on_delivered(Instant now, Flow& f) {
    f.idle_at = now + kIdleStatement;
    consider_payword(now, f);
    flows_.schedule(f);
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
        if (f.delivered_bytes > f.best.bytes) {
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
    f.limit_bytes = std::max(f.limit_bytes, credit_.limit_for(f));
    const std::int64_t claim = price_nsat(f.claim_price, e.bytes) - price_nsat(f.claim_price, from);
    const std::int64_t pay = price_nsat(f.pay_price, e.bytes) - price_nsat(f.pay_price, from);
    if (claim > 0) {
        book_.enter(f.claims_from_id(), f.id, from, e.bytes, claim, "relay");
        balance_changed(now, f.claims_from_id());
    }
    if (pay > 0) {
        book_.enter(f.pays_to_id(), f.id, from, e.bytes, -pay, f.role == FlowRole::kRelay ? "pay" : "own");
        balance_changed(now, f.pays_to_id());
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
    if (f == nullptr || !f->paid()) {
        return;
    }
    const std::uint64_t bytes = std::uint64_t{m->index} * f->unit_bytes;
    if (bytes <= f->best.bytes) {  // repeated, because our acknowledgement was lost
        if (bytes <= f->durable.bytes) {
            links_.send_control(from, ReceiptAck{m->label, f->durable.bytes}.encode());
        }
        return;
    }
    if (m->index > f->max_units || !plausible(*f, bytes) ||
        !payword_follows(f->id, f->payword_index, f->payword, m->index, m->payword)) {
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
    enter(now, *f, e);
    credit_.resolve(now, *f, m->sequence);
}

void Settlement::on_statement(Instant now, NeighborId from, ByteView body) {
    const auto m = Statement::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    Flow* f = flows_.by_label_out(from, m->label);
    if (f == nullptr || !f->paid()) {
        return;
    }
    const bool more_bytes = m->bytes > f->best.bytes;
    const bool resolves = !f->marks.empty() && m->sequence >= f->marks.front().sequence;
    if (!more_bytes && !resolves && !f->probe_from_upstream) {
        if (m->bytes <= f->durable.bytes) {
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
        enter(now, *f, e);
    } else if (f->role == FlowRole::kRelay && f->probe_from_upstream) {
        send_evidence(*f, e);
    }
    f->probe_from_upstream = false;
    credit_.resolve(now, *f, m->sequence);
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
    if (f == nullptr || !f->paid() || !links_.within_limit(now, from, LinkTable::Effort::kAnswer)) {
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
    if (const auto* b = book_.find(links_.find(link)->id); b != nullptr && unsigned_change(*b)) {
        balance_at_[link] = now + kBalanceAfterSession;
    }
}

void Settlement::balance_changed(Instant now, const NodeId& peer) {
    const NeighborId link = link_of(peer);
    const auto* b = book_.find(peer);
    if (links_.find(link) == nullptr || b == nullptr) {
        return;
    }
    const Instant at = now + (b->bytes - b->signed_bytes >= kBalanceBytes ? kBalanceSoon : kBalanceAfter);
    const auto [it, added] = balance_at_.try_emplace(link, at);
    it->second = std::min(it->second, at);
}

void Settlement::on_timeout(Instant now) {
    for (auto it = balance_at_.begin(); it != balance_at_.end();) {
        if (now < it->second) {
            ++it;
            continue;
        }
        const NeighborId link = it->first;
        it = balance_at_.erase(it);
        sign_balance(*links_.find(link));
    }
}

std::optional<Instant> Settlement::next_timeout() const {
    std::optional<Instant> next;
    for (const auto& [link, at] : balance_at_) {
        next = earliest(next, at);
    }
    return next;
}

void Settlement::sign_balance(const LinkTable::Neighbor& n) {
    if (!n.session_up || n.id == NodeId{}) {
        return;  // on_session_up() comes back to it
    }
    const auto* before = book_.find(n.id);
    if (before == nullptr || !unsigned_change(*before)) {
        return;
    }
    const Book::Balance& b = book_.next_to_sign(n.id);
    BalanceMessage m;
    m.sequence = b.sequence;
    m.owed_nsat = b.owed_nsat;
    m.claimed_nsat = b.claimed_nsat;
    m.signature = self_.device.sign(
        kBalanceContext, BalanceMessage::signed_part(self_.id, n.id, m.sequence, m.owed_nsat, m.claimed_nsat));
    // It leaves when its number and totals are on disk.
    outbox_.after_persist([this, link = link_of(n.id), m](Instant) { links_.send_control(link, m.encode()); });
}

void Settlement::on_balance(Instant now, NeighborId from, ByteView body) {
    const auto m = BalanceMessage::decode(body);
    if (!m) {
        ++counters_.dropped_malformed;
        return;
    }
    const LinkTable::Neighbor* n = links_.find(from);
    if (n == nullptr) {
        return;
    }
    const auto* mine = book_.find(n->id);
    const std::uint64_t newest = mine == nullptr ? 0 : mine->theirs.sequence;
    if (m->sequence <= newest) {
        return;  // repeated
    }
    if (!links_.within_limit(now, from, LinkTable::Effort::kBalance) ||
        !verify(n->peer->certificate().signing, kBalanceContext,
                BalanceMessage::signed_part(n->id, self_.id, m->sequence, m->owed_nsat, m->claimed_nsat),
                m->signature)) {
        ++counters_.balances_refused;
        return;
    }
    ++counters_.balances_accepted;
    book_.received(n->id, *m);
    if (mine = book_.find(n->id); m->owed_nsat != mine->claimed_nsat || m->claimed_nsat != mine->owed_nsat) {
        // It may not have received our newest receipts: send them again.
        for (auto& [id, f] : flows_) {
            if (f.role != FlowRole::kSource && f.prev == from) {
                send_receipt(now, f);
            }
        }
    }
}

}  // namespace meshnet::net
