// SPDX-License-Identifier: MIT
// The pilots of some symbols of a frame, as heard: what a TimeVaryingChannel is fitted to.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

class TimeVaryingChannel;

/// Pilots heard, oldest first. Belongs to one frame.
class PilotRecord {
public:
    explicit PilotRecord(const Grid& grid) : grid_(grid) {}

    void clear() noexcept;
    /// The response over all carriers [K] at (fractional) symbol `symbol`, worth `weight` symbols' soundings.
    void add_training(std::span<const Sample> response, double symbol, double weight);
    /// The pilots of `symbol`. `carriers`: [K] transform output, of which a delay of `time` samples is taken out;
    /// phases stay as they are.
    void add_pilots(std::span<const Sample> carriers, std::size_t symbol, bool dense, double time);
    /// Forgets rows of symbols before `symbol`.
    void drop_before(double symbol);
    /// Forgets rows of symbols after `symbol`.
    void drop_after(double symbol);

private:
    friend class TimeVaryingChannel;
    struct Row {
        double symbol = 0.0;
        double weight = 1.0;
        std::size_t first = 0;    // in values_
        std::size_t pattern = 0;  // symbol % kPatterns, + kPatterns if dense; kTraining: every carrier
        std::size_t number = 0;   // the symbol, for its pilots
    };
    static constexpr std::size_t kTraining = 2 * Grid::kPatterns;
    [[nodiscard]] std::size_t count(const Row& row) const noexcept;

    const Grid& grid_;
    std::vector<Row> rows_;
    std::vector<Sample> values_;  // least squares: heard times pilot sign
};

}  // namespace meshnet::phy
