// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"
#include "lab/liquid_baseline.hpp"
#include "lab/threshold_io.hpp"
#include "phy/fec/awgn_bound.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

/// The normal approximation for a payload in so many uses of the constellation, as a point and as a curve around it,
/// and for Gaussian points.
void add_bound(Json& out, std::span<const std::uint16_t> amplitudes, std::size_t payload_bytes, double uses,
               double per) {
    const std::size_t bits = 8 * payload_bytes;
    if (!(static_cast<double>(bits) < 2.0 * std::log2(2.0 * static_cast<double>(amplitudes.size())) * uses)) {
        return;  // uncoded: there is no bound of this kind
    }
    const double at = phy::required_snr_db(amplitudes, bits, uses, per);
    out["na_gaussian_db"] = rounded(phy::gaussian_required_snr_db(bits, uses, per));
    out["na_db"] = rounded(at);
    Json curve = Json::array();
    for (int i = -6; i <= 4; ++i) {
        const double snr = at + 0.1 * i;
        curve.push_back({rounded(snr), phy::normal_approximation_bler(amplitudes, bits, uses, snr)});
    }
    out["na_curve"] = curve;
}

}  // namespace

int run_threshold(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("threshold", status.error().message);
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("threshold", scenario.error().message);
    }
    const phy::Mode& mode = phy::modes()[scenario->mode];
    Progress progress("threshold of " + o.scenario.mode, 1.0, o.scenario.quiet);
    const Threshold t = find_threshold(plan_of(o, static_cast<double>(mode.required_snr_db)),
                                       measure_of(*scenario, threads_of(o.scenario), show(progress)));
    Json out = heading(o);
    add_threshold(out, t);
    // Two yardsticks: the points that really carry the payload (the last symbol is filled, CRC and whole points cost a
    // little), and the mode's nominal rate, with which the targets are defined.
    const bool dense = phy::class_params(*scenario->profile, mode.preamble).dense_pilots;
    const std::size_t per_symbol = phy::Grid(*scenario->profile).data_per_symbol(dense);
    const phy::PayloadLayout layout(mode, o.scenario.payload, per_symbol);
    add_bound(out, mode.amplitudes, o.scenario.payload, static_cast<double>(layout.symbols() * per_symbol), o.per);
    const double nominal_uses = 8.0 * static_cast<double>(o.scenario.payload) / mode.efficiency();
    out["na_nominal_db"] = rounded(phy::required_snr_db(mode.amplitudes, 8 * o.scenario.payload, nominal_uses, o.per));
    out["points"] = points_json(*scenario, t);
    std::puts(out.dump().c_str());
    return 0;
}

int run_liquid(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("liquid", status.error().message);
    }
    const LiquidMode* mode = find_liquid_mode(o.scheme);
    if (mode == nullptr) {
        std::string message = "unknown scheme '" + o.scheme + "'; known are";
        for (const auto& m : liquid_modes()) {
            message += ' ';
            message += m.name;
        }
        return complain("liquid", message);
    }
    if (o.scenario.payload < 1 || o.scenario.payload > 65'535) {
        return complain("liquid", "payload must be 1..65535 bytes");
    }
    Progress progress("threshold of liquid " + o.scheme, 1.0, o.scenario.quiet);
    LiquidScenario s;
    s.mode = mode;
    s.payload_bytes = o.scenario.payload;
    s.seed = o.scenario.seed;
    const auto measure = [&](double snr_db, std::uint64_t frames, std::uint64_t min_errors) {
        LiquidScenario at = s;
        at.snr_db = snr_db;
        Effort effort;
        effort.frames = frames;
        effort.min_errors = min_errors;
        effort.threads = threads_of(o.scenario);
        effort.progress = show(progress);
        return run_liquid_point(at, effort);
    };
    const Threshold t = find_threshold(plan_of(o, static_cast<double>(mode->start_snr_db)), measure);
    Json out = {
        {"scheme", o.scheme}, {"payload", o.scenario.payload}, {"seed", o.scenario.seed}, {"target_per", o.per}};
    add_threshold(out, t);
    add_bound(out, phy::even_amplitudes(mode->bits_per_symbol), o.scenario.payload,
              8.0 * static_cast<double>(o.scenario.payload) / (mode->bits_per_symbol * mode->rate), o.per);
    Json points = Json::array();
    for (const auto& p : t.points) {
        const Interval i = wilson(p.tally.errors, p.tally.frames);
        points.push_back({{"snr_db", p.snr_db},
                          {"frames", p.tally.frames},
                          {"errors", p.tally.errors},
                          {"per", p.tally.per()},
                          {"per_low", i.low},
                          {"per_high", i.high},
                          {"header_miss", p.tally.header_miss},
                          {"detect_miss", p.tally.detect_miss}});
    }
    out["points"] = points;
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
