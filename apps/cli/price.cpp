// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdio>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/table.hpp"
#include "apps/control/control_client.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

struct PriceOptions {
    ControlTarget target;
    std::optional<std::uint64_t> set;
    bool json = false;
};

int show_or_set(const PriceOptions& o) {
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    Json request{{"cmd", "price"}};
    if (o.set) {
        request["msat_per_mib"] = *o.set;
    }
    const auto answer = client->ask(request.dump());
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    if (o.json) {
        std::puts(answer->dump(2).c_str());
    } else {
        std::printf("%s msat per MiB\n", cell(answer->value("price_msat_per_mib", Json())).c_str());
    }
    return 0;
}

}  // namespace

void add_price(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<PriceOptions>(app, exit_code, "price", "Show the price for carrying, or set it", command,
                                        show_or_set);
    add_target(*command, o.target);
    command->add_flag("--json", o.json, "One JSON value");
    command->add_option("--set", o.set, "New price, millisatoshi per MiB");
}

}  // namespace meshnet::apps
