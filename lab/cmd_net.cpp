// SPDX-License-Identifier: MIT
// Networks of routers from a scenario, seed after seed: what they deliver, what they cost, and that nothing breaks.
#include "lab/cmd_net.hpp"

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "lab/campaign.hpp"
#include "lab/commands.hpp"
#include "sim/net_run.hpp"
#include "sim/node_trials.hpp"
#include "sim/price_trial.hpp"

namespace meshnet::lab {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const sim::NetResult& r) {
    char hash[17];
    std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(r.hash));
    return {{"seed", r.seed},
            {"hash", hash},
            {"nodes", r.nodes},
            {"links", r.links},
            {"hostile", r.hostile},
            {"events", r.events},
            {"converged_s", r.converged_s},
            {"idle_share", r.idle_share},
            {"idle_bytes_s", r.idle_bytes_s},
            {"idle_frames_s", r.idle_frames_s},
            {"sent", r.sent},
            {"delivered", r.delivered},
            {"delivery", r.sent == 0 ? 1.0 : static_cast<double>(r.delivered) / static_cast<double>(r.sent)},
            {"delay_ms", {{"p50", r.p50_ms}, {"p95", r.p95_ms}, {"p99", r.p99_ms}}},
            {"faults",
             {{"kills", r.kills},
              {"fades", r.fades},
              {"partitions", r.partitions},
              {"price_changes", r.price_changes},
              {"passes", r.passes}}},
            {"earned_msat", r.earned_msat},
            {"virtual_s", r.virtual_s},
            {"cpu_s", r.cpu_s},
            {"speed", r.speed},
            {"memory_mib", r.memory_mib},
            {"violations", r.violations}};
}

Json price_json(const sim::PriceResult& r) {
    Json out{{"seed", r.seed}, {"moves", r.moves}, {"delivered", r.delivered}, {"violations", r.violations}};
    for (const auto& relay : r.relays) {
        Json line{{"name", relay.name}, {"earned_msat", relay.earned_msat}, {"bytes", relay.bytes}};
        line["price"] = relay.price;
        line["share"] = relay.share;
        out["relays"].push_back(line);
    }
    out["step_s"] = r.step_s;
    return out;
}

}  // namespace

int print_net_campaign(const std::vector<Json>& rows, bool json) {
    bool broken = false;
    for (const Json& r : rows) {
        broken = broken || !r.at("violations").empty();
        if (json) {
            std::printf("%s\n", r.dump().c_str());
            continue;
        }
        std::printf(
            "seed %s: %s nodes, %s links; all routes after %.2f s; idle control %.4f of the air; delivered %s of %s, "
            "p50 "
            "%.0f ms, p95 %.0f ms; %s events, %.0f x real time; hash %s\n",
            r.at("seed").dump().c_str(), r.at("nodes").dump().c_str(), r.at("links").dump().c_str(),
            r.at("converged_s").get<double>(), r.at("idle_share").get<double>(), r.at("delivered").dump().c_str(),
            r.at("sent").dump().c_str(), r.at("delay_ms").at("p50").get<double>(),
            r.at("delay_ms").at("p95").get<double>(), r.at("events").dump().c_str(), r.at("speed").get<double>(),
            r.at("hash").get<std::string>().c_str());
        for (const Json& v : r.at("violations")) {
            std::printf("  %s\n", v.get<std::string>().c_str());
        }
    }
    return broken ? 1 : 0;
}

int run_net(const NetOptions& o) {
    sim::NetScenario scenario;
    if (!o.scenario.empty()) {
        auto read = sim::load_net_scenario(o.scenario);
        if (!read) {
            return complain("sim net", read.error().message);
        }
        scenario = *read;
    }
    if (o.nodes != 0) {
        scenario.nodes = o.nodes;
    }
    if (o.print_scenario) {
        std::printf("%s", sim::to_toml(scenario).c_str());
        return 0;
    }
    if (auto again = sim::parse_net_scenario(sim::to_toml(scenario), "scenario"); !again) {
        return complain("sim net", again.error().message);  // options that do not fit the file
    }
    const auto shard = parse_shard(o.shard);
    if (!shard) {
        return complain("sim net", shard.error().message);
    }
    std::vector<Json> rows(o.seeds);
    run_shard(o.seeds, *shard, o.threads, o.quiet,
              [&](std::size_t k) { rows[k] = json_of(sim::run_net(scenario, o.first_seed + k, !o.no_checks)); });
    if (!shard->whole()) {
        const Json options{{"first_seed", o.first_seed}, {"scenario", sim::to_toml(scenario)}};
        std::printf("%s\n", shard_json("net", options, o.seeds, *shard, std::move(rows)).dump().c_str());
        return 0;
    }
    return print_net_campaign(rows, o.json);
}

int run_net_trial(const NetTrialOptions& o) {
    const std::size_t seeds = o.seeds;
    std::vector<Json> rows(seeds);
    run_shard(seeds, Shard{}, o.threads, true, [&](std::size_t k) {
        sim::RelayTrial t;
        t.seed = k + 1;
        t.distance_km = o.distance_km;
        Json& row = rows[k];
        row["seed"] = t.seed;
        if (o.trial == "repair") {
            row["seconds"] = sim::repair_seconds(t);
        } else if (o.trial == "fade") {
            const auto r = sim::fade(t);
            row["moved_s"] = r.moved_s;
            row["delivered"] = r.delivered;
        } else if (o.trial == "cheaper") {
            row["cheaper"] = sim::cheaper_chosen(t);
        } else if (o.trial == "newcomer") {
            row["seconds"] = sim::newcomer_seconds(t);
        } else if (o.trial == "network") {
            const auto r = sim::small_network(t.seed, 20, 2.0, 300.0);
            row["sent"] = r.sent;
            row["delivered"] = r.delivered;
            row["p50_ms"] = r.p50_ms;
            row["p95_ms"] = r.p95_ms;
        } else {
            row = price_json(sim::run_prices(o.trial, t.seed));
        }
    });
    for (const Json& row : rows) {
        std::printf("%s\n", row.dump().c_str());
    }
    return 0;
}

}  // namespace meshnet::lab
