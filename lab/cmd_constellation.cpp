// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/commands.hpp"
#include "lab/constellation_design.hpp"
#include "phy/modes.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kOutermost = 1000.0;  // integer that stands for the outermost level of a design

double rounded(double value) {
    return std::round(1000.0 * value) / 1000.0;
}

// SNR at which these levels carry as many bits as the mode's rate, three ways.
Json needs(const std::vector<double>& levels, double bits) {
    return {{"points_db", rounded(snr_for(levels, bits, &PointInformation::points))},
            {"bits_db", rounded(snr_for(levels, bits, &PointInformation::bits))},
            {"max_log_db", rounded(snr_for(levels, bits, &PointInformation::max_log))}};
}

std::vector<double> as_doubles(std::span<const std::uint16_t> amplitudes) {
    return {amplitudes.begin(), amplitudes.end()};
}

// Positive levels of a design as integers of the table of modes.
std::vector<double> design(const phy::Mode& mode, double margin_db) {
    const unsigned axis_bits = mode.bits_per_symbol / 2;
    std::vector<double> amplitudes = as_doubles(phy::even_amplitudes(mode.bits_per_symbol));
    // A better constellation works at a lower SNR, for which it is designed again.
    for (int round = 0; round < 2; ++round) {
        const double need = snr_for(levels_by_bits(amplitudes), mode.efficiency(), &PointInformation::max_log);
        amplitudes = design_amplitudes(axis_bits, need + margin_db);
    }
    for (double& amplitude : amplitudes) {
        amplitude = std::round(kOutermost * amplitude);
    }
    return amplitudes;
}

}  // namespace

int run_constellation(const ConstellationOptions& o) {
    if (!o.mode.empty()) {
        if (const auto mode = phy::parse_mode(o.mode); !mode) {
            return complain("constellation", mode.error().message);
        }
    }
    Json out = Json::array();
    for (const phy::Mode& mode : phy::modes()) {
        if (mode.bits_per_symbol == 2 || (!o.mode.empty() && o.mode != mode.name)) {
            continue;  // an axis with one level has nothing to choose
        }
        const double bits = mode.efficiency();
        const std::vector<double> designed = design(mode, o.margin_db);
        Json row = {{"mode", mode.name}, {"bits", rounded(bits)}, {"margin_db", o.margin_db}};
        row["gaussian_db"] = rounded(10.0 * std::log10(std::exp2(bits) - 1.0));
        row["even"] = needs(levels_by_bits(as_doubles(phy::even_amplitudes(mode.bits_per_symbol))), bits);
        row["designed"] = needs(levels_by_bits(designed), bits);
        row["designed"]["amplitudes"] = Json::array();
        for (const double amplitude : designed) {
            row["designed"]["amplitudes"].push_back(static_cast<int>(amplitude));
        }
        row["in_use"] = needs(levels_by_bits(as_doubles(mode.amplitudes)), bits);
        row["in_use"]["amplitudes"] = mode.amplitudes;
        out.push_back(row);
    }
    std::puts(out.dump(2).c_str());
    return 0;
}

}  // namespace meshnet::lab
