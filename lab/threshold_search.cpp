// SPDX-License-Identifier: MIT
#include "lab/threshold_search.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::lab {
namespace {

/// An SNR, on the search's grid, where the error rate is still at least one half and one fine step on it is less.
std::optional<double> find_half(const SearchPlan& plan, const Measure& measure) {
    const auto lost = [&](double snr) { return measure(snr, plan.coarse_frames, 0).per() >= 0.5; };
    double low = plan.start_snr_db;
    double high = plan.start_snr_db;
    if (lost(plan.start_snr_db)) {
        do {
            low = high;
            high += plan.coarse_step_db;
            if (high > plan.highest_snr_db) {
                return std::nullopt;
            }
        } while (lost(high));
    } else {
        do {
            high = low;
            low -= plan.coarse_step_db;
            if (low < plan.lowest_snr_db) {
                return std::nullopt;
            }
        } while (!lost(low));
    }
    while (high - low > 1.001 * plan.step_db) {
        const double mid = 0.5 * (low + high);
        (lost(mid) ? low : high) = mid;
    }
    return low;
}

}  // namespace

Threshold find_threshold(const SearchPlan& plan, const Measure& measure) {
    Threshold out;
    const auto half = find_half(plan, measure);
    if (!half) {
        return out;
    }
    double snr = *half;
    bool passed = false;
    for (std::size_t i = 0; i < plan.max_points && !passed; ++i, snr += plan.step_db) {
        out.points.push_back({snr, measure(snr, plan.frames, plan.min_errors)});
        // Two fifths of the target: a point on either side, and neither too far away to matter.
        passed = out.points.back().tally.per() <= 0.4 * plan.target_per;
    }
    std::vector<RatePoint> curve;
    for (const auto& p : out.points) {
        curve.push_back({p.snr_db, p.tally.frames, p.tally.errors});
    }
    const bool reached = std::any_of(curve.begin(), curve.end(), [&](const RatePoint& p) {
        return static_cast<double>(p.errors) <= plan.target_per * static_cast<double>(p.frames);
    });
    out.fit = reached ? fit_waterfall(curve) : std::nullopt;
    if (out.fit) {
        out.snr_db = out.fit->snr_at(plan.target_per);
        out.deviation_db = out.fit->snr_deviation(plan.target_per);
        out.low_db = out.snr_db - kZ95 * out.deviation_db;
        out.high_db = out.snr_db + kZ95 * out.deviation_db;
    }
    return out;
}

Measure measure_of(const Scenario& s, unsigned threads, std::function<void(std::uint64_t, std::uint64_t)> progress) {
    return [s, threads, progress = std::move(progress)](double snr_db, std::uint64_t frames, std::uint64_t min_errors) {
        Scenario at = s;
        at.snr_db = snr_db;
        Effort effort;
        effort.frames = frames;
        effort.min_errors = min_errors;
        effort.threads = threads;
        effort.progress = progress;
        return run_point(at, effort);
    };
}

}  // namespace meshnet::lab
