// SPDX-License-Identifier: GPL-3.0-or-later
// What the operator states before anything is sent, judged once.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "station/guard/band_table.hpp"

namespace meshnet::station {

/// As the operator wrote it. NaN: not stated.
struct GuardConfig {
    static constexpr double kUnset = std::numeric_limits<double>::quiet_NaN();

    std::vector<std::string> bands;      ///< names of the table or of own bands; of two that hold a burst, the first
    std::vector<std::string> own_bands;  ///< as parse_own_band() reads them
    std::string authority;               ///< on what right he sends, in his words: 3 to 200 characters
    std::string callsign;                ///< amateur bands: 3 to 12 of A to Z, 0 to 9 and /
    std::string sealed_traffic_permit;   ///< amateur bands: what permits encrypted traffic there
    double frequency_hz = kUnset;        ///< carrier, 1e6 to 1e11
    double full_scale_dbm = kUnset;      ///< conducted mean power of a sample of magnitude 1 at this gain; -100 to 80
    double antenna_gain_dbi = kUnset;    ///< -20 to 60
    double cable_loss_db = 0.0;          ///< between the point of full_scale_dbm and the antenna; 0 to 60
    double receive_full_scale_dbm = kUnset;  ///< power at that point that gives magnitude 1; for listen before talk
    double clock_error_ppm = 25.0;           ///< the band is taken narrower by so much at either edge; 0 to 200
    double listen_max_age_ms = 10.0;         ///< from the end of listening to the first sample; 0.001 to 100
    std::string air_time_file = "station.airtime";  ///< needed where a duty cycle is below 1
    std::string inhibit_file;                       ///< nothing is sent while it exists
    std::string inhibit_gpio;                       ///< file whose first character is 0 while sending is allowed
};

/// A configuration that passed validation: what the guard works with. Only validate_guard() makes one.
class GuardPlan {
public:
    [[nodiscard]] const GuardConfig& config() const noexcept { return config_; }
    /// Carrier within all of them; at least one.
    [[nodiscard]] const std::vector<BandRule>& bands() const noexcept { return bands_; }
    [[nodiscard]] double sample_rate_hz() const noexcept { return sample_rate_hz_; }
    /// Conducted power plus this is e.i.r.p., dB.
    [[nodiscard]] double radiated_gain_db() const noexcept { return config_.antenna_gain_dbi - config_.cable_loss_db; }

private:
    friend Result<GuardPlan> validate_guard(const GuardConfig& config, double sample_rate_hz);
    GuardConfig config_;
    std::vector<BandRule> bands_;
    double sample_rate_hz_ = 0.0;
};

/// True if the operator stated anything about sending.
[[nodiscard]] bool mentions_band(const GuardConfig& config) noexcept;

/// `sample_rate_hz`: 1e3 to 1e9. Error: one sentence, what is wrong and what would be right.
[[nodiscard]] Result<GuardPlan> validate_guard(const GuardConfig& config, double sample_rate_hz);

}  // namespace meshnet::station
