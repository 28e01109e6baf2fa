// SPDX-License-Identifier: GPL-3.0-or-later
// The ledger: asked of the daemon, or read from its file while no daemon runs (or beside one that does).
#include <cstdio>
#include <ctime>
#include <string>

#include <nlohmann/json.hpp>

#include "apps/cli/control_client.hpp"
#include "apps/cli/meshnet_cli.hpp"
#include "apps/cli/table.hpp"
#include "station/control/ledger_views.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

std::string utc(const Json& unix_s) {
    if (!unix_s.is_number_integer()) {
        return "-";
    }
    const std::time_t t = unix_s.get<std::int64_t>();
    std::tm parts{};
    char text[32] = "-";
    if (::gmtime_r(&t, &parts) != nullptr) {
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    }
    return text;
}

void print_ledger(const Json& ledger) {
    const auto& totals = ledger.at("totals");
    std::printf("earned %s msat, paid on %s msat, spent on own traffic %s msat, %s entries\n",
                cell(totals.at("earned_msat")).c_str(), cell(totals.at("paid_msat")).c_str(),
                cell(totals.at("own_msat")).c_str(), cell(totals.at("entries")).c_str());
    Table balances({"neighbour", "balance/msat", "", "credits/msat", "debits/msat", "bytes"});
    for (const auto& n : ledger.at("neighbours")) {
        const double balance = n.at("balance_msat").get<double>();
        balances.row({cell(n.at("address")), cell(n.at("balance_msat")),
                      balance > 0   ? "owes us"
                      : balance < 0 ? "we owe"
                                    : "even",
                      cell(n.at("earned_msat")), cell(n.at("spent_msat")), cell(n.at("bytes"))});
    }
    balances.print("no balances yet");
    if (ledger.at("entries").empty()) {
        return;
    }
    Table entries({"entry", "time (UTC)", "kind", "neighbour", "flow", "from byte", "to byte", "amount/msat"});
    for (const auto& e : ledger.at("entries")) {
        entries.row({cell(e.at("number")), utc(e.at("unix_s")), cell(e.at("kind")), cell(e.at("peer")).substr(0, 8),
                     cell(e.at("flow")).substr(0, 8), cell(e.at("from_byte")), cell(e.at("to_byte")),
                     cell(e.at("amount_msat"))});
    }
    entries.print("");
}

}  // namespace

int show_ledger(const ControlTarget& target, const std::string& file, std::uint32_t limit, bool json) {
    Json ledger;
    if (!file.empty()) {
        const auto view = station::ledger_view(file, limit);
        if (!view) {
            return complain(view.error().message, 1);
        }
        ledger = Json::parse(*view);
    } else {
        auto client = ControlClient::connect(target);
        if (!client) {
            return complain(client.error().message, 1);
        }
        auto answer = client->ask(Json{{"cmd", "ledger"}, {"limit", limit}}.dump());
        if (!answer) {
            return complain(answer.error().message, 1);
        }
        ledger = std::move(answer).value();
    }
    if (json) {
        std::puts(ledger.dump(2).c_str());
        return 0;
    }
    try {
        print_ledger(ledger);
    } catch (const Json::exception&) {
        return complain("the daemon's answer is not of this version; --json shows it", 1);
    }
    return 0;
}

}  // namespace meshnet::apps
