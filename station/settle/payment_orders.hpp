// SPDX-License-Identifier: GPL-3.0-or-later
// What the command line asks of a running station about payments: one JSON object each, the field "order" of the
// control command "payment".
//
//     {"do": "record", "peer": P, "paid": true, "msat": 5000, "reference": "R"}    we paid; false: we received
//     {"do": "settle", "peer": P, "msat": 0}                                       0: all that is owed and allowed
//     {"do": "note", "id": "<32 hex>", "state": "pending" | "failed" | "unknown"}  of a payment of ours
//     {"do": "cancel", "peer": P, "reference": "R"}                                ours: it was certainly not paid
//
// P is a node id or an address. The answer comes when what was asked is on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/result.hpp"
#include "core/time.hpp"
#include "net/payment/payment.hpp"
#include "net/payment/settlement_policy.hpp"
#include "net/router.hpp"

namespace meshnet::station {

struct PaymentOrder {
    enum class Kind : std::uint8_t { kRecord, kSettle, kNote, kCancel };
    Kind kind{};
    std::string peer;
    bool paid = false;
    std::int64_t msat = 0;
    std::string reference;
    net::PaymentId id{};
    net::PaymentState state{};
};

/// Any JSON value; every field of the result is of its kind. Errors are one line.
[[nodiscard]] Result<PaymentOrder> parse_payment_order(const nlohmann::json& json);

/// Does it; `done` gets the payment as JSON (payment_views.hpp) with "known", true if nothing had to be written, once
/// it is on disk. `unix_s`: wall clock. Poll the router afterwards.
void run_payment_order(const PaymentOrder& order, net::Router& router, const net::SettlementPolicies& policies,
                       Instant now, std::uint64_t unix_s, std::function<void(Result<std::string>)> done);

}  // namespace meshnet::station
