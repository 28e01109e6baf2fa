// SPDX-License-Identifier: MIT
// What radios do to a signal, one small class each. All work in place, one output per input, and do not care how a
// stream is cut.
//
// Units: frequencies in Hz with the sample rate given beside them, powers in dB, amplitudes relative to full scale 1.0.
// Levels of cheap radios and where the figures come from: docs/notes/channel-models.md.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "phy/sample.hpp"
#include "sim/channel/gaussian.hpp"
#include "sim/channel/phasor.hpp"

namespace meshnet::sim {

/// White Gaussian noise.
class Awgn {
public:
    /// `power`: mean |noise|^2 per sample over the whole sampled band, >= 0.
    Awgn(double power, std::uint64_t seed);
    void process(std::span<phy::Sample> samples) { noise_.add(samples, sigma_); }

private:
    Gaussian noise_;
    float sigma_;
};

/// Noise power per sample for an SNR in the occupied band: signal_rms^2 / snr / occupied_fraction.
[[nodiscard]] double noise_power(double snr_db, double signal_rms, double occupied_fraction) noexcept;

/// Carrier offset with a linear Doppler ramp.
class Cfo {
public:
    /// The sender's carrier is `offset_hz` above ours at the first sample and rises by `rate_hz_per_s`; `start_turns`:
    /// phase then.
    Cfo(double sample_rate_hz, double offset_hz, double rate_hz_per_s = 0.0, double start_turns = 0.0);
    void process(std::span<phy::Sample> samples) noexcept;

private:
    Phasor phasor_;
};

/// Oscillator phase noise: a random walk, held by a loop below its corner (Ornstein-Uhlenbeck process).
///
/// Single-sideband level L(f) = level * offset^2 / (f^2 + corner^2): 20 dB per decade above the corner, flat below it.
/// Source of the spectrum: A. Demir et al., "Phase noise in oscillators", IEEE Trans. CAS-I 47 (2000).
class PhaseNoise {
public:
    struct Config {
        double sample_rate_hz = 1e6;
        double level_dbc_per_hz = -90.0;  ///< at offset_hz, corner_hz << offset_hz; [-200, 0]
        double offset_hz = 10e3;          ///< > 0
        double corner_hz = 100.0;         ///< loop bandwidth; 0: free-running oscillator
    };
    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    PhaseNoise(const Config& config, std::uint64_t seed);
    void process(std::span<phy::Sample> samples);
    /// Standard deviation of the phase, rad; infinite without a corner.
    [[nodiscard]] double rms_rad() const noexcept;

private:
    Gaussian noise_;
    double step_sigma_;
    double memory_;
    double phase_ = 0.0;  // rad
    float spare_ = 0.0F;
    bool has_spare_ = false;
};

/// Unequal mixers and leakage of a direct-conversion receiver: y = mu x + nu conj(x) + dc.
class IqImbalance {
public:
    IqImbalance(double gain_db, double phase_deg, phy::Sample dc);
    void process(std::span<phy::Sample> samples) const noexcept;
    /// Wanted signal over its image, dB.
    [[nodiscard]] double image_rejection_db() const noexcept;

private:
    phy::Sample mu_;
    phy::Sample nu_;
    phy::Sample dc_;
};

/// Analogue-digital converter: rounds I and Q to `bits` and clips at +-full_scale.
class Quantizer {
public:
    /// `bits` 2..24, `full_scale` > 0. Throws std::invalid_argument otherwise.
    Quantizer(unsigned bits, double full_scale);
    void process(std::span<phy::Sample> samples) noexcept;
    [[nodiscard]] std::uint64_t clipped() const noexcept { return clipped_; }  ///< I or Q values limited

private:
    float scale_;
    float step_;
    float highest_;
    std::uint64_t clipped_ = 0;
};

/// Samples that never reach the host (USB overruns): random gaps are cut out of the stream.
class DroppedSamples {
public:
    struct Config {
        double gaps_per_million = 1.0;   ///< mean number of gaps in a million samples, [0, 1e5]
        std::uint64_t shortest = 100;    ///< samples, >= 1
        std::uint64_t longest = 20'000;  ///< samples, >= shortest
    };
    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    DroppedSamples(const Config& config, std::uint64_t seed);
    /// Appends what is left of `in`.
    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out);
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

private:
    void draw();

    Config config_;
    Rng rng_;
    std::uint64_t until_gap_ = 0;
    std::uint64_t gap_left_ = 0;
    std::uint64_t dropped_ = 0;
};

/// A foreign transmitter: a steady tone and/or random impulses of one sample.
class Interferer {
public:
    struct Config {
        double tone_turns_per_sample = 0.1;  ///< frequency / sample rate, [-0.5, 0.5]
        double tone_rms = 0.0;               ///< amplitude of the tone
        double impulses_per_million = 0.0;   ///< samples hit in a million, [0, 1e6]
        double impulse_amplitude = 0.0;      ///< amplitude of each, random phase
    };
    Interferer(const Config& config, std::uint64_t seed);
    void process(std::span<phy::Sample> samples);

private:
    Config config_;
    Rng rng_;
    Phasor tone_;
};

}  // namespace meshnet::sim
