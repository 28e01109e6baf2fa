// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdio>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/control_client.hpp"

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

}  // namespace

void add_stop(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& target = add_command<ControlTarget>(app, exit_code, "stop", "Stop the daemon cleanly", command, stop);
    add_target(*command, target);
}

}  // namespace meshnet::apps
