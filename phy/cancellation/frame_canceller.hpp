// SPDX-License-Identifier: MIT
// Takes a frame that was decoded out of the samples it came in, so that what it interfered with can be received (SIC).
//
//     payload -> FrameMapper -> what was sent, on every carrier -> channel, phase and clock over all of the frame,
//     learnt from all carriers at once -> what was received -> subtracted
//
// The decoded frame is one long training sequence: phase and sampling time are tracked over all carriers and smoothed
// backwards, the channel is measured per group of symbols, smoothed along delay and time. The samples are then made by
// filtering what was sent, preamble included, so symbol boundaries come out right too. What else is on the air counts
// as noise of unknown, changing power.
//
// Measured, and where it ends: docs/decisions/0008-interference-cancellation.md.
// Source: P. Patel, J. Holtzman, "Analysis of a simple successive interference cancellation scheme in a DS/CDMA
//         system", IEEE J. Sel. Areas Commun. 12 (1994).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/estimation/channel_tracker.hpp"
#include "phy/estimation/delay_smoother.hpp"
#include "phy/estimation/phase_tracker.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_mapper.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/symbol_modulator.hpp"

namespace meshnet::phy {

/// A frame whose blocks all passed, and what its demodulator knew of where it was.
struct DecodedFrame {
    Frame frame;              ///< mode, payload, redundancy version, SNR, sampling clock and inversion are used
    std::uint64_t start = 0;  ///< first preamble sample, rounded
    int timing_shift = 0;     ///< samples by which its transform windows lie later than `start` gives
    double cfo_cycles_per_sample = 0;  ///< during its training
};

/// Allocates in the constructor only (and while the longest payload block so far grows). One instance, one thread.
class FrameCanceller {
public:
    /// Frames of more than `longest_samples` samples are not cancelled. Memory: about 30 bytes for each of them.
    FrameCanceller(const Grid& grid, std::size_t longest_samples);

    /// Subtracts `decoded` from `samples`, whose first one has the index `first_index`. False, and nothing is changed,
    /// if the frame is too long or does not begin within them. What lies beyond their end is left out.
    bool cancel(const DecodedFrame& decoded, std::uint64_t first_index, std::span<Sample> samples);

private:
    struct Track {
        DriftFilter::State phase;
        DriftFilter::State time;
        double noise = 0.0;  // per carrier, everything that is not this frame
    };

    [[nodiscard]] int shift(std::ptrdiff_t symbol) const noexcept;
    [[nodiscard]] std::int64_t symbol_start(std::ptrdiff_t symbol) const noexcept;
    void transform(std::size_t symbol, std::span<const Sample> samples);
    void map(const Frame& frame, bool limited, std::size_t symbols);
    [[nodiscard]] double agreement(std::size_t first, std::size_t last);
    void first_channel();
    void start_filters();
    void track(std::size_t symbol);
    void measure(std::size_t first, std::size_t last, ChannelGroup& group);
    void follow();
    void smooth();
    void channel_at(double symbol);
    void make_waveform(const Frame& frame);
    void subtract_symbols(std::span<Sample> samples);
    void subtract_preamble(std::span<Sample> samples);
    void make_chunk(std::ptrdiff_t symbol, std::size_t length, double time);
    void rotate_chunk(std::int64_t first, double phase, double per_sample);
    void subtract_chunk(std::int64_t first, std::span<Sample> samples) const;

    const Grid& grid_;
    std::size_t longest_;
    FrameMapper mapper_;
    SymbolModulator modulator_;
    DelaySmoother smoother_;
    Fft forward_;
    std::vector<Sample> preambles_[3];
    double independent_ = 1.0;

    // Of the frame at work; indexes count from the first of `samples`.
    std::int64_t start_ = 0;   // phase is counted from here
    std::int64_t origin_ = 0;  // symbols are counted from here
    double cfo_ = 0.0;
    double snr_ = 1.0;
    double drift_ = 0.0;  // of the sampling time, samples per symbol
    std::size_t preamble_samples_ = 0;
    std::size_t training_ = 0;
    std::size_t symbols_ = 0;
    std::vector<Sample> sent_;      // [symbols][K]
    std::vector<Sample> received_;  // [symbols][K]
    std::vector<Sample> waveform_;  // pad, preamble, symbols, pad
    std::vector<Track> tracks_;
    std::vector<DriftFilter::State> smooth_;
    std::vector<ChannelGroup> groups_;
    std::size_t group_count_ = 0;
    ChannelState reference_;
    ChannelVariation variation_;
    DriftFilter phase_;
    DriftFilter time_;
    std::vector<Sample> channel_;  // [K]
    std::vector<Sample> taps_;
    std::vector<Sample> chunk_;
};

}  // namespace meshnet::phy
