// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli: a file a command, options and work together. What the files share.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "apps/control/control_client.hpp"
#include "core/result.hpp"

namespace meshnet::apps {

/// Writes `meshnet-cli: LINE` on stderr and gives `code` back: 1 it failed, 2 the command line was wrong.
int complain(const std::string& line, int code);
/// The same for an error; 2 if an argument was wrong, else 1.
int complain(const Error& error);

/// --socket and --config.
void add_target(CLI::App& command, ControlTarget& target);

/// Adds a command whose callback sets the exit code. `Options` lives as long as the command; `run` gets it after
/// parsing.
template <class Options>
Options& add_command(CLI::App& app, int& exit_code, const std::string& name, const std::string& help,
                     CLI::App*& command, std::function<int(const Options&)> run) {
    command = app.add_subcommand(name, help);
    auto options = std::make_shared<Options>();
    command->callback([options, run = std::move(run), &exit_code, command] {
        if (command->get_subcommands().empty()) {  // one of those has done it
            exit_code = run(*options);
        }
    });
    return *options;
}

// Each adds the commands of its file to `app`; they leave their exit code in `exit_code`.
void add_views(CLI::App& app, int& exit_code);       // one per view: status, ...
void add_price(CLI::App& app, int& exit_code);       // price
void add_watch(CLI::App& app, int& exit_code);       // watch
void add_stop(CLI::App& app, int& exit_code);        // stop, inhibit
void add_transfer(CLI::App& app, int& exit_code);    // send, receive
void add_modulate(CLI::App& app, int& exit_code);    // modulate
void add_demodulate(CLI::App& app, int& exit_code);  // demodulate
void add_tables(CLI::App& app, int& exit_code);      // modes, profiles
void add_bands(CLI::App& app, int& exit_code);       // bands
void add_linkbudget(CLI::App& app, int& exit_code);  // linkbudget
void add_monitor(CLI::App& app, int& exit_code);     // monitor
void add_keys(CLI::App& app, int& exit_code);        // keys
void add_ledger(CLI::App& app, int& exit_code);      // ledger statement, verify, record, settle

}  // namespace meshnet::apps
