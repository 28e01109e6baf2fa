// SPDX-License-Identifier: MIT
// Networks of routers from a scenario, seed after seed: what they deliver, what they cost, and that nothing breaks.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "lab/commands.hpp"
#include "sim/net_run.hpp"

namespace meshnet::lab {

namespace {

nlohmann::ordered_json json_of(const sim::NetResult& r) {
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

void print_line(const sim::NetResult& r) {
    std::printf(
        "seed %llu: %zu nodes, %zu links; all routes after %.2f s; idle control %.4f of the air; delivered %llu of "
        "%llu, "
        "p50 %.0f ms, p95 %.0f ms; %llu events, %.0f x real time; hash %016llx\n",
        static_cast<unsigned long long>(r.seed), r.nodes, r.links, r.converged_s, r.idle_share,
        static_cast<unsigned long long>(r.delivered), static_cast<unsigned long long>(r.sent), r.p50_ms, r.p95_ms,
        static_cast<unsigned long long>(r.events), r.speed, static_cast<unsigned long long>(r.hash));
    for (const std::string& v : r.violations) {
        std::printf("  %s\n", v.c_str());
    }
}

}  // namespace

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
    std::vector<std::uint64_t> seeds;
    for (std::uint64_t k = 0; k < o.seeds; ++k) {
        if (k % o.shard.of == o.shard.index) {
            seeds.push_back(o.first_seed + k);
        }
    }
    std::vector<sim::NetResult> results(seeds.size());
    std::atomic<std::size_t> next{0};
    std::mutex printing;
    std::size_t done = 0;
    const auto work = [&] {
        for (std::size_t k = next++; k < seeds.size(); k = next++) {
            results[k] = sim::run_net(scenario, seeds[k], !o.no_checks);
            const std::lock_guard lock(printing);
            if (!o.quiet && ++done % 10 == 0) {
                std::fprintf(stderr, "%zu of %zu seeds\n", done, seeds.size());
            }
        }
    };
    std::vector<std::thread> threads;
    const unsigned cores = o.threads == 0 ? std::max(1U, std::thread::hardware_concurrency()) : o.threads;
    for (unsigned t = 0; t < std::min<std::size_t>(cores, seeds.size()); ++t) {
        threads.emplace_back(work);
    }
    for (auto& t : threads) {
        t.join();
    }
    bool broken = false;
    for (const sim::NetResult& r : results) {
        broken = broken || !r.violations.empty();
        if (o.json) {
            std::printf("%s\n", json_of(r).dump().c_str());
        } else {
            print_line(r);
        }
    }
    return broken ? 1 : 0;
}

}  // namespace meshnet::lab
