// SPDX-License-Identifier: MIT
#include "mac/superframe.hpp"

#include <algorithm>

namespace meshnet::mac {
namespace {

class Planner {
public:
    Planner(const std::vector<Member>& members, const DelayOf& delay, const PlanLimits& limits)
        : members_(members), limits_(limits), size_(members.size()), delays_(size_ * size_), targets_(size_ * size_) {
        for (std::size_t a = 0; a < size_; ++a) {
            for (std::size_t b = 0; b < size_; ++b) {
                const auto known = a == b ? std::optional(Duration::zero()) : delay(a, b);
                // One that does not know its delay from the coordinator starts late by it, too.
                const bool late = !known && (a == 0 || b == 0);
                delays_[a * size_ + b] = known.value_or(late ? 2 * limits.max_propagation : limits.max_propagation);
                longest_ = std::max(longest_, delays_[a * size_ + b]);
            }
            for (const std::size_t t : members[a].targets) {
                targets_[a * size_ + t] = true;
            }
        }
        near_ = longest_ <= limits.near;
    }

    SuperframePlan run() {
        std::vector<std::size_t> left;
        for (std::size_t i = 1; i < size_; ++i) {
            if (members_[i].length > Duration::zero()) {
                left.push_back(i);
            }
        }
        place(0, Duration::zero());
        while (!left.empty()) {
            std::size_t best = 0;
            Duration start = earliest(left[0]);
            for (std::size_t k = 1; k < left.size(); ++k) {
                // Of equals whoever has sent less to those that are still to come: they would have to hear it first.
                const Duration at = earliest(left[k]);
                if (at < start || (at == start && to_come(left[k], left) < to_come(left[best], left))) {
                    start = at;
                    best = k;
                }
            }
            place(left[best], start);
            left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
        }
        plan_.end = next_beacon();
        return std::move(plan_);
    }

private:
    [[nodiscard]] Duration delay(std::size_t a, std::size_t b) const { return delays_[a * size_ + b]; }
    [[nodiscard]] bool is_for(std::size_t from, std::size_t to) const { return targets_[from * size_ + to]; }

    [[nodiscard]] std::size_t to_come(std::size_t j, const std::vector<std::size_t>& left) const {
        return static_cast<std::size_t>(
            std::count_if(left.begin(), left.end(), [&](std::size_t k) { return k != j && is_for(j, k); }));
    }

    void place(std::size_t member, Duration start) {
        plan_.entries.push_back({member, start, members_[member].length});
    }

    // After the burst of `i`, so that no third station hears both at once.
    [[nodiscard]] Duration apart(std::size_t i, std::size_t j) const {
        if (near_) {
            return delay(i, j);  // bounds the difference of the delays to any third
        }
        Duration most{};
        for (std::size_t r = 0; r < size_; ++r) {
            if (r != i && r != j) {
                most = std::max(most, delay(i, r) - delay(j, r));
            }
        }
        return most;
    }

    // Of a burst of `j`, given all that is placed. `to_all`: everybody must hear it.
    [[nodiscard]] Duration after(const SuperframePlan::Entry& e, std::size_t j, bool to_all) const {
        const std::size_t i = e.member;
        const Duration end = e.start + e.length;
        Duration at = end + apart(i, j) + limits_.guard;
        if (near_ || is_for(i, j)) {
            at = std::max(at, end + delay(i, j) + members_[j].recovery + limits_.guard);
        }
        if (to_all || is_for(j, i)) {
            at = std::max(at, end + members_[i].recovery - delay(i, j) + limits_.guard);
        }
        return at;
    }

    [[nodiscard]] Duration earliest(std::size_t j) const {
        Duration at = limits_.beacon + delay(0, j) + members_[j].gap + members_[j].recovery;
        for (const auto& e : plan_.entries) {
            at = std::max(at, after(e, j, false));
        }
        return at;
    }

    [[nodiscard]] Duration next_beacon() const {
        Duration at = std::max(members_[0].length, limits_.beacon) + limits_.guard;
        for (const auto& e : plan_.entries) {
            if (e.member != 0) {
                at = std::max(at, after(e, 0, true));
            }
        }
        return at;
    }

    const std::vector<Member>& members_;
    const PlanLimits& limits_;
    std::size_t size_;
    std::vector<Duration> delays_;
    std::vector<bool> targets_;
    Duration longest_{};
    bool near_ = true;
    SuperframePlan plan_;
};

}  // namespace

SuperframePlan plan_superframe(const std::vector<Member>& members, const DelayOf& delay, const PlanLimits& limits) {
    return Planner(members, delay, limits).run();
}

SuperframePlan plan_pair(Duration delay, Duration longest, std::size_t rounds, const PlanLimits& limits) {
    SuperframePlan out;
    const Duration length = std::min(delay - limits.guard, longest);
    const Duration round = length + delay + limits.guard;
    for (std::size_t k = 0; k < rounds; ++k) {
        const auto n = static_cast<std::int64_t>(k);
        out.entries.push_back({0, n * round, length});
        out.entries.push_back({1, (n + 1) * round, length});
    }
    std::stable_sort(out.entries.begin(), out.entries.end(),
                     [](const auto& a, const auto& b) { return a.start < b.start; });
    out.end = static_cast<std::int64_t>(rounds) * round;
    return out;
}

}  // namespace meshnet::mac
