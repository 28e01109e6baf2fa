// SPDX-License-Identifier: MIT
#include "net/credit_control.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::size_t kMarks = 8'192;
constexpr Duration kProbeDelay = 200ms;
constexpr Duration kShortestProbeInterval = 500ms;
constexpr Duration kLongestProbeInterval = 4s;
constexpr Duration kProofKept = 30s;         // a broken flow may still be proven so long
constexpr std::uint64_t kDeliveryFloor = 4;  // at least 1/4 must arrive for bytes to count as resolved

}  // namespace

CreditWindow* CreditControl::find(NeighborId link) {
    const auto it = windows_.find(link);
    return it == windows_.end() ? nullptr : &it->second;
}

const CreditWindow* CreditControl::window(NeighborId link) const {
    const auto it = windows_.find(link);
    return it == windows_.end() ? nullptr : &it->second;
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
    const CreditWindow* payer = window(f->claims_from());
    return payer == nullptr || payer->open();
}

void CreditControl::on_sent(Instant now, NeighborId to, const FlowQueue::Packet& packet) {
    Flow* f = flows_.by_label_out(to, packet.label);
    if (f == nullptr) {
        return;
    }
    f->forwarded_bytes += packet.sealed.size() - kAeadTagBytes;
    f->highest_sequence = std::max(f->highest_sequence, packet.sequence);
    if (!f->paid()) {
        return;
    }
    if (f->forwarded_bytes + 2 * config_.initial_window_bytes > f->limit_bytes) {
        f->limit_bytes = limit_for(*f);
        flows_.mark_changed(*f);
    }
    if (f->claim_price == 0) {
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

void CreditControl::resolve(Instant now, Flow& f, std::uint32_t sequence) {
    std::uint64_t up_to = f.resolved_bytes;
    while (!f.marks.empty() && f.marks.front().sequence <= sequence) {
        up_to = f.marks.front().forwarded;
        f.marks.pop_front();
    }
    if (f.claim_price == 0 || up_to <= f.resolved_bytes) {
        return;
    }
    // Delivery floor: a destination that confirms numbers but not bytes does not free the window.
    const std::uint64_t proven = f.best.bytes - f.proven_at_start;
    const std::uint64_t floor = f.resolved_at_start + kDeliveryFloor * proven + CreditWindow::kFloor;
    up_to = std::min(up_to, std::max(f.resolved_bytes, floor));
    const std::uint64_t settled = up_to - f.resolved_bytes;
    const std::uint64_t in_flight = f.forwarded_bytes - f.resolved_bytes;
    f.resolved_bytes = up_to;
    f.probe_interval = {};
    if (CreditWindow* payer = find(f.claims_from())) {
        payer->settle(settled, in_flight);
    }
    recount(now, f);
}

void CreditControl::recount(Instant now, Flow& f) {
    if (f.claim_price == 0 || f.role != FlowRole::kRelay) {
        return;
    }
    // What is on its way, and, if the side the packets come from pays, what it has not yet acknowledged to owe.
    std::uint64_t unresolved = f.forwarded_bytes - f.resolved_bytes;
    if (!f.payer_is_destination) {
        unresolved += f.best.bytes - std::min(f.best.bytes, f.upstream_acked);
    }
    CreditWindow* payer = find(f.claims_from());
    if (payer == nullptr) {
        f.counted_unresolved = 0;
        return;
    }
    payer->recount(now, f.counted_unresolved, unresolved);
    f.counted_unresolved = unresolved;
}

void CreditControl::release(const Flow& f) {
    if (CreditWindow* payer = find(f.claims_from())) {
        payer->release(f.counted_unresolved);
    }
}

void CreditControl::consider_probe(Instant now, Flow& f) {
    const CreditWindow* payer = window(f.claims_from());
    if (f.probe_at || f.role != FlowRole::kRelay || payer == nullptr || !payer->half_used()) {
        return;
    }
    // Probe every flow this neighbour pays for: what fills the window may be the lost end of one that fell silent.
    for (auto& [id, other] : flows_) {
        if (other.role == FlowRole::kRelay && other.claims_from() == f.claims_from() && !other.probe_at &&
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
    const CreditWindow* payer = window(f.claims_from());
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
    if (CreditWindow* payer = find(f.claims_from())) {
        payer->write_off(f.forwarded_bytes - f.resolved_bytes);
    }
    f.resolved_bytes = f.forwarded_bytes;
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
    for (auto& [link, window] : windows_) {
        window.sweep(now);
    }
}

}  // namespace meshnet::net
