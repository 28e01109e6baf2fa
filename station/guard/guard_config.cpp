// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/guard_config.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/names.hpp"

namespace meshnet::station {

namespace {

Error wrong(std::string sentence) {
    return {ErrorCode::kInvalidArgument, std::move(sentence)};
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", value);
    return text;
}

Status check_number(const char* name, double value, double low, double high, const char* what) {
    if (value >= low && value <= high) {
        return Ok{};
    }
    const std::string is = std::isnan(value) ? " is not set" : " is " + number(value);
    return wrong(std::string(name) + is + "; set it to " + what + ", " + number(low) + " to " + number(high));
}

Status check_numbers(const GuardConfig& c) {
    struct Row {
        const char* name;
        double value, low, high;
        const char* what;
    };
    const Row rows[] = {
        {"frequency_hz", c.frequency_hz, 1e6, 1e11, "the carrier in Hz"},
        {"full_scale_dbm", c.full_scale_dbm, -100.0, 80.0,
         "the conducted power in dBm that a sample of magnitude 1 gives at the gain in use, as measured"},
        {"antenna_gain_dbi", c.antenna_gain_dbi, -20.0, 60.0, "the antenna's gain in dBi"},
        {"cable_loss_db", c.cable_loss_db, 0.0, 60.0, "the loss of the cable in dB"},
        {"clock_error_ppm", c.clock_error_ppm, 0.0, 200.0, "the largest error of the radio's oscillator in ppm"},
        {"listen_max_age_ms", c.listen_max_age_ms, 0.001, 100.0, "milliseconds"},
    };
    for (const Row& row : rows) {
        if (auto right = check_number(row.name, row.value, row.low, row.high, row.what); !right) {
            return right;
        }
    }
    return Ok{};
}

Status check_callsign(const GuardConfig& c, const BandRule& band) {
    const bool fine = c.callsign.size() >= 3 && c.callsign.size() <= 12 &&
                      std::all_of(c.callsign.begin(), c.callsign.end(), [](char ch) {
                          return (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '/';
                      });
    if (!fine) {
        return wrong("callsign " + quoted(c.callsign) + " cannot identify a station in " + band.name +
                     "; it must be 3 to 12 of A to Z, 0 to 9 and /");
    }
    return Ok{};
}

Status check_band(const GuardConfig& c, const BandRule& band, double sample_rate_hz) {
    if (c.frequency_hz < band.low_hz || c.frequency_hz > band.high_hz) {
        return wrong("frequency_hz " + number(c.frequency_hz) + " is outside " + band.name + "; choose " +
                     number(band.low_hz * 1e-6) + " to " + number(band.high_hz * 1e-6) + " MHz, or another band");
    }
    if (sample_rate_hz < band.min_bandwidth_hz) {
        return wrong(band.name + " asks for a bandwidth of at least " + number(band.min_bandwidth_hz * 1e-3) +
                     " kHz; choose a wider profile, or another band");
    }
    if (band.identify_every > Duration{}) {
        if (auto right = check_callsign(c, band); !right) {
            return right;
        }
    }
    if (band.authority == AuthorityKind::kAmateur && c.sealed_traffic_permit.empty()) {
        return wrong(band.name +
                     " is an amateur band, where messages must not be encoded to obscure their meaning (RR 25.2A), and "
                     "meshnet seals all traffic; name the permit that allows it in sealed_traffic_permit, or choose "
                     "another band");
    }
    if (band.duty_cycle < 1.0 && c.air_time_file.empty()) {
        return wrong(band.name + " limits the air time of any hour; name a file that keeps it in air_time_file");
    }
    if (band.listen && !std::isfinite(c.receive_full_scale_dbm)) {
        return wrong(
            band.name +
            " asks to listen before talk; set receive_full_scale_dbm to the power in dBm that gives a received "
            "sample of magnitude 1");
    }
    return Ok{};
}

}  // namespace

bool mentions_band(const GuardConfig& config) noexcept {
    return !config.bands.empty() || !config.authority.empty() || !config.own_bands.empty();
}

Result<GuardPlan> validate_guard(const GuardConfig& config, double sample_rate_hz) {
    if (config.bands.empty()) {
        return wrong("no band is named, so nothing is sent; name one of `meshnet-cli bands` in bands");
    }
    if (config.authority.size() < 3 || config.authority.size() > 200) {
        return wrong(
            "authority does not say on what right this station sends; write it in 3 to 200 characters, for "
            "example \"licence-exempt SRD, 2006/771/EC\" or a licence number");
    }
    if (!(sample_rate_hz >= 1e3 && sample_rate_hz <= 1e9)) {
        return wrong("a sample rate of " + number(sample_rate_hz) + " is not possible; it must be 1e3 to 1e9");
    }
    if (auto right = check_numbers(config); !right) {
        return right.error();
    }
    std::vector<BandRule> own;
    for (const auto& text : config.own_bands) {
        auto band = parse_own_band(text);
        if (!band) {
            return band.error();
        }
        own.push_back(std::move(band.value()));
    }
    GuardPlan plan;
    for (const auto& name : config.bands) {
        const auto mine = std::find_if(own.begin(), own.end(), [&](const BandRule& b) { return b.name == name; });
        auto band = mine != own.end() ? Result<BandRule>(*mine) : find_band(name);
        if (!band) {
            return band.error();
        }
        if (auto right = check_band(config, *band, sample_rate_hz); !right) {
            return right.error();
        }
        plan.bands_.push_back(std::move(band.value()));
    }
    plan.config_ = config;
    plan.sample_rate_hz_ = sample_rate_hz;
    return plan;
}

}  // namespace meshnet::station
