// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/front_end.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>

namespace meshnet::station {

namespace {

std::string number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", v);
    return text;
}

std::string list(std::span<const RateRange> ranges) {
    std::string out;
    for (const RateRange& r : ranges) {
        out += (out.empty() ? "" : ", ") + number(r.min_hz) + (r.min_hz == r.max_hz ? "" : ".." + number(r.max_hz));
    }
    return out.empty() ? "none" : out;
}

bool within(std::span<const RateRange> ranges, double v) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [v](const RateRange& r) { return v >= r.min_hz * (1 - 1e-9) && v <= r.max_hz * (1 + 1e-9); });
}

Error wrong(std::string message) {
    return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace

Result<double> front_end_frequency(std::span<const RateRange> ranges, const RadioSettings& settings) {
    if (!(settings.frequency_hz > 0.0)) {
        return wrong("radio.frequency_hz is not set: a radio with an antenna needs the channel's centre, as 868.3e6");
    }
    if (!within(ranges, settings.frequency_hz)) {
        return wrong("radio.frequency_hz = " + number(settings.frequency_hz) + " is not possible; the radio has " +
                     list(ranges) + " Hz");
    }
    return settings.frequency_hz / (1.0 + settings.ppm * 1e-6);
}

Result<double> front_end_rate(std::span<const RateRange> ranges, const phy::Profile& profile,
                              const RadioSettings& settings, double least_hz) {
    if (settings.sample_rate_hz > 0.0) {
        if (settings.sample_rate_hz < profile.occupied_bandwidth_hz() || !within(ranges, settings.sample_rate_hz)) {
            return wrong("radio.sample_rate_hz = " + number(settings.sample_rate_hz) +
                         " is not possible; the radio has " + list(ranges) + " Hz, and profile " +
                         std::string(profile.name) + " occupies " + number(profile.occupied_bandwidth_hz()) + " Hz");
        }
        return settings.sample_rate_hz;
    }
    const auto chosen = choose_rate(ranges, profile.sample_rate_hz, least_hz);
    if (!chosen) {
        return wrong("the radio has no sample rate for profile " + std::string(profile.name) + ", which needs " +
                     number(profile.sample_rate_hz) + " Hz or more; it has " + list(ranges));
    }
    return *chosen;
}

double front_end_offset(const phy::Profile& profile, const RadioSettings& settings, double device_hz) {
    const double offset = 0.75 * profile.sample_rate_hz;
    // The channel's far edge must stay inside four fifths of the rate, where the radio's own filters are flat.
    const bool room = offset + 0.5 * profile.occupied_bandwidth_hz() <= 0.4 * device_hz;
    return settings.offset_tuning && room ? offset : 0.0;
}

Result<double> front_end_gain(double min, double max, const std::optional<double>& wanted, double fallback,
                              std::string_view key) {
    if (!wanted) {
        return min + fallback * (max - min);
    }
    if (*wanted < min || *wanted > max) {
        return wrong("radio." + std::string(key) + " = " + number(*wanted) + " is not possible; the radio has " +
                     number(min) + " to " + number(max) + " dB");
    }
    return *wanted;
}

Result<std::string> front_end_choice(const std::vector<std::string>& known, const std::string& wanted,
                                     std::string_view key) {
    if (wanted.empty() || std::find(known.begin(), known.end(), wanted) != known.end()) {
        return wanted;
    }
    std::string names;
    for (const auto& name : known) {
        names += (names.empty() ? "" : " ") + name;
    }
    return wrong("radio." + std::string(key) + " = \"" + wanted + "\": the radio has " +
                 (names.empty() ? "no choice" : names));
}

std::vector<std::string> lock_sensors(const std::vector<std::string>& sensors, const std::string& clock,
                                      const std::string& time) {
    std::vector<std::string> out;
    for (const auto& sensor : sensors) {
        const bool reference = sensor == "ref_locked" && !clock.empty() && clock != "internal";
        const bool gps = sensor == "gps_locked" && (clock == "gpsdo" || time == "gpsdo");
        if (reference || gps) {
            out.push_back(sensor);
        }
    }
    return out;
}

std::string lock_trouble(const std::vector<std::string>& sensors,
                         const std::function<bool(const std::string&)>& locked) {
    std::string out;
    for (const auto& sensor : sensors) {
        std::string wrong_with_it;
        try {
            wrong_with_it = locked(sensor) ? "" : sensor + " is false";
        } catch (const std::exception&) {
            wrong_with_it = sensor + " cannot be read";
        }
        out += (out.empty() || wrong_with_it.empty() ? "" : ", ") + wrong_with_it;
    }
    return out;
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

Error front_end_open_error(const std::string& device, const std::string& thrown, std::string_view finder) {
    const std::string text = first_line(thrown);
    std::string low = text;
    std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto says = [&low](std::initializer_list<const char*> words) {
        return std::any_of(words.begin(), words.end(), [&](const char* w) { return low.find(w) != std::string::npos; });
    };
    if (says({"no match", "no devices found", "not found", "no device"})) {
        return Error{ErrorCode::kNotFound,
                     "no radio " + device + " (" + text + "); " + std::string(finder) + " lists those that are there"};
    }
    if (says({"access", "permission", "insufficient"})) {
        return Error{ErrorCode::kPermission,
                     "no permission to use " + device + " (" + text +
                         "): install the radio's udev rules (package uhd-host, hackrf, limesuite-udev ...) and plug it "
                         "in again, or join the group plugdev"};
    }
    if (says({"busy", "in use", "claimed"})) {
        return Error{ErrorCode::kInUse, device + " is in use by another program (" + text + ")"};
    }
    return Error{ErrorCode::kUnavailable, device + " cannot be opened: " + text};
}

}  // namespace meshnet::station
