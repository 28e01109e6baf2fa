// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "phy/fec/awgn_bound.hpp"
#include "phy/frame_layout.hpp"
#include "phy/grid.hpp"
#include "tools/phy_lab/commands.hpp"
#include "tools/phy_lab/ideal_csi.hpp"
#include "tools/phy_lab/liquid_anchor.hpp"
#include "tools/phy_lab/threshold_search.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

Json rounded(double value) {
    return std::round(value * 1e4) / 1e4;
}

/// The normal approximation for a payload in so many uses of the constellation, as a point and as a curve around it.
void add_bound(Json& out, unsigned bits_per_symbol, std::size_t payload_bytes, double uses, double per) {
    const std::size_t bits = 8 * payload_bytes;
    if (!(static_cast<double>(bits) < bits_per_symbol * uses)) {
        return;  // uncoded: there is no bound of this kind
    }
    const double at = phy::required_snr_db(bits_per_symbol, bits, uses, per);
    out["na_db"] = rounded(at);
    Json curve = Json::array();
    for (int i = -6; i <= 4; ++i) {
        const double snr = at + 0.1 * i;
        curve.push_back({rounded(snr), phy::normal_approximation_bler(bits_per_symbol, bits, uses, snr)});
    }
    out["na_curve"] = curve;
}

void add_threshold(Json& out, const Threshold& t) {
    if (t.fit) {
        out["snr_db"] = rounded(t.snr_db);
        out["low_db"] = rounded(t.low_db);
        out["high_db"] = rounded(t.high_db);
        out["fit"] = {{"a", t.fit->a}, {"b", t.fit->b}};
    } else {
        out["snr_db"] = nullptr;
    }
}

Json points_json(const Scenario& s, const Threshold& t) {
    Json out = Json::array();
    for (const auto& p : t.points) {
        Scenario at = s;
        at.snr_db = p.snr_db;
        out.push_back(point_json(at, p.tally));
    }
    return out;
}

Status check_plan(const ThresholdOptions& o) {
    if (!(o.per > 0.0) || !(o.per < 0.5)) {
        return Error{"--per must be above 0 and below 0.5"};
    }
    if (!(o.step_db >= 0.01) || !(o.step_db <= 10.0)) {
        return Error{"--step-db must be within 0.01..10"};
    }
    return Ok{};
}

SearchPlan plan_of(const ThresholdOptions& o, double start_db) {
    SearchPlan plan;
    plan.target_per = o.per;
    plan.step_db = o.step_db;
    plan.coarse_step_db = std::max(4.0 * o.step_db, 1.0);
    plan.frames = o.scenario.frames;
    plan.min_errors = o.scenario.min_errors;
    plan.coarse_frames = std::clamp<std::uint64_t>(o.scenario.frames / 20, 10, 32);
    plan.start_snr_db = std::round(start_db * 20.0) / 20.0;
    return plan;
}

std::function<void(std::uint64_t, std::uint64_t)> show(Progress& progress) {
    return [&progress](std::uint64_t frames, std::uint64_t errors) {
        progress.at(0.0, std::to_string(frames) + " frames, " + std::to_string(errors) + " errors at this SNR");
    };
}

Json heading(const ThresholdOptions& o) {
    return {{"mode", o.scenario.mode},       {"profile", o.scenario.profile}, {"payload", o.scenario.payload},
            {"channel", o.scenario.channel}, {"seed", o.scenario.seed},       {"target_per", o.per}};
}

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

int run_threshold(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("threshold", status.error().message);
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("threshold", scenario.error().message);
    }
    const phy::Mode& mode = phy::modes()[scenario->mode];
    Progress progress("threshold of " + o.scenario.mode, 1.0, o.scenario.quiet);
    const Threshold t = find_threshold(plan_of(o, static_cast<double>(mode.required_snr_db)),
                                       measure_of(*scenario, threads_of(o.scenario), show(progress)));
    Json out = heading(o);
    add_threshold(out, t);
    // Two yardsticks: the points that really carry the payload (the last symbol is filled, CRC and whole points cost a
    // little), and the mode's nominal rate, which the bars are written with.
    const bool dense = phy::class_params(*scenario->profile, mode.preamble).dense_pilots;
    const std::size_t per_symbol = phy::Grid(*scenario->profile).data_per_symbol(dense);
    const phy::PayloadLayout layout(mode, o.scenario.payload, per_symbol);
    add_bound(out, mode.bits_per_symbol, o.scenario.payload, static_cast<double>(layout.symbols() * per_symbol), o.per);
    const double nominal_uses = 8.0 * static_cast<double>(o.scenario.payload) / mode.efficiency();
    out["na_nominal_db"] =
        rounded(phy::required_snr_db(mode.bits_per_symbol, 8 * o.scenario.payload, nominal_uses, o.per));
    out["points"] = points_json(*scenario, t);
    std::puts(out.dump().c_str());
    return 0;
}

int run_liquid(const ThresholdOptions& o) {
    if (const auto status = check_plan(o); !status) {
        return complain("liquid", status.error().message);
    }
    const LiquidMode* mode = find_liquid_mode(o.scheme);
    if (mode == nullptr) {
        std::string message = "unknown scheme '" + o.scheme + "'; known are";
        for (const auto& m : liquid_modes()) {
            message += ' ';
            message += m.name;
        }
        return complain("liquid", message);
    }
    if (o.scenario.payload < 1 || o.scenario.payload > 65'535) {
        return complain("liquid", "payload must be 1..65535 bytes");
    }
    Progress progress("threshold of liquid " + o.scheme, 1.0, o.scenario.quiet);
    LiquidScenario s;
    s.mode = mode;
    s.payload_bytes = o.scenario.payload;
    s.seed = o.scenario.seed;
    const auto measure = [&](double snr_db, std::uint64_t frames, std::uint64_t min_errors) {
        LiquidScenario at = s;
        at.snr_db = snr_db;
        Effort effort;
        effort.frames = frames;
        effort.min_errors = min_errors;
        effort.threads = threads_of(o.scenario);
        effort.progress = show(progress);
        return run_liquid_point(at, effort);
    };
    const Threshold t = find_threshold(plan_of(o, static_cast<double>(mode->start_snr_db)), measure);
    Json out = {
        {"scheme", o.scheme}, {"payload", o.scenario.payload}, {"seed", o.scenario.seed}, {"target_per", o.per}};
    add_threshold(out, t);
    add_bound(out, mode->bits_per_symbol, o.scenario.payload,
              8.0 * static_cast<double>(o.scenario.payload) / (mode->bits_per_symbol * mode->rate), o.per);
    Json points = Json::array();
    for (const auto& p : t.points) {
        const Interval i = wilson(p.tally.errors, p.tally.frames);
        points.push_back({{"snr_db", p.snr_db},
                          {"frames", p.tally.frames},
                          {"errors", p.tally.errors},
                          {"per", p.tally.per()},
                          {"per_low", i.low},
                          {"per_high", i.high},
                          {"header_miss", p.tally.header_miss},
                          {"detect_miss", p.tally.detect_miss}});
    }
    out["points"] = points;
    std::puts(out.dump().c_str());
    return 0;
}

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
        Scenario still = *scenario;
        still.channel = "awgn";
        SearchPlan plan = plan_of(o, static_cast<double>(mode.required_snr_db));
        plan.step_db = 0.25;
        plan.coarse_step_db = 1.0;
        plan.min_errors = 100;
        plan.target_per = std::min(o.per, 0.02);  // the foot of the curve matters to the mean over a fading channel
        const Threshold t = find_threshold(plan, measure_of(still, threads_of(o.scenario), show(progress)));
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

    Json out = heading(o);
    out["frames"] = o.scenario.frames;
    out["awgn_db"] = rounded(awgn.snr_at(o.per));
    const InformationCurve curve(mode.bits_per_symbol);
    std::vector<std::vector<float>> gains;
    for (std::uint64_t f = 0; f < o.scenario.frames; ++f) {
        gains.push_back(channel_gains(*scenario, f));
    }
    const double ideal = ideal_threshold(gains, curve, awgn, o.per);
    out["ideal_db"] = rounded(ideal);
    out["snr_db"] = measured ? rounded(*measured) : Json(nullptr);
    out["loss_db"] = measured ? rounded(*measured - ideal) : Json(nullptr);
    Json points = points_json(*scenario, t);
    for (auto& p : points) {
        p["ideal_per"] = ideal_per(gains, p["snr_db"].get<double>(), curve, awgn);
    }
    out["points"] = points;
    std::puts(out.dump().c_str());
    return 0;
}

}  // namespace meshnet::lab
