// SPDX-License-Identifier: MIT
// Channel models, one row each, and their names for command lines and configuration files.
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
#include <vector>

#include "core/names.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::sim {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

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

// A channel model: one row. `set` puts it on a configuration with the parameters that were given.
struct Model {
    Channel::Name name;
    void (*set)(const Parameters& p, Channel::Config& c);
};

void set_tdl(TdlProfile profile, double spread_s, double doppler_hz, Channel::Config& c) {
    c.paths = tdl_paths(profile, spread_s * c.sample_rate_hz);
    c.fading_hz = doppler_hz;
}

template <TdlProfile profile>
void set_tdl_profile(const Parameters& p, Channel::Config& c) {
    set_tdl(profile, p.seconds.value_or(1e-6), p.hertz.value_or(0.0), c);
}

void set_one_path(double k_factor_db, double doppler_hz, Channel::Config& c) {
    PathSpec path;
    path.k_factor_db = k_factor_db;
    c.paths = {path};
    c.fading_hz = doppler_hz;
}

void set_leo(const Parameters& p, Channel::Config& c) {
    constexpr double kCarrierHz = 2.4e9;
    constexpr double kDopplerRate = 800.0;  // Hz/s
    const double doppler = p.hertz.value_or(40e3);
    c.cfo_hz += doppler;
    c.doppler_rate_hz_per_s -= kDopplerRate;
    c.delay_rate -= doppler / kCarrierHz;  // an approaching satellite: the delay shrinks
    c.delay_acceleration += kDopplerRate / kCarrierHz / c.sample_rate_hz;
    c.delay_samples += 2.7e-3 * c.sample_rate_hz;
}

void set_hackrf(const Parameters&, Channel::Config& c) {
    c.sfo_ppm += 10.0;
    c.cfo_hz += 8e3;
    c.phase_noise_dbc_per_hz = -85.0;
    c.phase_noise_corner_hz = 1e3;
    c.iq_gain_db = 0.3;
    c.iq_phase_deg = 2.0;
    c.dc_db = -20.0;
    c.bits = 8;
}

constexpr std::array kModels{
    Model{{"awgn", "white noise alone"}, [](const Parameters&, Channel::Config&) {}},
    Model{{"delay", "a fractional delay of [1234.5us], no other fault"},
          [](const Parameters& p, Channel::Config& c) {
              c.delay_samples += p.seconds.value_or(1234.5e-6) * c.sample_rate_hz;
          }},
    Model{{"cfo", "carrier offset of [20khz]"},
          [](const Parameters& p, Channel::Config& c) { c.cfo_hz += p.hertz.value_or(20e3); }},
    Model{{"sfo", "sampling clock error of [20ppm]"},
          [](const Parameters& p, Channel::Config& c) { c.sfo_ppm += p.ppm.value_or(20.0); }},
    Model{{"phase-noise", "oscillator phase noise, [-80db] relative to the carrier in 1 Hz at 10 kHz"},
          [](const Parameters& p, Channel::Config& c) { c.phase_noise_dbc_per_hz = p.db.value_or(-80.0); }},
    Model{{"two-ray", "direct path and a sea reflection [0.2us] later, [3db] weaker, in opposition"},
          [](const Parameters& p, Channel::Config& c) {
              c.paths = two_ray_paths(p.seconds.value_or(0.2e-6) * c.sample_rate_hz, -p.db.value_or(3.0), 0.5);
          }},
    Model{{"tdl-a", "3GPP TDL-A, delay spread [1us], Doppler [0hz]"}, set_tdl_profile<TdlProfile::kA>},
    Model{{"tdl-b", "3GPP TDL-B, delay spread [1us], Doppler [0hz]"}, set_tdl_profile<TdlProfile::kB>},
    Model{{"tdl-c", "3GPP TDL-C, delay spread [1us], Doppler [0hz]"}, set_tdl_profile<TdlProfile::kC>},
    Model{
        {"rician", "one path, Doppler [100hz], steady part [10db] above the fading one"},
        [](const Parameters& p, Channel::Config& c) { set_one_path(p.db.value_or(10.0), p.hertz.value_or(100.0), c); }},
    Model{{"rayleigh", "one path, Doppler [10hz], no steady part"},
          [](const Parameters& p, Channel::Config& c) { set_one_path(kMinusInfinity, p.hertz.value_or(10.0), c); }},
    Model{{"leo", "satellite at 550 km near its highest Doppler: [40khz] falling by 800 Hz/s, delay moving with it"},
          set_leo},
    Model{{"doppler-rate", "carrier offset that falls by [800hz] each second, nothing else"},
          [](const Parameters& p, Channel::Config& c) { c.doppler_rate_hz_per_s -= p.hertz.value_or(800.0); }},
    Model{{"hackrf", "cheap radio: 10 ppm clock, 8 kHz off, phase noise, IQ imbalance, DC, 8 bits"}, set_hackrf},
    Model{{"wideband", "strongly frequency-selective: TDL-C with [2us], Doppler 1 Hz"},
          [](const Parameters& p, Channel::Config& c) { set_tdl(TdlProfile::kC, p.seconds.value_or(2e-6), 1.0, c); }},
    Model{{"tone", "a steady foreign carrier, [0db] relative to the signal, at a quarter of the band"},
          [](const Parameters& p, Channel::Config& c) {
              c.tone_db = p.db.value_or(0.0);
              c.tone_hz = p.hertz.value_or(c.sample_rate_hz / 8.0);
          }},
    Model{{"two-tones",
           "two steady foreign carriers of [0db] each, the second at -1.618 times the first's [1/8 of the rate]"},
          [](const Parameters& p, Channel::Config& c) {
              c.tone_db = c.second_tone_db = p.db.value_or(0.0);
              c.tone_hz = p.hertz.value_or(c.sample_rate_hz / 8.0);
              c.second_tone_hz = -1.618 * c.tone_hz;
          }},
    Model{
        {"fsk", "a foreign data signal of 9600 Bd, binary FSK, [0db] relative to the signal, at a quarter of the band"},
        [](const Parameters& p, Channel::Config& c) {
            c.fsk_db = p.db.value_or(0.0);
            c.fsk_hz = p.hertz.value_or(c.sample_rate_hz / 8.0);
        }},
    Model{{"lora", "foreign LoRa chirps, SF7 in 125 kHz, [0db] relative to the signal, at a quarter of the band"},
          [](const Parameters& p, Channel::Config& c) {
              c.chirp_db = p.db.value_or(0.0);
              c.chirp_hz = p.hertz.value_or(c.sample_rate_hz / 8.0);
          }},
    Model{{"pulses", "pulsed noise, [0db] relative to the signal while on, [50us] long, [1000hz] of them"},
          [](const Parameters& p, Channel::Config& c) {
              c.pulse_db = p.db.value_or(0.0);
              c.pulse_s = p.seconds.value_or(50e-6);
              c.pulse_rate_hz = p.hertz.value_or(1e3);
          }},
    Model{{"neighbour", "OFDM like ours, [0db] relative to the signal, 1.25 occupied bandwidths [or hz] away"},
          [](const Parameters& p, Channel::Config& c) {
              c.neighbour_db = p.db.value_or(0.0);
              c.neighbour_offset =
                  p.hertz ? *p.hertz / (c.occupied_fraction * c.sample_rate_hz) : Channel::Config{}.neighbour_offset;
          }},
    Model{{"impulses", "one sample in 10 000 hit 20 dB above the signal"},
          [](const Parameters&, Channel::Config& c) { c.impulses_per_million = 100.0; }},
    Model{{"quantized", "analogue-digital converter with [8bit]"},
          [](const Parameters& p, Channel::Config& c) {
              c.bits = static_cast<unsigned>(std::clamp(p.bits.value_or(8.0), 2.0, 24.0));
          }},
    Model{{"drops", "random gaps of up to 20 000 samples, two in a million samples"},
          [](const Parameters&, Channel::Config& c) { c.gaps_per_million = 2.0; }},
};

/// The model with the longest name that `word` starts with, followed by nothing or '-'; nullptr if there is none.
const Model* find_model(std::string_view word) {
    const Model* best = nullptr;
    for (const Model& model : kModels) {
        const std::string_view name = model.name.name;
        const bool fits = word.starts_with(name) && (word.size() == name.size() || word[name.size()] == '-');
        if (fits && (best == nullptr || name.size() > best->name.name.size())) {
            best = &model;
        }
    }
    return best;
}

std::vector<std::string_view> model_names() {
    std::vector<std::string_view> out;
    for (const Model& model : kModels) {
        out.push_back(model.name.name);
    }
    return out;
}

Error unknown(std::string_view word) {
    Error error = unknown_name("channel", word, model_names());
    error.message += "; join several with '+', add parameters as in tdl-c-5us-10hz";
    return error;
}

}  // namespace

std::vector<Channel::Name> Channel::names() {
    std::vector<Name> out;
    for (const Model& model : kModels) {
        out.push_back(model.name);
    }
    return out;
}

Result<Channel::Config> Channel::configure(std::string_view names, const Config& base) {
    Config config = base;
    for (std::string_view left = names;;) {
        const std::size_t plus = left.find('+');
        const std::string_view word = left.substr(0, plus);
        const Model* model = find_model(word);
        if (model == nullptr) {
            return unknown(word);
        }
        Parameters parameters;
        std::string_view rest = word.substr(model->name.name.size());
        while (!rest.empty()) {
            rest.remove_prefix(1);  // the '-'
            const std::size_t sign = rest.starts_with('-') ? 1 : 0;
            const std::size_t dash = rest.find('-', sign);
            const std::string_view parameter = rest.substr(0, dash);
            if (!read_parameter(parameter, parameters)) {
                return Error{ErrorCode::kInvalidArgument,
                             "channel '" + std::string(word) + "': '" + std::string(parameter) +
                                 "' is no parameter; a number and one of us ns hz khz db ppm bit is, as in 5us"};
            }
            rest = dash == std::string_view::npos ? std::string_view{} : rest.substr(dash);
        }
        model->set(parameters, config);
        if (plus == std::string_view::npos) {
            break;
        }
        left = left.substr(plus + 1);
    }
    try {
        const Channel probe(config);  // the values themselves are judged where they are used
    } catch (const std::invalid_argument& error) {
        return Error{ErrorCode::kInvalidArgument, "channel '" + std::string(names) + "': " + error.what()};
    }
    return config;
}

}  // namespace meshnet::sim
