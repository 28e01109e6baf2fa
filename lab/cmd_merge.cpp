// SPDX-License-Identifier: MIT
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "lab/campaign.hpp"
#include "lab/cmd_hostile.hpp"
#include "lab/cmd_mac.hpp"
#include "lab/cmd_net.hpp"
#include "lab/cmd_sweep.hpp"
#include "lab/commands.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

/// Appends the objects of a file; false if a line is not JSON.
bool read_objects(std::istream& in, std::vector<Json>& out) {
    for (std::string line; std::getline(in, line);) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) {
            continue;
        }
        Json object = Json::parse(line, nullptr, false);
        if (object.is_discarded()) {
            return false;
        }
        out.push_back(std::move(object));
    }
    return true;
}

}  // namespace

int run_merge(const std::vector<std::string>& files) {
    std::vector<Json> shards;
    for (const std::string& name : files) {
        std::ifstream file;
        if (name != "-") {
            file.open(name);
            if (!file) {
                return complain("merge", "cannot read '" + name + "'");
            }
        }
        if (!read_objects(name == "-" ? std::cin : file, shards)) {
            return complain("merge", "'" + name + "' does not hold one JSON object a line");
        }
    }
    const auto joined = join_shards(shards);
    if (!joined) {
        return complain("merge", joined.error().message);
    }
    try {
        if (joined->campaign == "mac") {
            return print_mac_campaign(joined->options, joined->rows);
        }
        if (joined->campaign == "net") {
            return print_net_campaign(joined->rows, true);
        }
        if (joined->campaign == "hostile") {
            return print_hostile_campaign(joined->options, joined->rows, true);
        }
        if (joined->campaign == "sweep") {
            return print_sweep_campaign(joined->options, joined->rows);
        }
    } catch (const nlohmann::json::exception&) {
        return complain("merge", "a row is not what its campaign writes; were the shards made by this version?");
    }
    return complain("merge", "unknown campaign '" + joined->campaign + "'; known are mac, net, hostile, sweep");
}

}  // namespace meshnet::lab
