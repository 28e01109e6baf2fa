// SPDX-License-Identifier: MIT
#include "lab/threshold_io.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::lab {

Json rounded(double value) {
    return std::round(value * 1e4) / 1e4;
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
        return Error{ErrorCode::kInvalidArgument, "--per must be above 0 and below 0.5"};
    }
    if (!(o.step_db >= 0.01) || !(o.step_db <= 10.0)) {
        return Error{ErrorCode::kInvalidArgument, "--step-db must be within 0.01..10"};
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

}  // namespace meshnet::lab
