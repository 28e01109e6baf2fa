// SPDX-License-Identifier: MIT
// Payment: evidence of delivery is checked, booked, stored, and only then shown to others; balances are signed; what
// a neighbour has not yet settled is held within a window.
#include <algorithm>

#include "net/router_impl.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kReceiptInterval = 1s;
constexpr Duration kLongestReceiptInterval = 8s;
constexpr Duration kLongestProbeInterval = 4s;
constexpr std::size_t kMarks = 8'192;

}  // namespace

// ---- timers of a flow ----

void Router::Impl::schedule(Flow& f) {
    std::optional<Instant> next;
    const auto consider = [&](const std::optional<Instant>& at) {
        if (at) {
            next = next ? std::min(*next, *at) : *at;
        }
    };
    consider(f.probe_at);
    consider(f.receipt_at);
    consider(f.word_at);
    consider(f.idle_at);
    if (next == f.timer) {
        return;
    }
    if (f.timer) {
        flow_timers.erase({*f.timer, f.id});
    }
    f.timer = next;
    if (next) {
        flow_timers.insert({*next, f.id});
    }
}

void Router::Impl::flow_timeout(Instant now, Flow& f) {
    if (f.word_at && now >= *f.word_at) {
        f.word_at.reset();
        consider_word(now, f);
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
    if (f.probe_at && now >= *f.probe_at) {
        f.probe_at.reset();
        const Neighbor* payer = neighbor(f.claims_from());
        if (payer != nullptr && payer->unresolved * 2 >= payer->window && f.counted_unresolved > 0) {
            ++counters.probes_sent;
            send_control(f.next, Probe{f.label_out, f.highest_sequence}.encode());
            f.probe_interval =
                std::min(std::max(2 * f.probe_interval, Duration{500ms}), Duration{kLongestProbeInterval});
            f.probe_at = now + f.probe_interval;
        }
    }
    schedule(f);
}

// ---- the destination ----

void Router::Impl::consider_word(Instant now, Flow& f) {
    const std::uint64_t units = std::min<std::uint64_t>(f.delivered_bytes / f.unit_bytes, f.max_units);
    if (units <= f.word_index || units * f.unit_bytes <= f.best.bytes || f.word_at) {
        return;
    }
    Evidence e;
    e.index = static_cast<std::uint32_t>(units);
    e.bytes = units * f.unit_bytes;
    e.sequence = f.highest_sequence;
    e.word = f.chain.word(e.index);
    f.word_index = e.index;
    f.word = e.word;
    f.word_at = now + kWordSpacing;
    book(now, f, e);
}

void Router::Impl::make_statement(Instant now, Flow& f, std::uint32_t sequence_at_least) {
    Evidence e;
    e.is_statement = true;
    e.bytes = f.delivered_bytes;
    e.sequence = std::max(f.highest_sequence, sequence_at_least);
    e.signature = self.device.sign(kStatementContext, Statement::signed_part(f.id, e.bytes, e.sequence));
    if (e.bytes > f.best.bytes) {
        book(now, f, e);
    } else {
        send_evidence(f, e);  // nothing new to owe: only says what is lost
    }
}

// ---- books ----

bool Router::Impl::plausible(const Flow& f, std::uint64_t bytes) {
    // Nobody books more than it handed on, whoever pays: otherwise a destination and a node upstream could together
    // make a relay owe the one what the other will never pay.
    return bytes <= f.passed_bytes;
}

void Router::Impl::book(Instant now, Flow& f, const Evidence& e) {
    assert(e.bytes > f.best.bytes);
    const std::uint64_t from = f.best.bytes;
    f.best = e;
    f.limit_bytes = std::max(f.limit_bytes, f.passed_bytes + 4 * config.initial_window_bytes);
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
    dirty_flows.insert(f.id);
    to_store.push_back({0, InFlight::Kind::kEvidence, f.id, e, {}, {}, 0});
    refresh_unresolved(now, f);
}

void Router::Impl::durable(Instant now, Flow& f, const Evidence& e) {
    if (e.bytes <= f.durable.bytes) {
        return;
    }
    f.durable = e;
    if (f.role != FlowRole::kDestination) {
        send_control(f.next, ReceiptAck{f.label_out, e.bytes}.encode());
    }
    if (f.role != FlowRole::kSource) {
        f.receipt_interval = {};
        send_receipt(now, f);
    }
}

void Router::Impl::send_receipt(Instant now, Flow& f) {
    if (f.durable.bytes <= f.upstream_acked || f.role == FlowRole::kSource) {
        f.receipt_at.reset();
    } else if (reachable(f.prev)) {
        send_evidence(f, f.durable);
        f.receipt_interval =
            std::min(std::max(2 * f.receipt_interval, Duration{kReceiptInterval}), Duration{kLongestReceiptInterval});
        f.receipt_at = now + f.receipt_interval;
    } else {
        f.receipt_at.reset();  // session_up() sends it
    }
    schedule(f);
}

void Router::Impl::send_evidence(Flow& f, const Evidence& e) {
    if (e.is_statement) {
        send_control(f.prev, Statement{f.label_in, e.bytes, e.sequence, e.signature}.encode());
    } else {
        ++counters.words_sent;
        send_control(f.prev, WordReceipt{f.label_in, e.index, e.sequence, e.word}.encode());
    }
}

// ---- receipts on their way back ----

void Router::Impl::on_word(Instant now, NeighborId from, ByteView body) {
    const auto m = WordReceipt::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    Flow* f = flow_by_out(from, m->label);
    if (f == nullptr || !f->paid()) {
        return;
    }
    const std::uint64_t bytes = std::uint64_t{m->index} * f->unit_bytes;
    if (bytes <= f->best.bytes) {  // old news, of which our acknowledgement was lost
        if (bytes <= f->durable.bytes) {
            send_control(from, ReceiptAck{m->label, f->durable.bytes}.encode());
        }
        return;
    }
    if (m->index > f->max_units || !plausible(*f, bytes) ||
        !word_follows(f->id, f->word_index, f->word, m->index, m->word)) {
        ++counters.words_refused;
        return;
    }
    ++counters.words_accepted;
    f->word_index = m->index;
    f->word = m->word;
    Evidence e;
    e.bytes = bytes;
    e.sequence = m->sequence;
    e.index = m->index;
    e.word = m->word;
    book(now, *f, e);
    resolve(now, *f, m->sequence);
}

void Router::Impl::on_statement(Instant now, NeighborId from, ByteView body) {
    const auto m = Statement::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    Flow* f = flow_by_out(from, m->label);
    if (f == nullptr || !f->paid()) {
        return;
    }
    const bool news = m->bytes > f->best.bytes;
    const bool resolves = !f->marks.empty() && m->sequence >= f->marks.front().sequence;
    if (!news && !resolves && !f->probe_from_upstream) {
        if (m->bytes <= f->durable.bytes) {
            send_control(from, ReceiptAck{m->label, f->durable.bytes}.encode());
        }
        return;
    }
    Neighbor* n = neighbor(from);
    const std::uint64_t most = std::uint64_t{f->max_units} * f->unit_bytes;
    if (n == nullptr || !n->errors.take(now) || (news && (!plausible(*f, m->bytes) || m->bytes / 2 > most)) ||
        !verify(f->destination_key, kStatementContext, Statement::signed_part(f->id, m->bytes, m->sequence),
                m->signature)) {
        ++counters.statements_refused;
        return;
    }
    ++counters.statements_accepted;
    Evidence e;
    e.is_statement = true;
    e.bytes = m->bytes;
    e.sequence = m->sequence;
    e.signature = m->signature;
    if (news) {
        book(now, *f, e);
    } else if (f->role == FlowRole::kRelay && f->probe_from_upstream) {
        send_evidence(*f, e);
    }
    f->probe_from_upstream = false;
    resolve(now, *f, m->sequence);
}

void Router::Impl::on_receipt_ack(Instant now, NeighborId from, ByteView body) {
    const auto m = ReceiptAck::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    Flow* f = flow_by_in(from, m->label);
    if (f == nullptr || !f->paid()) {
        return;
    }
    const std::uint64_t acked = std::min(m->bytes, f->durable.bytes);
    if (acked > f->upstream_acked) {
        f->upstream_acked = acked;
        refresh_unresolved(now, *f);
        if (acked == f->best.bytes) {
            dirty_flows.insert(f->id);  // so that a restart does not ask again
        }
    }
    if (f->upstream_acked >= f->durable.bytes) {
        f->receipt_at.reset();
        schedule(*f);
    }
}

// ---- window ----

void Router::Impl::handed_on(Instant now, NeighborId to, const FlowQueue::Packet& packet) {
    Flow* f = flow_by_out(to, packet.label);
    if (f == nullptr) {
        return;
    }
    f->passed_bytes += packet.sealed.size() - kAeadTagBytes;
    f->highest_sequence = std::max(f->highest_sequence, packet.sequence);
    if (!f->paid()) {
        return;
    }
    if (f->passed_bytes + 2 * config.initial_window_bytes > f->limit_bytes) {
        f->limit_bytes = f->passed_bytes + 4 * config.initial_window_bytes;
        dirty_flows.insert(f->id);
    }
    if (f->claim_price == 0) {
        return;
    }
    if (!f->marks.empty() && (f->marks.back().sequence >= packet.sequence || f->marks.size() >= kMarks)) {
        f->marks.back().passed = f->passed_bytes;
        f->marks.back().sequence = std::max(f->marks.back().sequence, packet.sequence);
    } else {
        f->marks.push_back({packet.sequence, f->passed_bytes});
    }
    refresh_unresolved(now, *f);
    consider_probe(now, *f);
}

void Router::Impl::resolve(Instant now, Flow& f, std::uint32_t sequence) {
    std::uint64_t up_to = f.resolved_bytes;
    while (!f.marks.empty() && f.marks.front().sequence <= sequence) {
        up_to = f.marks.front().passed;
        f.marks.pop_front();
    }
    if (f.claim_price == 0 || up_to <= f.resolved_bytes) {
        return;
    }
    // Delivery floor: a destination that confirms numbers but not bytes does not free the window.
    up_to = std::min(up_to, std::max(f.resolved_bytes, kDeliveryFloor * f.best.bytes + kWindowFloor));
    const std::uint64_t settled = up_to - f.resolved_bytes;
    const std::uint64_t flying = f.passed_bytes - f.resolved_bytes;
    f.resolved_bytes = up_to;
    f.probe_interval = {};
    if (Neighbor* payer = neighbor(f.claims_from())) {
        payer->most_in_flight = std::max(payer->most_in_flight, flying);
        payer->settled_in_window += settled;
        payer->paused_since.reset();
        if (payer->settled_in_window >= payer->window) {
            // A window was settled: trust doubles, up to twice what is in flight (2 x rate x round trip) and the cap.
            payer->settled_in_window = 0;
            const std::uint64_t most = std::clamp(
                2 * payer->most_in_flight, std::min(kWindowFloor, config.max_window_bytes), config.max_window_bytes);
            payer->window = std::min(2 * payer->window, std::max({most, payer->window, config.initial_window_bytes}));
        }
    }
    refresh_unresolved(now, f);
}

void Router::Impl::refresh_unresolved(Instant now, Flow& f) {
    if (f.claim_price == 0 || f.role != FlowRole::kRelay) {
        return;
    }
    // What is on its way, and, if the side the packets come from pays, what it has not yet acknowledged to owe.
    std::uint64_t unresolved = f.passed_bytes - f.resolved_bytes;
    if (!f.payer_is_destination) {
        unresolved += f.best.bytes - std::min(f.best.bytes, f.upstream_acked);
    }
    Neighbor* payer = neighbor(f.claims_from());
    if (payer == nullptr) {
        f.counted_unresolved = 0;
        return;
    }
    payer->unresolved += unresolved;
    payer->unresolved -= f.counted_unresolved;
    f.counted_unresolved = unresolved;
    if (payer->unresolved < payer->window) {
        payer->paused_since.reset();
    } else if (!payer->paused_since) {
        payer->paused_since = now;
    }
}

void Router::Impl::consider_probe(Instant now, Flow& f) {
    const Neighbor* payer = neighbor(f.claims_from());
    if (f.probe_at || f.role != FlowRole::kRelay || payer == nullptr || payer->unresolved * 2 < payer->window) {
        return;
    }
    // Ask after every flow this neighbour pays for: what fills the window may be the lost end of one that fell silent.
    for (auto& [id, other] : flows) {
        if (other.role == FlowRole::kRelay && other.claims_from() == f.claims_from() && !other.probe_at &&
            (other.counted_unresolved > 0 || id == f.id)) {
            other.probe_at = now + kProbeDelay;
            schedule(other);
        }
    }
}

void Router::Impl::write_off(Instant now, Flow& f) {
    if (f.role != FlowRole::kRelay || f.resolved_bytes == f.passed_bytes) {
        return;
    }
    // Carried, and its proof can no longer come: the destination lost the flow. Ours is the loss; trust shrinks with
    // it.
    Neighbor* payer = neighbor(f.claims_from());
    if (payer != nullptr && f.passed_bytes - f.resolved_bytes >= payer->window / 4) {
        payer->window = std::max(payer->window / 2, std::uint64_t{kLeastWindow});
    }
    f.resolved_bytes = f.passed_bytes;
    f.marks.clear();
    refresh_unresolved(now, f);
}

void Router::Impl::on_probe(Instant now, NeighborId from, ByteView body) {
    const auto m = Probe::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    Flow* f = flow_by_in(from, m->label);
    Neighbor* n = neighbor(from);
    if (f == nullptr || n == nullptr || !f->paid() || !n->errors.take(now)) {
        return;
    }
    if (f->role == FlowRole::kDestination) {
        return make_statement(now, *f, m->sequence);
    }
    f->probe_from_upstream = true;
    send_control(f->next, Probe{f->label_out, std::min(m->sequence, f->highest_sequence)}.encode());
}

std::string Router::Impl::state_of(const Neighbor& n) const {
    if (!n.link_up || !n.session_up) {
        return "closed";
    }
    if (n.unresolved >= n.window) {
        return "paused";
    }
    return n.unresolved * 2 >= n.window ? "soft" : "open";
}

// ---- balances ----

void Router::Impl::balance_changed(Instant now, const NodeId& peer) {
    Neighbor* n = neighbor(link_of(peer));
    const auto* b = book_.find(peer);
    if (n == nullptr || b == nullptr) {
        return;
    }
    const Instant at = b->bytes - b->stated_bytes >= kBalanceBytes ? now + 100ms : now + kBalanceAfter;
    if (!n->balance_at || at < *n->balance_at) {
        n->balance_at = at;
    }
}

void Router::Impl::state_balance(Instant, Neighbor& n) {
    if (!n.session_up || n.id == NodeId{}) {
        return;  // session_up() comes back to it
    }
    const auto* before = book_.find(n.id);
    if (before == nullptr ||
        (before->claimed_nsat == before->stated_claimed_nsat && before->owed_nsat == before->stated_owed_nsat)) {
        return;
    }
    const Book::Balance& b = book_.state(n.id);
    BalanceMessage m;
    m.sequence = b.sequence;
    m.owed_nsat = b.owed_nsat;
    m.claimed_nsat = b.claimed_nsat;
    m.signature = self.device.sign(kBalanceContext,
                                   BalanceMessage::signed_part(self.id, n.id, m.sequence, m.owed_nsat, m.claimed_nsat));
    to_store.push_back(
        {0, InFlight::Kind::kBalance, {}, {}, n.id, m, 0});  // leaves when its number and totals are on disk
}

void Router::Impl::on_balance(Instant now, NeighborId from, Neighbor& n, ByteView body) {
    const auto m = BalanceMessage::decode(body);
    if (!m) {
        ++counters.dropped_malformed;
        return;
    }
    const auto* mine = book_.find(n.id);
    const std::uint64_t newest = mine == nullptr ? 0 : mine->theirs.sequence;
    if (m->sequence <= newest) {
        return;  // repeated
    }
    if (!n.balances.take(now) ||
        !verify(n.peer->certificate().signing, kBalanceContext,
                BalanceMessage::signed_part(n.id, self.id, m->sequence, m->owed_nsat, m->claimed_nsat), m->signature)) {
        ++counters.balances_refused;
        return;
    }
    ++counters.balances_accepted;
    book_.stated_by_peer(n.id, *m);
    if (mine = book_.find(n.id); m->owed_nsat != mine->claimed_nsat || m->claimed_nsat != mine->owed_nsat) {
        // It may not have heard of our newest receipts: say them again.
        for (auto& [id, f] : flows) {
            if (f.role != FlowRole::kSource && f.prev == from) {
                send_receipt(now, f);
            }
        }
    }
}

}  // namespace meshnet::net
