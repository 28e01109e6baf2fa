// SPDX-License-Identifier: MIT
// Wiener smoothing of a channel estimate along frequency.
//
//     least-squares estimate on each carrier -> [ChannelSmoother] -> estimate with 8-10 dB less noise
//
// All paths are assumed to arrive within the cyclic prefix (or some prefixes), with equal power anywhere in it: a
// robust prior that costs little when wrong. Each carrier is estimated from its 31 nearest neighbours, DC gap and band
// edges included. Source: P. Hoeher, S. Kaiser, P. Robertson, "Two-dimensional pilot-symbol-aided channel estimation by
// Wiener filtering",
//         IEEE ICASSP 1997.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Immutable after construction; apply() may be called from one thread per instance (it has a scratch buffer).
class ChannelSmoother {
public:
    /// Where paths may be, samples after the window's first one: within the prefix, or, for a delay spread beyond it,
    /// up to five prefixes.
    enum class Reach : std::uint8_t { kPrefix, kBeyond };

    explicit ChannelSmoother(const Grid& grid, Reach reach = Reach::kPrefix);

    /// `estimate` shape [K], in place. `estimate_snr_db`: SNR of each least-squares value (not of one symbol).
    void apply(std::span<Sample> estimate, float estimate_snr_db);

    /// How much of a least-squares value's noise power is left after apply() (mean over carriers), 0..1.
    [[nodiscard]] float noise_gain(float estimate_snr_db) const noexcept;

private:
    static constexpr std::size_t kLevels = 6;   // -10, 0, 10, 20, 30, 40 dB
    static constexpr std::size_t kWindow = 31;  // carriers
    static constexpr std::size_t kLanes = 4;    // floats of a vector that every machine has
    static constexpr std::size_t kBlock = 16;   // carriers smoothed together
    [[nodiscard]] static std::size_t level(float snr_db) noexcept;

    void find_blocks();

    const Grid& grid_;
    std::size_t window_;
    std::size_t stride_;                   // of rows_: the window, rounded up to whole vectors
    std::vector<std::uint32_t> row_of_;    // [K] -> row
    std::vector<std::uint32_t> first_of_;  // [K] -> first carrier of the window
    std::vector<std::uint32_t> blocks_;    // first carriers of kBlock that share a row
    std::vector<std::uint32_t> singles_;   // all others: near DC and the edges
    std::vector<float> rows_[kLevels];     // [rows][stride], 0 beyond the window
    float noise_gain_[kLevels]{};
    std::vector<Sample> centring_;  // [K]: shifts the prefix's middle to delay 0
    std::vector<Sample> centred_;   // [K + kLanes]
    std::vector<Sample> smooth_;    // [K]
};

}  // namespace meshnet::phy
