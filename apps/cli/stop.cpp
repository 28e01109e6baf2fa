// SPDX-License-Identifier: GPL-3.0-or-later
// stop, inhibit: what ends the station, and what only silences it.
#include <cstdio>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/control/control_client.hpp"

namespace meshnet::apps {

namespace {

int stop(const ControlTarget& target) {
    auto client = ControlClient::connect(target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    if (const auto answer = client->ask(R"({"cmd":"stop"})"); !answer) {
        return complain(answer.error().message, 1);
    }
    std::puts("stopping");
    return 0;
}

struct InhibitOptions {
    ControlTarget target;
    bool off = false;
};

int inhibit(const InhibitOptions& o) {
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    const auto answer = client->ask(o.off ? R"({"cmd":"inhibit","on":false})" : R"({"cmd":"inhibit","on":true})");
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    std::puts(o.off ? "the station may send" : "the station sends nothing");
    return 0;
}

}  // namespace

void add_stop(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& target = add_command<ControlTarget>(app, exit_code, "stop", "Stop the daemon cleanly", command, stop);
    add_target(*command, target);
    CLI::App* inhibited = nullptr;
    auto& o = add_command<InhibitOptions>(app, exit_code, "inhibit",
                                          "Stop all sending at once, until --off or a restart", inhibited, inhibit);
    add_target(*inhibited, o.target);
    inhibited->add_flag("--off", o.off, "Let the station send again");
}

}  // namespace meshnet::apps
