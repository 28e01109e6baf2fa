// SPDX-License-Identifier: GPL-3.0-or-later
// Questions to a running daemon: one request, one table or one JSON value.
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/control_client.hpp"
#include "apps/cli/meshnet_cli.hpp"
#include "apps/cli/table.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

/// Asks; prints JSON or calls `print` with the result.
template <class Print>
int ask_and_show(const ControlTarget& target, const std::string& request, bool json, Print print) {
    auto client = ControlClient::connect(target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    const auto answer = client->ask(request);
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    if (json) {
        std::puts(answer->dump(2).c_str());
    } else {
        try {
            print(*answer);
        } catch (const Json::exception&) {
            return complain("the daemon's answer is not of this version; --json shows it", 1);
        }
    }
    return 0;
}

void print_group(const Json& status, const char* group) {
    std::string line;
    for (const auto& [key, value] : status.at(group).items()) {
        line += (line.empty() ? "" : ", ") + key + " " + cell(value);
    }
    std::printf("%-8s %s\n", group, line.c_str());
}

}  // namespace

int show_status(const ControlTarget& target, bool json) {
    return ask_and_show(target, R"({"cmd":"status"})", json, [](const Json& s) {
        std::printf("station  %s\naddress  %s\nid       %s\n", cell(s.at("name")).c_str(),
                    cell(s.at("address")).c_str(), cell(s.at("id")).c_str());
        std::printf("up       %s s, %s s of CPU\nprice    %s msat per MiB\ntun      %s\n",
                    fixed(s.at("uptime_s"), 1).c_str(), fixed(s.at("cpu_s"), 1).c_str(),
                    cell(s.at("price_msat_per_mib")).c_str(), cell(s.at("tun")).c_str());
        for (const char* group : {"radio", "phy", "mac", "net"}) {
            print_group(s, group);
        }
    });
}

int show_neighbours(const ControlTarget& target, bool json) {
    return ask_and_show(target, R"({"cmd":"neighbours"})", json, [](const Json& all) {
        Table table({"link", "up", "session", "snr/dB", "theirs/dB", "mode", "kbit/s", "loss", "heard/s",
                     "balance/msat", "state", "address"});
        for (const auto& n : all) {
            const auto kbps =
                n.contains("rate_bps") && n["rate_bps"].is_number() ? Json(n["rate_bps"].get<double>() * 1e-3) : Json();
            table.row({cell(n.at("link")), cell(n.value("up", Json())), cell(n.value("session_up", Json())),
                       fixed(n.value("snr_db", Json()), 1), fixed(n.value("peer_snr_db", Json()), 1),
                       cell(n.value("mode", Json())), fixed(kbps, 0), fixed(n.value("loss", Json()), 3),
                       fixed(n.value("heard_ago_s", Json()), 1), cell(n.value("balance_msat", Json())),
                       cell(n.value("state", Json())), cell(n.value("address", Json()))});
        }
        table.print("no neighbours yet");
    });
}

int show_routes(const ControlTarget& target, bool json) {
    return ask_and_show(target, R"({"cmd":"routes"})", json, [](const Json& all) {
        Table table({"destination", "via", "hops", "airtime us/KiB", "price msat/MiB", "delay/ms", "seqno", "selected",
                     "feasible"});
        for (const auto& r : all) {
            table.row({cell(r.at("address")), cell(r.at("next_hop")), cell(r.at("hops")),
                       cell(r.at("airtime_us_per_kib")), cell(r.at("price_msat_per_mib")), cell(r.at("delay_ms")),
                       cell(r.at("seqno")), cell(r.at("selected")), cell(r.at("feasible"))});
        }
        table.print("no routes yet");
    });
}

int show_flows(const ControlTarget& target, bool json) {
    return ask_and_show(target, R"({"cmd":"flows"})", json, [](const Json& all) {
        Table table(
            {"role", "source", "destination", "bytes", "units paid", "unit", "in msat/MiB", "out msat/MiB", "state"});
        for (const auto& f : all) {
            table.row({cell(f.at("role")), cell(f.at("source")).substr(0, 8), cell(f.at("destination")).substr(0, 8),
                       cell(f.at("bytes_forwarded")), cell(f.at("units_paid")), cell(f.at("unit_bytes")),
                       cell(f.at("price_in_msat_per_mib")), cell(f.at("price_out_msat_per_mib")), cell(f.at("state"))});
        }
        table.print("no flows yet");
    });
}

int show_or_set_price(const ControlTarget& target, std::optional<std::uint64_t> msat_per_mib, bool json) {
    Json request{{"cmd", "price"}};
    if (msat_per_mib) {
        request["msat_per_mib"] = *msat_per_mib;
    }
    return ask_and_show(target, request.dump(), json, [](const Json& p) {
        std::printf("%s msat per MiB\n", cell(p.at("price_msat_per_mib")).c_str());
    });
}

int watch_status(const ControlTarget& target, std::uint32_t interval_ms) {
    auto client = ControlClient::connect(target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    if (auto sent = client->send(Json{{"cmd", "watch"}, {"interval_ms", interval_ms}}.dump()); !sent) {
        return complain(sent.error().message, 1);
    }
    while (true) {
        const auto line = client->next_line(std::chrono::milliseconds(interval_ms) + std::chrono::seconds(10));
        if (!line || !*line) {
            return complain(line ? "the daemon does not answer" : line.error().message, 1);
        }
        const auto answer = ControlClient::read_answer(**line);
        if (!answer) {
            return complain(answer.error().message, 1);
        }
        std::puts(answer->dump().c_str());
        if (std::fflush(stdout) != 0) {
            return 0;  // whoever read this has gone
        }
    }
}

int stop_daemon(const ControlTarget& target) {
    return ask_and_show(target, R"({"cmd":"stop"})", false, [](const Json&) { std::puts("stopping"); });
}

}  // namespace meshnet::apps
