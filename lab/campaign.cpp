// SPDX-License-Identifier: MIT
#include "lab/campaign.hpp"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace meshnet::lab {
namespace {

constexpr std::size_t kMostShards = 100'000;

Error wrong(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
}

}  // namespace

Result<Shard> parse_shard(std::string_view text) {
    if (text.empty()) {
        return Shard{};
    }
    Shard out;
    const char* end = text.data() + text.size();
    const auto first = std::from_chars(text.data(), end, out.index);
    const bool slash = first.ec == std::errc() && first.ptr != end && *first.ptr == '/';
    const auto second = std::from_chars(slash ? first.ptr + 1 : end, end, out.count);
    if (!slash || second.ec != std::errc() || second.ptr != end || out.count == 0 || out.count > kMostShards ||
        out.index >= out.count) {
        return wrong("shard '" + std::string(text) + "' is not understood; write i/n with 0 <= i < n, as 0/4");
    }
    return out;
}

void run_shard(std::size_t items, const Shard& shard, unsigned threads, bool quiet,
               const std::function<void(std::size_t)>& work) {
    using Clock = std::chrono::steady_clock;
    std::atomic<std::size_t> next{shard.index};
    std::mutex mutex;
    std::exception_ptr failure;
    std::size_t done = 0;
    const std::size_t all = (items + shard.count - 1 - shard.index) / shard.count;
    auto shown = Clock::now();
    const auto loop = [&] {
        for (std::size_t k = next.fetch_add(shard.count); k < items; k = next.fetch_add(shard.count)) {
            try {
                work(k);
            } catch (...) {
                const std::lock_guard lock(mutex);
                failure = failure ? failure : std::current_exception();
                next = items;
                return;
            }
            const std::lock_guard lock(mutex);
            ++done;
            if (!quiet && Clock::now() - shown > std::chrono::seconds(10)) {
                shown = Clock::now();
                std::fprintf(stderr, "%zu of %zu\n", done, all);
            }
        }
    };
    const std::size_t cores = threads == 0 ? std::max(1U, std::thread::hardware_concurrency()) : threads;
    std::vector<std::thread> running;
    for (std::size_t t = 1; t < std::min(cores, std::max<std::size_t>(all, 1)); ++t) {
        running.emplace_back(loop);
    }
    loop();
    for (auto& t : running) {
        t.join();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

nlohmann::ordered_json shard_json(std::string_view campaign, nlohmann::ordered_json options, std::size_t items,
                                  const Shard& shard, std::vector<nlohmann::ordered_json> rows) {
    nlohmann::ordered_json listed = nlohmann::ordered_json::array();
    for (std::size_t k = 0; k < items; ++k) {
        if (shard.mine(k)) {
            listed.push_back(nlohmann::ordered_json::array({k, std::move(rows[k])}));
        }
    }
    return {{"campaign", campaign},
            {"options", std::move(options)},
            {"items", items},
            {"shard", shard.text()},
            {"rows", std::move(listed)}};
}

Result<Joined> join_shards(const std::vector<nlohmann::ordered_json>& shards) {
    Joined out;
    std::vector<bool> have;
    for (const auto& s : shards) {
        try {
            const auto items = s.at("items").get<std::size_t>();
            if (have.empty()) {
                out.campaign = s.at("campaign").get<std::string>();
                out.options = s.at("options");
                if (items == 0 || items > 100'000'000) {
                    return wrong("a shard says that its campaign has " + std::to_string(items) + " items");
                }
                out.rows.resize(items);
                have.resize(items);
            } else if (s.at("campaign") != out.campaign || s.at("options") != out.options || items != have.size()) {
                return wrong("the shards are not of one campaign: shard " + s.at("shard").get<std::string>() +
                             " was run with other options than the first");
            }
            for (const auto& row : s.at("rows")) {
                const auto k = row.at(0).get<std::size_t>();
                if (k >= items) {
                    return wrong("a shard has item " + std::to_string(k) + " of " + std::to_string(items));
                }
                if (have[k]) {
                    return wrong("item " + std::to_string(k) + " is in two shards");
                }
                have[k] = true;
                out.rows[k] = row.at(1);
            }
        } catch (const nlohmann::json::exception&) {
            return wrong("a file is not what a campaign with --shard writes");
        }
    }
    const auto missing = static_cast<std::size_t>(std::count(have.begin(), have.end(), false));
    if (shards.empty() || missing > 0) {
        return wrong(std::to_string(missing) + " of " + std::to_string(have.size()) +
                     " items are missing: give the files of all shards");
    }
    return out;
}

}  // namespace meshnet::lab
