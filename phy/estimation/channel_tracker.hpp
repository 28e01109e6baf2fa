// SPDX-License-Identifier: MIT
// Follows the channel itself through a frame: every 13 symbols each carrier has been sounded once.
//
//     pilots of a group of symbols -> least squares -> smoothing along frequency -> Kalman filter along time -> look
//     back
//
// One gain serves all carriers. How fast the channel moves is learnt from how much successive groups differ beyond
// their noise; on a static channel the filter averages, and ends with a better estimate than the training
// alone gave.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/estimation/channel_smoother.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// The speed of the channel, learnt over a frame: mean squared change of H per symbol.
class ChannelVariation {
public:
    void reset() noexcept { *this = {}; }
    /// Two successive least-squares estimates, their distance in symbols, the noise power of each.
    void add(std::span<const Sample> before, std::span<const Sample> after, double symbols, double noise,
             double independent_values) noexcept;
    /// Change per symbol that is beyond chance, >= 0.
    [[nodiscard]] double per_symbol() const noexcept;

private:
    double excess_ = 0.0;  // sum of squared differences beyond noise
    double symbols_ = 0.0;
    double variance_ = 0.0;  // of excess_, if nothing moves
};

/// State along time. `error` is the mean squared error per carrier of `h`.
struct ChannelState {
    std::vector<Sample> h;  ///< [K]
    double error = 0.0;
    double symbol = 0.0;  ///< when it holds, in symbols of the frame (may be fractional)
};

/// A group of rows measured.
struct ChannelGroup {
    std::vector<Sample> measured;  ///< [K] smoothed least squares
    double noise = 0.0;            ///< of `measured`
    double centre = 0.0;           ///< symbols
    bool complete = false;         ///< every carrier was sounded
    std::vector<Sample> filtered;  ///< [K]: after update(); after smooth() the smoothed estimate
    double error = 0.0;            ///< of `filtered` while filtering
};

/// Measures groups and runs the filter. One instance per receiver (it has scratch memory); states live with each frame.
class ChannelTracker {
public:
    static constexpr std::size_t kGroup = 13;  ///< symbols that sound every carrier

    explicit ChannelTracker(const Grid& grid);

    /// Begins a group: carriers that are not sounded keep the value of `prior`.
    void begin(const ChannelState& prior);
    /// Adds symbol `symbol`'s pilots. `carriers`: [K] transform output; rotation of carrier c: exp(j (phase - g(c)
    /// time)) with g = 2 pi subcarrier / N.
    void add(std::span<const Sample> carriers, std::size_t symbol, bool dense, double phase, double time);
    /// Ends it. `noise`: per carrier and symbol; `long_delay_spread`: as the training said.
    void end(double noise, const ChannelState& prior, bool long_delay_spread, ChannelGroup& out);

    /// One step forward: `state` moves to the group's time and takes its measurement; the result is also kept in
    /// `group`.
    static void update(ChannelState& state, ChannelGroup& group, double variation_per_symbol) noexcept;
    /// Smooths backwards over groups that were updated in order.
    static void smooth(std::span<ChannelGroup> groups, double variation_per_symbol) noexcept;

    /// Values in a smoothed estimate that are independent of each other, about.
    [[nodiscard]] double independent_values() const noexcept { return independent_; }

private:
    const Grid& grid_;
    ChannelSmoother smoother_;
    ChannelSmoother long_smoother_;
    std::vector<Sample> sum_;
    std::vector<std::uint8_t> count_;
    std::size_t symbols_ = 0;
    double first_symbol_ = 0.0;
    double independent_ = 1.0;
};

}  // namespace meshnet::phy
