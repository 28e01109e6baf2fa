// SPDX-License-Identifier: MIT
#include "net/flow_table.hpp"

#include "net/deadline.hpp"

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
    f->broken = f->role != FlowRole::kRelay;
    f->delivered_bytes = f->best.bytes;
    f->forwarded_bytes = f->limit_bytes;
    f->resolved_bytes = f->forwarded_bytes;
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

bool FlowTable::make_room() {
    if (flows_.size() < kMaxFlows) {
        return true;
    }
    auto oldest = flows_.end();
    for (auto it = flows_.begin(); it != flows_.end(); ++it) {
        const Flow& f = it->second;
        if (f.receipts_acknowledged() && (oldest == flows_.end() || f.last_used < oldest->second.last_used)) {
            oldest = it;
        }
    }
    if (oldest == flows_.end()) {
        return false;
    }
    remove(oldest);
    return true;
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

void FlowTable::remove(Flows::iterator it) {
    const Flow& f = it->second;
    on_removed_(f);
    if (f.timer) {
        deadlines_.erase({*f.timer, f.id});
    }
    if (f.role != FlowRole::kSource) {
        by_in_.erase({f.prev, f.label_in});
    }
    if (f.role != FlowRole::kDestination) {
        by_out_.erase({f.next, f.label_out});
    }
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
