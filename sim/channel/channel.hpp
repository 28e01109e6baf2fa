// SPDX-License-Identifier: MIT
// One radio path, sender's host to receiver's host, put together from the models of this folder.
//
//     in -> clock and delay -> multipath -> carrier offset -> phase noise -> noise, interferers -> IQ, DC -> ADC ->
//     drops
//     -> out
//
// Levels are relative to the signal: an SNR of s dB holds in the occupied band for a signal of the given rms, whatever
// else is on. The same seed and configuration give the same output, however the input is cut.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "phy/sample.hpp"
#include "sim/channel/impairments.hpp"
#include "sim/channel/multipath.hpp"
#include "sim/channel/resampler.hpp"

namespace meshnet::sim {

class Channel {
public:
    struct Config {
        double sample_rate_hz = 1e6;                                 ///< > 0
        double occupied_fraction = 0.81;                             ///< occupied bandwidth / sample rate, (0, 1]
        double signal_rms = static_cast<double>(phy::kTransmitRms);  ///< of the input while it transmits, > 0
        double snr_db = 30.0;  ///< in the occupied band, see docs/spec/phy.md; +infinity: no noise
        std::uint64_t seed = 1;

        double delay_samples = 0.0;       ///< [0, 1e7]
        double delay_rate = 0.0;          ///< samples per sample, > 0: sender moves away, [-1e-3, 1e-3]
        double delay_acceleration = 0.0;  ///< its change per sample, [-1e-9, 1e-9]
        double sfo_ppm = 0.0;             ///< sender's sampling clock minus ours, [-1000, 1000]
        double cfo_hz = 0.0;              ///< sender's carrier minus ours
        double doppler_rate_hz_per_s = 0.0;

        std::vector<PathSpec> paths;  ///< empty: one steady path
        double fading_hz = 0.0;       ///< highest Doppler of fading paths

        double phase_noise_dbc_per_hz = -200.0;  ///< at 10 kHz; -200: none
        double phase_noise_corner_hz = 100.0;

        double tone_db = -300.0;  ///< power over the signal's; -300: none
        double tone_hz = 0.0;
        double second_tone_db = -300.0;  ///< the same for one more
        double second_tone_hz = 0.0;
        double fsk_db = -300.0;    ///< narrow data signal, 9600 Bd, deviation 3 kHz: power over the signal's
        double fsk_hz = 0.0;       ///< its centre
        double chirp_db = -300.0;  ///< LoRa with spreading factor 7 in 125 kHz: power over the signal's
        double chirp_hz = 0.0;     ///< its centre
        double pulse_db = -300.0;  ///< pulsed noise: power over the signal's while it is on
        double pulse_s = 50e-6;    ///< length of a pulse
        double pulse_rate_hz = 1e3;
        double neighbour_db = -300.0;       ///< OFDM like ours on another channel: power over the signal's
        double neighbour_offset = 1.25;     ///< of its centre, in occupied bandwidths
        double impulses_per_million = 0.0;  ///< of 20 dB over the signal's rms

        double iq_gain_db = 0.0;
        double iq_phase_deg = 0.0;
        double dc_db = -300.0;  ///< power over the signal's; -300: none
        unsigned bits =
            0;  ///< 0: no ADC; else 2..24, full scale 12 dB above the rms of signal and noise (as an AGC sets it)
        double gaps_per_million = 0.0;  ///< random gaps in a million samples
        std::uint64_t longest_gap = 20'000;
    };

    /// `base` with the channels of `names` set on it. Names are joined by '+', parameters by '-':
    /// "awgn", "cfo-20000hz", "tdl-c-5us-10hz", "rician-100hz-10db", "hackrf+two-ray". names() lists them. The error
    /// says which word is wrong and what would be right.
    [[nodiscard]] static Result<Config> configure(std::string_view names, const Config& base);
    [[nodiscard]] static Result<Config> configure(std::string_view names) { return configure(names, Config{}); }

    /// What configure() knows: name and one line of explanation.
    struct Name {
        std::string_view name;
        std::string_view what;
    };
    [[nodiscard]] static std::vector<Name> names();

    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    explicit Channel(const Config& config);
    ~Channel();
    Channel(Channel&&) noexcept;
    Channel& operator=(Channel&&) noexcept;

    /// Takes all of `in` and appends what comes out. As many samples as went in, except for clock error, delay (a few
    /// are held back or lead) and drops.
    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out);

    /// Samples by which an output with no delay configured lags its input (filters have two sides).
    [[nodiscard]] std::size_t latency() const noexcept;
    /// Mean noise power per sample that is added.
    [[nodiscard]] double noise_power() const noexcept;
    [[nodiscard]] const Config& config() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::sim
