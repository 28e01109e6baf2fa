// SPDX-License-Identifier: MIT
#include "net/payment/settlement_policy.hpp"

#include <algorithm>
#include <limits>

#include "net/payment/amount.hpp"

namespace meshnet::net {

const std::vector<std::string_view>& settlement_adapters() {
    static const std::vector<std::string_view> names{"statement"};
    return names;
}

const SettlementPolicy& SettlementPolicies::of(const NodeId& id) const noexcept {
    const auto at = std::find_if(neighbours.begin(), neighbours.end(), [&](const Entry& e) { return e.id == id; });
    return at == neighbours.end() ? standard : at->policy;
}

Result<std::int64_t> amount_to_settle(const SettlementPolicy& policy, std::int64_t owed_nsat,
                                      std::int64_t paid_today_msat, std::int64_t wanted_msat) {
    const std::int64_t owed = owed_nsat <= 0 ? 0 : owed_nsat / kNsatPerMsat;
    if (owed == 0) {
        return Error{ErrorCode::kInvalidArgument, "nothing is owed to this neighbour"};
    }
    if (wanted_msat < 0 || wanted_msat > owed) {
        return Error{ErrorCode::kInvalidArgument, "only " + std::to_string(owed) + " msat are owed to this neighbour"};
    }
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const auto day = static_cast<std::int64_t>(std::min(policy.day_msat, kMost));
    const std::int64_t left = paid_today_msat >= day ? 0 : day - std::max<std::int64_t>(0, paid_today_msat);
    const std::int64_t wanted = wanted_msat == 0 ? std::min(owed, left) : wanted_msat;
    if (wanted == 0 || wanted > left) {
        return Error{ErrorCode::kLimit, "only " + std::to_string(left) + " of " + std::to_string(day) +
                                            " msat a day are left for this neighbour ([settlement] day_msat)"};
    }
    return wanted;
}

}  // namespace meshnet::net
