// SPDX-License-Identifier: MIT
// Where the receiver's time goes: each stage alone on the signal that the whole receives, frames of 1400 bytes.
//
// Cycles are those of the processor's time stamp counter, where it has one. `rest` is what the stages leave of the
// whole: training, tracking, estimation, demapping.
#include <benchmark/benchmark.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/realtime_signal.hpp"
#include "core/random.hpp"
#include "phy/demodulation/block_decoder.hpp"
#include "phy/demodulation/symbol_transform.hpp"
#include "phy/dsp/dc_blocker.hpp"
#include "phy/dsp/sample_gate.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/estimation/power_meter.hpp"
#include "phy/receiver.hpp"
#include "phy/waveform/block_encoder.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;
using bench::Case;
using bench::Signal;

constexpr std::size_t kRing = std::size_t{1} << 20;

// Cycles of the time stamp counter in a nanosecond; 0 where there is none.
double cycles_per_ns() {
#if defined(__x86_64__)
    const auto now = [] { return std::chrono::steady_clock::now(); };
    const auto begin = now();
    const std::uint64_t first = __rdtsc();
    while (now() - begin < std::chrono::milliseconds(50)) {
    }
    const std::uint64_t last = __rdtsc();
    return static_cast<double>(last - first) /
           static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(now() - begin).count());
#else
    return 0.0;
#endif
}

// `work` handles all of the signal's samples.
void measure(benchmark::State& state, const Signal& signal, const std::function<void()>& work) {
    for (auto _ : state) {
        work();
    }
    const double samples = static_cast<double>(state.iterations()) * static_cast<double>(signal.samples.size());
    state.counters["rate"] = benchmark::Counter(samples, benchmark::Counter::kIsRate);
}

void front_end(benchmark::State& state, const Signal& signal) {
    constexpr std::size_t kStep = 128;
    SampleGate gate;
    DcBlocker dc;
    PowerMeter meter;
    std::vector<Sample> step(kStep);
    measure(state, signal, [&] {
        for (std::size_t i = 0; i + kStep <= signal.samples.size(); i += kStep) {
            gate.pass(std::span(signal.samples).subspan(i, kStep), step);
            dc.apply(step);
            dc.learn(step);
            meter.add(step);
        }
    });
}

void search(benchmark::State& state, const Signal& signal, const Profile& profile, PreambleClass preamble) {
    FrameSynchronizer synchronizer(profile, preamble);
    SampleRing ring(kRing);
    ring.push(signal.samples);
    std::vector<FrameStart> found;
    measure(state, signal, [&] {
        synchronizer.reset();
        found.clear();
        synchronizer.advance(ring, found);
    });
}

void transforms(benchmark::State& state, const Signal& signal, const Profile& profile) {
    const Grid grid(profile);
    SymbolTransform transform(grid);
    SampleRing ring(kRing);
    ring.push(signal.samples);
    std::vector<Sample> carriers(grid.carriers());
    measure(state, signal, [&] {
        for (std::uint64_t i = 0; i + profile.fft_size <= signal.samples.size(); i += profile.symbol_samples()) {
            transform.run(ring, {i, 0, 1e-4}, carriers);
        }
    });
}

// LLRs of one frame's blocks in coded order, each about 2.5 deviations from 0.
std::vector<std::vector<float>> make_llrs(const Mode& mode, const PayloadLayout& layout) {
    BlockEncoder encoder;
    std::vector<std::vector<float>> out;
    Rng rng(5);
    for (std::size_t b = 0; b < layout.blocks(); ++b) {
        const Bytes bytes(layout.block_bytes(b), static_cast<std::uint8_t>(b));
        const std::size_t points = layout.block_points(b);
        std::vector<std::uint8_t> bits(points * mode.bits_per_symbol);
        encoder.encode(bytes, 0, points, mode.bits_per_symbol, bits);
        auto& llr = out.emplace_back(bits.size());
        for (std::size_t j = 0; j < points; ++j) {
            for (unsigned m = 0; m < mode.bits_per_symbol; ++m) {
                const float sent = bits[j * mode.bits_per_symbol + m] != 0 ? -5.0F : 5.0F;
                llr[m * points + j * point_stride(points) % points] = sent + 2.0F * static_cast<float>(rng.normal());
            }
        }
    }
    return out;
}

void decode(benchmark::State& state, const Signal& signal, const Case& c) {
    const Mode& mode = modes()[*find_mode(c.mode.c_str())];
    const PayloadLayout layout(mode, c.bytes, Grid::data_per_symbol(*c.profile, false));
    const auto llrs = make_llrs(mode, layout);
    BlockDecoder decoder;
    Bytes out(c.bytes);
    measure(state, signal, [&] {
        for (std::size_t f = 0; f < signal.frames; ++f) {
            for (std::size_t b = 0; b < llrs.size(); ++b) {
                const auto block = decoder.decode(llrs[b], 0, 25, std::span(out).first(layout.block_bytes(b)));
                benchmark::DoNotOptimize(block.crc_ok);
            }
        }
    });
}

void whole(benchmark::State& state, const Signal& signal, const Profile& profile) {
    Receiver::Config config;
    config.profile = &profile;
    Receiver receiver(config);
    measure(state, signal, [&] {
        receiver.push(signal.samples);
        while (receiver.poll_frame()) {
        }
    });
}

template <class Run>
void add(const Case& c, const char* stage, Run run) {
    const std::string name = std::string(c.profile->name) + "/" + c.mode + "/" + stage;
    benchmark::RegisterBenchmark(name.c_str(), [c, run](benchmark::State& state) {
        const Signal signal = bench::make_signal(c);
        run(state, signal, c);
    });
}

void register_stages(const Case& c) {
    add(c, "gate, DC, power", [](auto& state, const auto& signal, const auto&) { front_end(state, signal); });
    add(c, "search short", [](auto& state, const auto& signal, const auto& of) {
        search(state, signal, *of.profile, PreambleClass::kShort);
    });
    add(c, "search medium", [](auto& state, const auto& signal, const auto& of) {
        search(state, signal, *of.profile, PreambleClass::kMedium);
    });
    add(c, "search long", [](auto& state, const auto& signal, const auto& of) {
        search(state, signal, *of.profile, PreambleClass::kLong);
    });
    add(c, "transforms",
        [](auto& state, const auto& signal, const auto& of) { transforms(state, signal, *of.profile); });
    add(c, "LDPC", [](auto& state, const auto& signal, const auto& of) { decode(state, signal, of); });
    add(c, "whole", [](auto& state, const auto& signal, const auto& of) { whole(state, signal, *of.profile); });
}

class Table : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override {
        std::printf("%-32s %9s %14s\n", "profile/mode/stage", "ns/sample", "cycles/sample");
        return true;
    }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            const std::string name = run.benchmark_name();
            const double ns = 1e9 / run.counters.at("rate").value;
            print(name, ns);
            if (name.ends_with("/whole")) {
                print(name.substr(0, name.size() - 5) + "rest", ns - sum_ns_);
                sum_ns_ = 0.0;
            } else {
                sum_ns_ += ns;
            }
        }
    }

private:
    void print(const std::string& name, double ns) const {
        std::printf("%-32s %9.2f %14.1f\n", name.c_str(), ns, ns * cycles_per_ns_);
        std::fflush(stdout);
    }
    double sum_ns_ = 0.0;
    double cycles_per_ns_ = cycles_per_ns();
};

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    for (const char* profile : {"1M", "20M"}) {
        for (const char* mode : {"qpsk-1/2", "64qam-3/4"}) {
            register_stages({find_profile(profile), mode, 1'400, "awgn"});
        }
    }
    Table table;
    benchmark::RunSpecifiedBenchmarks(&table);
    return 0;
}
