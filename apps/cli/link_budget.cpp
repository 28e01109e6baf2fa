// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/link_budget.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <string_view>

#include "core/names.hpp"
#include "node/phy_model.hpp"
#include "phy/modes.hpp"
#include "sim/propagation/fading.hpp"
#include "sim/propagation/free_space.hpp"

namespace meshnet::apps {

namespace {

// Peaks of our frames over their mean, 256QAM's (phy/waveform/peak_limiter.hpp); other OFDM has no less.
constexpr double kOfdmPeakDb = 10.0;
// What receivers of the 802.11 standard are allowed in their minimum sensitivity: noise figure and implementation
// margin (IEEE Std 802.11-2020, 17.3.10.2, 19.3.19.1). Both are taken off here, so that all run at one noise figure.
constexpr double kStandardNoiseFigureDb = 10.0;
constexpr double kStandardMarginDb = 5.0;

Error wrong(const std::string& line) {
    return {ErrorCode::kInvalidArgument, line};
}

std::string number(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

struct Bound {
    const char* option;
    double value, min, max;
    const char* unit;
};

Status check(const LinkBudgetOptions& o) {
    const Bound bounds[] = {
        {"--frequency", o.frequency_hz, 1e7, 5e10, "Hz"},
        {"--distance-km", o.distance_km.value_or(1.0), 1e-3, 2e4, "km"},
        {"--altitude-km", o.altitude_km.value_or(500.0), 1.0, 5e4, "km"},
        {"--elevation", o.elevation_deg, 0.0, 90.0, "degrees"},
        {"--heights", o.heights_m[0], 0.1, 1e5, "m"},
        {"--heights", o.heights_m[1], 0.1, 1e5, "m"},
        {"--k", o.earth_factor, 0.1, 100.0, ""},
        {"--wave-height", o.wave_height_m, 0.0, 30.0, "m"},
        {"--rain", o.rain_mm_h, 0.0, 300.0, "mm/h"},
        {"--tx-power", o.tx_power_dbm, -100.0, 100.0, "dBm"},
        {"--tx-gain", o.tx_gain_dbi, -50.0, 80.0, "dBi"},
        {"--rx-gain", o.rx_gain_dbi, -50.0, 80.0, "dBi"},
        {"--tx-loss", o.tx_loss_db, 0.0, 100.0, "dB"},
        {"--rx-loss", o.rx_loss_db, 0.0, 100.0, "dB"},
        {"--noise-figure", o.noise_figure_db, 0.0, 50.0, "dB"},
        {"--antenna-noise", o.antenna_k, 0.0, 1e6, "K"},
        {"--extra-loss", o.extra_loss_db, -50.0, 200.0, "dB"},
        {"--fade-margin", o.fade_margin_db.value_or(0.0), 0.0, 100.0, "dB"},
        {"--rice-k", o.rice_k_db.value_or(0.0), -40.0, 40.0, "dB"},
        {"--availability", o.availability_percent, 50.0, 99.999, "%"},
    };
    for (const Bound& b : bounds) {
        if (!(b.value >= b.min && b.value <= b.max)) {
            const std::string unit = *b.unit == '\0' ? "" : std::string(" ") + b.unit;
            return wrong(std::string(b.option) + " takes a number from " + number(b.min) + " to " + number(b.max) +
                         unit + ", not " + number(b.value));
        }
    }
    if (o.altitude_km && (o.distance_km || !o.obstacles.empty())) {
        return wrong(
            "--altitude-km is a path to a satellite: it goes with --elevation, not with a distance or obstacle");
    }
    if (!o.altitude_km && !o.distance_km) {
        return wrong("give --distance-km (along the ground) or --altitude-km (a satellite)");
    }
    if (o.fade_margin_db && o.rice_k_db) {
        return wrong("give --fade-margin or --rice-k, not both");
    }
    return Ok{};
}

/// "92:1850" -> 92 km from the sender, 1850 m high.
Result<sim::Obstacle> parse_obstacle(const std::string& text, double distance_km) {
    char* end = nullptr;
    const double km = std::strtod(text.c_str(), &end);
    const bool parted = end != text.c_str() && *end == ':';
    const char* second = parted ? end + 1 : text.c_str();
    const double metres = parted ? std::strtod(second, &end) : 0.0;
    if (!parted || end == second || *end != '\0' || !(km > 0.0 && km < distance_km) ||
        !(metres >= -500.0 && metres <= 1e4)) {
        return wrong("--obstacle takes KM:METRES, a place between the stations (0 to " + number(distance_km) +
                     " km from the sender) and a height up to 10000 m above sea level, not " + meshnet::quoted(text));
    }
    return sim::Obstacle{km * 1e3, metres};
}

template <std::size_t N>
Result<std::size_t> choice(const char* what, const std::string& word, const std::array<std::string_view, N>& known) {
    for (std::size_t i = 0; i < N; ++i) {
        if (known[i] == word) {
            return i;
        }
    }
    return unknown_name(what, word, known);
}

double from_db(double db) {
    return std::pow(10.0, db / 10.0);
}

}  // namespace

std::vector<LinkSystem> link_systems(const phy::Profile& profile, double frequency_hz) {
    std::vector<LinkSystem> out;
    const node::PhyModel model(profile, node::SampleRate::from_hz(profile.sample_rate_hz), 0);
    for (std::size_t i = 0; i < phy::modes().size(); ++i) {
        const auto& m = phy::modes()[i];
        out.push_back({"meshnet", std::string(m.name), profile.occupied_bandwidth_hz(),
                       static_cast<double>(m.required_snr_db), model.payload_rate_bps(static_cast<mac::ModeIndex>(i)),
                       kOfdmPeakDb, "docs/results/phy.md: 1000 bytes, PER 1 %"});
    }
    const bool below_1ghz = frequency_hz < 1.02e9;
    const bool at_2g4 = frequency_hz >= 2.4e9 && frequency_hz <= 2.5e9;
    if (below_1ghz || at_2g4) {
        const double bandwidth = below_1ghz ? 125e3 : 203.125e3;
        for (int sf = 7; sf <= 12; ++sf) {
            out.push_back(
                {"LoRa", "LoRa SF" + std::to_string(sf) + (below_1ghz ? " 125 kHz" : " 203 kHz"), bandwidth,
                 -7.5 - 2.5 * (sf - 7), sf * bandwidth / (1 << sf) * 4.0 / 5.0, 0.0,
                 below_1ghz ? "Semtech SX1276 data sheet, table 13" : "Semtech SX1276, table 13; SX1280 alike"});
        }
    }
    const auto wifi = [&out](const char* name, double hz, double sensitivity_dbm, double bps) {
        const double needs = sensitivity_dbm - sim::thermal_noise_dbm(hz, kStandardNoiseFigureDb) - kStandardMarginDb;
        out.push_back({"802.11", name, hz, needs, bps, kOfdmPeakDb,
                       "IEEE 802.11 minimum sensitivity " + number(sensitivity_dbm) +
                           " dBm less 10 dB noise figure and 5 dB margin"});
    };
    if (below_1ghz) {
        wifi("802.11ah MCS10 1 MHz", 1e6, -98.0, 150e3);
        wifi("802.11ah MCS0 1 MHz", 1e6, -95.0, 300e3);
        wifi("802.11ah MCS0 2 MHz", 2e6, -92.0, 650e3);
    } else {
        wifi("802.11n MCS0 20 MHz", 20e6, -82.0, 6.5e6);
    }
    return out;
}

Result<LinkBudget> LinkBudget::create(const LinkBudgetOptions& o) {
    if (auto right = check(o); !right) {
        return right.error();
    }
    LinkBudget out;
    out.options_ = o;
    const auto profile = phy::parse_profile(o.profile);
    if (!profile) {
        return profile.error();
    }
    out.profile_ = *profile;
    if (!o.band.empty()) {
        auto band = station::find_band(o.band);
        if (!band) {
            return band.error();
        }
        if (o.frequency_hz < band->low_hz || o.frequency_hz > band->high_hz) {
            return wrong("--frequency " + number(o.frequency_hz * 1e-6) + " MHz is outside the band " + band->name +
                         ", " + number(band->low_hz * 1e-6) + " to " + number(band->high_hz * 1e-6) + " MHz");
        }
        out.band_ = std::move(band).value();
    }
    constexpr std::array<std::string_view, 3> kSurfaces{"none", "land", "sea"};
    const auto surface = choice("surface", o.surface, kSurfaces);
    if (!surface) {
        return surface.error();
    }
    constexpr std::array<std::string_view, 2> kPolarisations{"h", "v"};
    const auto polarisation = choice("polarisation", o.polarisation, kPolarisations);
    if (!polarisation) {
        return polarisation.error();
    }
    sim::TerrestrialPath& g = out.ground_;
    for (const std::string& text : o.obstacles) {
        const auto obstacle = parse_obstacle(text, o.distance_km.value_or(0.0));
        if (!obstacle) {
            return obstacle.error();
        }
        g.obstacles.push_back(*obstacle);
    }
    if (!o.obstacles.empty() && *surface == 0) {
        return wrong("--obstacle stands on the ground: --surface land or sea");
    }
    g.frequency_hz = o.frequency_hz;
    g.height_a_m = o.heights_m[0];
    g.height_b_m = o.heights_m[1];
    g.earth_factor = o.earth_factor;
    g.surface = static_cast<sim::Surface>(*surface);
    g.polarisation = static_cast<sim::Polarisation>(*polarisation);
    g.wave_height_m = o.wave_height_m;
    g.rain_mm_h = o.rain_mm_h;
    out.satellite_.frequency_hz = o.frequency_hz;
    out.satellite_.altitude_m = o.altitude_km.value_or(0.0) * 1e3;
    out.satellite_.rain_mm_h = o.rain_mm_h;
    out.systems_ = link_systems(**profile, o.frequency_hz);
    out.fade_margin_db_ = o.fade_margin_db.value_or(0.0);
    if (o.rice_k_db) {
        out.fade_margin_db_ = std::max(sim::rice_fade_db(*o.rice_k_db, 1.0 - o.availability_percent / 100.0), 0.0);
    }
    return out;
}

sim::PathLoss LinkBudget::loss(double where) const {
    return to_satellite() ? sim::satellite_loss(satellite_, where) : sim::terrestrial_loss(ground_, where);
}

double LinkBudget::place() const noexcept {
    return to_satellite() ? options_.elevation_deg * std::numbers::pi / 180.0
                          : options_.distance_km.value_or(0.0) * 1e3;
}

double LinkBudget::unlimited_eirp_dbm() const noexcept {
    return options_.tx_power_dbm - options_.tx_loss_db + options_.tx_gain_dbi;
}

double LinkBudget::eirp_dbm(const LinkSystem& system) const {
    double out = unlimited_eirp_dbm();
    if (band_) {
        const double radiated = options_.tx_gain_dbi - options_.tx_loss_db;
        const double peak = band_->detector == station::Detector::kPeak ? system.peak_db : 0.0;
        out = std::min({out, band_->max_eirp_dbm - peak, band_->max_conducted_dbm + radiated - peak});
        if (std::isfinite(band_->max_psd_dbm)) {
            const double share = std::max(system.bandwidth_hz / band_->psd_bandwidth_hz, 1.0);
            out = std::min(out, band_->max_psd_dbm + 10.0 * std::log10(share));
        }
    }
    return out;
}

double LinkBudget::noise_dbm(double bandwidth_hz) const noexcept {
    // Cables at 290 K before the receiver: their loss is taken off the signal, and what the antenna's noise loses there
    // they add themselves.
    const double through = from_db(-options_.rx_loss_db);
    const double seen_k = options_.antenna_k * through + sim::kReferenceTemperature * (1.0 - through);
    return sim::thermal_noise_dbm(bandwidth_hz, options_.noise_figure_db, seen_k);
}

LinkResult LinkBudget::evaluate(const LinkSystem& system, const sim::PathLoss& loss) const {
    LinkResult out;
    out.eirp_dbm = eirp_dbm(system);
    const double received =
        out.eirp_dbm - loss.total_db() - options_.extra_loss_db + options_.rx_gain_dbi - options_.rx_loss_db;
    out.snr_db = received - noise_dbm(system.bandwidth_hz);
    out.margin_db = out.snr_db - system.required_snr_db - fade_margin_db_;
    return out;
}

}  // namespace meshnet::apps
