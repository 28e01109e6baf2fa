// SPDX-License-Identifier: GPL-3.0-or-later
// Which bands a station may use, and how: one row a rule of a regulator, each with its source.
//
// The operator is responsible for what his station sends. The table is a help: rules change, differ between the
// countries of a region, and a row holds only what a program can check on samples. Sources:
// docs/notes/transmit-guard.md.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "core/time.hpp"

namespace meshnet::station {

/// e.i.r.p. is e.r.p. plus the 2.15 dB that a half-wave dipole has over an isotropic radiator (ITU-R V.573).
inline constexpr double kErpToEirpDb = 2.15;

/// On what right a station sends in a band.
enum class AuthorityKind {
    kLicenceExempt,  ///< a general authorisation: short-range devices, Part 15, class licence
    kAmateur,        ///< the amateur licence of the operator
    kLicence,        ///< any other individual licence or permit
};
[[nodiscard]] std::string_view to_string(AuthorityKind kind) noexcept;

/// Which power the limits of a row mean.
enum class Detector {
    kMean,  ///< mean over kMeanPowerWindow of the burst, or over all of a shorter burst
    kPeak,  ///< peak envelope power: the largest |sample|^2
};
[[nodiscard]] std::string_view to_string(Detector detector) noexcept;

/// Over which the mean power of a burst is taken, everywhere in it.
inline constexpr Duration kMeanPowerWindow = 1ms;

/// One band and its rule. Powers are dBm, radiated ones e.i.r.p. Infinity: no limit of that kind.
struct BandRule {
    static constexpr double kNone = std::numeric_limits<double>::infinity();

    std::string region;  ///< "EU", "US", ...; "own" for the operator's
    std::string name;    ///< unique, begins with the region: "EU 868.0-868.6"
    double low_hz = 0.0, high_hz = 0.0;
    double max_eirp_dbm = kNone;
    double max_conducted_dbm = kNone;  ///< at the connector of the transmitter
    Detector detector = Detector::kMean;
    double max_bandwidth_hz = kNone;  ///< of 99 % of the power
    double min_bandwidth_hz = 0.0;    ///< between the outermost points 6 dB below the strongest, in 100 kHz
    double max_psd_dbm = kNone;       ///< e.i.r.p. in any psd_bandwidth_hz
    double psd_bandwidth_hz = 0.0;
    double duty_cycle = 1.0;          ///< share of any hour, > 0
    Duration max_burst{};             ///< 0: no limit
    Duration min_gap{};               ///< silence after each burst at least
    bool listen = false;              ///< listen before talk
    double listen_below_dbm = kNone;  ///< the channel is clear below this, at the antenna's connector
    Duration listen_for{};            ///< the level is a mean over so long
    AuthorityKind authority = AuthorityKind::kLicenceExempt;
    Duration identify_every{};  ///< 0: no station identification
    std::string source;         ///< document and clause
    std::string note;           ///< what the guard does not check

    [[nodiscard]] double width_hz() const noexcept { return high_hz - low_hz; }
};

/// All rows, by region.
[[nodiscard]] std::span<const BandRule> band_table();

/// The regions of the table, each once.
[[nodiscard]] std::span<const std::string_view> band_regions();

/// The row of that name. Error: names the nearest and all there are.
[[nodiscard]] Result<BandRule> find_band(std::string_view name);

/// A band of the operator's own: "NAME, LOW MHz, HIGH MHz, MAX EIRP dBm, DUTY CYCLE", for example
/// "harbour, 434.5, 434.9, 20, 0.1". 1 to 10^5 MHz, -60 to 100 dBm, above 0 to 1. Any bytes may be given. Error: one
/// clause.
[[nodiscard]] Result<BandRule> parse_own_band(std::string_view text);

}  // namespace meshnet::station
