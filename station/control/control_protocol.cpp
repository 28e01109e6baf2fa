// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/control_protocol.hpp"

#include <algorithm>
#include <array>
#include <type_traits>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/names.hpp"
#include "net/master_key.hpp"

namespace meshnet::station {

namespace {

using Command = ControlRequest::Command;

Error wrong(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

Result<std::uint64_t> whole_number(const nlohmann::json& value, std::string_view name, std::uint64_t min,
                                   std::uint64_t max) {
    if (value.is_number_unsigned()) {
        const auto v = value.get<std::uint64_t>();
        if (v >= min && v <= max) {
            return v;
        }
    }
    return wrong("\"" + std::string(name) + "\" must be a whole number, " + std::to_string(min) + " to " +
                 std::to_string(max));
}

template <auto Field, std::uint64_t min, std::uint64_t max>
Status read_number(const nlohmann::json& value, std::string_view name, ControlRequest& out) {
    const auto number = whole_number(value, name, min, max);
    if (!number) {
        return number.error();
    }
    if constexpr (std::is_same_v<decltype(out.*Field), std::uint32_t&>) {
        out.*Field = static_cast<std::uint32_t>(*number);
    } else {
        out.*Field = *number;
    }
    return Ok{};
}

Status read_packet(const nlohmann::json& value, std::string_view name, ControlRequest& out) {
    auto packet = value.is_string() ? from_hex(value.get_ref<const std::string&>()) : std::nullopt;
    if (!packet || packet->size() < 40 || packet->size() > 2'048) {
        return wrong("\"" + std::string(name) + "\" must be an IPv6 packet of 40 to 2048 bytes in hexadecimal");
    }
    out.packet = std::move(*packet);
    return Ok{};
}

Status read_certificate(const nlohmann::json& value, std::string_view name, ControlRequest& out) {
    if (!value.is_string()) {
        return wrong("\"" + std::string(name) + "\" must be the text of a certificate or revocation");
    }
    auto certificate = net::certificate_from_text(value.get_ref<const std::string&>());
    if (!certificate) {
        return wrong("\"" + std::string(name) + "\": " + certificate.error().message);
    }
    out.certificate = *certificate;
    return Ok{};
}

Status read_inhibit(const nlohmann::json& value, std::string_view name, ControlRequest& out) {
    if (!value.is_boolean()) {
        return wrong("\"" + std::string(name) + "\" must be true or false");
    }
    out.inhibit = value.get<bool>();
    return Ok{};
}

Status read_payment(const nlohmann::json& value, std::string_view /*name*/, ControlRequest& out) {
    auto order = parse_payment_order(value);
    if (!order) {
        return order.error();
    }
    out.payment = std::move(*order);
    return Ok{};
}

/// A command: one row. It takes at most one field besides "cmd".
struct CommandRow {
    std::string_view name;
    Command command;
    std::string_view field;  ///< empty: none
    Status (*read)(const nlohmann::json& value, std::string_view name, ControlRequest& out) = nullptr;
    bool required = false;  ///< the field must be there
};
constexpr std::array kCommands{
    CommandRow{"price", Command::kPrice, "msat_per_mib",
               read_number<&ControlRequest::price_msat_per_mib, 0, 1'000'000'000'000>},
    CommandRow{"watch", Command::kWatch, "interval_ms", read_number<&ControlRequest::interval_ms, 100, 60'000>},
    CommandRow{"attach", Command::kAttach, ""},
    CommandRow{"packet", Command::kPacket, "data", read_packet, true},
    CommandRow{"inhibit", Command::kInhibit, "on", read_inhibit, true},
    CommandRow{"publish", Command::kPublish, "certificate", read_certificate, true},
    CommandRow{"stop", Command::kStop, ""},
    CommandRow{"payment", Command::kPayment, "order", read_payment, true},
};
constexpr CommandRow kViewCommand{"", Command::kView, "", nullptr};
constexpr CommandRow kViewWithLimit{"", Command::kView, "limit", read_number<&ControlRequest::limit, 0, 1'000>};

/// The row of a command; views that have entries take a limit.
const CommandRow* find_command(std::string_view name, const View*& view) {
    view = find_view(name);
    if (view != nullptr) {
        return view->has_entries ? &kViewWithLimit : &kViewCommand;
    }
    const auto at = std::find_if(kCommands.begin(), kCommands.end(), [&](const auto& c) { return c.name == name; });
    return at == kCommands.end() ? nullptr : &*at;
}

Error unknown_command(std::string_view name) {
    std::vector<std::string_view> names;
    for (const View& view : views()) {
        names.push_back(view.name);
    }
    for (const CommandRow& command : kCommands) {
        names.push_back(command.name);
    }
    return unknown_name("command", name, names);
}

std::string dump(const nlohmann::json& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Result<ControlRequest> parse_control_request(std::string_view line) {
    if (line.size() > kMaxControlLine) {
        return wrong("a request is at most " + std::to_string(kMaxControlLine) + " bytes");
    }
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object()) {
        return wrong("a request is one JSON object a line, for example {\"cmd\": \"status\"}");
    }
    const auto cmd = json.find("cmd");
    if (cmd == json.end() || !cmd->is_string()) {
        return wrong("a request needs \"cmd\", for example {\"cmd\": \"status\"}");
    }
    const auto& name = cmd->get_ref<const std::string&>();
    ControlRequest out;
    const CommandRow* command = find_command(name, out.view);
    if (command == nullptr) {
        return unknown_command(name);
    }
    out.command = command->command;
    for (const auto& [field, value] : json.items()) {
        if (field == "cmd") {
            continue;
        }
        if (command->field.empty() || field != command->field) {
            return wrong(
                "\"" + name + "\" has no field \"" + field.substr(0, 32) + "\"" +
                (command->field.empty() ? "; it has none" : "; it has \"" + std::string(command->field) + "\""));
        }
        if (auto read = command->read(value, command->field, out); !read) {
            return read.error();
        }
    }
    if (command->required && !json.contains(command->field)) {
        return wrong("\"" + name + "\" needs \"" + std::string(command->field) + "\"");
    }
    return out;
}

std::string control_result(std::string_view result_json) {
    return "{\"ok\":true,\"result\":" + std::string(result_json) + "}\n";
}

std::string control_error(const Error& error) {
    return dump(nlohmann::json{{"ok", false}, {"error", error.message}, {"code", to_string(error.code)}}) + "\n";
}

std::string control_packet(ByteView packet) {
    return "{\"packet\":\"" + to_hex(packet) + "\"}\n";
}

}  // namespace meshnet::station
