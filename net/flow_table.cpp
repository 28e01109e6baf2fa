// SPDX-License-Identifier: MIT
#include "net/flow_table.hpp"

#include <algorithm>

#include "net/deadline.hpp"
#include "net/payment/amount.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kFlowIdle = 600s;
constexpr Duration kDebtKept = 86'400s;

}  // namespace

FlowTable::FlowTable(RandomSource& random, std::function<void(const Flow&)> on_removed)
    : random_(random), on_removed_(std::move(on_removed)) {}

void FlowTable::enter_labels(const Flow& f) {
    if (f.role != FlowRole::kSource) {
        by_in_[{f.prev, f.label_in}] = f.id;
    }
    if (f.role != FlowRole::kDestination) {
        by_out_[{f.next, f.label_out}] = f.id;
    }
}

bool FlowTable::restore(const LedgerRow& row) {
    auto f = flow_from_row(row);
    if (!f) {
        return false;
    }
    f->restored = true;
    f->broken = f->role != FlowRole::kRelay;
    f->delivered_bytes = f->best.bytes;
    f->forwarded_bytes = f->limit_bytes;
    const std::uint64_t certain = std::max(f->best.bytes, f->certain_bytes);
    f->uncertain_bytes = f->forwarded_bytes - std::min(f->forwarded_bytes, certain);
    f->resolved_bytes = f->accounted_bytes = f->reserved_from = f->forwarded_bytes;
    f->resolved_at_start = f->resolved_bytes;
    f->proven_at_start = f->best.bytes;
    enter_labels(*f);
    const FlowId id = f->id;
    flows_.emplace(id, std::move(*f));
    return true;
}

Flow* FlowTable::find(const FlowId& id) {
    const auto it = flows_.find(id);
    return it == flows_.end() ? nullptr : &it->second;
}

const Flow* FlowTable::find(const FlowId& id) const {
    const auto it = flows_.find(id);
    return it == flows_.end() ? nullptr : &it->second;
}

Flow* FlowTable::by_label_in(NeighborId prev, std::uint32_t label) {
    const auto it = by_in_.find({prev, label});
    return it == by_in_.end() ? nullptr : find(it->second);
}

Flow* FlowTable::by_label_out(NeighborId next, std::uint32_t label) {
    const auto it = by_out_.find({next, label});
    return it == by_out_.end() ? nullptr : find(it->second);
}

const Flow* FlowTable::by_label_out(NeighborId next, std::uint32_t label) const {
    const auto it = by_out_.find({next, label});
    return it == by_out_.end() ? nullptr : find(it->second);
}

std::uint32_t FlowTable::unused_label(NeighborId prev) {
    for (;;) {  // at most kMaxFlows of 2^32 are taken
        const auto label = static_cast<std::uint32_t>(random_.next_u64());
        if (label != 0 && by_in_.count({prev, label}) == 0) {
            return label;
        }
    }
}

// Of the neighbour that fills most of the table the flow with the least at stake for us, the longest unused of equals.
// What it owes us is in the books; only what it has not acknowledged can still be lost.
FlowTable::Flows::iterator FlowTable::least_at_stake() {
    std::map<NodeId, std::size_t> held;
    for (const auto& [id, f] : flows_) {
        if (f.role != FlowRole::kSource) {
            ++held[f.prev_id];
        }
    }
    const auto most =
        std::max_element(held.begin(), held.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most == held.end()) {
        return flows_.end();
    }
    const auto at_stake = [](const Flow& f) {
        const std::uint64_t not_acked = f.best.bytes - std::min(f.best.bytes, f.upstream_acked);
        const std::uint64_t on_its_way = f.forwarded_bytes - std::min(f.forwarded_bytes, f.resolved_bytes);
        return price_nsat(f.claim_price, not_acked + on_its_way);
    };
    auto least = flows_.end();
    for (auto it = flows_.begin(); it != flows_.end(); ++it) {
        const Flow& f = it->second;
        if (f.role == FlowRole::kSource || f.prev_id != most->first || f.installing) {
            continue;
        }
        if (least == flows_.end() ||
            std::pair(at_stake(f), f.last_used) < std::pair(at_stake(least->second), least->second.last_used)) {
            least = it;
        }
    }
    return least;
}

bool FlowTable::make_room(const NodeId& prev) {
    const bool own = prev == NodeId{};
    const auto others = static_cast<std::size_t>(std::count_if(
        flows_.begin(), flows_.end(), [](const auto& item) { return item.second.role != FlowRole::kSource; }));
    if (flows_.size() < kMaxFlows && (own || others < kMaxFlows - kOwnFlows)) {
        return true;
    }
    if (own && flows_.size() - others >= kOwnFlows) {  // our own crowd out the oldest of our own
        auto oldest = flows_.end();
        for (auto it = flows_.begin(); it != flows_.end(); ++it) {
            const Flow& f = it->second;
            if (f.role == FlowRole::kSource && (f.broken || !f.paid()) &&
                (oldest == flows_.end() || f.last_used < oldest->second.last_used)) {
                oldest = it;
            }
        }
        if (oldest == flows_.end()) {
            return false;
        }
        remove(oldest);
        return true;
    }
    const auto least = least_at_stake();
    if (least == flows_.end()) {
        return false;
    }
    remove(least);
    return true;
}

void FlowTable::rebind(const NodeId& id, NeighborId link) {
    for (auto& [flow_id, f] : flows_) {
        const bool prev = f.prev_id == id && f.prev != link;
        const bool next = f.next_id == id && f.next != link;
        if (prev || next) {
            forget_labels(f);
            f.prev = prev ? link : f.prev;
            f.next = next ? link : f.next;
            enter_labels(f);
        }
    }
}

void FlowTable::forget_restored(const NodeId& peer) {
    for (auto it = flows_.begin(); it != flows_.end();) {
        const Flow& f = it->second;
        const auto next = std::next(it);
        if (f.restored && (f.prev_id == peer || f.next_id == peer)) {
            remove(it);
        }
        it = next;
    }
}

Flow& FlowTable::add(Instant now, Flow&& f) {
    const FlowId id = f.id;
    f.last_used = now;
    enter_labels(f);
    if (f.paid()) {
        changed_.insert(id);
    }
    return flows_.insert_or_assign(id, std::move(f)).first->second;
}

void FlowTable::forget_labels(const Flow& f) {
    if (f.role != FlowRole::kSource) {
        by_in_.erase({f.prev, f.label_in});
    }
    if (f.role != FlowRole::kDestination) {
        by_out_.erase({f.next, f.label_out});
    }
}

void FlowTable::remove(Flows::iterator it) {
    const Flow& f = it->second;
    on_removed_(f);
    if (f.timer) {
        deadlines_.erase({*f.timer, f.id});
    }
    forget_labels(f);
    if (f.paid()) {
        removed_.insert(f.id);
    }
    changed_.erase(f.id);
    flows_.erase(it);
}

void FlowTable::remove_idle(Instant now) {
    for (auto it = flows_.begin(); it != flows_.end();) {
        Flow& f = it->second;
        const bool all_booked = f.role == FlowRole::kSource || f.delivered_bytes <= f.best.bytes;
        const bool settled = (f.receipts_acknowledged() && all_booked) || !f.paid();
        const Duration idle = f.idle(now);
        const auto next = std::next(it);
        if ((settled && idle >= kFlowIdle) || idle >= kDebtKept) {
            remove(it);
        }
        it = next;
    }
}

void FlowTable::schedule(Flow& f) {
    const auto next = earliest(earliest(f.probe_at, f.receipt_at), earliest(f.payword_at, f.idle_at));
    if (next == f.timer) {
        return;
    }
    if (f.timer) {
        deadlines_.erase({*f.timer, f.id});
    }
    f.timer = next;
    if (next) {
        deadlines_.insert({*next, f.id});
    }
}

Flow* FlowTable::pop_due(Instant now) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) {
        return nullptr;
    }
    Flow& f = flows_.at(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    f.timer.reset();
    return &f;
}

std::optional<Instant> FlowTable::next_deadline() const {
    return deadlines_.empty() ? std::nullopt : std::optional(deadlines_.begin()->first);
}

void FlowTable::take_rows(std::vector<LedgerRow>& rows) {
    for (const FlowId& id : changed_) {
        if (const Flow* f = find(id)) {
            rows.push_back(flow_row(*f));
        }
    }
    changed_.clear();
    for (const FlowId& id : removed_) {
        LedgerRow row;
        row.table = LedgerRow::Table::kFlow;
        row.key.assign(id.begin(), id.end());
        rows.push_back(std::move(row));
    }
    removed_.clear();
}

}  // namespace meshnet::net
