// SPDX-License-Identifier: GPL-3.0-or-later
// linkbudget: which mode closes over a path, and with what margin.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/frame_printer.hpp"
#include "apps/cli/link_budget.hpp"
#include "apps/cli/svg_plot.hpp"
#include "apps/cli/table.hpp"
#include "sim/propagation/free_space.hpp"
#include "sim/propagation/satellite.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
    LinkBudgetOptions budget;
    std::string plot;
    std::optional<double> plot_to_km;  ///< unset: twice the distance
    bool json = false;
};

template <class... Values>
std::string say(const char* pattern, Values... values) {
    char text[256];
    std::snprintf(text, sizeof text, pattern, values...);
    return text;
}

void item(const char* name, const std::string& value) {
    std::printf("  %-26s %s\n", name, value.c_str());
}

double doppler_hz(const LinkBudget& b) {
    return b.options().frequency_hz / sim::kSpeedOfLight *
           sim::largest_receding_mps(*b.options().altitude_km * 1e3, b.place());
}

double doppler_rate_hz_s(const LinkBudget& b) {
    return b.options().frequency_hz / sim::kSpeedOfLight *
           sim::zenith_acceleration_mps2(*b.options().altitude_km * 1e3);
}

void print_geometry(const LinkBudget& b, const sim::PathLoss& loss) {
    const auto& o = b.options();
    if (b.to_satellite()) {
        item("satellite", say("%.0f km high at %.1f degrees: slant range %.0f km", *o.altitude_km, o.elevation_deg,
                              loss.distance_m * 1e-3));
        item("Doppler",
             say("up to +-%.0f Hz here, %.0f Hz/s overhead; %.1f min above this elevation", std::abs(doppler_hz(b)),
                 doppler_rate_hz_s(b), std::max(sim::pass_seconds(*o.altitude_km * 1e3, b.place()), 0.0) / 60.0));
        return;
    }
    if (o.surface == "none") {
        item("path", say("%.1f km in free space", *o.distance_km));
        return;
    }
    item("path", say("%.1f km, surface %s, antennas %.0f m and %.0f m high, k = %.3g", *o.distance_km,
                     o.surface.c_str(), o.heights_m[0], o.heights_m[1], o.earth_factor));
    if (loss.horizon_m > 0.0) {
        item("radio horizon", say("%.1f km%s", loss.horizon_m * 1e-3,
                                  loss.horizon_m < loss.distance_m ? ": the path goes beyond it" : ""));
    }
    if (loss.closest) {
        const double zone = sim::fresnel_radius_m(loss.closest->from_a_m, loss.closest->from_b_m, o.frequency_hz);
        item("clearance",
             say("%.1f m over the smooth earth %.1f km from the sender: %.2f of the first Fresnel zone (%.1f m)",
                 loss.closest->clearance_m, loss.closest->from_a_m * 1e-3, loss.closest->clearance_m / zone, zone));
    }
    if (loss.reflection) {
        const auto& r = *loss.reflection;
        item("sea reflection",
             say("%.1f dB below the direct ray, %.1f ns behind it, %.2f degrees grazing; %.1f to %+.1f dB with tide",
                 -20.0 * std::log10(std::max(r.amplitude, 1e-6)), r.path_difference_m / sim::kSpeedOfLight * 1e9,
                 r.point.grazing_rad * 180.0 / std::numbers::pi, r.deepest_db, r.highest_db));
    }
}

void print_budget(const LinkBudget& b, const sim::PathLoss& loss) {
    const auto& o = b.options();
    const LinkSystem& ours = b.systems().front();
    const double eirp = b.eirp_dbm(ours);
    item("radiated (e.i.r.p.)",
         say("%.1f dBm%s", eirp,
             eirp < b.unlimited_eirp_dbm() - 1e-9 ? (": the limit of " + b.band()->name).c_str() : ""));
    item("free-space loss", say("%.1f dB", loss.free_space_db));
    if (!b.to_satellite() && o.surface != "none") {
        item("diffraction", say("%.1f dB", loss.diffraction_db));
        if (loss.reflection) item("sea reflection, gain", say("%+.1f dB", loss.reflection->gain_db));
    }
    item("gas, rain", say("%.2f dB, %.2f dB", loss.gas_db, loss.rain_db));
    if (o.extra_loss_db != 0.0) item("other losses", say("%.1f dB", o.extra_loss_db));
    const LinkResult result = b.evaluate(ours, loss);
    const double noise = b.noise_dbm(ours.bandwidth_hz);
    item("received", say("%.1f dBm at the receiver, noise %.1f dBm in %.1f kHz", noise + result.snr_db, noise,
                         ours.bandwidth_hz * 1e-3));
    item("SNR", say("%.1f dB", result.snr_db));
    item("fading margin", o.rice_k_db ? say("%.1f dB: Rice, K = %.1f dB, %.4g %% of the time", b.fade_margin_db(),
                                            *o.rice_k_db, o.availability_percent)
                                      : say("%.1f dB", b.fade_margin_db()));
}

/// Lines on what the numbers do not show.
void print_notes(const LinkBudget& b) {
    if (b.band()) {
        const auto& r = *b.band();
        if (r.width_hz() < b.profile().occupied_bandwidth_hz() ||
            r.max_bandwidth_hz < b.profile().occupied_bandwidth_hz()) {
            std::printf("note: profile %s does not fit into %s; take a narrower one\n",
                        std::string(b.profile().name).c_str(), r.name.c_str());
        }
        if (r.duty_cycle < 1.0) {
            std::printf("note: %s allows %.4g %% of the time: the mean rate is that much of the rate shown\n",
                        r.name.c_str(), r.duty_cycle * 100.0);
        }
    }
    if (b.to_satellite() && std::abs(doppler_hz(b)) > b.profile().max_cfo_hz) {
        std::printf("note: the Doppler shift is beyond the %.0f Hz that profile %s acquires without a hint\n",
                    b.profile().max_cfo_hz, std::string(b.profile().name).c_str());
    }
}

void print_text(const LinkBudget& b, const sim::PathLoss& loss) {
    std::printf("link at %.6g MHz, profile %s\n", b.options().frequency_hz * 1e-6,
                std::string(b.profile().name).c_str());
    print_geometry(b, loss);
    print_budget(b, loss);
    std::puts("");
    Table table({"mode", "kHz", "needs SNR/dB", "SNR/dB", "payload kbit/s", "margin/dB", "closes"});
    const LinkSystem* best = nullptr;
    for (const LinkSystem& s : b.systems()) {
        const LinkResult r = b.evaluate(s, loss);
        const bool closes = r.margin_db >= 0.0;
        table.row({s.name, say("%.1f", s.bandwidth_hz * 1e-3), say("%.1f", s.required_snr_db), say("%.1f", r.snr_db),
                   say("%.2f", s.rate_bps * 1e-3), say("%+.1f", r.margin_db), closes ? "yes" : "no"});
        if (closes && s.family == "meshnet" && (best == nullptr || s.rate_bps > best->rate_bps)) {
            best = &s;
        }
    }
    table.print("no modes");
    std::puts("");
    if (best != nullptr) {
        std::printf("fastest mode that closes: %s, %.1f kbit/s\n", best->name.c_str(), best->rate_bps * 1e-3);
    } else {
        const phy::Profile& narrowest = phy::profiles().front();
        const double gain_db =
            10.0 * std::log10(b.profile().occupied_bandwidth_hz() / narrowest.occupied_bandwidth_hz());
        std::printf(
            "no mode closes%s\n",
            gain_db > 0.0
                ? say("; profile %s would have %.1f dB more SNR", std::string(narrowest.name).c_str(), gain_db).c_str()
                : "");
    }
    print_notes(b);
}

Json json_of(const LinkBudget& b, const sim::PathLoss& loss) {
    const auto& o = b.options();
    const double noise = b.noise_dbm(b.profile().occupied_bandwidth_hz());
    const LinkResult ours = b.evaluate(b.systems().front(), loss);
    Json out{{"frequency_hz", o.frequency_hz},
             {"profile", b.profile().name},
             {"distance_m", loss.distance_m},
             {"horizon_m", loss.horizon_m > 0.0 ? Json(loss.horizon_m) : Json(nullptr)},
             {"clearance_m", loss.closest ? Json(loss.closest->clearance_m) : Json(nullptr)},
             {"free_space_db", loss.free_space_db},
             {"diffraction_db", loss.diffraction_db},
             {"reflection_gain_db", loss.reflection ? Json(loss.reflection->gain_db) : Json(nullptr)},
             {"reflection_deepest_db", loss.reflection ? Json(loss.reflection->deepest_db) : Json(nullptr)},
             {"reflection_delay_s",
              loss.reflection ? Json(loss.reflection->path_difference_m / sim::kSpeedOfLight) : Json(nullptr)},
             {"gas_db", loss.gas_db},
             {"rain_db", loss.rain_db},
             {"extra_loss_db", o.extra_loss_db},
             {"path_loss_db", loss.total_db() + o.extra_loss_db},
             {"eirp_dbm", ours.eirp_dbm},
             {"received_dbm", noise + ours.snr_db},
             {"noise_dbm", noise},
             {"snr_db", ours.snr_db},
             {"fade_margin_db", b.fade_margin_db()},
             {"doppler_hz", b.to_satellite() ? Json(doppler_hz(b)) : Json(nullptr)},
             {"doppler_rate_hz_s", b.to_satellite() ? Json(doppler_rate_hz_s(b)) : Json(nullptr)},
             {"duty_cycle", b.band() ? Json(b.band()->duty_cycle) : Json(nullptr)}};
    Json all = Json::array();
    for (const LinkSystem& s : b.systems()) {
        const LinkResult r = b.evaluate(s, loss);
        all.push_back(Json{{"family", s.family},
                           {"mode", s.name},
                           {"bandwidth_hz", s.bandwidth_hz},
                           {"required_snr_db", s.required_snr_db},
                           {"payload_bps", s.rate_bps},
                           {"eirp_dbm", r.eirp_dbm},
                           {"snr_db", r.snr_db},
                           {"margin_db", r.margin_db},
                           {"closes", r.margin_db >= 0.0},
                           {"source", s.source}});
    }
    out["modes"] = std::move(all);
    return out;
}

/// SNR over distance, or over elevation, with what each mode needs.
SvgPlot plot_of(const LinkBudget& b, double to_km) {
    const auto& o = b.options();
    const LinkSystem& ours = b.systems().front();
    SvgPlot p;
    const bool satellite = b.to_satellite();
    p.title = satellite ? say("%.6g MHz, satellite %.0f km high, profile %s", o.frequency_hz * 1e-6, *o.altitude_km,
                              std::string(b.profile().name).c_str())
                        : say("%.6g MHz, surface %s, antennas %.0f m and %.0f m, profile %s", o.frequency_hz * 1e-6,
                              o.surface.c_str(), o.heights_m[0], o.heights_m[1], std::string(b.profile().name).c_str());
    p.x_label = satellite ? "elevation, degrees" : "distance, km";
    p.y_label = b.fade_margin_db() > 0.0 ? say("SNR less %.1f dB fading margin, dB", b.fade_margin_db()) : "SNR, dB";
    p.x_max = satellite ? 90.0 : to_km;
    constexpr int kPoints = 1'000;
    SvgPlot::Curve total{"as computed", "#1f5fa8", 2.0, {}};
    SvgPlot::Curve free{"free space alone", "#999999", 1.0, {}};
    double highest = -1e9;
    for (int i = satellite ? 0 : 1; i <= kPoints; ++i) {
        const double x = p.x_max * i / kPoints;
        const sim::PathLoss loss = b.loss(satellite ? x * std::numbers::pi / 180.0 : x * 1e3);
        const double snr = b.evaluate(ours, loss).snr_db - b.fade_margin_db();
        total.points.emplace_back(x, snr);
        free.points.emplace_back(x, snr + loss.total_db() - loss.free_space_db);
        highest = i > kPoints / 20 ? std::max(highest, snr) : highest;
    }
    p.curves = {std::move(free), std::move(total)};
    double lowest_need = 0.0;
    for (const LinkSystem& s : b.systems()) {
        // What the other system needs, as the SNR that ours has on the same path then.
        const double at_ours = s.required_snr_db + b.noise_dbm(s.bandwidth_hz) - b.eirp_dbm(s) -
                               (b.noise_dbm(ours.bandwidth_hz) - b.eirp_dbm(ours));
        lowest_need = std::min(lowest_need, at_ours);
        const bool mesh = s.family == "meshnet";
        p.levels.push_back({s.name, mesh ? "#2e7d32" : s.family == "LoRa" ? "#c0392b" : "#8e44ad", at_ours, !mesh});
    }
    p.y_min = std::floor(lowest_need / 5.0) * 5.0 - 5.0;
    p.y_max = std::clamp(std::ceil(highest / 5.0) * 5.0 + 5.0, 30.0, 80.0);
    p.marked_x = satellite ? o.elevation_deg : *o.distance_km;
    p.marked_name = satellite ? say("%.3g degrees", p.marked_x) : say("%.4g km", p.marked_x);
    return p;
}

int linkbudget(const Options& o) {
    auto budget = LinkBudget::create(o.budget);
    if (!budget) {
        return complain(budget.error());
    }
    if (o.plot_to_km && !(*o.plot_to_km >= 0.01 && *o.plot_to_km <= 2e4)) {
        return complain("--plot-to takes a number from 0.01 to 20000 km, not " + say("%g", *o.plot_to_km), 2);
    }
    if (!o.plot.empty() && !o.plot.ends_with(".svg")) {
        return complain("--plot writes SVG: name the file FILE.svg (rsvg-convert or a browser makes a PNG of it)", 2);
    }
    const sim::PathLoss loss = budget->loss(budget->place());
    if (o.json) {
        std::puts(json_line(json_of(*budget, loss)).c_str());
    } else {
        print_text(*budget, loss);
    }
    if (!o.plot.empty()) {
        const double to_km = o.plot_to_km.value_or(2.0 * o.budget.distance_km.value_or(0.0));
        if (auto written = plot_of(*budget, to_km).write(o.plot); !written) {
            return complain(written.error().message, 1);
        }
    }
    return 0;
}

void add_path(CLI::App& c, LinkBudgetOptions& o) {
    c.add_option("--frequency", o.frequency_hz, "Hz")->capture_default_str();
    c.add_option("--distance-km", o.distance_km, "Length of a path along the ground");
    c.add_option("--heights", o.heights_m, "Antennas of sender and receiver, m above sea level")
        ->expected(2)
        ->capture_default_str();
    c.add_option("--surface", o.surface, "sea (reflects), land, or none (free space)")->capture_default_str();
    c.add_option("--obstacle", o.obstacles,
                 "KM:METRES, a summit on the way and its height above sea level; repeatable");
    c.add_option("--k", o.earth_factor, "Effective over true radius of the earth")->capture_default_str();
    c.add_option("--wave-height", o.wave_height_m, "Significant height of the sea's waves, m")->capture_default_str();
    c.add_option("--polarisation", o.polarisation, "h or v")->capture_default_str();
    c.add_option("--altitude-km", o.altitude_km, "A satellite on a circular orbit instead of a path along the ground");
    c.add_option("--elevation", o.elevation_deg, "... and its elevation, degrees")->capture_default_str();
    c.add_option("--rain", o.rain_mm_h, "mm/h on the path")->capture_default_str();
    c.add_option("--extra-loss", o.extra_loss_db, "Anything else on the path: trees, walls, polarisation, dB")
        ->capture_default_str();
}

void add_stations(CLI::App& c, LinkBudgetOptions& o) {
    c.add_option("--profile", o.profile, "Profile; meshnet-cli profiles lists them")->capture_default_str();
    c.add_option("--tx-power", o.tx_power_dbm, "Mean power at the transmitter's connector, dBm")->capture_default_str();
    c.add_option("--tx-gain", o.tx_gain_dbi, "Sender's antenna, dBi")->capture_default_str();
    c.add_option("--rx-gain", o.rx_gain_dbi, "Receiver's antenna, dBi")->capture_default_str();
    c.add_option("--tx-loss", o.tx_loss_db, "Cable, filter and switch at the sender, dB")->capture_default_str();
    c.add_option("--rx-loss", o.rx_loss_db, "... and before the receiver, dB")->capture_default_str();
    c.add_option("--noise-figure", o.noise_figure_db, "Receiver's, dB")->capture_default_str();
    c.add_option("--antenna-noise", o.antenna_k,
                 "What the receiving antenna sees, K: 290 along the ground, less of the sky")
        ->capture_default_str();
    c.add_option("--band", o.band, "Limit the power to a band's; meshnet-cli bands lists them");
    c.add_option("--fade-margin", o.fade_margin_db, "SNR to spare for fading, dB");
    c.add_option("--rice-k", o.rice_k_db, "Fading margin from a Rice channel with this K, dB; -40 is Rayleigh");
    c.add_option("--availability", o.availability_percent, "... that holds so many % of the time")
        ->capture_default_str();
}

}  // namespace

void add_linkbudget(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<Options>(app, exit_code, "linkbudget", "Which mode closes over a path, and with what margin",
                                   command, linkbudget);
    add_path(*command, o.budget);
    add_stations(*command, o.budget);
    command->add_flag("--json", o.json, "JSON");
    command->add_option("--plot", o.plot, "Write SNR over distance (or elevation) with the modes' lines: FILE.svg");
    command->add_option("--plot-to", o.plot_to_km, "... up to so many km (default: twice the distance)");
}

}  // namespace meshnet::apps
