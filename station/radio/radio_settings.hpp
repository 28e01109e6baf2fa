// SPDX-License-Identifier: GPL-3.0-or-later
// What the operator chose for a radio with a front end. Simulated radios take none of it but `invert`.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace meshnet::station {

struct RadioSettings {
    bool invert = false;                 ///< the spectrum is inverted: samples both ways are taken as their conjugates
    double frequency_hz = 0.0;           ///< centre of the channel; 0: not chosen, which no front end accepts
    std::optional<double> rx_gain_db;    ///< overall; unset: 60 % of the range
    std::optional<double> tx_gain_db;    ///< overall; unset: the least there is
    std::string rx_antenna, tx_antenna;  ///< names of the radio's ports; empty: its default
    double bandwidth_hz = 0.0;           ///< analogue filter; 0: the narrowest that passes the profile
    double sample_rate_hz = 0.0;         ///< of the radio; 0: chosen from what it has
    std::string clock_source, time_source;  ///< "internal", "external", "gpsdo"; empty: the radio's default
    bool offset_tuning = true;              ///< keeps the local oscillator's line out of the received channel
    double ppm = 0.0;                       ///< error of the radio's crystal, taken off every frequency
    std::string ptt_command;                ///< run with "tx" before a burst and "rx" after it; empty: none
    std::function<bool(bool)> ptt;          ///< runs it in the caller's place, with true: "tx"; false: it failed
    double ptt_lead_ms = 0.0;               ///< between that command and the first sample
    double ramp_us = 100.0;                 ///< zeros in front of a burst, for the power amplifier to settle
};

}  // namespace meshnet::station
