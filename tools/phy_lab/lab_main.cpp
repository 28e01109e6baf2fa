// SPDX-License-Identifier: MIT
// meshnet-lab: measures the modem. Options only; the work is in the other files.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "tools/phy_lab/commands.hpp"

namespace {

using namespace meshnet::lab;

struct Everything {
    SweepOptions sweep;
    int result = 0;
};

void add_scenario(CLI::App* command, ScenarioOptions& o, bool with_mode) {
    if (with_mode) {
        command->add_option("--mode", o.mode, "Mode, as qpsk-1/2")->required();
        command->add_option("--channel", o.channel, "Channel, as awgn or tdl-c-2us+cfo-8000hz")->capture_default_str();
        command->add_option("--payload", o.payload, "Bytes in a frame")->capture_default_str();
    }
    command->add_option("--profile", o.profile, "Numerology, as 1M")->capture_default_str();
    command->add_option("--seed", o.seed, "Seed of payloads, times, offsets and noise")->capture_default_str();
    command->add_option("--threads", o.threads, "Threads, 0: one per core; never changes a result")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    command->add_flag("--json", o.json, "JSON instead of a table");
    command->add_flag("--quiet", o.quiet, "No progress on stderr");
}

void add_frames(CLI::App* command, ScenarioOptions& o) {
    command->add_option("--frames", o.frames, "Frames per point, at most")->capture_default_str();
    command->add_option("--min-errors", o.min_errors, "Stop a point after so many errors; 0: never")
        ->capture_default_str();
    command->add_option_function<double>(
        "--cfo-hz", [&o](double v) { o.cfo_hz = v, o.has_cfo = true; },
        "Carrier offset of every frame (else: uniform in the profile's range, or the channel's)");
    command->add_option_function<double>(
        "--sfo-ppm", [&o](double v) { o.sfo_ppm = v, o.has_sfo = true; }, "Sampling clock error of every frame");
}

void add_sweep(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("sweep", "Frame error rate against SNR, the whole receiver from samples");
    add_scenario(command, e.sweep.scenario, true);
    add_frames(command, e.sweep.scenario);
    command->add_option("--snr-db", e.sweep.snr_db, "A:STEP:B, one value, or values joined by commas")->required();
    command->callback([&e] { e.result = run_sweep(e.sweep); });
}

}  // namespace

int main(int argc, char** argv) {
    Everything e;
    CLI::App app("Measures the modem: error rates, thresholds, spectra, detection", "meshnet-lab");
    app.require_subcommand(1);
    add_sweep(app, e);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error);
        }
        const auto chosen = app.get_subcommands();
        return complain(chosen.empty() ? "lab" : chosen.front()->get_name(), error.what());
    } catch (const std::exception& error) {
        return complain("lab", error.what(), 1);
    }
    return e.result;
}
