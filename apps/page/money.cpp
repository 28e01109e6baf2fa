// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/money.hpp"

#include <array>
#include <ctime>
#include <map>
#include <utility>

#include "net/node_id.hpp"
#include "net/payment/amount.hpp"
#include "station/ledger/ledger_reader.hpp"

namespace meshnet::page {

namespace {

using Json = nlohmann::ordered_json;
using station::LedgerReader;

constexpr std::int64_t kDay = 86'400;

double msat(std::int64_t nsat) {
    return static_cast<double>(nsat) / static_cast<double>(net::kNsatPerMsat);
}

/// What sums of the three kinds become.
struct Account {
    std::int64_t earned = 0, paid = 0, own = 0;  // nsat, >= 0
    std::uint64_t bytes = 0;                     // of what was earned

    void add(const LedgerReader::Sum& sum) {
        if (sum.kind == "relay") {
            earned += sum.amount_nsat;
            bytes += sum.bytes;
        } else if (sum.kind == "pay") {
            paid -= sum.amount_nsat;
        } else if (sum.kind == "own") {
            own -= sum.amount_nsat;
        }
    }
    void write(Json& out) const {
        out["bytes"] = bytes;
        out["earned_msat"] = msat(earned);
        out["paid_msat"] = msat(paid);
        out["own_msat"] = msat(own);
        out["net_msat"] = msat(earned - paid);
    }
};

std::string day_text(std::int64_t unix_s) {
    const std::time_t t = unix_s;
    std::tm parts{};
    char text[32] = "";
    if (::gmtime_r(&t, &parts) != nullptr) {
        std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    }
    return text;
}

Json last_day_json(const std::vector<LedgerReader::Sum>& sums, std::uint64_t price) {
    Account account;
    for (const auto& sum : sums) {
        account.add(sum);
    }
    Json out;
    account.write(out);
    out["what_if"] = Json::array();
    constexpr std::array<std::array<std::uint64_t, 2>, 5> kFactors{{{1, 4}, {1, 2}, {1, 1}, {2, 1}, {4, 1}}};
    for (const auto& [up, down] : kFactors) {
        const std::uint64_t other = price * up / down;
        out["what_if"].push_back(
            Json{{"price_msat_per_mib", other},
                 {"net_msat", static_cast<double>(account.bytes) * static_cast<double>(other) / 1'048'576.0},
                 {"now", up == down}});
    }
    return out;
}

Json days_json(const std::vector<LedgerReader::Sum>& sums, std::int64_t begin) {
    std::map<std::pair<std::int64_t, net::NodeId>, Account> days;
    for (const auto& sum : sums) {
        days[{sum.stretch, sum.peer}].add(sum);
    }
    Json out = Json::array();
    for (const auto& [key, account] : days) {
        Json row{{"day", day_text(begin + key.first * kDay)}, {"address", net::to_string(net::address_of(key.second))}};
        account.write(row);
        out.push_back(std::move(row));
    }
    return out;
}

}  // namespace

Result<Json> money_json(const std::string& ledger_file, std::int64_t unix_s, std::uint64_t price_msat_per_mib) {
    auto reader = LedgerReader::open(ledger_file);
    if (!reader) {
        return reader.error();
    }
    const std::int64_t begin = unix_s / kDay * kDay - (kMoneyDays - 1) * kDay;
    const auto totals = reader->totals();
    const auto balances = reader->balances();
    const auto days = reader->sums(begin, kDay);
    const auto last_day = reader->sums(unix_s - kDay, 2 * kDay);
    for (const Error* error : {totals ? nullptr : &totals.error(), balances ? nullptr : &balances.error(),
                               days ? nullptr : &days.error(), last_day ? nullptr : &last_day.error()}) {
        if (error != nullptr) {
            return *error;
        }
    }
    Json out;
    out["at"] = unix_s;
    out["totals"] = Json{{"earned_msat", msat(totals->earned_nsat)},
                         {"paid_msat", msat(totals->paid_nsat)},
                         {"own_msat", msat(totals->own_nsat)},
                         {"net_msat", msat(totals->earned_nsat - totals->paid_nsat)},
                         {"entries", totals->entries}};
    out["neighbours"] = Json::array();
    for (const auto& b : *balances) {
        out["neighbours"].push_back(
            Json{{"address", net::to_string(net::address_of(b.peer))}, {"balance_msat", msat(b.net_nsat)}});
    }
    out["days"] = days_json(*days, begin);
    out["last_day"] = last_day_json(*last_day, price_msat_per_mib);
    return out;
}

}  // namespace meshnet::page
