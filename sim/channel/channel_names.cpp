// SPDX-License-Identifier: MIT
// Channels by name, for command lines and configuration files.
//
//     names = name *("+" name)    name = word *("-" parameter)    parameter = number unit    unit = "us" "ns" "hz"
//     "khz" "db" "ppm" "bit"
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "sim/channel/channel.hpp"

namespace meshnet::sim {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

constexpr std::array kNames{
    Channel::Name{"awgn", "white noise alone"},
    Channel::Name{"delay", "a fractional delay of [1234.5us], no other fault"},
    Channel::Name{"cfo", "carrier offset of [20khz]"},
    Channel::Name{"sfo", "sampling clock error of [20ppm]"},
    Channel::Name{"phase-noise", "oscillator phase noise, [-80db] relative to the carrier in 1 Hz at 10 kHz"},
    Channel::Name{"two-ray", "direct path and a sea reflection [0.2us] later, [3db] weaker, in opposition"},
    Channel::Name{"tdl-a", "3GPP TDL-A, delay spread [1us], Doppler [0hz]"},
    Channel::Name{"tdl-b", "3GPP TDL-B, delay spread [1us], Doppler [0hz]"},
    Channel::Name{"tdl-c", "3GPP TDL-C, delay spread [1us], Doppler [0hz]"},
    Channel::Name{"rician", "one path, Doppler [100hz], steady part [10db] above the fading one"},
    Channel::Name{"rayleigh", "one path, Doppler [10hz], no steady part"},
    Channel::Name{"leo",
                  "satellite at 550 km near its highest Doppler: [40khz] falling by 800 Hz/s, delay moving with it"},
    Channel::Name{"hackrf", "cheap radio: 10 ppm clock, 8 kHz off, phase noise, IQ imbalance, DC, 8 bits"},
    Channel::Name{"wideband", "strongly frequency-selective: TDL-C with [2us], Doppler 1 Hz"},
    Channel::Name{"tone", "a steady foreign carrier, [0db] relative to the signal, at a quarter of the band"},
    Channel::Name{"impulses", "one sample in 10 000 hit 20 dB above the signal"},
    Channel::Name{"quantized", "analogue-digital converter with [8bit]"},
    Channel::Name{"drops", "random gaps of up to 20 000 samples, two in a million samples"},
};

struct Parameters {
    std::optional<double> seconds, hertz, db, ppm, bits;
};

/// Reads one "5us" or "-80db"; false if it is none.
bool read_parameter(std::string_view text, Parameters& out) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || !std::isfinite(value)) {
        return false;
    }
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (unit == "us") {
        out.seconds = value * 1e-6;
    } else if (unit == "ns") {
        out.seconds = value * 1e-9;
    } else if (unit == "hz") {
        out.hertz = value;
    } else if (unit == "khz") {
        out.hertz = value * 1e3;
    } else if (unit == "db") {
        out.db = value;
    } else if (unit == "ppm") {
        out.ppm = value;
    } else if (unit == "bit") {
        out.bits = value;
    } else {
        return false;
    }
    return true;
}

void set_tdl(TdlProfile profile, double spread_s, double doppler_hz, Channel::Config& config) {
    config.paths = tdl_paths(profile, spread_s * config.sample_rate_hz);
    config.fading_hz = doppler_hz;
}

void apply(std::string_view name, const Parameters& p, Channel::Config& config) {
    if (name == "delay") {
        config.delay_samples += p.seconds.value_or(1234.5e-6) * config.sample_rate_hz;
    } else if (name == "cfo") {
        config.cfo_hz += p.hertz.value_or(20e3);
    } else if (name == "sfo") {
        config.sfo_ppm += p.ppm.value_or(20.0);
    } else if (name == "phase-noise") {
        config.phase_noise_dbc_per_hz = p.db.value_or(-80.0);
    } else if (name == "two-ray") {
        config.paths = two_ray_paths(p.seconds.value_or(0.2e-6) * config.sample_rate_hz, -p.db.value_or(3.0), 0.5);
    } else if (name == "tdl-a") {
        set_tdl(TdlProfile::kA, p.seconds.value_or(1e-6), p.hertz.value_or(0.0), config);
    } else if (name == "tdl-b") {
        set_tdl(TdlProfile::kB, p.seconds.value_or(1e-6), p.hertz.value_or(0.0), config);
    } else if (name == "tdl-c") {
        set_tdl(TdlProfile::kC, p.seconds.value_or(1e-6), p.hertz.value_or(0.0), config);
    } else if (name == "wideband") {
        set_tdl(TdlProfile::kC, p.seconds.value_or(2e-6), 1.0, config);
    } else if (name == "rician" || name == "rayleigh") {
        const bool rician = name == "rician";
        PathSpec path;
        path.k_factor_db = rician ? p.db.value_or(10.0) : kMinusInfinity;
        config.paths = {path};
        config.fading_hz = p.hertz.value_or(rician ? 100.0 : 10.0);
    } else if (name == "leo") {
        constexpr double kCarrier = 2.4e9;
        const double doppler = p.hertz.value_or(40e3);
        config.cfo_hz += doppler;
        config.doppler_rate_hz_per_s -= 800.0;
        config.delay_rate -= doppler / kCarrier;  // an approaching satellite: the delay shrinks
        config.delay_acceleration += 800.0 / kCarrier / config.sample_rate_hz;
        config.delay_samples += 2.7e-3 * config.sample_rate_hz;
    } else if (name == "hackrf") {
        config.sfo_ppm += 10.0;
        config.cfo_hz += 8e3;
        config.phase_noise_dbc_per_hz = -85.0;
        config.phase_noise_corner_hz = 1e3;
        config.iq_gain_db = 0.3;
        config.iq_phase_deg = 2.0;
        config.dc_db = -20.0;
        config.bits = 8;
    } else if (name == "tone") {
        config.tone_db = p.db.value_or(0.0);
        config.tone_hz = p.hertz.value_or(config.sample_rate_hz / 8.0);
    } else if (name == "impulses") {
        config.impulses_per_million = 100.0;
    } else if (name == "quantized") {
        config.bits = static_cast<unsigned>(std::clamp(p.bits.value_or(8.0), 2.0, 24.0));
    } else if (name == "drops") {
        config.gaps_per_million = 2.0;
    }
}

/// The longest known name that `word` starts with, followed by nothing or '-'.
std::string_view known_name(std::string_view word) {
    std::string_view best;
    for (const Channel::Name& known : kNames) {
        const bool fits =
            word.starts_with(known.name) && (word.size() == known.name.size() || word[known.name.size()] == '-');
        if (fits && known.name.size() > best.size()) {
            best = known.name;
        }
    }
    return best;
}

Error unknown(std::string_view word) {
    std::string message = "unknown channel '" + std::string(word) + "'; known are";
    for (const Channel::Name& known : kNames) {
        message += ' ';
        message += known.name;
    }
    return Error{message + "; join several with '+', add parameters as in tdl-c-5us-10hz"};
}

}  // namespace

std::span<const Channel::Name> Channel::names() noexcept {
    return kNames;
}

Result<Channel::Config> Channel::configure(std::string_view names, const Config& base) {
    Config config = base;
    for (std::string_view left = names;;) {
        const std::size_t plus = left.find('+');
        const std::string_view word = left.substr(0, plus);
        const std::string_view name = known_name(word);
        if (name.empty()) {
            return unknown(word);
        }
        Parameters parameters;
        std::string_view rest = word.substr(name.size());
        while (!rest.empty()) {
            rest.remove_prefix(1);  // the '-'
            const std::size_t sign = rest.starts_with('-') ? 1 : 0;
            const std::size_t dash = rest.find('-', sign);
            const std::string_view parameter = rest.substr(0, dash);
            if (!read_parameter(parameter, parameters)) {
                return Error{"channel '" + std::string(word) + "': '" + std::string(parameter) +
                             "' is no parameter; a number and one of us ns hz khz db ppm bit is, as in 5us"};
            }
            rest = dash == std::string_view::npos ? std::string_view{} : rest.substr(dash);
        }
        apply(name, parameters, config);
        if (plus == std::string_view::npos) {
            break;
        }
        left = left.substr(plus + 1);
    }
    try {
        const Channel probe(config);  // the values themselves are judged where they are used
    } catch (const std::invalid_argument& error) {
        return Error{"channel '" + std::string(names) + "': " + error.what()};
    }
    return config;
}

}  // namespace meshnet::sim
