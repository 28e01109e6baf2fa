// SPDX-License-Identifier: MIT
// Random networks with hostile nodes, seed after seed: what honest nodes lose and deliver.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "lab/campaign.hpp"
#include "lab/cmd_hostile.hpp"
#include "lab/commands.hpp"
#include "net/payment/amount.hpp"
#include "sim/hostile_campaign.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;

Json row_of(const sim::HostileResult& r) {
    return {{"seed", r.seed},
            {"events", r.events},
            {"clean", r.clean},
            {"attacked", r.attacked},
            {"lost_nsat", r.most_lost_nsat},
            {"attacks", r.attacks},
            {"violations", r.violations}};
}

}  // namespace

int print_hostile_campaign(const Json& options, const std::vector<Json>& rows, bool json) {
    std::uint64_t events = 0;
    double clean = 0.0;
    double attacked = 0.0;
    double worst = 1.0;
    std::int64_t most_lost = 0;
    Json failures = Json::array();
    for (const Json& r : rows) {
        const auto c = r.at("clean").get<double>();
        const auto a = r.at("attacked").get<double>();
        events += r.at("events").get<std::uint64_t>();
        clean += c / static_cast<double>(rows.size());
        attacked += a / static_cast<double>(rows.size());
        worst = std::min(worst, c > 0.0 ? a / c : 1.0);
        most_lost = std::max(most_lost, r.at("lost_nsat").get<std::int64_t>());
        if (!r.at("violations").empty()) {
            failures.push_back(
                {{"seed", r.at("seed")}, {"attacks", r.at("attacks")}, {"violations", r.at("violations")}});
        }
    }
    if (json) {
        const Json out{{"seeds", rows.size()},
                       {"first_seed", options.at("first_seed")},
                       {"events", events},
                       {"delivered_clean", clean},
                       {"delivered_attacked", attacked},
                       {"worst_ratio", worst},
                       {"most_lost_msat", net::to_msat(most_lost)},
                       {"failures", failures}};
        std::printf("%s\n", out.dump().c_str());
    } else {
        for (const auto& f : failures) {
            std::printf("%s\n", f.dump().c_str());
        }
        std::printf(
            "%zu networks of %zu nodes, %.0f %% hostile, %llu events: honest pairs delivered %.4f without attack, %.4f "
            "under attack (worst network %.2f of clean); the most one honest node lost: %lld msat; %zu networks broke "
            "a rule\n",
            rows.size(), options.at("nodes").get<std::size_t>(), 100.0 * options.at("hostile_share").get<double>(),
            static_cast<unsigned long long>(events), clean, attacked, worst,
            static_cast<long long>(net::to_msat(most_lost)), failures.size());
    }
    return failures.empty() ? 0 : 1;
}

int run_hostile(const HostileCampaignOptions& o) {
    const auto shard = parse_shard(o.shard);
    if (!shard) {
        return complain("hostile", shard.error().message);
    }
    const Json options{
        {"first_seed", o.first_seed}, {"nodes", o.nodes}, {"hostile_share", o.hostile_share}, {"seconds", o.seconds}};
    std::vector<Json> rows(o.seeds);
    try {
        run_shard(o.seeds, *shard, o.threads, o.quiet, [&](std::size_t k) {
            sim::HostileOptions one;
            one.seed = o.first_seed + k;
            one.nodes = o.nodes;
            one.hostile_share = o.hostile_share;
            one.seconds = o.seconds;
            rows[k] = row_of(sim::run_hostile(one));
        });
    } catch (const std::invalid_argument& e) {
        return complain("hostile", e.what());
    }
    if (!o.shard.empty()) {
        std::puts(shard_json("hostile", options, o.seeds, *shard, std::move(rows)).dump().c_str());
        return 0;
    }
    return print_hostile_campaign(options, rows, o.json);
}

}  // namespace meshnet::lab
