// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli: one program for questions to a station and for the modem on files.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "apps/cli/command.hpp"

namespace meshnet::apps {

int complain(const std::string& line, int code) {
    std::fprintf(stderr, "meshnet-cli: %s\n", line.c_str());
    return code;
}

int complain(const Error& error) {
    return complain(error.message, error.code == ErrorCode::kInvalidArgument ? 2 : 1);
}

void add_target(CLI::App& command, ControlTarget& target) {
    command.add_option("--socket", target.socket,
                       "Control socket of the station (default: from --config, or /run/meshnet/control.sock)");
    command.add_option("--config", target.config, "Configuration of the station, to find its socket in");
}

namespace {

int run(int argc, char** argv) {
    CLI::App app{"meshnet-cli: questions to a meshnet station, and its modem on files"};
    app.set_version_flag("--version", "meshnet-cli " MESHNET_VERSION);
    app.require_subcommand(1);
    int exit_code = 0;
    for (const auto add : {add_views, add_price, add_watch, add_stop, add_transfer, add_modulate, add_demodulate,
                           add_tables, add_bands, add_linkbudget, add_monitor, add_keys, add_ledger}) {
        add(app, exit_code);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    // A full disk is no success; a reader that has seen enough and left is.
    if (std::fflush(stdout) != 0 && errno != EPIPE && exit_code == 0) {
        return complain("standard output cannot be written", 1);
    }
    return exit_code;
}

}  // namespace

}  // namespace meshnet::apps

int main(int argc, char** argv) {
    // What a radio says of itself belongs beside our own lines, not among frames on standard output.
    auto log = std::make_shared<spdlog::logger>("meshnet-cli", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    log->set_pattern("meshnet-cli: %v");
    spdlog::set_default_logger(std::move(log));
    std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is a failed write, with a line
    try {
        return meshnet::apps::run(argc, argv);
    } catch (const std::exception& e) {
        return meshnet::apps::complain(e.what(), 1);
    }
}
