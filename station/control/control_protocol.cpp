// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/control_protocol.hpp"

#include <array>
#include <span>
#include <vector>

#include <nlohmann/json.hpp>

#include "station/config.hpp"

namespace meshnet::station {

namespace {

using Command = ControlRequest::Command;

struct CommandName {
    std::string_view name;
    Command command;
    std::string_view field;  // the one field it takes besides cmd, "" if none
};
constexpr std::array<CommandName, 10> kCommands{{
    {"status", Command::kStatus, ""},
    {"neighbours", Command::kNeighbours, ""},
    {"routes", Command::kRoutes, ""},
    {"flows", Command::kFlows, ""},
    {"ledger", Command::kLedger, "limit"},
    {"price", Command::kPrice, "msat_per_mib"},
    {"watch", Command::kWatch, "interval_ms"},
    {"attach", Command::kAttach, ""},
    {"packet", Command::kPacket, "data"},
    {"stop", Command::kStop, ""},
}};

Error no_command(std::string_view name) {
    std::vector<std::string_view> names;
    std::string all;
    for (const auto& c : kCommands) {
        names.push_back(c.name);
        all += (all.empty() ? "" : ", ") + std::string(c.name);
    }
    const auto near = nearest_word(name, names);
    return Error{"no command \"" + std::string(name.substr(0, 32)) + "\"; " +
                 (near ? "did you mean \"" + std::string(*near) + "\"?" : "the commands are " + all)};
}

Result<std::uint64_t> whole_number(const nlohmann::json& value, std::string_view name, std::uint64_t min,
                                   std::uint64_t max) {
    if (value.is_number_unsigned()) {
        const auto v = value.get<std::uint64_t>();
        if (v >= min && v <= max) {
            return v;
        }
    }
    return Error{"\"" + std::string(name) + "\" must be a whole number, " + std::to_string(min) + " to " +
                 std::to_string(max)};
}

Status read_field(const CommandName& command, const nlohmann::json& value, ControlRequest& out) {
    if (command.command == Command::kPacket) {
        auto packet = value.is_string() ? from_hex(value.get_ref<const std::string&>()) : std::nullopt;
        if (!packet || packet->size() < 40 || packet->size() > 2'048) {
            return Error{"\"data\" must be an IPv6 packet of 40 to 2048 bytes in hexadecimal"};
        }
        out.packet = std::move(*packet);
        return Ok{};
    }
    const bool price = command.command == Command::kPrice;
    const bool watch = command.command == Command::kWatch;
    const auto number = price   ? whole_number(value, command.field, 0, 1'000'000'000'000)
                        : watch ? whole_number(value, command.field, 100, 60'000)
                                : whole_number(value, command.field, 0, 1'000);
    if (!number) {
        return number.error();
    }
    if (price) {
        out.price_msat_per_mib = *number;
    } else if (watch) {
        out.interval_ms = static_cast<std::uint32_t>(*number);
    } else {
        out.limit = static_cast<std::uint32_t>(*number);
    }
    return Ok{};
}

std::string dump(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<ControlRequest> parse_control_request(std::string_view line) {
    if (line.size() > kMaxControlLine) {
        return Error{"a request is at most " + std::to_string(kMaxControlLine) + " bytes"};
    }
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) {
        return Error{"a request is one JSON object a line, for example {\"cmd\": \"status\"}"};
    }
    const auto cmd = json.find("cmd");
    if (cmd == json.end() || !cmd->is_string()) {
        return Error{"a request needs \"cmd\", for example {\"cmd\": \"status\"}"};
    }
    const auto& name = cmd->get_ref<const std::string&>();
    for (const auto& command : kCommands) {
        if (command.name != name) {
            continue;
        }
        ControlRequest out;
        out.command = command.command;
        for (const auto& [field, value] : json.items()) {
            if (field == "cmd") {
                continue;
            }
            if (command.field.empty() || field != command.field) {
                return Error{
                    "\"" + name + "\" has no field \"" + field.substr(0, 32) + "\"" +
                    (command.field.empty() ? "; it has none" : "; it has \"" + std::string(command.field) + "\"")};
            }
            if (auto read = read_field(command, value, out); !read) {
                return read.error();
            }
        }
        if (out.command == Command::kPacket && out.packet.empty()) {
            return Error{"\"packet\" needs \"data\""};
        }
        return out;
    }
    return no_command(name);
}

std::string control_result(std::string_view result_json) {
    return "{\"ok\":true,\"result\":" + std::string(result_json) + "}\n";
}

std::string control_error(std::string_view message) {
    return dump(nlohmann::json{{"ok", false}, {"error", message}}) + "\n";
}

std::string control_packet(ByteView packet) {
    return "{\"packet\":\"" + to_hex(packet) + "\"}\n";
}

}  // namespace meshnet::station
