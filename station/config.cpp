// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/config.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "host/file.hpp"
#include "host/toml_reader.hpp"
#include "host/unix_socket.hpp"
#include "node/phy_model.hpp"
#include "phy/profile.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/radio.hpp"

namespace meshnet::station {

namespace {

std::string number_text(double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.15g", v);
    return buffer;
}

std::string unit_text(const ConfigKey& key) {
    return key.unit.empty() ? "" : " (" + std::string(key.unit) + ")";
}

std::string range_text(const ConfigKey& key) {
    return number_text(key.min) + " to " + number_text(key.max) + unit_text(key);
}

/// Reads and stores one key of its section, if it is there.
void read_key(host::TomlTable& section, const ConfigKey& key, Config& config) {
    const std::string example = ", for example " + std::string(key.name) + " = " + std::string(key.example);
    const host::TomlRange range{key.min, key.max, unit_text(key) + example};
    ConfigValue value;
    bool found = false;
    switch (key.kind) {
        case ConfigKey::Kind::kText:
            found = section.text(key.name, value.text, example);
            break;
        case ConfigKey::Kind::kFlag:
            found = section.flag(key.name, value.flag);
            break;
        case ConfigKey::Kind::kNumber:
            found = section.number(key.name, value.number, range);
            break;
        case ConfigKey::Kind::kInteger:
            found = section.integer(key.name, value.integer, range);
            break;
        case ConfigKey::Kind::kTextList:
            found = section.text_list(key.name, value.list, example);
            break;
    }
    if (found) {
        if (auto stored = key.store(config, value); !stored) {
            section.fail(key.name, stored.error().message, ": ");
        }
    }
}

Config read_config(host::TomlTable& root) {
    Config config;
    std::optional<host::TomlTable> section;
    std::string_view name;
    for (const ConfigKey& key : config_keys()) {  // keys of a section stand together
        if (key.section != name) {
            if (section) {
                section->finish();
            }
            name = key.section;
            section.reset();
            if (auto found = root.section(name)) {
                section.emplace(*found);
            }
        }
        if (section) {
            read_key(*section, key, config);
        }
    }
    if (section) {
        section->finish();
    }
    root.finish();
    if (config.radio.frequency_hz > 0.0) {
        config.transmit.frequency_hz = config.radio.frequency_hz;  // one carrier: what is tuned to is what is judged
    }
    return config;
}

Status check_socket_path(const Config& c, const std::string& source) {
    if (c.control_socket.size() > host::kMaxSocketPath) {
        return Error{ErrorCode::kInvalidArgument, source + ": station.control_socket is longer than the " +
                                                      std::to_string(host::kMaxSocketPath) +
                                                      " characters a Unix socket path can have"};
    }
    return Ok{};
}

Status check_together(const Config& c, const std::string& source) {
    if (c.max_window_bytes < c.initial_window_bytes) {
        return Error{ErrorCode::kInvalidArgument,
                     source + ": net.max_window_kib is below net.initial_window_kib; raise it to at least " +
                         std::to_string(c.initial_window_bytes / 1024)};
    }
    const auto* profile = phy::find_profile(c.profile);
    const auto first = node::first_mode(c.longest_preamble);
    // The least a MAC can work with: the smallest burst in its most robust mode.
    const double least_ms = 1e3 * static_cast<double>(phy::frame_samples(*profile, first, mac::kSmallestBurstBytes)) /
                            profile->sample_rate_hz;
    if (to_seconds(c.mac.max_burst) * 1e3 < least_ms) {
        return Error{ErrorCode::kInvalidArgument,
                     source + ": mac.max_burst_ms is shorter than the " +
                         std::to_string(static_cast<int>(std::ceil(least_ms))) + " ms that the smallest burst, " +
                         std::to_string(mac::kSmallestBurstBytes) + " bytes, takes in mode " +
                         std::string(phy::modes()[first].name) + " of profile " + c.profile +
                         "; raise it, or choose a shorter radio.longest_preamble"};
    }
    if (const auto fixed = phy::find_mode(c.fixed_mode); fixed && *fixed < first) {
        return Error{ErrorCode::kInvalidArgument, source + ": mac.fixed_mode " + c.fixed_mode +
                                                      " has a longer preamble than radio.longest_preamble allows"};
    }
    const double front_ms = c.radio.ptt_lead_ms + c.radio.ramp_us * 1e-3;
    if (reaches_antenna(c.device) && to_seconds(c.mac.transmit_lead) * 1e3 < front_ms + 1.0) {
        char needed[32];
        std::snprintf(needed, sizeof needed, "%.1f", front_ms + 1.0);
        return Error{ErrorCode::kInvalidArgument,
                     source +
                         ": mac.transmit_lead_ms is too short for what stands before each burst (radio.ptt_lead_ms "
                         "and ramp_us); raise it to at least " +
                         needed};
    }
    if (mentions_band(c.transmit)) {
        if (const auto plan = validate_guard(c.transmit, profile->sample_rate_hz); !plan) {
            return Error{ErrorCode::kInvalidArgument, source + ": [transmit] " + plan.error().message};
        }
    }
    return check_socket_path(c, source);
}

}  // namespace

Result<Config> parse_config(std::string_view text, const std::string& source) {
    auto config = host::read_toml(text, source, read_config);
    if (config) {
        if (auto together = check_together(*config, source); !together) {
            return together.error();
        }
    }
    return config;
}

Result<Config> load_config(const std::string& path) {
    const auto text = host::read_file(path, host::kMaxTomlBytes);
    if (!text) {
        Error error = text.error();
        error.message += "; meshnetd --print-config writes an example";
        return error;
    }
    auto config = parse_config(*text, path);
    if (config) {
        const auto folder = std::filesystem::path(path).parent_path();
        const auto relative_to_file = [&](std::string& p) { p = (folder / p).string(); };
        relative_to_file(config->key_file);
        relative_to_file(config->ledger_file);
        relative_to_file(config->control_socket);
        for (auto* optional : {&config->transmit.air_time_file, &config->transmit.inhibit_file}) {
            if (!optional->empty()) {
                relative_to_file(*optional);
            }
        }
        if (auto fits = check_socket_path(*config, path); !fits) {
            return fits.error();
        }
    }
    return config;
}

std::string example_config() {
    std::ostringstream out;
    out << "# A meshnet station. Every key has a default, shown here; leave out what you do not change.\n"
           "# Try it:  meshnetd --config FILE --check\n";
    std::string_view section;
    for (const auto& key : config_keys()) {
        if (key.section != section) {
            section = key.section;
            out << "\n[" << section << "]\n";
        }
        std::istringstream doc{std::string(key.doc)};
        for (std::string line; std::getline(doc, line);) {
            out << "# " << line << '\n';
        }
        if (key.kind == ConfigKey::Kind::kNumber || key.kind == ConfigKey::Kind::kInteger) {
            out << "# " << range_text(key) << '\n';
        }
        out << key.name << " = " << key.example << '\n';
    }
    return out.str();
}

}  // namespace meshnet::station
