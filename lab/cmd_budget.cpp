// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <cstdio>

#include "lab/threshold_io.hpp"
#include "phy/fec/awgn_bound.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

struct Part {
    const char* name;
    const char* genie;
};
constexpr std::array<Part, 8> kParts{{{"detection and timing", "start"},
                                      {"header", "header"},
                                      {"phase and clock", "phase"},
                                      {"channel estimate", "channel"},
                                      {"noise estimate", "noise"},
                                      {"peak limiting", "peaks"},
                                      {"demapper", "demapper"},
                                      {"all of these", "all"}}};

/// Share of the frame's transmitted energy that is not payload, in dB: preamble, prefixes excepted, training, header
/// and pilots.
double overhead_db(const phy::Profile& profile, const phy::Mode& mode, std::size_t payload_bytes) {
    const auto params = phy::class_params(profile, mode.preamble);
    const phy::Grid grid(profile);
    const std::size_t per_symbol = grid.data_per_symbol(params.dense_pilots);
    const phy::PayloadLayout layout(mode, payload_bytes, per_symbol);
    const double carriers = static_cast<double>(grid.carriers());
    const double symbols =
        static_cast<double>(params.training_symbols + phy::header_symbols(profile, mode.preamble) + layout.symbols());
    const double chirps =
        2.0 * static_cast<double>(params.chirp_samples) / static_cast<double>(profile.fft_size);  // in symbols
    return 10.0 * std::log10((symbols + chirps) * carriers / (static_cast<double>(layout.symbols() * per_symbol)));
}

}  // namespace

int run_budget(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("budget", status.error().message);
    }
    if (!o.scenario.genie.empty()) {
        return complain("budget", "--genie cannot be set: this command goes through all of them");
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("budget", scenario.error().message);
    }
    const phy::Mode& mode = phy::modes()[scenario->mode];
    Progress progress("loss budget of " + o.scenario.mode, 1.0, o.scenario.quiet);
    const auto threshold = [&](const char* genie) {
        Scenario s = *scenario;
        s.genie = parse_genie_aid(genie).value();
        SearchPlan plan = plan_of(o, static_cast<double>(mode.required_snr_db));
        plan.min_errors = 0;  // every variant sees the same frames and the same noise
        return find_threshold(plan, measure_of(s, threads_of(o.scenario), show(progress)));
    };
    Json out = heading(o);
    const Threshold whole = threshold("none");
    add_threshold(out, whole);
    if (!whole.fit) {
        std::puts(out.dump().c_str());
        return 0;
    }
    Json parts = Json::array();
    double best = whole.snr_db;
    for (const Part& part : kParts) {
        const Threshold t = threshold(part.genie);
        Json row = {{"part", part.name}, {"genie", part.genie}};
        row["snr_db"] = t.fit ? rounded(t.snr_db) : Json(nullptr);
        row["loss_db"] = t.fit ? rounded(whole.snr_db - t.snr_db) : Json(nullptr);
        row["deviation_db"] = rounded(t.deviation_db);
        parts.push_back(row);
        best = t.fit ? t.snr_db : best;  // the last one: all
    }
    const bool dense = phy::class_params(*scenario->profile, mode.preamble).dense_pilots;
    const std::size_t per_symbol = phy::Grid(*scenario->profile).data_per_symbol(dense);
    const phy::PayloadLayout layout(mode, o.scenario.payload, per_symbol);
    const double bound = phy::required_snr_db(mode.amplitudes, 8 * o.scenario.payload,
                                              static_cast<double>(layout.symbols() * per_symbol), o.per);
    parts.push_back({{"part", "code and bit mapping"},
                     {"genie", nullptr},
                     {"snr_db", rounded(bound)},
                     {"loss_db", rounded(best - bound)},
                     {"deviation_db", 0.0}});
    out["na_db"] = rounded(bound);
    out["parts"] = parts;
    out["overhead_db"] = rounded(overhead_db(*scenario->profile, mode, o.scenario.payload));
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
