// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"
#include "lab/signal_stats.hpp"
#include "phy/frame.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

}  // namespace

int run_papr(const SignalOptions& o) {
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("papr", scenario.error().message);
    }
    if (o.symbols < 1 || o.symbols > 10'000'000) {
        return complain("papr", "symbols must be 1..10000000");
    }
    const auto peaks = symbol_peaks_db(*scenario->profile, scenario->mode, o.symbols, o.scenario.seed);
    Json out = {{"mode", o.scenario.mode},
                {"profile", o.scenario.profile},
                {"seed", o.scenario.seed},
                {"symbols", peaks.size()},
                {"papr_db_1e_3", round_to(value_exceeded(peaks, 1e-3), 1e-3)}};
    Json ccdf = Json::array();
    for (double exceeding = 1.0; exceeding > 5.0 / static_cast<double>(peaks.size());
         exceeding *= std::pow(10.0, -0.2)) {
        ccdf.push_back({round_to(value_exceeded(peaks, exceeding), 1e-3), exceeding});
    }
    out["ccdf"] = ccdf;
    std::puts(out.dump().c_str());
    return 0;
}

int run_spectrum(const SignalOptions& o) {
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("spectrum", scenario.error().message);
    }
    if (o.samples < 10'000 || o.samples > 100'000'000) {
        return complain("spectrum", "samples must be 10000..100000000");
    }
    const Spectrum spectrum = spectrum_of(*scenario->profile, scenario->mode, o.samples, o.scenario.seed);
    Json out = {{"mode", o.scenario.mode},
                {"profile", o.scenario.profile},
                {"seed", o.scenario.seed},
                {"occupied_hz", scenario->profile->occupied_bandwidth_hz()},
                {"outside_db", round_to(spectrum.outside_db, 0.01)},
                {"edge_db", round_to(spectrum.edge_db, 0.01)}};
    Json density = Json::array();
    for (std::size_t i = 0; i < spectrum.frequency_hz.size(); ++i) {
        density.push_back({spectrum.frequency_hz[i], round_to(spectrum.density_db[i], 0.01)});
    }
    out["density"] = density;
    std::puts(out.dump().c_str());
    return 0;
}

int run_efficiency() {
    constexpr std::array<std::size_t, 2> kPayloads{1000, 24'000};
    Json out = Json::array();
    for (const auto& profile : phy::profiles()) {
        for (std::size_t m = 0; m < phy::modes().size(); ++m) {
            Json row = {{"profile", profile.name}, {"mode", phy::modes()[m].name}};
            for (const std::size_t bytes : kPayloads) {
                const double e = efficiency(profile, static_cast<phy::ModeIndex>(m), bytes);
                const std::string suffix = "_" + std::to_string(bytes);
                row["efficiency" + suffix] = round_to(e, 1e-5);
                row["bps" + suffix] = std::round(e * profile.occupied_bandwidth_hz());
            }
            out.push_back(row);
        }
    }
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
