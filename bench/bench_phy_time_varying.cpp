// SPDX-License-Identifier: MIT
// What it takes to fit a time-varying channel (phy/estimation/time_varying_channel.hpp), beside the air time of what is
// fitted.
//
// 169 symbols, the most a receiver looks at together, of a channel of three paths that fades at 100 Hz, 20 dB above the
// noise. `of_air` is the share of one core that such a channel takes while it is received without a break: `fit` once
// for every 130 new symbols, and `response` for every symbol.
#include <benchmark/benchmark.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/random.hpp"
#include "phy/estimation/time_varying_channel.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

constexpr std::size_t kSymbols = 169;
constexpr double kNewSymbols = 130.0;
constexpr double kNoise = 0.01;
constexpr double kTwoPi = 2.0 * std::numbers::pi;

double symbol_seconds(const Profile& p) {
    return static_cast<double>(p.symbol_samples()) / p.sample_rate_hz;
}

// Each path a sum of waves from all sides.
PilotRecord fading_pilots(const Grid& grid) {
    constexpr std::size_t kPaths = 3;
    constexpr std::size_t kWaves = 16;
    const double doppler = kTwoPi * 100.0 * symbol_seconds(grid.profile());
    const double prefix = static_cast<double>(grid.profile().cyclic_prefix);
    Rng rng(1);
    double speed[kPaths][kWaves];
    double start[kPaths][kWaves];
    for (std::size_t p = 0; p < kPaths; ++p) {
        for (std::size_t w = 0; w < kWaves; ++w) {
            speed[p][w] = doppler * std::cos(kTwoPi * rng.uniform());
            start[p][w] = kTwoPi * rng.uniform();
        }
    }
    PilotRecord record(grid);
    std::vector<Sample> carriers(grid.carriers());
    for (std::size_t s = 0; s < kSymbols; ++s) {
        std::complex<double> gain[kPaths]{};
        for (std::size_t p = 0; p < kPaths; ++p) {
            for (std::size_t w = 0; w < kWaves; ++w) {
                gain[p] += std::polar(1.0 / std::sqrt(static_cast<double>(kPaths * kWaves)),
                                      start[p][w] + speed[p][w] * static_cast<double>(s));
            }
        }
        for (std::size_t c = 0; c < carriers.size(); ++c) {
            std::complex<double> h(std::sqrt(kNoise / 2.0) * rng.normal(), std::sqrt(kNoise / 2.0) * rng.normal());
            for (std::size_t p = 0; p < kPaths; ++p) {
                const double delay = prefix * (0.15 + 0.3 * static_cast<double>(p));
                h += gain[p] * std::polar(1.0, -kTwoPi * grid.subcarrier(c) * delay /
                                                   static_cast<double>(grid.profile().fft_size));
            }
            carriers[c] = Sample(h) * grid.pilot(s, c);
        }
        record.add_pilots(carriers, s, false, 0.0);
    }
    return record;
}

void report_share(benchmark::State& state, double seconds_per_iteration) {
    state.counters["of_air"] = benchmark::Counter(
        seconds_per_iteration, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void fit(benchmark::State& state, const char* profile) {
    const Grid grid(*find_profile(profile));
    const auto record = fading_pilots(grid);
    TimeVaryingChannel channel(grid);
    double knots = 0.0;
    for (auto _ : state) {
        knots = channel.fit(record, kNoise).knots;
    }
    report_share(state, kNewSymbols * symbol_seconds(grid.profile()));
    state.counters["knots"] = knots;
}
BENCHMARK_CAPTURE(fit, 1M, "1M")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(fit, 5M, "5M")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(fit, 20M, "20M")->Unit(benchmark::kMicrosecond);

void response(benchmark::State& state, const char* profile) {
    const Grid grid(*find_profile(profile));
    const auto record = fading_pilots(grid);
    TimeVaryingChannel channel(grid);
    channel.fit(record, kNoise);
    std::vector<Sample> out(grid.carriers());
    std::size_t symbol = 0;
    for (auto _ : state) {
        channel.response(static_cast<double>(symbol++ % kSymbols), out);
        benchmark::DoNotOptimize(out.data());
    }
    report_share(state, symbol_seconds(grid.profile()));
}
BENCHMARK_CAPTURE(response, 1M, "1M")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(response, 5M, "5M")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(response, 20M, "20M")->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
