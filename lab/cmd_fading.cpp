// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "lab/ideal_csi.hpp"
#include "lab/threshold_io.hpp"

namespace meshnet::lab {
namespace {

/// SNR at which the measured points pass `per`, straight in probits between the two points around it.
std::optional<double> crossing(const std::vector<MeasuredPoint>& points, double per) {
    const auto probit = [](const Tally& t) {
        const double half = 0.5 / static_cast<double>(t.frames);
        return q_inverse(std::clamp(t.per(), half, 1.0 - half));
    };
    for (std::size_t i = 1; i < points.size(); ++i) {
        if (points[i - 1].tally.per() > per && points[i].tally.per() <= per) {
            const double a = probit(points[i - 1].tally);
            const double b = probit(points[i].tally);
            return points[i - 1].snr_db + (points[i].snr_db - points[i - 1].snr_db) * (q_inverse(per) - a) / (b - a);
        }
    }
    return std::nullopt;
}

double ideal_threshold(const std::vector<std::vector<float>>& gains, const InformationCurve& curve,
                       const Waterfall& awgn, double per) {
    double low = -40.0;
    double high = 60.0;
    for (int i = 0; i < 18; ++i) {
        const double mid = 0.5 * (low + high);
        (ideal_per(gains, mid, curve, awgn) > per ? low : high) = mid;
    }
    return 0.5 * (low + high);
}

}  // namespace

int run_fading(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("fading", status.error().message);
    }
    if (!o.awgn.empty() && (o.awgn.size() != 2 || !(o.awgn[1] > 0.0))) {
        return complain("fading", "--awgn takes two numbers, a and b of a fit, b above 0");
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("fading", scenario.error().message);
    }
    const phy::Mode& mode = phy::modes()[scenario->mode];
    Progress progress("fading of " + o.scenario.mode + " in " + o.scenario.channel, 1.0, o.scenario.quiet);

    Waterfall awgn;
    if (o.awgn.size() == 2) {
        awgn.a = o.awgn[0];
        awgn.b = o.awgn[1];
    } else {
        Scenario unfaded = *scenario;
        unfaded.channel = "awgn";
        SearchPlan plan = plan_of(o, static_cast<double>(mode.required_snr_db));
        plan.step_db = 0.25;
        plan.coarse_step_db = 1.0;
        plan.min_errors = 100;
        plan.target_per = std::min(o.per, 0.02);  // the foot of the curve matters to the mean over a fading channel
        const Threshold t = find_threshold(plan, measure_of(unfaded, threads_of(o.scenario), show(progress)));
        if (!t.fit) {
            return complain("fading", "no AWGN threshold found for this mode", 1);
        }
        awgn = *t.fit;
    }
    // Every SNR sees the same frames in the same channels, and so does the ideal receiver: the difference of the two
    // is not blurred by which channels were drawn.
    SearchPlan plan = plan_of(o, awgn.snr_at(o.per));
    plan.min_errors = 0;
    const Threshold t = find_threshold(plan, measure_of(*scenario, threads_of(o.scenario), show(progress)));
    const auto measured = crossing(t.points, o.per);

    // The same receiver with ideal CSI. On a flat static channel it would gain nothing over AWGN.
    std::optional<double> genie;
    std::vector<MeasuredPoint> genie_points;
    const bool has_paths = !channel_of_frame(*scenario, 0).paths.empty();
    if (has_paths) {
        Scenario aided = *scenario;
        aided.genie = kIdealCsi;
        genie_points = find_threshold(plan, measure_of(aided, threads_of(o.scenario), show(progress))).points;
        genie = crossing(genie_points, o.per);
    } else {
        genie = awgn.snr_at(o.per);
    }

    Json out = heading(o);
    out["frames"] = o.scenario.frames;
    out["awgn_db"] = rounded(awgn.snr_at(o.per));
    const InformationCurve curve(mode.amplitudes);
    std::vector<std::vector<float>> gains;
    for (std::uint64_t f = 0; f < o.scenario.frames; ++f) {
        gains.push_back(channel_gains(*scenario, f));
    }
    const double ideal = ideal_threshold(gains, curve, awgn, o.per);
    out["ideal_db"] = rounded(ideal);
    out["genie_db"] = genie ? rounded(*genie) : Json(nullptr);
    out["snr_db"] = measured ? rounded(*measured) : Json(nullptr);
    out["loss_db"] = measured && genie ? rounded(*measured - *genie) : Json(nullptr);
    Json points = points_json(*scenario, t);
    for (auto& p : points) {
        const double snr = p["snr_db"].get<double>();
        p["ideal_per"] = ideal_per(gains, snr, curve, awgn);
        const auto same = std::find_if(genie_points.begin(), genie_points.end(),
                                       [snr](const MeasuredPoint& m) { return std::abs(m.snr_db - snr) < 1e-6; });
        p["genie_per"] = same != genie_points.end() ? Json(same->tally.per()) : Json(nullptr);
    }
    out["points"] = points;
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
