// SPDX-License-Identifier: MIT
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"

namespace meshnet::lab {

int run_sweep(const SweepOptions& o) {
    const auto snrs = parse_snr_range(o.snr_db);
    if (!snrs) {
        return complain("sweep", snrs.error().message);
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("sweep", scenario.error().message);
    }
    Scenario s = *scenario;
    if (!o.scenario.json) {
        std::printf("%s, profile %s, %zu bytes, channel %s, seed %llu\n%s\n", o.scenario.mode.c_str(),
                    o.scenario.profile.c_str(), o.scenario.payload, o.scenario.channel.c_str(),
                    static_cast<unsigned long long>(o.scenario.seed), header_line().c_str());
    }
    const double total = static_cast<double>(snrs->size()) * static_cast<double>(o.scenario.frames);
    Progress progress("sweep", total, o.scenario.quiet);
    double before = 0.0;
    for (const double snr : *snrs) {
        s.snr_db = snr;
        Effort effort;
        effort.frames = o.scenario.frames;
        effort.min_errors = o.scenario.min_errors;
        effort.threads = threads_of(o.scenario);
        effort.progress = [&](std::uint64_t frames, std::uint64_t errors) {
            char detail[96];
            std::snprintf(detail, sizeof detail, "at %.2f dB: %llu frames, %llu errors", snr,
                          static_cast<unsigned long long>(frames), static_cast<unsigned long long>(errors));
            progress.at(before + static_cast<double>(frames), detail);
        };
        const Tally tally = run_point(s, effort);
        before += static_cast<double>(o.scenario.frames);
        std::puts(o.scenario.json ? point_json(s, tally).dump().c_str() : point_line(s, tally).c_str());
        std::fflush(stdout);
    }
    return 0;
}

}  // namespace meshnet::lab
