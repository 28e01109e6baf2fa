// SPDX-License-Identifier: GPL-3.0-or-later
// Section [settlement] of the configuration: how debts to neighbours become payments.
#include "station/settlement_keys.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/names.hpp"

namespace meshnet::station {

namespace {

using Kind = ConfigKey::Kind;
constexpr double kMostMsat = 1e12;  // 10 bitcoin

Status set_adapter(net::SettlementPolicy& policy, std::string_view name) {
    const auto& known = net::settlement_adapters();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
        return unknown_name("adapter", name, known);
    }
    policy.adapter = name;
    return Ok{};
}

Status set_fees(net::SettlementPolicy& policy, std::string_view who) {
    if (who != "payer" && who != "payee") {
        return Error{ErrorCode::kInvalidArgument, "must be payer or payee"};
    }
    policy.payee_pays_fees = who == "payee";
    return Ok{};
}

bool set_msat(std::uint64_t& out, std::string_view text) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && static_cast<double>(out) <= kMostMsat;
}

std::string_view next_part(std::string_view& text) {
    const auto colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    text = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    return part;
}

Status store_neighbours(Config& c, const ConfigValue& v) {
    c.settlement.neighbours.clear();
    for (const std::string& line : v.list) {
        std::string_view rest = line;
        net::SettlementPolicies::Entry entry;
        const auto id = net::node_id_from_string(next_part(rest));
        const bool numbers =
            set_msat(entry.policy.threshold_msat, next_part(rest)) && set_msat(entry.policy.day_msat, next_part(rest));
        if (!id || !numbers) {
            return Error{
                ErrorCode::kInvalidArgument,
                "\"" + line + "\" is not \"<node id>:<threshold msat>:<msat a day>:<adapter>:<payer or payee>\""};
        }
        entry.id = *id;
        if (auto known = set_adapter(entry.policy, next_part(rest)); !known) {
            return known;
        }
        if (auto known = set_fees(entry.policy, rest); !known) {
            return Error{known.error().code, "\"" + line + "\": who pays fees " + known.error().message};
        }
        c.settlement.neighbours.push_back(std::move(entry));
    }
    return Ok{};
}

template <auto Member>
Status store_msat(Config& c, const ConfigValue& v) {
    c.settlement.standard.*Member = static_cast<std::uint64_t>(v.integer);
    return Ok{};
}

}  // namespace

std::vector<ConfigKey> settlement_keys() {
    using P = net::SettlementPolicy;
    return {
        {"settlement", "threshold_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "100000",
         "A debt to a neighbour of this is due: meshnet status says so, meshnet ledger settle pays it.",
         store_msat<&P::threshold_msat>},
        {"settlement", "day_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "1000000",
         "The most that settlements pay to a neighbour within 24 hours.", store_msat<&P::day_msat>},
        {"settlement", "adapter", Kind::kText, "", 0, 0, "\"statement\"",
         "How debts are paid. statement: by people, outside the mesh; both record it (meshnet ledger record).",
         [](Config& c, const ConfigValue& v) { return set_adapter(c.settlement.standard, v.text); }},
        {"settlement", "fees", Kind::kText, "", 0, 0, "\"payer\"",
         "Who bears what a transfer costs: payer, or payee (it comes off the amount).",
         [](Config& c, const ConfigValue& v) { return set_fees(c.settlement.standard, v.text); }},
        {"settlement", "neighbours", Kind::kTextList, "", 0, 0, "[]",
         "Neighbours with a policy of their own, as \"<node id>:<threshold msat>:<msat a day>:<adapter>:<payer or "
         "payee>\".",
         store_neighbours},
    };
}

}  // namespace meshnet::station
