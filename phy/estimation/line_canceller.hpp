// SPDX-License-Identifier: MIT
// Takes narrow interferers out of the samples of one OFDM symbol.
//
// A transform of N samples spreads a foreign carrier that lies between two bins over all of them, falling with the
// square of the distance only: 20 dB above the frame it drowns every carrier. But within the window the interferer is
// nearly a sum of few lines, straight or swept. They are found one after another where the spectrum under a Hann
// window, which has no such skirts, stands above what is expected there; LineFit finds how each runs; it is made
// orthogonal to those before and subtracted with all its skirts. What the symbol itself had in the space they span is
// lost: lost() says how much of each carrier, so that it can be weighed with.
//
// Sources: Y. Pati, R. Rezaiifar, P. Krishnaprasad, "Orthogonal matching pursuit", Asilomar 1993. Frequency between two
// bins: V. Jain, W. Collins, D. Davis, "High-accuracy analog measurements via interpolated FFT", IEEE Trans. IM 28
// (1979).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/estimation/line_fit.hpp"
#include "phy/sample.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// One instance, one thread. Allocates in the constructor only.
class LineCanceller {
public:
    explicit LineCanceller(const Grid& grid);

    /// `forward`: a symbol's samples in in(), their transform in out(). `expected` [K]: power of each carrier as it
    /// should be; `beside`: of bins that carry nothing. Lines of more than `ratio` times the expected power are taken
    /// out of samples and transform. Returns how many lines were; 0 leaves both as they were. Nothing is taken
    /// out where more than a third of the band is that strong: that is no narrow signal.
    std::size_t run(Fft& forward, std::span<const float> expected, float beside, float ratio);

    /// [K]: share of each carrier's power that was taken out with the lines of the last run() that found any.
    [[nodiscard]] std::span<const float> lost() const noexcept { return lost_; }

private:
    struct Peak {
        double frequency = 0.0;  // bins
        float ratio = 0.0F;
        std::size_t above = 0;  // bins above the ratio asked for
    };
    [[nodiscard]] Peak strongest(std::span<const Sample> spectrum, float ratio) noexcept;
    bool add_near(const LinePiece& line, std::size_t count) noexcept;
    bool make_orthonormal(std::size_t count) noexcept;

    const Grid& grid_;
    std::size_t size_;                     // N
    std::size_t limit_;                    // lines at most
    std::vector<float> expected_;          // [N]: power
    std::vector<float> inverse_expected_;  // [N]: of the power under a Hann window
    std::vector<float> lost_;              // [K]
    std::vector<Sample> basis_;            // [limit][N], orthonormal
    std::vector<Sample> before_;           // [K]: carriers before a line was taken out
    LineFit fit_;
};

}  // namespace meshnet::phy
