// SPDX-License-Identifier: MIT
// Finds the SNR at which a given error rate is reached, with as few frames as it can.
//
//     coarse steps until the error rate crosses one half -> fine points from there down past the target -> fitted curve
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lab/interval.hpp"
#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

struct SearchPlan {
    double target_per = 1e-2;          ///< (0, 0.5)
    double start_snr_db = 0.0;         ///< where to look first
    double coarse_step_db = 1.0;       ///< > 0
    double step_db = 0.25;             ///< between fine points, > 0
    std::uint64_t coarse_frames = 32;  ///< per coarse point
    std::uint64_t frames = 1000;       ///< per fine point, at most
    std::uint64_t min_errors = 100;    ///< a fine point stops after so many; 0: never
    std::size_t max_points = 14;       ///< fine points
    double lowest_snr_db = -30.0;      ///< the search gives up beyond these
    double highest_snr_db = 60.0;
};

/// One measured SNR.
struct MeasuredPoint {
    double snr_db = 0.0;
    Tally tally;
};

struct Threshold {
    std::vector<MeasuredPoint> points;   ///< fine ones, ascending SNR
    std::optional<Waterfall> fit;        ///< nothing if the target was not reached
    double snr_db = 0.0;                 ///< at the target, if fit
    double low_db = 0.0, high_db = 0.0;  ///< 95 % interval of it
    double deviation_db = 0.0;
};

/// Measures a point: snr_db, frames, min_errors.
using Measure = std::function<Tally(double, std::uint64_t, std::uint64_t)>;

/// Runs the search; deterministic if `measure` is.
[[nodiscard]] Threshold find_threshold(const SearchPlan& plan, const Measure& measure);

/// Measure for `s` with `threads` threads.
[[nodiscard]] Measure measure_of(const Scenario& s, unsigned threads,
                                 std::function<void(std::uint64_t, std::uint64_t)> progress = {});

}  // namespace meshnet::lab
