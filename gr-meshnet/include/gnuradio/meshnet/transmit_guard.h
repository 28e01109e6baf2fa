// SPDX-License-Identifier: GPL-3.0-or-later
// The last block before a transmitting radio: a burst passes as it is, or not at all.
//
//     samples with tx_sob, tx_eob -> [transmit_guard] -> the same, of bursts within band, power and air time;  reports
//
// Rules and bands: docs/notes/transmit-guard.md, docs/decisions/0013-transmit-guard.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gr::meshnet {

/// What the operator states before anything is sent. NaN: not stated.
struct MESHNET_API guard_settings {
    double sample_rate_hz = 1e6;         ///< of the bursts, 1e3..1e9
    std::vector<std::string> bands;      ///< names of `meshnet-cli bands` or of own bands; none: nothing passes
    std::vector<std::string> own_bands;  ///< "NAME, LOW MHz, HIGH MHz, MAX EIRP dBm, DUTY CYCLE"
    std::string authority;               ///< on what right he sends, in his words: 3 to 200 characters
    double frequency_hz = std::numeric_limits<double>::quiet_NaN();  ///< carrier, 1e6..1e11
    /// Conducted mean power of a sample of magnitude 1 at the gain the radio has, dBm, -100..80.
    double full_scale_dbm = std::numeric_limits<double>::quiet_NaN();
    double antenna_gain_dbi = std::numeric_limits<double>::quiet_NaN();  ///< -20..60
    double cable_loss_db = 0.0;                                          ///< 0..60
    /// Power that gives a received sample of magnitude 1, dBm; for bands with listen before talk.
    double receive_full_scale_dbm = std::numeric_limits<double>::quiet_NaN();
    double clock_error_ppm = 25.0;                  ///< 0..200
    double listen_max_age_ms = 10.0;                ///< 0.001..100
    std::string callsign;                           ///< amateur bands
    std::string sealed_traffic_permit;              ///< amateur bands
    std::string air_time_file = "station.airtime";  ///< needed where a duty cycle is below 1
    std::string inhibit_file;                       ///< nothing passes while it exists
    std::string fill = "none";                      ///< "none" or "zeros"
    std::string length_tag;  ///< bursts are a tagged stream with it, in place of tx_sob and tx_eob
};

/// Keeps each burst until its last sample is in, has station::TransmitGuard judge it, and passes it on with its tags
/// tx_sob, tx_eob (or length tag), tx_time, tx_freq and burst_id, or drops it. Tags tx_gain and tx_command do not pass:
/// the power that was stated holds for one gain. tx_freq is judged. Samples outside of bursts do not pass.
///
/// `events` (of an OFDM Receiver) gives the radio's time, and the level for bands with listen before talk; bands that
/// ask for a call sign need it. `inhibit` takes a boolean. `reports`: of each burst refused a dict as the OFDM
/// Transmitter has them, for a Station Node.
class MESHNET_API transmit_guard : virtual public gr::block {
public:
    using sptr = std::shared_ptr<transmit_guard>;

    /// `fill`: "none": only bursts leave, for radios that have times. "zeros": as many samples leave as come, zeros for
    /// what does not pass. Without a band nothing passes. Throws std::invalid_argument if what is stated cannot be,
    /// with the reason.
    static sptr make(const guard_settings& settings);

    virtual void set_inhibited(bool inhibited) = 0;
    [[nodiscard]] virtual bool inhibited() const = 0;
    /// Since construction: bursts_passed, samples_passed, identifications, refused_... for each reason, air_time_ns,
    /// samples_outside, bursts_cut (by the next one or for their length).
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
    /// The last refusal in a sentence; empty before the first.
    [[nodiscard]] virtual std::string last_refusal() const = 0;
};

}  // namespace gr::meshnet
