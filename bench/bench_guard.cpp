// SPDX-License-Identifier: MIT
// What the transmit guard costs a sample, beside one plain transform of its size and liquid's spectral periodogram of
// the same burst. The bar: below 5 % of real time at 20 Msample/s, which is 2.5 ns a sample.
#include <benchmark/benchmark.h>
#include <liquid/liquid.h>

#include <memory>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"
#include "station/guard/level_meter.hpp"
#include "station/guard/transmit_guard.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::station;

const std::vector<phy::Sample>& burst() {
    static const std::vector<phy::Sample> kBurst = [] {
        phy::Transmitter transmitter(*phy::find_profile("20M"));
        std::vector<phy::Sample> out;
        transmitter.modulate(*phy::find_mode("qpsk-1/2"), Bytes(16'000, 0x5a), out);
        return out;
    }();
    return kBurst;
}

void report(benchmark::State& state) {
    const double samples = static_cast<double>(state.iterations()) * static_cast<double>(burst().size());
    state.counters["ns/sample"] =
        benchmark::Counter(samples * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    state.counters["real time share at 20M"] =
        benchmark::Counter(samples / 20e6, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void Guard(benchmark::State& state) {
    GuardConfig config;
    config.bands = {"EU 2400-2483.5 10 mW"};
    config.authority = "bench";
    config.frequency_hz = 2.44e9;
    config.full_scale_dbm = 15.0;
    config.antenna_gain_dbi = 2.0;
    TransmitGuard guard(validate_guard(config, 20e6).value(), nullptr, {}, Instant{});
    Instant at{};
    for (auto unused : state) {
        static_cast<void>(unused);
        at += 1s;
        const auto refused = guard.judge({2.44e9, 20e6, burst(), at});
        if (refused) {
            state.SkipWithError(refused->sentence.c_str());
            return;
        }
    }
    report(state);
}
BENCHMARK(Guard);

void GuardLevelOnly(benchmark::State& state) {
    LevelMeter meter;
    for (auto unused : state) {
        static_cast<void>(unused);
        benchmark::DoNotOptimize(meter.measure(burst(), 20'000));
    }
    report(state);
}
BENCHMARK(GuardLevelOnly);

void PlainTransform512(benchmark::State& state) {
    phy::Fft fft(512, phy::Fft::Direction::kForward);
    for (auto unused : state) {
        static_cast<void>(unused);
        for (std::size_t at = 0; at + 512 <= burst().size(); at += 512) {
            std::copy_n(burst().begin() + static_cast<std::ptrdiff_t>(at), 512, fft.in().begin());
            fft.run();
            benchmark::DoNotOptimize(fft.out().data());
        }
    }
    report(state);
}
BENCHMARK(PlainTransform512);

void LiquidSpectralPeriodogram512(benchmark::State& state) {
    const std::unique_ptr<spgramcf_s, int (*)(spgramcf)> spectrum(spgramcf_create(512, LIQUID_WINDOW_HANN, 512, 448),
                                                                  [](spgramcf q) {
                                                                      spgramcf_destroy(q);
                                                                      return 0;
                                                                  });
    auto samples = burst();
    for (auto unused : state) {
        static_cast<void>(unused);
        spgramcf_write(spectrum.get(), reinterpret_cast<liquid_float_complex*>(samples.data()),
                       static_cast<unsigned>(samples.size()));
    }
    report(state);
}
BENCHMARK(LiquidSpectralPeriodogram512);

}  // namespace

BENCHMARK_MAIN();
