// SPDX-License-Identifier: GPL-3.0-or-later
// bands: the transmit guard's table.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/table.hpp"
#include "core/names.hpp"
#include "station/guard/band_table.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using station::BandRule;

struct BandOptions {
    std::string region;
    bool json = false;
};

Json limit(double value) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json row_of(const BandRule& r) {
    return Json{{"region", r.region},
                {"band", r.name},
                {"low_hz", r.low_hz},
                {"high_hz", r.high_hz},
                {"max_eirp_dbm", limit(r.max_eirp_dbm)},
                {"max_conducted_dbm", limit(r.max_conducted_dbm)},
                {"detector", station::to_string(r.detector)},
                {"max_bandwidth_hz", limit(r.max_bandwidth_hz)},
                {"min_bandwidth_hz", r.min_bandwidth_hz},
                {"max_psd_dbm", limit(r.max_psd_dbm)},
                {"psd_bandwidth_hz", r.psd_bandwidth_hz},
                {"duty_cycle", r.duty_cycle},
                {"max_burst_ms", to_seconds(r.max_burst) * 1e3},
                {"min_gap_ms", to_seconds(r.min_gap) * 1e3},
                {"listen_below_dbm", r.listen ? limit(r.listen_below_dbm) : Json(nullptr)},
                {"authority", station::to_string(r.authority)},
                {"identify_every_s", to_seconds(r.identify_every)},
                {"source", r.source},
                {"note", r.note}};
}

std::string number(double value, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, "%.6g%s", value, unit);
    return text;
}

/// What else a row asks for, in one cell.
std::string conditions(const BandRule& r) {
    std::string out;
    const auto add = [&out](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
    if (std::isfinite(r.max_conducted_dbm)) add(number(r.max_conducted_dbm, " dBm conducted"));
    if (std::isfinite(r.max_psd_dbm)) {
        add(number(std::round(10 * r.max_psd_dbm) / 10, " dBm in ") + number(r.psd_bandwidth_hz * 1e-3, " kHz"));
    }
    if (std::isfinite(r.max_bandwidth_hz)) add("at most " + number(r.max_bandwidth_hz * 1e-3, " kHz wide"));
    if (r.min_bandwidth_hz > 0) add("at least " + number(r.min_bandwidth_hz * 1e-3, " kHz wide"));
    if (r.max_burst > Duration{}) add("bursts of " + number(to_seconds(r.max_burst) * 1e3, " ms"));
    if (r.min_gap > Duration{}) add("gaps of " + number(to_seconds(r.min_gap) * 1e3, " ms"));
    if (r.listen) add("listen below " + number(r.listen_below_dbm, " dBm"));
    if (r.identify_every > Duration{}) add("call sign");
    return out.empty() ? "-" : out;
}

int list_bands(const BandOptions& o) {
    const auto regions = station::band_regions();
    if (!o.region.empty() && std::find(regions.begin(), regions.end(), o.region) == regions.end()) {
        return complain(unknown_name("region", o.region, regions));
    }
    Json all = Json::array();
    Table table({"band", "MHz", "EIRP/dBm", "power", "duty", "authority", "conditions", "source"});
    for (const auto& r : station::band_table()) {
        if (!o.region.empty() && r.region != o.region) {
            continue;
        }
        all.push_back(row_of(r));
        table.row({r.name, number(r.low_hz * 1e-6, " to ") + number(r.high_hz * 1e-6, ""),
                   fixed(limit(r.max_eirp_dbm), 1), std::string(station::to_string(r.detector)),
                   number(r.duty_cycle * 100, " %"), std::string(station::to_string(r.authority)), conditions(r),
                   r.source});
    }
    if (o.json) {
        std::puts(all.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
        return 0;
    }
    table.print("no bands");
    std::puts(
        "\nThe operator is responsible for what his station sends: rules change and differ from country to country. "
        "E.r.p. is\nshown as e.i.r.p., 2.15 dB more.");
    return 0;
}

}  // namespace

void add_bands(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<BandOptions>(app, exit_code, "bands", "Bands a station may send in, with their sources",
                                       command, list_bands);
    command->add_option("--region", o.region, "EU, US, AU, NZ, JP or IN; all without");
    command->add_flag("--json", o.json, "JSON");
}

}  // namespace meshnet::apps
