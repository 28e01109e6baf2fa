// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"
#include "lab/detection.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

int run_detection(const DetectionOptions& o) {
    const auto profile = phy::parse_profile(o.scenario.profile);
    if (!profile) {
        return complain("detection", profile.error().message);
    }
    const auto preamble = phy::parse_preamble_class(o.preamble);
    if (!preamble) {
        return complain("detection", preamble.error().message);
    }
    const auto snrs = parse_snr_range(o.snr_db);
    if (!snrs) {
        return complain("detection", snrs.error().message);
    }
    if (o.scenario.frames < 1 || o.scenario.frames > 100'000'000) {
        return complain("detection", "frames must be 1..100000000");
    }
    Json points = Json::array();
    for (const double snr : *snrs) {
        const auto t =
            measure_detection(**profile, *preamble, snr, o.scenario.frames, o.scenario.seed, threads_of(o.scenario));
        const Interval missed = wilson(t.trials - t.found, t.trials);
        const double found = static_cast<double>(std::max<std::uint64_t>(t.found, 1));
        points.push_back({{"snr_db", snr},
                          {"trials", t.trials},
                          {"missed", t.trials - t.found},
                          {"miss_rate", static_cast<double>(t.trials - t.found) / static_cast<double>(t.trials)},
                          {"miss_low", missed.low},
                          {"miss_high", missed.high},
                          {"elsewhere", t.elsewhere},
                          {"time_rms_samples", round_to(std::sqrt(t.time_error_squared / found), 1e-4)},
                          {"cfo_rms_hz", round_to(std::sqrt(t.cfo_error_squared / found), 1e-2)}});
    }
    const Json out = {
        {"preamble", o.preamble}, {"profile", o.scenario.profile}, {"seed", o.scenario.seed}, {"points", points}};
    std::puts(out.dump().c_str());
    return 0;
}

int run_noise(const DetectionOptions& o) {
    const auto profile = phy::parse_profile(o.scenario.profile);
    if (!profile) {
        return complain("noise", profile.error().message);
    }
    if (o.samples < 1 || o.samples > 1'000'000'000'000) {
        return complain("noise", "samples must be 1..1000000000000");
    }
    Progress progress("noise", static_cast<double>(o.samples), o.scenario.quiet);
    Effort effort;
    effort.threads = threads_of(o.scenario);
    effort.progress = [&](std::uint64_t batches, std::uint64_t) {
        progress.at(std::min(4e6 * static_cast<double>(batches), static_cast<double>(o.samples)), "of the noise");
    };
    const NoiseTally t = measure_false_alarms(**profile, o.samples, o.scenario.seed, effort);
    const double hours = static_cast<double>(t.samples) / 2e6 / 3600.0;
    const Json out = {{"profile", o.scenario.profile},
                      {"seed", o.scenario.seed},
                      {"samples", t.samples},
                      {"hours_at_2_msps", round_to(hours, 1e-6)},
                      {"preambles", t.preambles},
                      {"headers", t.headers},
                      {"preambles_per_hour_at_2_msps", round_to(static_cast<double>(t.preambles) / hours, 1e-3)}};
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
