// SPDX-License-Identifier: MIT
#include "lab/cmd_sweep.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "lab/campaign.hpp"
#include "lab/commands.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

Json tally_json(const Tally& t) {
    return Json::array({t.frames, t.errors, t.detect_miss, t.header_miss, t.undetected, t.false_alarms, t.false_headers,
                        t.blocks, t.iterations, t.frame_samples});
}

Tally tally_of(const Json& j) {
    Tally t;
    std::size_t i = 0;
    for (std::uint64_t* field : {&t.frames, &t.errors, &t.detect_miss, &t.header_miss, &t.undetected, &t.false_alarms,
                                 &t.false_headers, &t.blocks, &t.iterations, &t.frame_samples}) {
        *field = j.at(i++).get<std::uint64_t>();
    }
    return t;
}

/// Everything that changes a result.
Json options_json(const SweepOptions& o) {
    const ScenarioOptions& s = o.scenario;
    return {{"mode", s.mode},
            {"profile", s.profile},
            {"payload", s.payload},
            {"channel", s.channel},
            {"seed", s.seed},
            {"cfo_hz", s.has_cfo ? Json(s.cfo_hz) : Json()},
            {"sfo_ppm", s.has_sfo ? Json(s.sfo_ppm) : Json()},
            {"genie", s.genie},
            {"frames", s.frames},
            {"snr_db", o.snr_db}};
}

SweepOptions options_of(const Json& j) {
    SweepOptions o;
    ScenarioOptions& s = o.scenario;
    s.mode = j.at("mode").get<std::string>();
    s.profile = j.at("profile").get<std::string>();
    s.payload = j.at("payload").get<std::size_t>();
    s.channel = j.at("channel").get<std::string>();
    s.seed = j.at("seed").get<std::uint64_t>();
    s.genie = j.at("genie").get<std::string>();
    s.frames = j.at("frames").get<std::uint64_t>();
    o.snr_db = j.at("snr_db").get<std::string>();
    return o;
}

}  // namespace

int print_sweep_campaign(const Json& options, const std::vector<Json>& parts) {
    const SweepOptions o = options_of(options);
    const auto snrs = parse_snr_range(o.snr_db);
    const auto scenario = scenario_of(o.scenario);
    if (!snrs || !scenario) {
        return complain("merge", (snrs ? scenario.error() : snrs.error()).message);
    }
    Scenario s = *scenario;
    for (std::size_t point = 0; point < snrs->size(); ++point) {
        Tally tally;
        for (const Json& part : parts) {
            if (const Tally more = tally_of(part.at(point)); more.frames > 0) {
                tally.add(more);
            }
        }
        s.snr_db = (*snrs)[point];
        std::puts(point_json(s, tally).dump().c_str());
    }
    return 0;
}

int run_sweep(const SweepOptions& o) {
    const auto snrs = parse_snr_range(o.snr_db);
    if (!snrs) {
        return complain("sweep", snrs.error().message);
    }
    const auto shard = parse_shard(o.shard);
    if (!shard) {
        return complain("sweep", shard.error().message);
    }
    const bool split = !o.shard.empty();
    if (split && o.scenario.min_errors > 0) {
        return complain("sweep", "with --shard every part has its share of --frames: --min-errors must be 0");
    }
    const auto scenario = scenario_of(o.scenario);
    if (!scenario) {
        return complain("sweep", scenario.error().message);
    }
    Scenario s = *scenario;
    if (!o.scenario.json && !split) {
        std::printf("%s, profile %s, %zu bytes, channel %s, seed %llu\n%s\n", o.scenario.mode.c_str(),
                    o.scenario.profile.c_str(), o.scenario.payload, o.scenario.channel.c_str(),
                    static_cast<unsigned long long>(o.scenario.seed), header_line().c_str());
    }
    const double total = static_cast<double>(snrs->size()) * static_cast<double>(o.scenario.frames);
    Progress progress("sweep", total, o.scenario.quiet);
    double before = 0.0;
    Json part = Json::array();
    for (const double snr : *snrs) {
        s.snr_db = snr;
        Effort effort;
        effort.frames = o.scenario.frames;
        effort.min_errors = o.scenario.min_errors;
        effort.threads = threads_of(o.scenario);
        effort.first_batch = shard->index;
        effort.every_batch = shard->count;
        effort.progress = [&](std::uint64_t frames, std::uint64_t errors) {
            char detail[96];
            std::snprintf(detail, sizeof detail, "at %.2f dB: %llu frames, %llu errors", snr,
                          static_cast<unsigned long long>(frames), static_cast<unsigned long long>(errors));
            progress.at(before + static_cast<double>(frames), detail);
        };
        const Tally tally = run_point(s, effort);
        before += static_cast<double>(o.scenario.frames);
        if (split) {
            part.push_back(tally_json(tally));
            continue;
        }
        std::puts(o.scenario.json ? point_json(s, tally).dump().c_str() : point_line(s, tally).c_str());
        std::fflush(stdout);
    }
    if (split) {
        std::vector<Json> rows(shard->count);
        rows[shard->index] = std::move(part);
        std::puts(shard_json("sweep", options_json(o), shard->count, *shard, std::move(rows)).dump().c_str());
    }
    return 0;
}

}  // namespace meshnet::lab
