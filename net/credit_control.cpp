// SPDX-License-Identifier: MIT
#include "net/credit_control.hpp"

#include <algorithm>
#include <utility>

#include "net/payment/amount.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kMarks = 8'192;
constexpr Duration kProbeDelay = 200ms;
constexpr Duration kShortestProbeInterval = 500ms;
constexpr Duration kLongestProbeInterval = 4s;
constexpr Duration kProofKept = 30s;                   // a broken flow may still be proven so long
constexpr double kMostOwnLoss = 0.5;                   // of our link to the next hop, that is taken for an excuse
constexpr std::uint64_t kGiftsToStrangers = 8U << 20;  // bytes, all of them together; then a newcomer gets kSmallGift
constexpr std::uint64_t kSmallGift = 4'096;
constexpr std::uint64_t kLeastReserve = 65'536;  // bytes a flow may forward beyond its row on disk
constexpr std::uint64_t kMostReserve = 1U << 20;
constexpr std::uint64_t kNotable = 4'096;  // bytes of an allowance, worth a row
constexpr std::uint8_t kRowVersion = 1;
constexpr std::uint64_t kLongestPacket = 1'500;
constexpr std::size_t kMaxAccounts = 4'096;

std::int64_t to_nsat(std::uint64_t msat) noexcept {
    constexpr std::uint64_t kMost = 9'000'000'000'000;  // msat: the range of money
    return static_cast<std::int64_t>(std::min(msat, kMost)) * kNsatPerMsat;
}

}  // namespace

CreditControl::CreditControl(Config config, LinkTable& links, FlowTable& flows, const Book& book,
                             const KeyAlarms& alarms, RouterCounters& counters)
    : config_(std::move(config)), links_(links), flows_(flows), book_(book), alarms_(alarms), counters_(counters) {}

bool CreditControl::restore(const LedgerRow& row) {
    ByteReader key(row.key);
    ByteReader r(row.value);
    const NodeId peer = key.array<32>();
    const std::uint8_t version = r.u8();
    const std::uint64_t allowance = r.u64();
    if (!key.complete() || !r.complete() || version != kRowVersion) {
        return false;
    }
    const std::uint64_t left = std::min(allowance, config_.max_window_bytes);
    Account a{CreditWindow(config_.initial_window_bytes, config_.max_window_bytes, left), 0, 0, left};
    accounts_.insert_or_assign(peer, std::move(a));
    return true;
}

void CreditControl::take_rows(std::vector<LedgerRow>& rows) {
    for (auto& [peer, a] : accounts_) {
        const std::uint64_t now = a.window.allowance();
        if ((now > a.stored_allowance ? now - a.stored_allowance : a.stored_allowance - now) < kNotable) {
            continue;
        }
        a.stored_allowance = now;
        LedgerRow row;
        row.table = LedgerRow::Table::kCredit;
        row.key.assign(peer.begin(), peer.end());
        ByteWriter w(row.value);
        w.u8(kRowVersion);
        w.u64(now);
        rows.push_back(std::move(row));
    }
}

CreditControl::Account& CreditControl::account(const NodeId& peer) {
    const auto it = accounts_.find(peer);
    if (it != accounts_.end()) {
        return it->second;
    }
    const bool gift = trusted(peer) != nullptr || strangers_unproven_ < kGiftsToStrangers;
    const std::uint64_t allowance = gift ? config_.initial_window_bytes : kSmallGift;
    Account a{CreditWindow(config_.initial_window_bytes, config_.max_window_bytes, allowance), 0, 0,
              config_.initial_window_bytes};
    return accounts_.emplace(peer, std::move(a)).first->second;
}

const CreditControl::Account* CreditControl::find(const NodeId& peer) const {
    const auto it = accounts_.find(peer);
    return it == accounts_.end() ? nullptr : &it->second;
}

const CreditWindow* CreditControl::window(const NodeId& peer) const {
    const Account* a = find(peer);
    return a == nullptr ? nullptr : &a->window;
}

const TrustedNode* CreditControl::trusted(const NodeId& peer) const {
    const auto& list = config_.limits.trusted;
    const auto it = std::find_if(list.begin(), list.end(), [&](const TrustedNode& t) { return t.id == peer; });
    return it == list.end() ? nullptr : &*it;
}

CreditControl::Exposure CreditControl::exposure(const NodeId& peer) const {
    Exposure e;
    const TrustedNode* t = trusted(peer);
    e.limit_nsat = to_nsat(t != nullptr ? t->credit_msat : config_.limits.stranger_msat);
    const Account* a = find(peer);
    const std::int64_t unresolved = a == nullptr ? 0 : a->unresolved_nsat;
    const Book::Balance* b = book_.find(peer);
    const std::int64_t net = b == nullptr ? 0 : b->net_nsat();
    const std::int64_t not_signed = b == nullptr ? 0 : std::max<std::int64_t>(0, b->claimed_nsat - b->theirs.owed_nsat);
    e.nsat = std::max<std::int64_t>(0, net + unresolved);
    e.unsigned_nsat = std::min(e.nsat, not_signed + unresolved);
    if (a != nullptr) {
        const std::int64_t first = to_nsat(config_.limits.unsigned_msat);
        const std::int64_t signed_for = b == nullptr ? 0 : b->theirs.owed_nsat;
        const std::int64_t most_unsigned = std::max(first, std::min(signed_for / 2, e.limit_nsat / 4));
        e.hold = e.nsat >= e.limit_nsat                                                      ? Hold::kCredit
                 : e.unsigned_nsat >= most_unsigned                                          ? Hold::kUnsigned
                 : t == nullptr && strangers_nsat_ >= to_nsat(config_.limits.strangers_msat) ? Hold::kStrangers
                 : !a->window.open()                                                         ? Hold::kWindow
                                                                                             : Hold::kNone;
    }
    return e;
}

bool CreditControl::out_of_credit(const NodeId& peer) const {
    const Exposure e = exposure(peer);
    return e.hold == Hold::kCredit || e.hold == Hold::kStrangers;
}

void CreditControl::recount_strangers(const NodeId& peer, Account& a) {
    if (trusted(peer) != nullptr) {
        return;
    }
    const std::int64_t now = exposure(peer).nsat;
    strangers_nsat_ += now - a.counted_nsat;
    a.counted_nsat = now;
}

void CreditControl::balance_changed(const NodeId& peer) {
    recount_strangers(peer, account(peer));
}

bool CreditControl::payer_alarmed(const Flow& f) const {
    if (!f.paid()) {
        return false;
    }
    const bool we_pay = f.pay_price > 0 && alarms_.own_standing();
    const bool they_pay = f.claim_price > 0 && alarms_.standing(f.claims_from_id());
    return we_pay || they_pay || alarms_.standing(f.payer_is_destination ? f.destination : f.source);
}

bool CreditControl::may_send(NeighborId to, std::uint32_t label) const {
    const Flow* f = flows_.by_label_out(to, label);
    if (f != nullptr && payer_alarmed(*f)) {
        return false;  // what is owed stands; nothing more is carried until the alarm is over
    }
    if (f == nullptr || f->claim_price == 0) {
        return true;
    }
    const Exposure e = exposure(f->claims_from_id());
    return e.hold == Hold::kNone && e.nsat + price_nsat(f->claim_price, kLongestPacket) <= e.limit_nsat;
}

std::uint64_t CreditControl::limit_for(const Flow& f) const {
    return f.forwarded_bytes + f.reserve_bytes;
}

void CreditControl::on_sent(Instant now, NeighborId to, const FlowQueue::Packet& packet) {
    Flow* f = flows_.by_label_out(to, packet.label);
    if (f == nullptr) {
        return;
    }
    f->forwarded_bytes += packet.sealed.size() - kAeadTagBytes;
    f->highest_sequence = std::max(f->highest_sequence, packet.sequence);
    if (f->paid() && f->forwarded_bytes + f->reserve_bytes / 2 > f->limit_bytes) {
        // About a second of what the flow carries: what a crash leaves uncertain, for a write a second.
        const Duration passed = std::clamp(now - f->reserved_at, Duration{50ms}, Duration{10s});
        const double rate = static_cast<double>(f->forwarded_bytes - f->reserved_from) / to_seconds(passed);
        f->reserve_bytes = std::clamp(static_cast<std::uint64_t>(rate), kLeastReserve, kMostReserve);
        f->reserved_at = now;
        f->reserved_from = f->forwarded_bytes;
        f->limit_bytes = limit_for(*f);
        flows_.mark_changed(*f);
    }
    if (f->claim_price == 0 && f->role != FlowRole::kSource) {
        return;
    }
    if (!f->marks.empty() && (f->marks.back().sequence >= packet.sequence || f->marks.size() >= kMarks)) {
        f->marks.back().forwarded = f->forwarded_bytes;
        f->marks.back().sequence = std::max(f->marks.back().sequence, packet.sequence);
    } else {
        f->marks.push_back({packet.sequence, f->forwarded_bytes});
    }
    recount(now, *f);
    consider_probe(now, *f);
}

void CreditControl::resolve(Instant now, Flow& f, std::uint32_t sequence, bool exact) {
    std::uint64_t up_to = f.accounted_bytes;
    while (!f.marks.empty() && f.marks.front().sequence <= sequence) {
        up_to = f.marks.front().forwarded;
        f.marks.pop_front();
    }
    f.accounted_bytes = std::max(f.accounted_bytes, up_to);
    if (f.claim_price == 0) {
        return;
    }
    // What our own link to the next hop loses is not the payer's fault; all else that is not proven comes off its
    // allowance.
    const LinkTable::Neighbor* next = links_.find(f.next);
    const double loss = next == nullptr ? 0.0 : std::clamp(next->quality.loss, 0.0, kMostOwnLoss);
    const std::uint64_t proven = f.best.bytes - f.proven_at_start;
    const std::uint64_t accounted = f.accounted_bytes - f.resolved_at_start;
    const auto excused = static_cast<std::uint64_t>(static_cast<double>(proven) / (1.0 - loss));
    const std::uint64_t resolved = f.resolved_at_start + (exact ? accounted : std::min(accounted, excused));
    Account& payer = account(f.claims_from_id());
    payer.window.earn(proven - f.earned_for);
    f.earned_for = proven;
    const std::uint64_t unproven = exact && accounted > excused ? accounted - excused : 0;
    if (unproven > f.unproven_bytes) {
        forfeit(f, payer, unproven - f.unproven_bytes);
    } else if (exact || excused >= accounted) {
        give_back(f, payer, f.unproven_bytes - unproven);
    }
    if (resolved > f.resolved_bytes) {
        const std::uint64_t settled = resolved - f.resolved_bytes;
        const std::uint64_t in_flight = f.forwarded_bytes - f.resolved_bytes;
        f.resolved_bytes = resolved;
        f.probe_interval = {};
        payer.window.settle(settled, in_flight);
    }
    recount(now, f);
}

void CreditControl::forfeit(Flow& f, Account& payer, std::uint64_t bytes) {
    f.unproven_bytes += bytes;
    payer.window.forfeit(bytes);
    strangers_unproven_ += trusted(f.claims_from_id()) == nullptr ? bytes : 0;
}

void CreditControl::give_back(Flow& f, Account& payer, std::uint64_t bytes) {
    f.unproven_bytes -= bytes;
    payer.window.give_back(bytes);
    strangers_unproven_ -= trusted(f.claims_from_id()) == nullptr ? std::min(strangers_unproven_, bytes) : 0;
}

void CreditControl::recount(Instant now, Flow& f) {
    if (f.claim_price == 0 || f.role != FlowRole::kRelay) {
        return;
    }
    // What is on its way, and, if the side the packets come from pays, what it has not yet acknowledged to owe.
    const std::uint64_t on_its_way = f.forwarded_bytes - f.resolved_bytes;
    const std::uint64_t not_acked =
        f.payer_is_destination ? 0 : f.best.bytes - std::min(f.best.bytes, f.upstream_acked);
    Account& payer = account(f.claims_from_id());
    payer.window.recount(now, f.counted_unresolved, on_its_way + not_acked);
    f.counted_unresolved = on_its_way + not_acked;
    const std::int64_t nsat = price_nsat(f.claim_price, on_its_way);
    payer.unresolved_nsat += nsat - f.counted_nsat;
    f.counted_nsat = nsat;
    recount_strangers(f.claims_from_id(), payer);
}

void CreditControl::release(const Flow& f) {
    if (f.claim_price == 0 || f.role != FlowRole::kRelay || find(f.claims_from_id()) == nullptr) {
        return;
    }
    Account& payer = account(f.claims_from_id());
    payer.window.release(f.counted_unresolved);
    payer.unresolved_nsat -= f.counted_nsat;
    if (f.forwarded_bytes > f.resolved_bytes) {  // forgotten before its proof came
        payer.window.forfeit(f.forwarded_bytes - f.resolved_bytes);
    }
    recount_strangers(f.claims_from_id(), payer);
}

void CreditControl::consider_probe(Instant now, Flow& f) {
    const CreditWindow* payer = window(f.claims_from_id());
    if (f.probe_at || f.role != FlowRole::kRelay || payer == nullptr || !payer->half_used()) {
        return;
    }
    // Probe every flow this neighbour pays for: what fills the window may be the lost end of one that fell silent.
    for (auto& [id, other] : flows_) {
        if (other.role == FlowRole::kRelay && other.claims_from_id() == f.claims_from_id() && !other.probe_at &&
            (other.counted_unresolved > 0 || id == f.id)) {
            other.probe_at = now + kProbeDelay;
            flows_.schedule(other);
        }
    }
}

void CreditControl::probe_if_due(Instant now, Flow& f) {
    if (!f.probe_at || now < *f.probe_at) {
        return;
    }
    f.probe_at.reset();
    const CreditWindow* payer = window(f.claims_from_id());
    if (payer != nullptr && payer->half_used() && f.counted_unresolved > 0) {
        ++counters_.probes_sent;
        links_.send_control(f.next, Probe{f.label_out, f.highest_sequence}.encode());
        f.probe_interval =
            std::clamp(2 * f.probe_interval, Duration{kShortestProbeInterval}, Duration{kLongestProbeInterval});
        f.probe_at = now + f.probe_interval;
    }
}

void CreditControl::write_off(Instant now, Flow& f) {
    if (f.role != FlowRole::kRelay || f.resolved_bytes == f.forwarded_bytes) {
        return;
    }
    // Forwarded, and its proof can no longer come: the destination lost the flow.
    if (f.claim_price > 0) {
        account(f.claims_from_id()).window.write_off(f.forwarded_bytes - f.resolved_bytes);
    }
    f.resolved_bytes = f.accounted_bytes = f.forwarded_bytes;
    f.marks.clear();
    recount(now, f);
}

void CreditControl::write_off_lost(Instant now) {
    for (auto& [id, f] : flows_) {
        if (f.idle(now) >= kProofKept && f.broken) {
            write_off(now, f);
        }
    }
}

void CreditControl::sweep(Instant now) {
    for (auto it = accounts_.begin(); it != accounts_.end();) {
        Account& a = it->second;
        a.window.sweep(now);
        // A stranger that left nothing behind needs no account.
        const bool untouched = a.window.unproven() == 0 && a.window.unresolved() == 0 && a.counted_nsat == 0 &&
                               a.window.allowance() == config_.initial_window_bytes;
        it = untouched && accounts_.size() > kMaxAccounts ? accounts_.erase(it) : std::next(it);
    }
    if (strangers_unproven_ > 0 && now >= gifts_at_) {
        strangers_unproven_ -=
            gifts_at_ == Instant{} ? 0 : std::min(strangers_unproven_, CreditWindow::kHourlyGift / 60);
        gifts_at_ = now + 60s;
    }
}

}  // namespace meshnet::net
