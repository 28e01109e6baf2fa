// SPDX-License-Identifier: MIT
#include "sim/air_config.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/names.hpp"
#include "host/file.hpp"
#include "host/toml_reader.hpp"

namespace meshnet::sim {
namespace {

using host::TomlTable;

AirStation read_station(TomlTable& reader) {
    AirStation s;
    double switch_time_us = static_cast<double>(s.switch_time.count()) * 1e-3;
    reader.text("name", s.name);
    reader.number("x_m", s.x_m);
    reader.number("y_m", s.y_m);
    reader.number("height_m", s.height_m);
    reader.number("vx_mps", s.vx_mps);
    reader.number("vy_mps", s.vy_mps);
    reader.number("tx_power_dbm", s.tx_power_dbm);
    reader.number("antenna_gain_dbi", s.antenna_gain_dbi);
    reader.number("noise_figure_db", s.noise_figure_db);
    reader.number("full_scale_dbm", s.full_scale_dbm);
    reader.number("clock_ppm", s.clock_ppm);
    reader.number("switch_time_us", switch_time_us, {0.0, 1e6, " (us)"});
    reader.flag("full_duplex", s.full_duplex);
    reader.integer("adc_bits", s.adc_bits, {0, 24});
    reader.finish();
    if (s.name.empty()) {
        reader.fail_here("a station needs a 'name'");
    }
    s.switch_time = from_seconds(switch_time_us * 1e-6);
    return s;
}

std::size_t station_index(const TomlTable& reader, std::string_view key, const toml::node& node,
                          const std::vector<AirStation>& stations) {
    const auto name = node.is_string() ? node.value<std::string>() : std::nullopt;
    std::vector<std::string_view> known;
    for (std::size_t i = 0; i < stations.size(); ++i) {
        if (name && stations[i].name == *name) {
            return i;
        }
        known.push_back(stations[i].name);
    }
    if (!name) {
        reader.fail(key, "must name a station, in quotes");
    }
    reader.fail(key, "has an " + unknown_name("station", *name, known).message);
}

/// One [[link]]: two AirLinks with `between`, one with `from` and `to`.
std::vector<AirLink> read_link(TomlTable& reader, const std::vector<AirStation>& stations) {
    AirLink l;
    const toml::node* const between = reader.find("between");
    const toml::node* const from = reader.find("from");
    const toml::node* const to = reader.find("to");
    reader.flag("blocked", l.blocked);
    reader.flag("ignore_horizon", l.ignore_horizon);
    reader.number("distance_m", l.distance_m);
    reader.number("receding_mps", l.receding_mps);
    reader.number("loss_db", l.loss_db);
    reader.number("extra_loss_db", l.extra_loss_db);
    reader.number("sea_reflection", l.sea_reflection);
    for (TomlTable& tap : reader.tables("tap")) {
        AirTap& t = l.taps.emplace_back();
        tap.number("delay_s", t.delay_s);
        tap.number("gain_db", t.gain_db);
        tap.number("phase_turns", t.phase_turns);
        tap.finish();
    }
    reader.finish();
    if (between != nullptr && from == nullptr && to == nullptr) {
        const toml::array* const pair = between->as_array();
        if (pair == nullptr || pair->size() != 2) {
            reader.fail("between", R"(must be two names, as in between = ["coast", "ship"])");
        }
        l.from = station_index(reader, "between", (*pair)[0], stations);
        l.to = station_index(reader, "between", (*pair)[1], stations);
        AirLink back = l;
        std::swap(back.from, back.to);
        return {l, back};
    }
    if (between != nullptr || from == nullptr || to == nullptr) {
        reader.fail_here("a link needs either 'between' (both directions) or 'from' and 'to' (one direction)");
    }
    l.from = station_index(reader, "from", *from, stations);
    l.to = station_index(reader, "to", *to, stations);
    return {l};
}

AirFile read_file(TomlTable& root) {
    AirFile out;
    root.number("sample_rate_hz", out.air.sample_rate_hz);
    root.number("carrier_hz", out.air.carrier_hz);
    root.integer("seed", out.air.seed, {0, 9.2e18});
    root.text("socket", out.socket);
    auto stations = root.tables("station");
    auto links = root.tables("link");
    root.finish();
    if (stations.empty()) {
        root.fail_here("at least one [[station]] is needed");
    }
    for (TomlTable& table : stations) {
        out.air.stations.push_back(read_station(table));
    }
    for (TomlTable& table : links) {
        for (AirLink& l : read_link(table, out.air.stations)) {
            out.air.links.push_back(std::move(l));
        }
    }
    if (out.air.stations.size() > Air::kMaxStations) {
        root.fail_here("at most 256 stations");
    }
    (void)Air(out.air);  // judges the values; throws std::invalid_argument
    return out;
}

}  // namespace

Result<AirFile> parse_air_config(std::string_view text, const std::string& file) {
    return host::read_toml(text, file, read_file);
}

Result<AirFile> load_air_config(const std::string& path) {
    const auto text = host::read_file(path, host::kMaxTomlBytes);
    if (!text) {
        return text.error();
    }
    return parse_air_config(*text, path);
}

}  // namespace meshnet::sim
