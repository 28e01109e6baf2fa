// SPDX-License-Identifier: MIT
// When a debt to a neighbour is settled, how, and how much of it in a day: the operator's word, one policy a neighbour.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

struct SettlementPolicy {
    std::uint64_t threshold_msat = 100'000;  ///< a debt of this is due
    std::uint64_t day_msat = 1'000'000;      ///< the most that is paid within 24 hours
    std::string adapter = "statement";       ///< how
    bool payee_pays_fees = false;            ///< what the transfer costs comes off the amount

    bool operator==(const SettlementPolicy&) const = default;
};

/// Names that SettlementPolicy::adapter may have.
[[nodiscard]] const std::vector<std::string_view>& settlement_adapters();

struct SettlementPolicies {
    struct Entry {
        NodeId id{};
        SettlementPolicy policy;
    };
    SettlementPolicy standard;
    std::vector<Entry> neighbours;

    [[nodiscard]] const SettlementPolicy& of(const NodeId& id) const noexcept;
};

/// What a settlement would pay, in whole msat, never more than is owed. `owed_nsat`: our net debt (not positive: none);
/// `paid_today_msat`: by settlements of the last 24 hours, whatever became of those that did not certainly fail;
/// `wanted_msat`: 0 for all that is owed and allowed. Errors: nothing is owed, more is wanted than is owed, the budget
/// of the day is used up.
[[nodiscard]] Result<std::int64_t> amount_to_settle(const SettlementPolicy& policy, std::int64_t owed_nsat,
                                                    std::int64_t paid_today_msat, std::int64_t wanted_msat);

}  // namespace meshnet::net
