// SPDX-License-Identifier: MIT
// Each mode's SNR at PER 1e-1 against a committed table.
//
// The table holds the threshold and the standard deviation of its measurement. Two measurements of the same modem with
// independent noise differ by more than 3.3 times the root sum square of their deviations once in a thousand; over 17
// modes such a false alarm has a probability below 2 %, and while nothing changes none can happen, because the seeds
// are fixed. So that is the tolerance: a mode that is worse by more fails, one that is better by more is pointed out.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "lab/commands.hpp"
#include "lab/threshold_search.hpp"

namespace meshnet::lab {
namespace {

constexpr double kTargetPer = 0.1;
constexpr double kDeviations = 3.3;
constexpr std::uint64_t kSeed = 20'260'101;

struct Golden {
    std::size_t payload = 0;
    double snr_db = 0.0;
    double deviation_db = 0.0;
};

/// Short frames where frames are long: the whole regression must stay within a minute of one core.
std::size_t payload_of(const phy::Mode& mode) {
    return mode.spread >= 8 ? 60 : mode.spread > 1 ? 150 : mode.rate_den == 5 ? 250 : 500;
}

Result<std::map<std::string, Golden>> read_golden(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        return Error{ErrorCode::kNotFound, "cannot read " + path + " (make it with --write)"};
    }
    std::map<std::string, Golden> out;
    std::string line;
    for (int number = 1; std::getline(file, line); ++number) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::istringstream in(line);
        std::string mode;
        Golden g;
        if (!(in >> mode >> g.payload >> g.snr_db >> g.deviation_db) || !phy::find_mode(mode) ||
            !std::isfinite(g.snr_db) || !(g.deviation_db > 0.0)) {
            return Error{ErrorCode::kInvalidData,
                         path + " line " + std::to_string(number) + ": expected mode, bytes, SNR, deviation"};
        }
        out[mode] = g;
    }
    return out;
}

Threshold measure_mode(phy::ModeIndex index, unsigned threads) {
    const phy::Mode& mode = phy::modes()[index];
    Scenario s;
    s.profile = phy::find_profile("1M");
    s.mode = index;
    s.payload_bytes = payload_of(mode);
    s.seed = kSeed;
    SearchPlan plan;
    plan.target_per = kTargetPer;
    plan.start_snr_db = std::round(20.0 * static_cast<double>(mode.required_snr_db) - 20.0) / 20.0;
    plan.step_db = 0.35;
    plan.coarse_frames = 12;
    plan.frames = mode.spread >= 8 ? 150 : 250;
    plan.min_errors = 40;
    return find_threshold(plan, measure_of(s, threads));
}

int write_golden(const std::string& path, const std::map<phy::ModeIndex, Threshold>& measured) {
    std::ofstream file(path);
    file << "# SNR in dB at PER 1e-1, AWGN, profile 1M, unknown time, phase and carrier offset, measured by\n"
         << "#     meshnet-lab regress --write\n"
         << "# A mode may be worse by " << kDeviations
         << " standard deviations of the difference: see lab/cmd_regress.cpp.\n"
         << "# mode  payload bytes  SNR dB  standard deviation dB\n";
    for (const auto& [mode, t] : measured) {
        char line[96];
        std::snprintf(line, sizeof line, "%-12s %5zu %8.3f %7.3f\n", std::string(phy::modes()[mode].name).c_str(),
                      payload_of(phy::modes()[mode]), t.snr_db, t.deviation_db);
        file << line;
    }
    file.close();
    return file ? 0 : complain("regress", "cannot write " + path, 1);
}

}  // namespace

int run_regress(const RegressOptions& o) {
    std::vector<phy::ModeIndex> chosen;
    for (const auto& name : o.modes) {
        const auto mode = phy::parse_mode(name);
        if (!mode) {
            return complain("regress", mode.error().message);
        }
        chosen.push_back(*mode);
    }
    if (chosen.empty()) {
        for (std::size_t m = 0; m < phy::modes().size(); ++m) {
            chosen.push_back(static_cast<phy::ModeIndex>(m));
        }
    }
    if (o.write && chosen.size() != phy::modes().size()) {
        return complain("regress", "--write needs all modes: leave out --mode");
    }
    std::map<std::string, Golden> golden;
    if (!o.write) {
        auto read = read_golden(o.golden);
        if (!read) {
            return complain("regress", read.error().message);
        }
        golden = *read;
    }
    std::printf("SNR at PER 1e-1, profile 1M, seed %llu; tolerance: %.1f deviations of the difference\n",
                static_cast<unsigned long long>(kSeed), kDeviations);
    std::printf("mode           bytes    now dB  +-95 %%   table dB  +-95 %%   change  tolerance\n");
    std::map<phy::ModeIndex, Threshold> measured;
    int failed = 0;
    for (const phy::ModeIndex m : chosen) {
        const std::string name(phy::modes()[m].name);
        const Threshold t = measure_mode(m, std::max(1U, o.threads));
        if (!t.fit) {
            std::printf("%-14s %5zu  never reached PER 1e-1: FAILED\n", name.c_str(), payload_of(phy::modes()[m]));
            ++failed;
            continue;
        }
        measured[m] = t;
        std::printf("%-14s %5zu %9.2f %7.2f", name.c_str(), payload_of(phy::modes()[m]), t.snr_db,
                    kZ95 * t.deviation_db);
        const auto known = golden.find(name);
        if (o.write) {
            std::puts("");
        } else if (known == golden.end() || known->second.payload != payload_of(phy::modes()[m])) {
            std::puts("  not in the table: FAILED");
            ++failed;
        } else {
            const double change = t.snr_db - known->second.snr_db;
            const double tolerance = kDeviations * std::hypot(t.deviation_db, known->second.deviation_db);
            const bool worse = change > tolerance;
            failed += worse ? 1 : 0;
            std::printf(" %10.2f %7.2f %+8.2f %10.2f%s\n", known->second.snr_db, kZ95 * known->second.deviation_db,
                        change, tolerance,
                        worse                 ? "  WORSE: FAILED"
                        : change < -tolerance ? "  better: write the table anew"
                                              : "");
        }
        std::fflush(stdout);
    }
    if (o.write) {
        return failed > 0 ? complain("regress", "the table was not written", 1) : write_golden(o.golden, measured);
    }
    std::printf("%zu of %zu modes as good as the table\n", chosen.size() - static_cast<std::size_t>(failed),
                chosen.size());
    return failed > 0 ? 1 : 0;
}

}  // namespace meshnet::lab
