// SPDX-License-Identifier: MIT
// All flows of one node: found by id and by the labels their packets carry, with their deadlines and durable rows.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "net/flow.hpp"

namespace meshnet::net {

class FlowTable {
public:
    static constexpr std::size_t kMaxFlows = 1'024;
    static constexpr std::size_t kOwnFlows = 128;
    /// The label of a flow on one link, by the neighbour at the other end.
    using LabelKey = std::pair<NeighborId, std::uint32_t>;
    using Labels = std::map<LabelKey, FlowId>;
    using Flows = std::map<FlowId, Flow>;

    /// `on_removed` is called with every flow that is about to be forgotten.
    FlowTable(RandomSource& random, std::function<void(const Flow&)> on_removed);
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    /// A row of table kFlow of an earlier run; false if it cannot be read. The ends lost their keys, so their flows are
    /// only settled; a relay needs none and goes on where it was.
    [[nodiscard]] bool restore(const LedgerRow& row);

    [[nodiscard]] Flow* find(const FlowId& id);
    [[nodiscard]] const Flow* find(const FlowId& id) const;
    /// By the label that `prev` writes to us.
    [[nodiscard]] Flow* by_label_in(NeighborId prev, std::uint32_t label);
    /// By the label that we write to `next`.
    [[nodiscard]] Flow* by_label_out(NeighborId next, std::uint32_t label);
    [[nodiscard]] const Flow* by_label_out(NeighborId next, std::uint32_t label) const;
    [[nodiscard]] const Labels& labels_in() const noexcept { return by_in_; }
    [[nodiscard]] const Labels& labels_out() const noexcept { return by_out_; }

    /// A random label that `prev` does not use towards us.
    [[nodiscard]] std::uint32_t unused_label(NeighborId prev);
    /// True if one more flow that comes from `prev` (zero: our own) fits. If it must it forgets one of the neighbour
    /// that has most: the one with the least at stake. kOwnFlows places are for flows of our own host.
    [[nodiscard]] bool make_room(const NodeId& prev);
    /// A neighbour has another link number now: its flows are found by it.
    void rebind(const NodeId& id, NeighborId link);
    /// Forgets the flows with this neighbour that came from the ledger.
    void forget_restored(const NodeId& peer);
    Flow& add(Instant now, Flow&& flow);
    /// Forgets settled flows that were idle for ten minutes, and any that was idle for a day.
    void remove_idle(Instant now);

    /// Enters the flow under its earliest deadline. To be called whenever one of them changed.
    void schedule(Flow& flow);
    /// The next flow with a deadline at or before `now`, taken out of the schedule; nothing if there is none.
    [[nodiscard]] Flow* pop_due(Instant now);
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    /// The durable part changed: write its row with the next batch.
    void mark_changed(const Flow& flow) { changed_.insert(flow.id); }
    /// Moves the rows of changed and removed flows to `rows`.
    void take_rows(std::vector<LedgerRow>& rows);

    [[nodiscard]] Flows::iterator begin() noexcept { return flows_.begin(); }
    [[nodiscard]] Flows::iterator end() noexcept { return flows_.end(); }
    [[nodiscard]] Flows::const_iterator begin() const noexcept { return flows_.begin(); }
    [[nodiscard]] Flows::const_iterator end() const noexcept { return flows_.end(); }
    [[nodiscard]] bool empty() const noexcept { return flows_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

private:
    void enter_labels(const Flow& flow);
    void remove(Flows::iterator it);
    void forget_labels(const Flow& flow);
    [[nodiscard]] Flows::iterator least_at_stake();

    RandomSource& random_;
    std::function<void(const Flow&)> on_removed_;
    Flows flows_;
    Labels by_in_, by_out_;
    std::set<std::pair<Instant, FlowId>> deadlines_;
    std::set<FlowId> changed_, removed_;
};

}  // namespace meshnet::net
