// SPDX-License-Identifier: MIT
// What this station's own traffic may cost: in a day, all destinations together, and each of them.
//
// Spent money leaks away at the allowed rate, so that at most twice the budget is spent in any day and the rest of a
// budget is never lost at midnight. No wall clock: time off does not count. Spec: docs/spec/payment.md, "Spending".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "core/time.hpp"
#include "net/node_id.hpp"
#include "net/payment/amount.hpp"

namespace meshnet::net {

class SpendBudget {
public:
    struct Config {
        std::uint64_t day_msat = 10'000'000;
        std::uint64_t destination_msat = 5'000'000;  ///< of these, for one destination
    };
    explicit SpendBudget(const Config& config) noexcept : config_(config) {}

    /// What an earlier run had spent and not yet outlived.
    void restore(std::int64_t spent_nsat) noexcept { all_.nsat = std::max<std::int64_t>(0, spent_nsat); }

    [[nodiscard]] bool allows(Instant now, const NodeId& destination) const {
        const auto it = each_.find(destination);
        return left(all_, now, config_.day_msat) > 0 &&
               (it == each_.end() || left(it->second, now, config_.destination_msat) > 0);
    }
    /// Takes `nsat` >= 0 off both budgets; allows() was true before.
    void spend(Instant now, const NodeId& destination, std::int64_t nsat) {
        take(all_, now, config_.day_msat, nsat);
        if (each_.size() >= kDestinations && each_.count(destination) == 0) {
            const auto least = std::min_element(
                each_.begin(), each_.end(), [](const auto& a, const auto& b) { return a.second.nsat < b.second.nsat; });
            each_.erase(least);
        }
        take(each_[destination], now, config_.destination_msat, nsat);
    }
    [[nodiscard]] std::int64_t spent_nsat(Instant now) const noexcept {
        return std::max<std::int64_t>(0, limit(config_.day_msat) - left(all_, now, config_.day_msat));
    }
    [[nodiscard]] const Config& config() const noexcept { return config_; }

private:
    static constexpr std::size_t kDestinations = 256;
    static constexpr std::int64_t kDaySeconds = 86'400;
    struct Level {
        std::int64_t nsat = 0;  // spent, at `at`
        Instant at{};
    };
    static std::int64_t limit(std::uint64_t msat) noexcept {
        return static_cast<std::int64_t>(std::min<std::uint64_t>(msat, 9'000'000'000'000)) * kNsatPerMsat;
    }
    static std::int64_t left(const Level& l, Instant now, std::uint64_t msat) noexcept {
        const std::int64_t seconds = std::clamp<std::int64_t>((now - l.at).count() / 1'000'000'000, 0, kDaySeconds);
        const std::int64_t leaked = seconds == kDaySeconds ? limit(msat) : limit(msat) / kDaySeconds * seconds;
        return limit(msat) - std::max<std::int64_t>(0, l.nsat - leaked);
    }
    static void take(Level& l, Instant now, std::uint64_t msat, std::int64_t nsat) noexcept {
        l.nsat = limit(msat) - left(l, now, msat) + nsat;
        l.at = now;
    }

    Config config_;
    Level all_;
    std::map<NodeId, Level> each_;
};

}  // namespace meshnet::net
