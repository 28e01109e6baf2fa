// SPDX-License-Identifier: MIT
// Random networks with hostile nodes, seed after seed: what honest nodes lose and deliver.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "lab/commands.hpp"
#include "net/payment/amount.hpp"
#include "sim/hostile_campaign.hpp"

namespace meshnet::lab {

int run_hostile(const HostileCampaignOptions& o) {
    std::vector<sim::HostileResult> results(o.seeds);
    std::atomic<std::size_t> next{0};
    std::mutex printing;
    std::size_t done = 0;
    const auto work = [&] {
        for (std::size_t k = next++; k < o.seeds; k = next++) {
            sim::HostileOptions one;
            one.seed = o.first_seed + k;
            one.nodes = o.nodes;
            one.hostile_share = o.hostile_share;
            one.seconds = o.seconds;
            results[k] = sim::run_hostile(one);
            const std::lock_guard lock(printing);
            if (!o.quiet && ++done % 100 == 0) {
                std::fprintf(stderr, "%zu of %zu seeds\n", done, o.seeds);
            }
        }
    };
    try {
        sim::HostileOptions trial;
        trial.nodes = o.nodes;
        trial.hostile_share = o.hostile_share;
        trial.seconds = o.seconds;
        results[0] = sim::run_hostile(trial);
    } catch (const std::invalid_argument& e) {
        std::fprintf(stderr, "meshnet hostile: %s\n", e.what());
        return 2;
    }
    std::vector<std::thread> threads;
    const unsigned cores = o.threads == 0 ? std::max(1U, std::thread::hardware_concurrency()) : o.threads;
    for (unsigned t = 0; t < cores; ++t) {
        threads.emplace_back(work);
    }
    for (auto& t : threads) {
        t.join();
    }
    std::size_t broken = 0;
    std::uint64_t events = 0;
    double clean = 0.0;
    double attacked = 0.0;
    double worst = 1.0;
    std::int64_t most_lost = 0;
    nlohmann::ordered_json failures = nlohmann::ordered_json::array();
    for (const auto& r : results) {
        events += r.events;
        clean += r.clean / static_cast<double>(o.seeds);
        attacked += r.attacked / static_cast<double>(o.seeds);
        worst = std::min(worst, r.clean > 0.0 ? r.attacked / r.clean : 1.0);
        most_lost = std::max(most_lost, r.most_lost_nsat);
        if (!r.violations.empty()) {
            ++broken;
            failures.push_back({{"seed", r.seed}, {"attacks", r.attacks}, {"violations", r.violations}});
        }
    }
    if (o.json) {
        const nlohmann::ordered_json out{{"seeds", o.seeds},
                                         {"first_seed", o.first_seed},
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
            o.seeds, o.nodes, 100.0 * o.hostile_share, static_cast<unsigned long long>(events), clean, attacked, worst,
            static_cast<long long>(net::to_msat(most_lost)), broken);
    }
    return broken == 0 ? 0 : 1;
}

}  // namespace meshnet::lab
