// SPDX-License-Identifier: GPL-3.0-or-later
#include <chrono>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/control/control_client.hpp"

namespace meshnet::apps {

namespace {

struct WatchOptions {
    ControlTarget target;
    std::uint32_t interval_ms = 1'000;
};

int watch(const WatchOptions& o) {
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    const nlohmann::ordered_json request{{"cmd", "watch"}, {"interval_ms", o.interval_ms}};
    if (auto sent = client->send(request.dump()); !sent) {
        return complain(sent.error().message, 1);
    }
    while (true) {
        const auto line = client->next_line(std::chrono::milliseconds(o.interval_ms) + std::chrono::seconds(10));
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

}  // namespace

void add_watch(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<WatchOptions>(app, exit_code, "watch", "The status as JSON lines until interrupted", command,
                                        watch);
    add_target(*command, o.target);
    command->add_option("--interval-ms", o.interval_ms, "Between two lines")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
}

}  // namespace meshnet::apps
