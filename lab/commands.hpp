// SPDX-License-Identifier: MIT
// The commands of meshnet-lab, one struct of options and one function each. All return the exit code: 0 done, 1 a
// comparison failed, 2 an option was wrong (one line on stderr says which). `sweep` and `regress` print for people
// unless --json is given; the others are the instruments of the report and print one JSON value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lab/lab_io.hpp"

namespace meshnet::lab {

struct SweepOptions {
    ScenarioOptions scenario;
    std::string snr_db;
    std::string shard;  ///< batches of frames k with k mod n = i, as i/n; empty: all
};
/// Points of one mode, one JSON object a line with --json.
int run_sweep(const SweepOptions& o);

struct ThresholdOptions {
    ScenarioOptions scenario;
    std::string scheme = "qpsk-golay-1/2";  ///< of liquid
    double per = 1e-2;
    double step_db = 0.25;
    std::vector<double> awgn;  ///< fading: a and b of a `fit` of threshold for this mode, or empty: measured first
};
/// The SNR at an error rate, its interval, the normal approximation beside it, and the points it was read from.
int run_threshold(const ThresholdOptions& o);
/// The same for liquid's modem.
int run_liquid(const ThresholdOptions& o);
/// The same for a fading channel, beside the same receiver with ideal CSI, and what the channel's information allows.
int run_fading(const ThresholdOptions& o);
/// What each part of the receiver costs: the threshold with one part genie-aided at a time.
int run_budget(const ThresholdOptions& o);

struct InterferenceOptions {
    ScenarioOptions scenario;
    std::string channels =
        "awgn,tone-0db,tone-10db,tone-20db,tone-20db-128.9khz,two-tones-10db,fsk-0db,fsk-10db,fsk-20db,lora-0db,"
        "lora-10db,pulses-10db,pulses-20db,neighbour-20db,neighbour-30db";
    double awgn_db = 0.0;  ///< SNR of the mode at PER 1e-2 without interference; else what the mode table says
    bool has_awgn = false;
    double above_db = 14.0;  ///< the high SNR, over that
};
/// Error rates beside interferers, 1 dB above what theory asks for and far above.
int run_interference(const InterferenceOptions& o);

struct RegressOptions {
    std::string golden;              ///< file of thresholds
    std::vector<std::string> modes;  ///< these only; empty: all
    bool write = false;              ///< replace the file by what was measured
    unsigned threads = 1;
    bool quiet = false;
};
/// Each mode's SNR at PER 1e-1 against the committed table.
int run_regress(const RegressOptions& o);

struct ConstellationOptions {
    std::string mode;        ///< empty: all that have more than one level on an axis
    double margin_db = 1.0;  ///< levels are designed for this much more SNR than they need in theory
};
/// What evenly spaced levels, levels designed for the rate and those in use need, beside Gaussian points.
int run_constellation(const ConstellationOptions& o);

struct SignalOptions {
    ScenarioOptions scenario;
    std::size_t symbols = 20'000;
    std::size_t samples = 400'000;
};
int run_papr(const SignalOptions& o);
int run_spectrum(const SignalOptions& o);
/// bit/s/Hz of every mode in every profile, for 1000-byte frames and bursts of 16 x 1500 bytes.
int run_efficiency();

struct LengthOptions {
    std::string profile = "1M";
    std::string mode;  ///< empty: the modes with the short preamble in turn
    std::size_t first = 1;
    std::size_t last = 24'576;
    std::size_t step = 1;
    unsigned threads = 1;
    bool quiet = false;
};
/// Frames of every length without noise; 1 if one was lost.
int run_lengths(const LengthOptions& o);

struct HostileCampaignOptions {
    std::size_t seeds = 100;
    std::uint64_t first_seed = 1;
    std::size_t nodes = 10;
    double hostile_share = 0.3;
    unsigned seconds = 60;
    unsigned threads = 0;
    std::string shard;  ///< networks k with k mod n = i, as i/n; empty: all
    bool json = false;
    bool quiet = false;
};
/// Random networks of which a part is hostile; 1 if an honest node lost or failed to deliver more than it may.
int run_hostile(const HostileCampaignOptions& o);

struct NetOptions {
    std::string scenario;   ///< a file; empty: the defaults
    std::size_t nodes = 0;  ///< instead of the scenario's; 0: as there
    std::uint64_t first_seed = 1;
    std::size_t seeds = 1;
    std::string shard;  ///< networks k with k mod n = i, as i/n; empty: all
    unsigned threads = 0;
    bool print_scenario = false;
    bool no_checks = false;  ///< of invariants after every event
    bool json = false;
    bool quiet = false;
};
/// Networks of routers from a scenario; 1 if an invariant broke.
int run_net(const NetOptions& o);

struct NetTrialOptions {
    std::string trial;  ///< one of kNetTrials
    std::size_t seeds = 10;
    double distance_km = 50.0;  ///< of a hop
    unsigned threads = 0;
};
inline const std::vector<std::string> kNetTrials{"repair",  "fade",     "cheaper",    "newcomer",
                                                 "network", "undercut", "load-price", "cartel"};
/// One JSON object a seed: whole nodes with the MAC (the first five), or relays that compete by price.
int run_net_trial(const NetTrialOptions& o);

/// Joins what campaigns with --shard wrote (mac, hostile, sweep): the files hold one JSON object a line, "-" is
/// standard input. Prints what the campaign prints with --json on one machine.
int run_merge(const std::vector<std::string>& files);

struct DetectionOptions {
    ScenarioOptions scenario;
    std::string preamble = "short";
    std::string snr_db;
    std::uint64_t samples = 100'000'000;
};
int run_detection(const DetectionOptions& o);
int run_noise(const DetectionOptions& o);

}  // namespace meshnet::lab
