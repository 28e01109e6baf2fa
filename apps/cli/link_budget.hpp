// SPDX-License-Identifier: GPL-3.0-or-later
// A link's budget: from powers, antennas and a path to the modes that close, beside other systems on the same path.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "sim/propagation/path_loss.hpp"
#include "station/guard/band_table.hpp"

namespace meshnet::apps {

/// As the command line says it.
struct LinkBudgetOptions {
    double frequency_hz = 868.3e6;
    std::string profile = "1M";
    std::optional<double> distance_km;  ///< along the ground
    std::optional<double> altitude_km;  ///< a satellite
    double elevation_deg = 10.0;
    std::string surface = "land";
    std::string polarisation = "v";
    std::vector<double> heights_m{10.0, 10.0};  ///< sender's, receiver's
    double earth_factor = sim::kMedianEarthFactor;
    double wave_height_m = 0.5;
    std::vector<std::string> obstacles;  ///< "KM:METRES"
    double rain_mm_h = 0.0;
    double tx_power_dbm = 14.0;  ///< mean, at the transmitter's connector
    double tx_gain_dbi = 2.0, rx_gain_dbi = 2.0;
    double tx_loss_db = 0.0, rx_loss_db = 0.0;  ///< cables, filters, switches
    double noise_figure_db = 6.0;
    double antenna_k = sim::kReferenceTemperature;
    double extra_loss_db = 0.0;
    std::optional<double> fade_margin_db;
    std::optional<double> rice_k_db;  ///< with `availability`
    double availability_percent = 99.0;
    std::string band;  ///< empty: no limit
};

/// One mode of ours, or another system.
struct LinkSystem {
    std::string family;  ///< "meshnet", "LoRa", "802.11"
    std::string name;
    double bandwidth_hz = 0.0;
    double required_snr_db = 0.0;  ///< in that bandwidth
    double rate_bps = 0.0;
    double peak_db = 0.0;  ///< of its envelope over its mean, for bands that limit the peak
    std::string source;    ///< of the required SNR
};
/// Modes of `profile`, then LoRa and 802.11 where they exist at that frequency.
[[nodiscard]] std::vector<LinkSystem> link_systems(const phy::Profile& profile, double frequency_hz);

/// What a system gets out of the path.
struct LinkResult {
    double eirp_dbm = 0.0;
    double snr_db = 0.0;     ///< in its bandwidth
    double margin_db = 0.0;  ///< over the required SNR and the fading margin
};

class LinkBudget {
public:
    /// Error: one line that names the option.
    [[nodiscard]] static Result<LinkBudget> create(const LinkBudgetOptions& options);

    [[nodiscard]] const LinkBudgetOptions& options() const noexcept { return options_; }
    [[nodiscard]] const phy::Profile& profile() const noexcept { return *profile_; }
    [[nodiscard]] const std::vector<LinkSystem>& systems() const noexcept { return systems_; }
    [[nodiscard]] const std::optional<station::BandRule>& band() const noexcept { return band_; }
    [[nodiscard]] bool to_satellite() const noexcept { return options_.altitude_km.has_value(); }
    [[nodiscard]] double fade_margin_db() const noexcept { return fade_margin_db_; }

    /// The loss at a distance in m or, of a satellite, at an elevation in rad.
    [[nodiscard]] sim::PathLoss loss(double where) const;
    /// The place that the options name: m or rad.
    [[nodiscard]] double place() const noexcept;

    /// e.i.r.p. that transmitter and band allow a system, dBm.
    [[nodiscard]] double eirp_dbm(const LinkSystem& system) const;
    /// The same without a band.
    [[nodiscard]] double unlimited_eirp_dbm() const noexcept;
    [[nodiscard]] double noise_dbm(double bandwidth_hz) const noexcept;
    [[nodiscard]] LinkResult evaluate(const LinkSystem& system, const sim::PathLoss& loss) const;

private:
    LinkBudget() = default;

    LinkBudgetOptions options_;
    const phy::Profile* profile_ = nullptr;
    std::optional<station::BandRule> band_;
    sim::TerrestrialPath ground_;
    sim::SatellitePath satellite_;
    std::vector<LinkSystem> systems_;
    double fade_margin_db_ = 0.0;
};

}  // namespace meshnet::apps
