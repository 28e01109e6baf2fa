// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/ledger_views.hpp"

#include <nlohmann/json.hpp>

#include "net/node_id.hpp"
#include "net/payment/amount.hpp"
#include "station/ledger/ledger_reader.hpp"

namespace meshnet::station {

namespace {

using Json = nlohmann::ordered_json;

// Whole millisatoshi when the amount is whole, so that equal amounts look equal.
Json msat(std::int64_t nsat) {
    if (nsat % net::kNsatPerMsat == 0) {
        return nsat / net::kNsatPerMsat;
    }
    return static_cast<double>(nsat) / static_cast<double>(net::kNsatPerMsat);
}

}  // namespace

Result<std::string> ledger_view(const std::string& path, std::uint32_t limit) {
    auto reader = LedgerReader::open(path);
    if (!reader) {
        return reader.error();
    }
    const auto totals = reader->totals();
    if (!totals) {
        return totals.error();
    }
    const auto balances = reader->balances();
    if (!balances) {
        return balances.error();
    }
    const auto entries = reader->entries(limit);
    if (!entries) {
        return entries.error();
    }
    Json j;
    j["totals"] = Json{{"earned_msat", msat(totals->earned_nsat)},     {"paid_msat", msat(totals->paid_nsat)},
                       {"own_msat", msat(totals->own_nsat)},           {"settled_msat", msat(totals->settled_nsat)},
                       {"received_msat", msat(totals->received_nsat)}, {"entries", totals->entries}};
    j["neighbours"] = Json::array();
    for (const auto& b : *balances) {
        j["neighbours"].push_back(Json{{"id", net::to_string(b.peer)},
                                       {"address", net::to_string(net::address_of(b.peer))},
                                       {"balance_msat", msat(b.net_nsat)},
                                       {"balance_nsat", b.net_nsat},
                                       {"earned_msat", msat(b.earned_nsat)},
                                       {"spent_msat", msat(b.spent_nsat)},
                                       {"bytes", b.bytes}});
    }
    j["entries"] = Json::array();
    for (const auto& e : *entries) {
        j["entries"].push_back(Json{{"number", e.id},
                                    {"unix_s", e.unix_seconds},
                                    {"peer", net::to_string(e.peer)},
                                    {"flow", to_hex(e.flow)},
                                    {"kind", e.kind},
                                    {"from_byte", e.from_byte},
                                    {"to_byte", e.to_byte},
                                    {"amount_msat", msat(e.amount_nsat)},
                                    {"amount_nsat", e.amount_nsat}});
    }
    return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace meshnet::station
