// SPDX-License-Identifier: MIT
// The line in a window of samples, straight or swept, all along it or in a part of it, that explains most of a peak.
//
//     samples -> mixed down by the peak's frequency, summed to some 128 values -> best frequency and rate
//         -> where the line begins or ends -> best frequency and rate of that part
//
// A LoRa chirp sweeps within a symbol and jumps; FSK jumps. As exponentials each takes many; as a line in a part of the
// window it is one, and what is lost with it one dimension.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// A line of a window of N samples.
struct LinePiece {
    double frequency = 0.0;  ///< in the middle of the window, bins
    double rate = 0.0;       ///< change of the frequency, bins in a window
    std::size_t begin = 0;   ///< it lasts from this sample
    std::size_t end = 0;     ///< to the one before this
};

/// One instance, one thread. Allocates in the constructor only.
class LineFit {
public:
    /// `size`: samples of the window, a power of two.
    explicit LineFit(std::size_t size);

    /// The piece of most energy near `frequency`, bins. `samples` [N].
    [[nodiscard]] LinePiece run(std::span<const Sample> samples, double frequency);

    /// Its samples, [N], of unit energy, 0 where it is not.
    static void write(const LinePiece& piece, std::span<Sample> out) noexcept;

private:
    double energy_along(const LinePiece& piece) noexcept;
    [[nodiscard]] double energy_of(const Sample* chirp, std::size_t begin, std::size_t end) const noexcept;
    void climb(LinePiece& piece, double step, double least, bool swept) noexcept;
    void cut(LinePiece& piece) noexcept;
    [[nodiscard]] LinePiece strongest_guess() const noexcept;
    void settle(LinePiece& piece) noexcept;
    [[nodiscard]] bool is_straight(const LinePiece& piece) noexcept;

    std::size_t size_;
    std::size_t fold_;                // samples in one value
    std::vector<Sample> mixed_;       // [N]
    std::vector<Sample> values_;      // [N / fold]
    std::vector<LinePiece> guesses_;  // of swept lines
    std::vector<Sample> chirps_;      // [guesses][N / fold]
    std::vector<Sample> phasors_;     // [N / fold]
};

}  // namespace meshnet::phy
