// SPDX-License-Identifier: GPL-3.0-or-later
// Payments and settlements as JSON, for the control socket and the command line.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/result.hpp"
#include "net/payment/payment.hpp"
#include "net/payment/settlement_policy.hpp"
#include "net/router.hpp"

namespace meshnet::station {

/// One payment; amounts in whole msat.
[[nodiscard]] nlohmann::ordered_json payment_json(const net::PaymentRecord& record, const net::NodeId& self);

/// The newest `limit` payments, newest first, behind what neighbours claim to have paid and nobody has confirmed.
[[nodiscard]] std::string payments_view(net::Router& router, std::uint32_t limit);
/// The same of a ledger file, where no claims are. Error: one line naming the file.
[[nodiscard]] Result<std::string> payments_of_file(const std::string& path, std::uint32_t limit);

/// Of every neighbour with a balance: what is owed, the policy, whether it is due, and the settlement that is open.
[[nodiscard]] nlohmann::ordered_json settlement_json(net::Router& router, const net::SettlementPolicies& policies,
                                                     std::uint64_t unix_s);

}  // namespace meshnet::station
