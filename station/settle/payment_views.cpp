// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/settle/payment_views.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "net/payment/amount.hpp"
#include "net/payments.hpp"
#include "station/ledger/ledger_reader.hpp"

namespace meshnet::station {

namespace {

using Json = nlohmann::ordered_json;

std::string listed(std::vector<net::PaymentRecord> records, const std::vector<net::PaymentRecord>& claims,
                   const net::NodeId& self, std::uint32_t limit) {
    std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.unix_s > b.unix_s; });
    Json out = Json::array();
    for (const net::PaymentRecord& claim : claims) {
        Json row = payment_json(claim, self);
        row["state"] = "claimed";
        out.push_back(std::move(row));
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(limit, records.size()); ++i) {
        out.push_back(payment_json(records[i], self));
    }
    return out.dump(-1, ' ', true);
}

}  // namespace

Json payment_json(const net::PaymentRecord& r, const net::NodeId& self) {
    return Json{{"id", to_hex(r.id(self))},
                {"peer", net::to_string(r.peer)},
                {"address", net::to_string(net::address_of(r.peer))},
                {"pays", r.ours ? "we" : "they"},
                {"msat", r.msat},
                {"reference", r.reference},
                {"state", net::to_string(r.state)},
                {"adapter", r.adapter},
                {"epoch", r.epoch},
                {"unix_s", r.unix_s},
                {"payee_has_msat", r.theirs_msat == 0 ? Json(nullptr) : Json(r.theirs_msat)}};
}

std::string payments_view(net::Router& router, std::uint32_t limit) {
    const net::Payments& payments = router.payments();
    std::vector<net::PaymentRecord> records;
    for (const auto& [id, record] : payments.records()) {
        records.push_back(record);
    }
    return listed(std::move(records), payments.claims(), router.id(), limit);
}

Result<std::string> payments_of_file(const std::string& path, std::uint32_t limit) {
    auto reader = LedgerReader::open(path);
    if (!reader) {
        return reader.error();
    }
    const auto account = reader->account();
    if (!account) {
        return account.error();
    }
    std::vector<net::PaymentRecord> records;
    for (const net::LedgerRow& row : account->state.rows) {
        if (row.table == net::LedgerRow::Table::kPayment) {
            auto record = net::PaymentRecord::from_row(row);
            if (!record) {
                return Error{ErrorCode::kInvalidData, "ledger " + path + " holds a payment row that cannot be read"};
            }
            records.push_back(std::move(*record));
        }
    }
    return listed(std::move(records), {}, account->owner.value_or(net::NodeId{}), limit);
}

Json settlement_json(net::Router& router, const net::SettlementPolicies& policies, std::uint64_t unix_s) {
    net::Payments& payments = router.payments();
    Json out = Json::array();
    for (const net::NodeId& peer : payments.peers()) {
        const net::SettlementPolicy& policy = policies.of(peer);
        const std::int64_t owed = payments.owed_nsat(peer);
        constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max() / net::kNsatPerMsat;
        const auto threshold = static_cast<std::int64_t>(std::min(policy.threshold_msat, kMost)) * net::kNsatPerMsat;
        const auto today = static_cast<std::uint64_t>(payments.paid_today_msat(peer, unix_s));
        const net::PaymentRecord* open = payments.open_settlement(peer);
        out.push_back(Json{{"peer", net::to_string(peer)},
                           {"address", net::to_string(net::address_of(peer))},
                           {"owed_nsat", owed},
                           {"threshold_msat", policy.threshold_msat},
                           {"day_msat", policy.day_msat},
                           {"day_left_msat", today >= policy.day_msat ? 0 : policy.day_msat - today},
                           {"adapter", policy.adapter},
                           {"fees", policy.payee_pays_fees ? "payee" : "payer"},
                           {"due", owed > 0 && owed >= threshold && open == nullptr},
                           {"open", open == nullptr ? Json(nullptr) : payment_json(*open, router.id())}});
    }
    return out;
}

}  // namespace meshnet::station
