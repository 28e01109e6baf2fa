// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli: one program for questions to a station and for the modem on files. Options only; the work is in the
// other files.
#include "apps/cli/meshnet_cli.hpp"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>

namespace meshnet::apps {

int complain(const std::string& line, int code) {
    std::fprintf(stderr, "meshnet-cli: %s\n", line.c_str());
    return code;
}

namespace {

struct Everything {
    ControlTarget target;
    ModemOptions modem;
    TransferOptions transfer;
    std::string ledger_file;
    std::uint32_t limit = 20;
    std::uint32_t interval_ms = 1'000;
    std::optional<std::uint64_t> price;
    bool json = false;
    int result = 0;
};

CLI::App* control_command(CLI::App& app, Everything& e, const char* name, const char* doc) {
    auto* command = app.add_subcommand(name, doc);
    command->add_option("--socket", e.target.socket,
                        "Control socket of the station (default: from --config, or /run/meshnet/control.sock)");
    command->add_option("--config", e.target.config, "Configuration of the station, to find its socket in");
    return command;
}

void add_control(CLI::App& app, Everything& e) {
    struct View {
        const char* name;
        const char* doc;
        int (*show)(const ControlTarget&, bool);
    };
    for (const View view : {View{"status", "Who the station is and what it counts", show_status},
                            View{"neighbours", "Who is heard, how well, and what they owe", show_neighbours},
                            View{"routes", "Destinations, next hops and prices", show_routes},
                            View{"flows", "Paid conversations this station takes part in", show_flows}}) {
        auto* command = control_command(app, e, view.name, view.doc);
        command->add_flag("--json", e.json, "One JSON value instead of a table");
        command->callback([&e, view] { e.result = view.show(e.target, e.json); });
    }
    auto* ledger = control_command(app, e, "ledger", "What was earned and what is owed");
    ledger->add_flag("--json", e.json, "One JSON value instead of tables");
    ledger->add_option("--file", e.ledger_file, "Read this ledger file instead of asking the daemon");
    ledger->add_option("--limit", e.limit, "Newest entries shown")->check(CLI::Range(0, 1000))->capture_default_str();
    ledger->callback([&e] { e.result = show_ledger(e.target, e.ledger_file, e.limit, e.json); });
    auto* price = control_command(app, e, "price", "Show the price asked for carrying, or set it");
    price->add_flag("--json", e.json, "One JSON value");
    price->add_option("--set", e.price, "New price, millisatoshi per MiB");
    price->callback([&e] { e.result = show_or_set_price(e.target, e.price, e.json); });
    auto* watch = control_command(app, e, "watch", "The status as JSON lines until interrupted");
    watch->add_option("--interval-ms", e.interval_ms, "Between two lines")
        ->check(CLI::Range(100, 60'000))
        ->capture_default_str();
    watch->callback([&e] { e.result = watch_status(e.target, e.interval_ms); });
    auto* stop = control_command(app, e, "stop", "Stop the daemon cleanly");
    stop->callback([&e] { e.result = stop_daemon(e.target); });
}

void add_transfer(CLI::App& app, Everything& e) {
    auto* send = control_command(app, e, "send", "Send a file through a station without TUN");
    send->add_option("file", e.transfer.file, "The file, at most 64 MiB")->required();
    send->add_option("--to", e.transfer.to, "IPv6 address of the station that receives (default: the first that asks)");
    auto* receive = control_command(app, e, "receive", "Receive one file through a station without TUN");
    receive->add_option("file", e.transfer.file, "Where to write it")->required();
    receive->add_option("--from", e.transfer.from,
                        "IPv6 address of a station that sends on request (default: take what comes)");
    for (auto* command : {send, receive}) {
        command->add_flag("--json", e.transfer.json, "JSON lines: progress of receive, and an object at the end");
        command->add_option("--timeout", e.transfer.timeout_s, "Give up after so many seconds without progress")
            ->check(CLI::Range(1.0, 1e6))
            ->capture_default_str();
    }
    send->callback([&e] { e.result = send_file(e.target, e.transfer); });
    receive->callback([&e] { e.result = receive_file(e.target, e.transfer); });
}

void add_modem(CLI::App& app, Everything& e) {
    auto& m = e.modem;
    auto* mod = app.add_subcommand("modulate", "Payload on standard input -> samples");
    mod->add_option("--mode", m.mode, "Mode; meshnet-cli modes lists them")->capture_default_str();
    mod->add_option("--output", m.output,
                    "Write samples here, with SigMF metadata beside it (default: standard output)");
    mod->add_option("--payload-size", m.payload_size, "Bytes in a frame at most")
        ->check(CLI::Range(1, 24'576))
        ->capture_default_str();
    mod->add_option("--gap-ms", m.gap_ms, "Silence before, between and after frames")
        ->check(CLI::Range(0.0, 60'000.0))
        ->capture_default_str();
    mod->callback([&e] { e.result = modulate(e.modem); });
    auto* demod = app.add_subcommand("demodulate", "Samples -> frames, one line each");
    demod->add_option("file", m.file, "File of samples, - for standard input")->capture_default_str();
    demod->add_flag("--json", m.json, "One JSON object a frame, and a summary at the end");
    demod->add_option("--output", m.output, "Write the payload of frames without error here");
    demod->callback([&e] { e.result = demodulate(e.modem); });
    for (auto* command : {mod, demod}) {
        command->add_option("--profile", m.profile, "Profile; meshnet-cli profiles lists them")->capture_default_str();
        command->add_option(
            "--rate", m.rate_hz,
            "Sample rate of the file in Hz (default: its SigMF metadata's when read, else the profile's)");
        command->add_option("--format", m.format,
                            "cf32, cs8 or cs16 (default: by SigMF metadata when read, else by the file's ending)");
    }
    auto* modes = app.add_subcommand("modes", "The modes, the most robust first");
    modes->add_option("--profile", m.profile, "Profile the rates are for")->capture_default_str();
    modes->add_flag("--json", e.json, "JSON");
    modes->callback([&e] { e.result = list_modes(e.modem.profile, e.json); });
    auto* profiles = app.add_subcommand("profiles", "The profiles, the narrowest first");
    profiles->add_flag("--json", e.json, "JSON");
    profiles->callback([&e] { e.result = list_profiles(e.json); });
}

int run(int argc, char** argv) {
    CLI::App app{"meshnet-cli: questions to a meshnet station, and its modem on files"};
    app.set_version_flag("--version", "meshnet-cli " MESHNET_VERSION);
    app.require_subcommand(1);
    Everything everything;
    add_control(app, everything);
    add_transfer(app, everything);
    add_modem(app, everything);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? 0 : 2;
    }
    // A full disk is no success; a reader that has seen enough and left is.
    if (std::fflush(stdout) != 0 && errno != EPIPE && everything.result == 0) {
        return complain("standard output cannot be written", 1);
    }
    return everything.result;
}

}  // namespace

}  // namespace meshnet::apps

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is a failed write, with a line
    try {
        return meshnet::apps::run(argc, argv);
    } catch (const std::exception& e) {
        return meshnet::apps::complain(e.what(), 1);
    }
}
