// SPDX-License-Identifier: MIT
// The carrier offset that the preamble left, from symbols that are all alike, and the Doppler rate at which it grows.
//
//     lag products, or, where the rate may have moved the offset beyond them, a search over rates
//     -> the slope of each symbol's phase against the smoothed mean, joined with what is known before
//     -> the rate: growth since the preamble and curvature of the phase
//
// Why: docs/notes/doppler.md.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/estimation/channel_smoother.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// What is known before. The offset by which the symbols were derotated is one of a Gaussian of variance
/// `drift_variance`, `distance` symbols before their middle; it grows at a rate of variance `rate_variance`.
struct DriftPrior {
    double drift_variance = 0.0;  ///< radians^2 per symbol^2
    double rate_variance = 0.0;   ///< radians^2 per symbol^4
    double distance = 0.0;        ///< symbols
};

struct DriftEstimate {
    double drift = 0.0;           ///< residual carrier offset, radians per symbol
    double drift_variance = 0.0;  ///< of that, radians^2
    double rate = 0.0;            ///< growth of that per symbol: a Doppler rate, radians per symbol^2
    double rate_variance = 0.0;   ///< of that
    double drift_rate = 0.0;      ///< covariance of drift and rate
};

/// Which values of the symbols are in use: counts [K] of each carrier less one, 0 for those left out, which are zero in
/// the symbols; `good` carriers are not left out.
struct CarriersInUse {
    std::span<const float> counts;
    std::size_t good = 0;
};

/// One instance, one thread. `grid` and `smoother` must outlive it.
class DriftEstimator {
public:
    DriftEstimator(const Grid& grid, ChannelSmoother& smoother);

    /// Finds drift and rate of `symbols` [M][K], M >= 2, and takes both out of them; `out` says what was taken out
    /// before. Leaves their mean in `channel` [K].
    void run(std::span<Sample> symbols, const DriftPrior& prior, const CarriersInUse& used, std::span<Sample> channel,
             DriftEstimate& out);

private:
    [[nodiscard]] double guess_drift(std::span<const Sample> symbols, double prior_variance, double power) const;
    void search_rate(std::span<Sample> symbols, const DriftPrior& prior, double power, std::span<Sample> sum,
                     DriftEstimate& out) const;
    void fit_rate(std::span<Sample> symbols, std::span<const Sample> channel, const DriftPrior& prior, double noise,
                  DriftEstimate& out) const;

    const Grid& grid_;
    ChannelSmoother& smoother_;
    std::size_t good_ = 0;
    std::vector<float> errors_;  // [K]
};

}  // namespace meshnet::phy
