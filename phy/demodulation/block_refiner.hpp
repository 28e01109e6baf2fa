// SPDX-License-Identifier: MIT
// A second look at a code block that failed: interference and channel measured on the block's own data.
//
//     points and SNRs of the block as they were demapped -> soft symbols -> what these miss the points by
//         -> noise of each carrier in each symbol (local means over carriers and symbols)
//         -> correction of the channel of each carrier (means over symbols and neighbouring carriers)
//     -> LLRs weighed anew, once more for the decoder
//
// Pilots see a thirteenth of the cells of time and frequency, and so miss interference that sweeps, hops or begins
// within a frame; the data see all of them. Blocks that pass their CRC never come here: a clean channel pays for the
// copy of its points only.
// Source: expectation maximisation, A. Dempster, N. Laird, D. Rubin, "Maximum likelihood from incomplete data via the
// EM algorithm", J. R. Stat. Soc. B 39 (1977).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// The symbols that carry one block, as they were demapped. A row is a symbol.
struct BlockRecord {
    /// Carriers times symbols of the largest block kept: all but those of spread modes, which work far below the noise.
    static constexpr std::size_t kMostCells = std::size_t{1} << 15;

    std::vector<Sample> points;        ///< [rows][K], equalised
    std::vector<float> power;          ///< [rows][K], |H|^2 times the weight beside interference known then
    std::vector<float> inverse_noise;  ///< [rows], 1 / noise power then
    std::size_t first_symbol = 0;      ///< number of the symbol of row 0, 0: first one of the header
    std::size_t first_bit = 0;         ///< of row 0, counted from the first bit of the payload, in sending order
    std::size_t first_point = 0;       ///< data point of row 0 with which the block begins
    bool complete = true;              ///< false: the block is too large, rows are missing

    [[nodiscard]] std::size_t rows() const noexcept { return inverse_noise.size(); }
    /// Memory for the largest block, of K carriers.
    void reserve(std::size_t carriers);
    /// Begins a block.
    void begin(std::size_t symbol, std::size_t bit, std::size_t point) noexcept;
    /// One more row: points and power [K].
    void add(std::span<const Sample> row_points, std::span<const float> row_power, float row_inverse_noise);
};

/// How the points of a block were made.
struct BlockFormat {
    const Constellation* constellation = nullptr;
    bool dense_pilots = false;
    bool whitened = true;
};

/// One instance, one thread. Allocates in the constructor only.
class BlockRefiner {
public:
    explicit BlockRefiner(const Grid& grid);

    /// Measures noise and channel of `record`, all of whose rows must be there.
    void measure(const BlockRecord& record, const BlockFormat& format);
    /// LLRs of the data points of row `row` of the block last measured, in carrier order, without whitening.
    [[nodiscard]] std::span<const float> demap(const BlockRecord& record, std::size_t row, const BlockFormat& format);

private:
    void take_levels(const Constellation& constellation);
    [[nodiscard]] float soft_axis(float x, float snr, float& square) const noexcept;
    void measure_row(const BlockRecord& record, std::size_t row, std::span<const std::uint16_t> data);
    void smooth_errors(std::size_t rows);
    void correct_channel();

    const Grid& grid_;
    std::vector<float> levels_;       // of one axis of the constellation
    std::vector<float> errors_;       // [rows][K]: squared error over the noise assumed, 0 where there are no data
    std::vector<float> counts_;       // [rows][K]: 1 where there are data
    std::vector<float> factors_;      // [rows][K]: noise over the one assumed
    std::vector<Sample> matched_;     // [K]: what the points miss the soft symbols by, times these, over the noise
    std::vector<float> weights_;      // [K]: power of the soft symbols over the noise
    std::vector<Sample> correction_;  // [K]: channel over the one assumed
    std::vector<float> llr_;
};

}  // namespace meshnet::phy
