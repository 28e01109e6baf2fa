// SPDX-License-Identifier: MIT
// What the medium access layer costs: one burst taken apart, and saturated networks in virtual time.
#include <benchmark/benchmark.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "mac/frame_format.hpp"
#include "tests/mac/traffic.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::mac;
using namespace meshnet::mac::test;

void parse_full_burst(benchmark::State& state) {
    Burst burst;
    burst.header.sender = 1;
    burst.header.targets.push_back({2, 3, 4});
    const Bytes data(750, 0x5A);
    for (std::uint16_t i = 0; i < 31; ++i) {
        burst.fragments.push_back({0, Priority::kBulk, i, i, 0, 1, data});
    }
    const Bytes bytes = encode_burst(burst, true);
    for (auto _ : state) {
        benchmark::DoNotOptimize(parse_burst(bytes));
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(parse_full_burst);

/// N stations on a circle of 100 km, each saturated towards the next. Items are SDUs of 1500 bytes delivered, the
/// medium's own cost included.
void saturated_circle(benchmark::State& state) {
    const auto n = static_cast<std::size_t>(state.range(0));
    Medium m(5);
    for (std::size_t i = 0; i < n; ++i) {
        m.add({});
    }
    for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = a + 1; b < n; ++b) {
            const double km = 100.0 * std::sin(std::numbers::pi * static_cast<double>(b - a) / static_cast<double>(n));
            m.connect(a, b, from_seconds(km / 299'792.458), 13.0F);
        }
    }
    std::vector<std::unique_ptr<Flow>> flows;
    for (std::size_t i = 0; i < n; ++i) {
        flows.push_back(std::make_unique<Flow>(m, i, (i + 1) % n, i + 1, Flow::Options{}));
    }
    run_for(m, 10s);
    for (auto& f : flows) {
        f->start();
        f->mark();
    }
    std::uint64_t before = 0;
    for (auto& f : flows) {
        before += f->received;
    }
    const Instant began = m.now();
    for (auto _ : state) {
        run_for(m, 1s);
    }
    std::uint64_t received = 0;
    double goodput = 0.0;
    for (auto& f : flows) {
        received += f->received;
        goodput += f->goodput_bps();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(received - before));
    state.counters["x_real_time"] = benchmark::Counter(to_seconds(m.now() - began), benchmark::Counter::kIsRate);
    state.counters["goodput_mbps"] = goodput / 1e6;
}
BENCHMARK(saturated_circle)->Arg(2)->Arg(5)->Arg(20)->Unit(benchmark::kMillisecond)->MinTime(2.0);

}  // namespace
