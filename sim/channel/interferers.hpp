// SPDX-License-Identifier: MIT
// Foreign signals on the channel, one small class each. All add to samples in place, and do not care how a stream is
// cut. Frequencies are in turns per sample (Hz over the sample rate), amplitudes relative to full scale 1.0.
//
// Sources of the formats: docs/notes/channel-models.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "phy/sample.hpp"
#include "sim/channel/gaussian.hpp"
#include "sim/channel/phasor.hpp"

namespace meshnet::sim {

/// Binary frequency shift keying of random bits, continuous phase.
class FskInterferer {
public:
    struct Config {
        double rms = 0.0;        ///< amplitude, constant
        double centre = 0.1;     ///< turns per sample, [-0.5, 0.5]
        double deviation = 0.0;  ///< of each of the two tones from the centre, turns per sample
        double bit_samples = 1;  ///< length of a bit, >= 1, not a whole number as a rule
    };
    FskInterferer(const Config& config, std::uint64_t seed);
    void add(std::span<phy::Sample> samples);

private:
    Config config_;
    Rng rng_;
    double phase_;  // turns
    double left_;   // samples to the next bit
    double step_ = 0.0;
};

/// Chirp spread spectrum as LoRa sends it: every symbol is one rising sweep that begins at a random place of the band.
class ChirpInterferer {
public:
    struct Config {
        double rms = 0.0;            ///< amplitude, constant
        double centre = 0.1;         ///< turns per sample, [-0.5, 0.5]
        double bandwidth = 0.1;      ///< of a sweep, turns per sample
        double symbol_samples = 1;   ///< length of a sweep, >= 1
        std::uint64_t places = 128;  ///< where a symbol may begin, 2^spreading factor
    };
    ChirpInterferer(const Config& config, std::uint64_t seed);
    void add(std::span<phy::Sample> samples);

private:
    Config config_;
    Rng rng_;
    double phase_;     // turns
    double position_;  // in the band, [0, 1)
    double left_;      // samples to the next symbol
};

/// White noise that is on for a while, again and again.
class PulseInterferer {
public:
    struct Config {
        double rms = 0.0;           ///< while it is on
        double pulse_samples = 1;   ///< > 0
        double period_samples = 2;  ///< from one pulse to the next, >= pulse_samples
    };
    PulseInterferer(const Config& config, std::uint64_t seed);
    void add(std::span<phy::Sample> samples);

private:
    Config config_;
    Gaussian noise_;
    double at_;  // samples since the last pulse began
};

/// A station with our own kind of waveform on another channel: OFDM symbols of random QPSK with a cyclic prefix of 1/16
/// and rectangular edges, made at four times the sample rate, moved, and brought to ours through the filter that a
/// receiver has before its converter (flat to 0.42 of the sample rate, 60 dB down from 0.58 on).
class NeighbourInterferer {
public:
    struct Config {
        double rms = 0.0;                 ///< of the neighbour, before the filter
        double offset = 1.0;              ///< of its centre, turns per sample, [-1.5, 1.5]
        double occupied_fraction = 0.81;  ///< its occupied bandwidth / sample rate, (0, 1]
    };
    NeighbourInterferer(const Config& config, std::uint64_t seed);
    void add(std::span<phy::Sample> samples);

private:
    void make_symbol();

    Config config_;
    Rng rng_;
    std::vector<float> filter_;
    std::vector<phy::Sample> symbol_;  // prefix and symbol at four times the rate
    std::size_t at_;                   // next sample of it
    std::vector<phy::Sample> line_;    // the last samples before the filter, in a ring, twice
    std::size_t line_at_ = 0;
    Phasor shift_;
};

}  // namespace meshnet::sim
