// SPDX-License-Identifier: GPL-3.0-or-later
// The spectrum of a burst as it is, not as its profile claims.
//
// Blocks of kBlock samples overlap by kTaper, under a window whose edges are power complementary (sine and cosine):
// each sample's energy counts exactly once, also the first and the last, so nothing is too short to be seen, and the
// skirts of a block fall by 24 dB an octave.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// What is asked: frequencies relative to the carrier, Hz.
struct SpectrumQuestion {
    double sample_rate_hz = 1.0;
    double low_hz = 0.0, high_hz = 0.0;  ///< what is inside; a bin counts as inside if all of it is
    double psd_bandwidth_hz = 0.0;       ///< 0: no density is asked; at least the width of one bin is taken
};

/// Powers relative to a sample of magnitude 1; frequencies relative to the carrier, to the outer edges of bins.
struct SpectrumReading {
    double outside_share = 0.0;        ///< energy outside over all energy of the burst
    double worst_block_outside = 0.0;  ///< largest energy outside of a block, over the burst's mean energy of a block
    double occupied_low_hz = 0.0, occupied_high_hz = 0.0;  ///< all but 0.5 % of the power on either side
    double six_db_bandwidth_hz = 0.0;  ///< between the outermost points 6 dB below the strongest, in 100 kHz
    double psd = 0.0;                  ///< largest mean power in the bandwidth that was asked
    double psd_values = 1.0;           ///< independent values it is a mean of
};

/// One instance, one thread.
class SpectrumMeter {
public:
    static constexpr std::size_t kBlock = 512, kTaper = 32, kHop = kBlock - kTaper;

    SpectrumMeter();
    /// All samples must be finite. None, or only zeros: a reading of zeros.
    [[nodiscard]] SpectrumReading measure(std::span<const phy::Sample> samples, const SpectrumQuestion& question);

private:
    void find_occupied(SpectrumReading& out, double bin_hz, double total) const;
    /// The mean over `width` bins, at every position.
    [[nodiscard]] double strongest(std::size_t width, std::size_t& first, std::size_t& last) const;

    phy::Fft fft_;
    std::vector<float> rise_, fall_;  // the edges of the window
    std::vector<float> power_;        // of each bin, in the order of the transform, summed over blocks
    std::vector<float> outside_;      // 1: the bin is outside
    std::vector<double> ordered_;     // power of each bin, from the lowest frequency
};

}  // namespace meshnet::station
