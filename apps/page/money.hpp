// SPDX-License-Identifier: GPL-3.0-or-later
// What the ledger says of days, neighbours and other prices. The file is read, not the daemon asked: sums over a long
// ledger would hold up its samples.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "core/result.hpp"

namespace meshnet::page {

/// Days shown, with today.
inline constexpr std::int64_t kMoneyDays = 31;

/// totals, neighbours (balance_msat), days (day, address, earned_msat, paid_msat, own_msat; UTC), last_day (bytes,
/// earned, paid, net, own; what_if: the same bytes at other prices).
///
/// what_if is net_msat = bytes carried for others * price / 2^20 for prices around `price_msat_per_mib`. It supposes
/// that the same traffic had come: at a higher price some of it would have gone another way, at a lower one more come.
[[nodiscard]] Result<nlohmann::ordered_json> money_json(const std::string& ledger_file, std::int64_t unix_s,
                                                        std::uint64_t price_msat_per_mib);

}  // namespace meshnet::page
