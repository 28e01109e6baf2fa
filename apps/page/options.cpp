// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "station/config.hpp"

namespace meshnet::page {

namespace {

std::string beside(const std::string& file, const std::string& name) {
    return (std::filesystem::path(file).parent_path() / name).string();
}

}  // namespace

Result<Places> places_of(const Options& options) {
    Places out;
    std::string ledger;
    if (!options.target.config.empty()) {
        const auto config = station::load_config(options.target.config);
        if (!config) {
            return config.error();
        }
        out.socket = config->control_socket;
        out.ledger_file = config->ledger_file;
    }
    if (!options.target.socket.empty()) {
        out.socket = options.target.socket;
    } else if (out.socket.empty()) {
        out.socket = station::kDefaultControlSocket;
    }
    out.token_file = options.token_file.empty() ? beside(out.socket, "page.token") : options.token_file;
    if (!options.no_history) {
        out.history_file = !options.history_file.empty() ? options.history_file
                           : !out.ledger_file.empty()    ? beside(out.ledger_file, "page-history.sqlite")
                                                         : "/var/lib/meshnet/page-history.sqlite";
    }
    return out;
}

std::optional<int> read_options(int argc, char** argv, Options& options) {
    CLI::App app{"meshnet-page: a station's status page and its /metrics, on this machine only"};
    app.set_version_flag("--version", "meshnet-page " MESHNET_VERSION);
    app.add_option("--config", options.target.config,
                   "Configuration of the station: its socket and ledger are found there");
    app.add_option("--socket", options.target.socket,
                   "Control socket of the station (default: from --config, or /run/meshnet/control.sock)");
    app.add_option("--port", options.port, "Port on 127.0.0.1; 0: any that is free")
        ->check(CLI::Range(0, 65'535))
        ->capture_default_str();
    app.add_option("--token-file", options.token_file,
                   "File with the token that opens the page, made with mode 0600 if there is none (default: page.token "
                   "beside the socket)");
    app.add_option("--history", options.history_file,
                   "File of the history, at most about 60 MB (default: page-history.sqlite beside the ledger, or in "
                   "/var/lib/meshnet)");
    app.add_flag("--no-history", options.no_history, "Keep no history");
    app.add_flag("--open-metrics", options.open_metrics,
                 "/metrics needs no token: any program of this machine reads it");
    app.add_flag("--show-url", options.show_url, "Print the address with the token, and end");
    app.add_option("--dygraphs", options.dygraphs, "Folder of dygraph.min.js (Debian: libjs-dygraphs)")
        ->capture_default_str();
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& e) {
        return app.exit(e);
    } catch (const CLI::ParseError& e) {
        std::fprintf(stderr, "meshnet-page: %s; meshnet-page --help lists the options\n", e.what());
        return 2;
    }
    return std::nullopt;
}

}  // namespace meshnet::page
