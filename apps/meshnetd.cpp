// SPDX-License-Identifier: GPL-3.0-or-later
// meshnetd: the daemon's command line. It has few options; the settings are in the configuration.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "net/node_id.hpp"
#include "station/config.hpp"
#include "station/daemon.hpp"
#include "station/key_file.hpp"
#include "station/ptt_helper.hpp"
#include "station/sandbox.hpp"

namespace {

namespace station = meshnet::station;

constexpr std::string_view kUsage =
    "meshnetd: a meshnet station\n"
    "\n"
    "  meshnetd --config FILE            run until SIGTERM\n"
    "  meshnetd --config FILE --check    read the configuration, report errors, do nothing else\n"
    "  meshnetd --config FILE --init     make the key file if there is none, print id and address\n"
    "  meshnetd --config FILE --record F write the received samples to F (cf32, SigMF metadata beside it);\n"
    "                                    --force replaces a recording of that name\n"
    "  meshnetd --print-config           write an annotated example configuration\n"
    "  meshnetd --version | --help\n";

struct Options {
    std::string config;
    station::RecordTo record;
    bool check = false, init = false, print = false, help = false, version = false;
    std::string error;
};

Options read_options(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc && o.error.empty(); ++i) {
        std::string name = argv[i];
        std::string value;
        bool has_value = false;
        if (const auto equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
            has_value = true;
        }
        if (name == "--config" || name == "--record") {
            if (!has_value && i + 1 < argc) {
                value = argv[++i];
                has_value = true;
            }
            (name == "--config" ? o.config : o.record.path) = value;
            if (!has_value || value.empty()) {
                o.error = name + " needs a file name";
            }
        } else if (name == "--force") {
            o.record.force = true;
        } else if (name == "--check") {
            o.check = true;
        } else if (name == "--init") {
            o.init = true;
        } else if (name == "--print-config") {
            o.print = true;
        } else if (name == "--version") {
            o.version = true;
        } else if (name == "--help" || name == "-h") {
            o.help = true;
        } else {
            o.error = "unknown option " + name + "; meshnetd --help lists them";
        }
    }
    return o;
}

int fail(const std::string& line, int code) {
    std::fprintf(stderr, "meshnetd: %s\n", line.c_str());
    return code;
}

/// The process as it is to be for the rest of its life: before keys, samples and threads.
meshnet::Status confine(station::Config& config, const std::string& recording) {
    if (!config.radio.ptt_command.empty()) {
        auto helper = station::PttHelper::start(config.radio.ptt_command);
        if (!helper) {
            return helper.error();
        }
        config.radio.ptt = [helper = *helper](bool transmit) { return helper->run(transmit); };
    }
    const auto lines = station::enter_sandbox(station::sandbox_needs(config, recording));
    if (!lines) {
        return lines.error();
    }
    for (const auto& line : *lines) {
        spdlog::warn("{}", line);
    }
    return meshnet::Ok{};
}

int init_key(const station::Config& config) {
    if (auto ready = station::init_random(); !ready) {
        return fail(ready.error().message, 1);
    }
    station::SystemRandom random;
    const auto key = station::load_or_create_key(config.key_file, config.ledger_file, random);
    if (!key) {
        return fail(key.error().message, 1);
    }
    std::printf("key file %s %s\nid       %s\naddress  %s\n", config.key_file.c_str(),
                key->created ? "made" : "was there", meshnet::net::to_string(key->identity.id()).c_str(),
                meshnet::net::to_string(key->identity.address()).c_str());
    return 0;
}

int run(int argc, char** argv) {
    const Options options = read_options(argc, argv);
    if (!options.error.empty()) {
        return fail(options.error, 2);
    }
    if (options.help) {
        std::fputs(std::string(kUsage).c_str(), stdout);
        return 0;
    }
    if (options.version) {
        std::puts("meshnetd " MESHNET_VERSION);
        return 0;
    }
    if (options.print) {
        std::fputs(station::example_config().c_str(), stdout);
        return 0;
    }
    if (options.config.empty()) {
        return fail("which station? give --config FILE; meshnetd --print-config writes an example", 2);
    }
    auto config = station::load_config(options.config);
    if (!config) {
        return fail(config.error().message, 2);
    }
    if (options.check) {
        std::printf("%s: fine\n", options.config.c_str());
        return 0;
    }
    auto logger = std::make_shared<spdlog::logger>(config->name, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n: %v");
    logger->set_level(spdlog::level::from_str(config->log_level));
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(logger);

    if (auto confined = confine(*config, options.record.path); !confined) {
        return fail(confined.error().message, 1);
    }
    if (options.init) {
        return init_key(*config);
    }
    auto daemon = station::Daemon::start(*config, options.record);
    if (!daemon) {
        return fail(daemon.error().message, 1);
    }
    if (auto done = (*daemon)->run(); !done) {
        return fail(done.error().message, 1);
    }
    spdlog::info("stopped");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed connection is a failed write, not the end of the station
    try {
        return run(argc, argv);
    } catch (const std::exception& e) {  // out of memory and the like
        return fail(e.what(), 1);
    }
}
