// SPDX-License-Identifier: MIT
// meshnet-lab: measures the modem. Options only; the work is in the other files.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "lab/cmd_mac.hpp"
#include "lab/commands.hpp"

namespace {

using namespace meshnet::lab;

struct Everything {
    SweepOptions sweep;
    ThresholdOptions threshold;
    InterferenceOptions interference;
    RegressOptions regress;
    LengthOptions lengths;
    ConstellationOptions constellation;
    SignalOptions signal;
    DetectionOptions detection;
    HostileCampaignOptions hostile;
    NetOptions net;
    NetTrialOptions net_trial;
    MacOptions mac;
    std::vector<std::string> merge;
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
    command->add_option("--genie", o.genie,
                        "Genie-aided receiver: ideal values of start header phase channel noise demapper, csi: ideal "
                        "CSI (phase, channel and noise), peaks: no limiting, all, none; joined by '+'");
}

void add_sweep(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("sweep", "Frame error rate against SNR, the whole receiver from samples");
    add_scenario(command, e.sweep.scenario, true);
    add_frames(command, e.sweep.scenario);
    command->add_option("--snr-db", e.sweep.snr_db, "A:STEP:B, one value, or values joined by commas")->required();
    command->add_option("--shard", e.sweep.shard, "Only a part of the frames, as i/n, for meshnet-lab merge (JSON)");
    command->callback([&e] { e.result = run_sweep(e.sweep); });
}

void add_target(CLI::App* command, ThresholdOptions& o) {
    command->add_option("--per", o.per, "Target frame error rate")->capture_default_str();
    command->add_option("--step-db", o.step_db, "Between the points measured around it")->capture_default_str();
}

void add_thresholds(CLI::App& app, Everything& e) {
    auto* threshold = app.add_subcommand("threshold", "The SNR at which a frame error rate is reached (JSON)");
    add_scenario(threshold, e.threshold.scenario, true);
    add_frames(threshold, e.threshold.scenario);
    add_target(threshold, e.threshold);
    threshold->callback([&e] { e.result = run_threshold(e.threshold); });

    auto* fading = app.add_subcommand("fading", "The same in a fading channel, beside ideal channel knowledge (JSON)");
    add_scenario(fading, e.threshold.scenario, true);
    add_frames(fading, e.threshold.scenario);
    add_target(fading, e.threshold);
    fading->add_option("--awgn", e.threshold.awgn, "a and b of this mode's fit in AWGN (else it is measured first)")
        ->expected(2);
    fading->callback([&e] { e.result = run_fading(e.threshold); });

    auto* budget = app.add_subcommand("budget", "Loss of each part of the receiver, genie-aided one at a time (JSON)");
    add_scenario(budget, e.threshold.scenario, true);
    add_frames(budget, e.threshold.scenario);
    add_target(budget, e.threshold);
    budget->callback([&e] { e.result = run_budget(e.threshold); });

    auto* liquid = app.add_subcommand("liquid", "The same for liquid-dsp's ofdmflexframe (JSON)");
    add_scenario(liquid, e.threshold.scenario, false);
    add_frames(liquid, e.threshold.scenario);
    add_target(liquid, e.threshold);
    liquid->add_option("--scheme", e.threshold.scheme, "Modulation and code, as qpsk-golay-1/2")->capture_default_str();
    liquid->add_option("--payload", e.threshold.scenario.payload, "Bytes in a frame")->capture_default_str();
    liquid->callback([&e] { e.result = run_liquid(e.threshold); });
}

void add_interference(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("interference", "Error rates beside interferers, and what those must cost");
    auto& o = e.interference;
    o.scenario.payload = 300;
    o.scenario.frames = 200;
    add_scenario(command, o.scenario, false);
    add_frames(command, o.scenario);
    command->add_option("--mode", o.scenario.mode, "Mode, as qpsk-1/2")->capture_default_str();
    command->add_option("--payload", o.scenario.payload, "Bytes in a frame")->capture_default_str();
    command->add_option("--channels", o.channels, "Interferers, joined by commas")->capture_default_str();
    command->add_option("--above-db", o.above_db, "High SNR over that of PER 1e-2")->capture_default_str();
    command->add_option_function<double>(
        "--awgn-db", [&o](double v) { o.awgn_db = v, o.has_awgn = true; },
        "SNR at PER 1e-2 without interference (else the mode table's)");
    command->callback([&e] { e.result = run_interference(e.interference); });
}

void add_hostile(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("hostile", "Random networks with hostile nodes: what honest ones lose");
    auto& o = e.hostile;
    command->add_option("--seeds", o.seeds, "Networks")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    command->add_option("--first-seed", o.first_seed, "Seed of the first")->capture_default_str();
    command->add_option("--nodes", o.nodes, "Nodes of each, 4 to 64")->capture_default_str();
    command->add_option("--hostile-share", o.hostile_share, "Share of them that is hostile")->capture_default_str();
    command->add_option("--seconds", o.seconds, "Virtual time of each, 1 to 3600")->capture_default_str();
    command->add_option("--threads", o.threads, "Threads, 0: one per core; never changes a result")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    command->add_flag("--json", o.json, "JSON instead of a line");
    command->add_flag("--quiet", o.quiet, "No progress on stderr");
    command->add_option("--shard", o.shard, "Only networks k with k mod n = i, as i/n, for meshnet-lab merge (JSON)");
    command->callback([&e] { e.result = run_hostile(e.hostile); });
}

void add_net(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("net", "Networks of routers in virtual time, from a scenario file");
    auto& o = e.net;
    command->add_option("--scenario", o.scenario, "File (--print-scenario shows what it may hold; default: 20 nodes)");
    command->add_option("--nodes", o.nodes, "Instead of the scenario's, 2 to 1000");
    command->add_option("--seed", o.first_seed, "The first")->capture_default_str();
    command->add_option("--seeds", o.seeds, "How many, one network each")
        ->check(CLI::Range(1, 1'000'000))
        ->capture_default_str();
    command->add_option("--shard", o.shard, "Only networks k with k mod n = i, as i/n, for meshnet-lab merge (JSON)");
    command->add_option("--threads", o.threads, "Threads, 0: one per core; never changes a result")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    command->add_flag("--print-scenario", o.print_scenario, "Write the scenario with every key, run nothing");
    command->add_flag("--no-checks", o.no_checks, "No invariants after every event");
    command->add_flag("--json", o.json, "A JSON object a seed instead of a line");
    command->add_flag("--quiet", o.quiet, "No progress on stderr");
    command->callback([&e] { e.result = run_net(e.net); });
}

void add_net_trial(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("net-trial", "Repair, fading, prices: one JSON object a seed");
    auto& o = e.net_trial;
    command->add_option("trial", o.trial, "Which")->required()->check(CLI::IsMember(kNetTrials));
    command->add_option("--seeds", o.seeds, "How many")->check(CLI::Range(1, 10'000))->capture_default_str();
    command->add_option("--distance-km", o.distance_km, "Of a hop")
        ->check(CLI::Range(1.0, 1'000.0))
        ->capture_default_str();
    command->add_option("--threads", o.threads, "Threads, 0: one per core; never changes a result")
        ->check(CLI::Range(0, 256))
        ->capture_default_str();
    command->callback([&e] { e.result = run_net_trial(e.net_trial); });
}

void add_merge(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("merge", "Joins what campaigns with --shard wrote: mac, net, hostile, sweep");
    command->add_option("files", e.merge, "One JSON object a line; - is standard input")->required();
    command->callback([&e] { e.result = run_merge(e.merge); });
}

void add_regress(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("regress", "Every mode's SNR at PER 1e-1 against the committed table");
    command->add_option("--golden", e.regress.golden, "The table (tests/golden/phy_snr.txt)")->required();
    command->add_option("--mode", e.regress.modes, "These modes only (may be repeated)");
    command->add_flag("--write", e.regress.write, "Replace the table by what is measured");
    command->add_option("--threads", e.regress.threads, "Threads; never changes a result")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command->callback([&e] { e.result = run_regress(e.regress); });
}

void add_lengths(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand("lengths", "Frames of every length without noise; fails if one is lost (JSON)");
    auto& o = e.lengths;
    command->add_option("--profile", o.profile, "Profile, or all")->capture_default_str();
    command->add_option("--mode", o.mode, "One mode (default: those with the short preamble in turn)");
    command->add_option("--first", o.first, "Shortest payload, bytes")->capture_default_str();
    command->add_option("--last", o.last, "Longest payload, bytes")->capture_default_str();
    command->add_option("--step", o.step, "Every so many bytes")->capture_default_str();
    command->add_option("--threads", o.threads, "Threads; never changes a result")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command->add_flag("--quiet", o.quiet, "No progress on stderr");
    command->callback([&e] { e.result = run_lengths(e.lengths); });
}

void add_constellation(CLI::App& app, Everything& e) {
    auto* command = app.add_subcommand(
        "constellation", "SNR that a mode's rate needs with even, designed and the mode's own levels (JSON)");
    command->add_option("--mode", e.constellation.mode, "One mode (default: 16QAM and up)");
    command->add_option("--margin-db", e.constellation.margin_db, "SNR the design is made for, over what it needs")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    command->callback([&e] { e.result = run_constellation(e.constellation); });
}

void add_signal(CLI::App& app, Everything& e) {
    auto* papr = app.add_subcommand("papr", "Peak to mean power of the symbols of a mode (JSON)");
    add_scenario(papr, e.signal.scenario, true);
    papr->add_option("--symbols", e.signal.symbols, "Symbols, at least")->capture_default_str();
    papr->callback([&e] { e.result = run_papr(e.signal); });

    auto* spectrum = app.add_subcommand("spectrum", "Power density of a mode (JSON)");
    add_scenario(spectrum, e.signal.scenario, true);
    spectrum->add_option("--samples", e.signal.samples, "Samples, at least")->capture_default_str();
    spectrum->callback([&e] { e.result = run_spectrum(e.signal); });

    app.add_subcommand("efficiency", "bit/s/Hz of every mode and profile (JSON)")->callback([&e] {
        e.result = run_efficiency();
    });

    auto* detection = app.add_subcommand("detection", "How often a preamble is found (JSON)");
    add_scenario(detection, e.detection.scenario, false);
    detection->add_option("--preamble", e.detection.preamble, "short, medium or long")->capture_default_str();
    detection->add_option("--snr-db", e.detection.snr_db, "A:STEP:B, one value, or values joined by commas")
        ->required();
    detection->add_option("--frames", e.detection.scenario.frames, "Trials per point")->capture_default_str();
    detection->callback([&e] { e.result = run_detection(e.detection); });

    auto* noise = app.add_subcommand("noise", "False alarms of the whole receiver on white noise (JSON)");
    add_scenario(noise, e.detection.scenario, false);
    noise->add_option("--samples", e.detection.samples, "Samples of noise")->capture_default_str();
    noise->callback([&e] { e.result = run_noise(e.detection); });
}

}  // namespace

int main(int argc, char** argv) {
    Everything e;
    CLI::App app("Measures the modem: error rates, thresholds, spectra, detection", "meshnet-lab");
    app.require_subcommand(1);
    add_sweep(app, e);
    add_thresholds(app, e);
    add_interference(app, e);
    add_regress(app, e);
    add_hostile(app, e);
    add_net(app, e);
    add_net_trial(app, e);
    add_lengths(app, e);
    add_constellation(app, e);
    add_signal(app, e);
    add_mac(app, e.mac, e.result);
    add_merge(app, e);
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
