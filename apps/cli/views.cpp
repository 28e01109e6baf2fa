// SPDX-License-Identifier: GPL-3.0-or-later
// status, neighbours, routes, flows, ledger: every view of the control socket, printed by its own columns.
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/table.hpp"
#include "apps/control/control_client.hpp"
#include "station/control/views.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using station::Column;

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

std::string owes(const Json& balance) {
    const double b = balance.is_number() ? balance.get<double>() : 0.0;
    return b > 0 ? "owes us" : b < 0 ? "we owe" : "even";
}

std::string formatted(const Json& value, Column::Format format) {
    switch (format) {
        case Column::Format::kAsIs:
            return cell(value);
        case Column::Format::kShort:
            return cell(value).substr(0, 8);
        case Column::Format::kFixed0:
            return fixed(value, 0);
        case Column::Format::kFixed1:
            return fixed(value, 1);
        case Column::Format::kFixed3:
            return fixed(value, 3);
        case Column::Format::kKilo:
            return value.is_number() ? fixed(Json(value.get<double>() * 1e-3), 0) : cell(value);
        case Column::Format::kUtc:
            return utc(value);
        case Column::Format::kOwes:
            return owes(value);
    }
    return cell(value);
}

/// An object: its plain fields a line each, then a line for every object in it. Lists are tables of their own.
void print_object(const Json& object) {
    std::vector<std::pair<std::string, std::string>> lines;
    for (const auto& [key, value] : object.items()) {
        if (!value.is_object() && !value.is_array()) {
            lines.emplace_back(key, cell(value));
        }
    }
    for (const auto& [key, value] : object.items()) {
        if (value.is_object()) {
            std::string line;
            for (const auto& [name, counter] : value.items()) {
                line += (line.empty() ? "" : ", ") + name + " " + cell(counter);
            }
            lines.emplace_back(key, line);
        }
    }
    std::size_t width = 0;
    for (const auto& [key, text] : lines) {
        width = std::max(width, key.size());
    }
    for (const auto& [key, text] : lines) {
        std::printf("%-*s  %s\n", static_cast<int>(width), key.c_str(), text.c_str());
    }
}

void print_table(const Json& rows, const station::Section& section) {
    std::vector<std::string> head;
    for (const Column& column : section.columns) {
        head.emplace_back(column.heading);
    }
    Table table(std::move(head));
    for (const Json& row : rows) {
        std::vector<std::string> cells;
        for (const Column& column : section.columns) {
            cells.push_back(formatted(row.value(std::string(column.key), Json()), column.format));
        }
        table.row(std::move(cells));
    }
    if (!rows.empty() || !section.if_empty.empty()) {
        table.print(std::string(section.if_empty).c_str());
    }
}

struct ViewOptions {
    ControlTarget target;
    std::string file;
    std::uint32_t limit = 20;
    bool json = false;
};

Result<Json> fetch(const station::View& view, const ViewOptions& o) {
    if (!o.file.empty()) {
        const auto text = view.render_file(o.file, o.limit);
        if (!text) {
            return text.error();
        }
        return Json::parse(*text);
    }
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return client.error();
    }
    Json request{{"cmd", view.name}};
    if (view.has_entries) {
        request["limit"] = o.limit;
    }
    return client->ask(request.dump());
}

int show(const station::View& view, const ViewOptions& o) {
    const auto answer = fetch(view, o);
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    if (o.json) {
        std::puts(answer->dump(2).c_str());
        return 0;
    }
    try {
        for (const station::Section& section : view.sections) {
            const Json& part = section.key.empty() ? *answer : answer->at(std::string(section.key));
            if (section.columns.empty()) {
                print_object(part);
            } else {
                print_table(part, section);
            }
        }
    } catch (const Json::exception&) {
        return complain("the daemon's answer is not of this version; --json shows it", 1);
    }
    return 0;
}

}  // namespace

void add_views(CLI::App& app, int& exit_code) {
    for (const station::View& view : station::views()) {
        CLI::App* command = nullptr;
        auto& o = add_command<ViewOptions>(app, exit_code, std::string(view.name), std::string(view.help), command,
                                           [&view](const ViewOptions& options) { return show(view, options); });
        add_target(*command, o.target);
        command->add_flag("--json", o.json, "One JSON value instead of tables");
        if (view.has_entries) {
            command->add_option("--limit", o.limit, "Newest entries shown")
                ->check(CLI::Range(0, 1000))
                ->capture_default_str();
        }
        if (view.render_file != nullptr) {
            command->add_option("--file", o.file, "Read this file instead of asking the daemon");
        }
    }
}

}  // namespace meshnet::apps
