// SPDX-License-Identifier: MIT
#include "net/payments.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "net/deadline.hpp"
#include "net/payment/amount.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint64_t kDayS = 86'400;
constexpr const char* kWePaid = "payment";
constexpr const char* kWeReceived = "received";

Error wrong(std::string what) {
    return {ErrorCode::kInvalidArgument, std::move(what)};
}

std::string other_amount(const std::string& reference, std::int64_t msat) {
    return "reference \"" + reference + "\" stands for " + std::to_string(msat) + " msat with this neighbour";
}

}  // namespace

// ---- what the operator and the adapters say ----

Result<Payments::Outcome> Payments::record(Instant now, const Order& order, Stored stored) {
    PaymentRecord fresh;
    fresh.ours = order.ours;
    fresh.peer = order.peer;
    fresh.generation = generation(order.peer);
    fresh.msat = order.msat;
    fresh.reference = order.reference;
    fresh.adapter = "record";
    fresh.unix_s = order.unix_s;
    if (order.peer == p_.self.id) {
        return wrong("a payment is between this station and another");
    }
    if (order.msat < 1 || order.msat > kMostPaymentMsat) {
        return wrong("an amount is 1 to " + std::to_string(kMostPaymentMsat) + " msat");
    }
    if (!valid_reference(order.reference)) {
        return wrong("a reference is 1 to 80 printable ASCII characters, without a space at either end");
    }
    if (auto right = fits(fresh); !right) {
        return right.error();
    }
    return order.ours ? record_paid(now, std::move(fresh), std::move(stored))
                      : record_received(now, std::move(fresh), std::move(stored));
}

Result<Payments::Outcome> Payments::record_paid(Instant now, PaymentRecord fresh, Stored stored) {
    fresh.state = PaymentState::kPending;
    const auto it = records_.find(fresh.id(p_.self.id));
    if (it == records_.end() || it->second.state == PaymentState::kFailed) {
        return store(now, fresh, std::move(stored));
    }
    if (it->second.msat != fresh.msat) {
        return Error{ErrorCode::kAlreadyExists, other_amount(fresh.reference, it->second.msat)};
    }
    if (it->second.state == PaymentState::kPaid || it->second.state == PaymentState::kPending) {
        stored();
        return Outcome{it->second, true};
    }
    fresh = it->second;  // a settlement whose adapter could not tell: the operator can
    fresh.state = PaymentState::kPending;
    return store(now, fresh, std::move(stored));
}

Result<Payments::Outcome> Payments::record_received(Instant now, PaymentRecord fresh, Stored stored) {
    const PaymentId id = fresh.id(p_.self.id);
    const auto it = records_.find(id);
    if (it != records_.end()) {
        if (it->second.msat == fresh.msat) {
            stored();
            return Outcome{it->second, true};
        }
        if (it->second.state == PaymentState::kPaid) {
            return Error{ErrorCode::kAlreadyExists, other_amount(fresh.reference, it->second.msat)};
        }
    }
    const auto claim = claims_.find(id);
    if (claim == claims_.end()) {
        fresh.state = PaymentState::kExpected;
        return store(now, fresh, std::move(stored));
    }
    if (claim->second.message.msat != fresh.msat) {
        return Error{ErrorCode::kAlreadyExists, "the neighbour claims to have paid " +
                                                    std::to_string(claim->second.message.msat) +
                                                    " msat under reference \"" + fresh.reference + "\""};
    }
    confirm(now, std::move(fresh), claim->second);
    p_.outbox.after_persist([stored = std::move(stored)](Instant) { stored(); });
    return Outcome{records_.at(id), false};
}

Result<Payments::Outcome> Payments::propose(Instant now, const NodeId& peer, std::int64_t msat, std::string adapter,
                                            std::uint64_t unix_s, Stored stored) {
    if (const PaymentRecord* open = open_settlement(peer)) {
        stored();
        return Outcome{*open, true};
    }
    PaymentRecord fresh;
    fresh.ours = true;
    fresh.peer = peer;
    fresh.generation = generation(peer);
    fresh.msat = msat;
    fresh.state = PaymentState::kProposed;
    fresh.adapter = std::move(adapter);
    fresh.unix_s = unix_s;
    fresh.epoch = 1;
    for (const auto& [id, r] : records_) {
        if (r.ours && r.peer == peer && r.epoch >= fresh.epoch) {
            fresh.epoch = r.epoch + 1;
        }
    }
    fresh.reference = "balance " + std::to_string(fresh.generation) + "." + std::to_string(fresh.epoch);
    if (auto right = fits(fresh); !right) {
        return right.error();
    }
    if (records_.count(fresh.id(p_.self.id)) != 0) {
        return Error{ErrorCode::kAlreadyExists, "reference \"" + fresh.reference + "\" is taken"};
    }
    return store(now, fresh, std::move(stored));
}

Result<Payments::Outcome> Payments::note(Instant now, const PaymentId& id, PaymentState state, Stored stored) {
    const auto it = records_.find(id);
    if (it == records_.end() || !it->second.ours) {
        return Error{ErrorCode::kNotFound, "no payment of this station has that id"};
    }
    if (state != PaymentState::kPending && state != PaymentState::kFailed && state != PaymentState::kUnknown) {
        return wrong("a payment can be noted as pending, failed or unknown; paid is what the payee confirms");
    }
    if (it->second.state == PaymentState::kPaid || it->second.state == state) {
        stored();
        return Outcome{it->second, true};  // the payee's signature stands above what an adapter thinks
    }
    PaymentRecord changed = it->second;
    changed.state = state;
    return store(now, changed, std::move(stored));
}

Result<Payments::Outcome> Payments::store(Instant now, const PaymentRecord& record, Stored stored) {
    const PaymentId id = record.id(p_.self.id);
    records_[id] = record;
    changed(id);
    p_.outbox.after_persist([stored = std::move(stored)](Instant) { stored(); });
    if (record.state == PaymentState::kPending || record.state == PaymentState::kUnknown) {
        p_.outbox.after_persist([this, id](Instant then) { send_claim(then, id); });
        repeats_[id] = {now + kRepeat, kRepeat};
    } else {
        repeats_.erase(id);
    }
    return Outcome{record, false};
}

Status Payments::fits(const PaymentRecord& record) const {
    if (records_.size() >= kMostRecords) {
        return Error{ErrorCode::kLimit, "the ledger holds " + std::to_string(kMostRecords) + " payments already"};
    }
    const Book::Balance* b = p_.book.find(record.peer);
    const std::int64_t total = b == nullptr ? 0 : record.ours ? b->claimed_nsat : b->owed_nsat;
    if (record.msat > (std::numeric_limits<std::int64_t>::max() - total) / kNsatPerMsat) {
        return Error{ErrorCode::kLimit, "with that amount the total with this neighbour leaves the range of money"};
    }
    return Ok{};
}

/// Its row goes into the next batch; nothing of it is shown before that is on disk.
void Payments::changed(const PaymentId& id) {
    changed_.insert(id);
    ++unstored_[id];
    p_.outbox.after_persist([this, id](Instant) {
        if (--unstored_[id] == 0) {
            unstored_.erase(id);
        }
    });
}

// ---- both ledgers ----

void Payments::book(Instant now, const PaymentRecord& record) {
    const std::int64_t nsat = record.msat * kNsatPerMsat;  // at most 10^18
    p_.book.enter(now, record.peer, record.id(p_.self.id), 0, 0, record.ours ? nsat : -nsat,
                  record.ours ? kWePaid : kWeReceived);
    p_.balance_changed(now, record.peer);
}

/// The payee: claim and word of the operator agree.
void Payments::confirm(Instant now, PaymentRecord record, const Claim& claim) {
    record.state = PaymentState::kPaid;
    record.generation = claim.message.generation;
    record.certificate = claim.certificate;
    record.signature = claim.message.signature;
    const PaymentId id = record.id(p_.self.id);
    records_[id] = record;
    changed(id);
    claims_.erase(id);
    book(now, record);
    p_.outbox.after_persist([this, id](Instant) { send_receipt(records_.at(id)); });
}

void Payments::on_claim(Instant now, NeighborId from, ByteView body) {
    const auto m = PaymentMessage::decode(body);
    if (!m) {
        ++p_.counters.dropped_malformed;
        return;
    }
    const LinkTable::Neighbor* n = p_.links.find(from);
    if (n == nullptr || n->peer == nullptr) {
        return;
    }
    const PaymentTerms terms{n->id, p_.self.id, m->generation, m->msat, m->reference};
    if (!p_.links.within_limit(now, from, LinkTable::Effort::kBalance) ||
        !verify(n->peer->certificate().signing, kPaymentContext, terms.signed_part(), m->signature)) {
        ++p_.counters.payments_refused;
        return;
    }
    const PaymentId id = terms.id();
    const Claim claim{*m, n->peer->certificate(), n->id};
    const auto it = records_.find(id);
    if (it == records_.end()) {
        const auto of_peer =
            std::count_if(claims_.begin(), claims_.end(), [&](const auto& c) { return c.second.peer == n->id; });
        const bool room = claims_.size() < kClaims && static_cast<std::size_t>(of_peer) < kClaimsOfNeighbor;
        if (room || claims_.count(id) != 0) {
            claims_[id] = claim;
        }
        return;
    }
    const PaymentRecord& record = it->second;
    if (record.msat != m->msat) {
        p_.links.send_control(
            from, PaymentReceipt{id, PaymentReceipt::Verdict::kOtherAmount, m->generation, record.msat, {}}.encode());
        return;
    }
    if (record.state == PaymentState::kExpected) {
        if (fits(record)) {
            confirm(now, record, claim);
        }
    } else if (unstored_.count(id) == 0) {
        send_receipt(record);  // it was lost
    }
}

void Payments::send_receipt(const PaymentRecord& record) {
    const auto link = p_.links.link_of(record.peer);
    if (!link || !p_.links.reachable(*link)) {
        return;  // the claim comes again
    }
    PaymentReceipt m;
    m.id = record.id(p_.self.id);
    m.verdict = PaymentReceipt::Verdict::kReceived;
    m.generation = record.generation;
    m.msat = record.msat;
    m.signature = p_.self.device.sign(kPaymentReceiptContext, record.terms(p_.self.id).signed_part());
    p_.links.send_control(*link, m.encode());
}

void Payments::on_receipt(Instant now, NeighborId from, ByteView body) {
    const auto m = PaymentReceipt::decode(body);
    if (!m) {
        ++p_.counters.dropped_malformed;
        return;
    }
    const LinkTable::Neighbor* n = p_.links.find(from);
    const auto it = records_.find(m->id);
    if (n == nullptr || n->peer == nullptr || it == records_.end() || !it->second.ours || it->second.peer != n->id ||
        it->second.state == PaymentState::kPaid || it->second.state == PaymentState::kProposed) {
        return;
    }
    if (m->verdict == PaymentReceipt::Verdict::kOtherAmount) {
        it->second.theirs_msat = m->msat;
        return;
    }
    PaymentRecord paid = it->second;
    paid.state = PaymentState::kPaid;
    paid.generation = m->generation;
    paid.certificate = n->peer->certificate();
    paid.signature = m->signature;
    if (m->msat != paid.msat || !p_.links.within_limit(now, from, LinkTable::Effort::kBalance) ||
        !verify(paid.certificate.signing, kPaymentReceiptContext, paid.terms(p_.self.id).signed_part(), m->signature)) {
        ++p_.counters.payments_refused;
        return;
    }
    // Confirmed before our books were lost: what the payee signed then is in the balance that they were restored to.
    const bool restored = m->generation != generation(paid.peer);
    it->second = paid;
    changed(m->id);
    repeats_.erase(m->id);
    ++p_.counters.payments_confirmed;
    if (!restored) {
        book(now, paid);
    }
}

void Payments::send_claim(Instant now, const PaymentId& id) {
    const auto it = records_.find(id);
    if (it == records_.end() || !it->second.open() || it->second.state == PaymentState::kProposed ||
        unstored_.count(id) != 0) {
        return;
    }
    PaymentRecord& record = it->second;
    const auto link = p_.links.link_of(record.peer);
    if (!link || !p_.links.reachable(*link)) {
        return;  // on_session_up() comes back to it
    }
    Repeat& repeat = repeats_[id];
    repeat.at = now + repeat.interval;
    if (record.generation != generation(record.peer)) {
        record.generation = generation(record.peer);
        changed(id);
        p_.outbox.after_persist([this, id](Instant then) { send_claim(then, id); });
        return;
    }
    PaymentMessage m;
    m.generation = record.generation;
    m.msat = record.msat;
    m.reference = record.reference;
    m.signature = p_.self.device.sign(kPaymentContext, record.terms(p_.self.id).signed_part());
    p_.links.send_control(*link, m.encode());
}

void Payments::on_session_up(Instant now, NeighborId link) {
    const LinkTable::Neighbor* n = p_.links.find(link);
    for (const auto& [id, record] : records_) {
        if (n != nullptr && record.peer == n->id && record.open() && record.state != PaymentState::kProposed) {
            repeats_[id] = {now, kRepeat};
        }
    }
}

void Payments::on_timeout(Instant now) {
    std::vector<PaymentId> due;
    for (auto& [id, repeat] : repeats_) {
        if (repeat.at <= now) {
            due.push_back(id);
            repeat.interval = std::min<Duration>(2 * repeat.interval, kLongestRepeat);
            repeat.at = now + repeat.interval;
        }
    }
    for (const PaymentId& id : due) {
        send_claim(now, id);
    }
}

std::optional<Instant> Payments::next_timeout() const {
    std::optional<Instant> next;
    for (const auto& [id, repeat] : repeats_) {
        next = earliest(next, repeat.at);
    }
    return next;
}

// ---- evidence and rows ----

void Payments::witness(NeighborId link) {
    const LinkTable::Neighbor* n = p_.links.find(link);
    const Book::Balance* b = n == nullptr || n->peer == nullptr ? nullptr : p_.book.find(n->id);
    if (b == nullptr || b->theirs.sequence == 0) {
        return;
    }
    const Certificate& certificate = n->peer->certificate();
    const auto known = signers_.find(n->id);
    if ((known == signers_.end() || known->second != certificate) &&
        verify(certificate.signing, kBalanceContext, b->theirs.signed_part(n->id, p_.self.id), b->theirs.signature)) {
        signers_[n->id] = certificate;
        changed_signers_.push_back(n->id);
    }
}

bool Payments::restore(const LedgerRow& row) {
    if (row.table == LedgerRow::Table::kSigner) {
        const auto certificate = Certificate::parse(row.value);
        if (!certificate || row.key.size() != NodeId{}.size() ||
            !std::equal(row.key.begin(), row.key.end(), certificate->id().begin())) {
            return false;
        }
        signers_[certificate->id()] = *certificate;
        return true;
    }
    const auto record = PaymentRecord::from_row(row);
    if (!record) {
        return false;
    }
    const PaymentId id = record->id(p_.self.id);
    records_[id] = *record;
    return true;
}

void Payments::take_rows(std::vector<LedgerRow>& rows) {
    for (const PaymentId& id : changed_) {
        rows.push_back(records_.at(id).row(p_.self.id));
    }
    changed_.clear();
    for (const NodeId& id : changed_signers_) {
        LedgerRow row;
        row.table = LedgerRow::Table::kSigner;
        row.key.assign(id.begin(), id.end());
        signers_.at(id).encode(row.value);
        rows.push_back(std::move(row));
    }
    changed_signers_.clear();
}

std::vector<PaymentRecord> Payments::claims() const {
    std::vector<PaymentRecord> out;
    for (const auto& [id, claim] : claims_) {
        PaymentRecord r;
        r.peer = claim.peer;
        r.generation = claim.message.generation;
        r.msat = claim.message.msat;
        r.reference = claim.message.reference;
        r.state = PaymentState::kPending;
        r.adapter = "record";
        r.certificate = claim.certificate;
        r.signature = claim.message.signature;
        out.push_back(std::move(r));
    }
    return out;
}

const PaymentRecord* Payments::open_settlement(const NodeId& peer) const {
    const auto at = std::find_if(records_.begin(), records_.end(), [&](const auto& item) {
        return item.second.peer == peer && item.second.open() && item.second.epoch != 0;
    });
    return at == records_.end() ? nullptr : &at->second;
}

std::int64_t Payments::owed_nsat(const NodeId& peer) const {
    const Book::Balance* b = p_.book.find(peer);
    return b == nullptr ? 0 : -b->net_nsat();
}

std::vector<NodeId> Payments::peers() const {
    std::set<NodeId> out;
    for (const auto& [peer, balance] : p_.book.balances()) {
        out.insert(peer);
    }
    for (const auto& [id, record] : records_) {
        out.insert(record.peer);
    }
    return {out.begin(), out.end()};
}

std::int64_t Payments::paid_today_msat(const NodeId& peer, std::uint64_t unix_s) const {
    std::int64_t sum = 0;
    for (const auto& [id, r] : records_) {
        if (r.ours && r.peer == peer && r.epoch != 0 && r.state != PaymentState::kFailed && r.unix_s + kDayS > unix_s) {
            sum = std::min(sum, std::numeric_limits<std::int64_t>::max() - r.msat) + r.msat;
        }
    }
    return sum;
}

std::uint32_t Payments::generation(const NodeId& peer) const {
    const Book::Balance* b = p_.book.find(peer);
    return b == nullptr ? 0 : b->generation;
}

}  // namespace meshnet::net
