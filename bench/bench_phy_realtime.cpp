// SPDX-License-Identifier: MIT
// Whether each profile is received in real time on one core: profile x mode x frame size x channel.
//
// Signals are what users send: frames of 300, 1400 and 24 000 bytes back to back, with a carrier offset of 3 kHz and a
// sampling clock error of 5 ppm, in white noise and over a two-ray channel, of 1400 bytes also beside a foreign carrier
// and beside LoRa chirps, each 10 dB stronger; and noise alone. The receiver listens for
// every preamble class, as in the daemon. `x real t` is by processor time, so other programs change it little; rows
// that end in +1 have a thread besides, for search and decoding, and go by the clock. `busier` is by the processor time
// of the busier of the two threads: what they do on cores of their own. `lost` must be 0 and `extra` (preambles found
// beside those sent) near it. Main prints the table; `--benchmark_filter=20M` takes a part of it.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/realtime_signal.hpp"
#include "phy/receiver.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

using bench::Case;
using bench::Signal;

double seconds(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void receive(benchmark::State& state, const Case& c, unsigned decode_threads) {
    const Signal signal = bench::make_signal(c);
    Receiver::Config config;
    config.profile = c.profile;
    config.decode_threads = decode_threads;
    Receiver receiver(config);
    std::uint64_t good = 0;
    std::uint64_t passes = 0;
    const double own_before = seconds(CLOCK_THREAD_CPUTIME_ID);
    const double all_before = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (auto _ : state) {
        receiver.push(signal.samples);
        while (const auto frame = receiver.poll_frame()) {
            good += frame->ok() ? 1 : 0;
        }
        ++passes;
    }
    const double samples = static_cast<double>(passes * signal.samples.size());
    const auto sent = static_cast<double>(passes * signal.frames);
    const double own = seconds(CLOCK_THREAD_CPUTIME_ID) - own_before;
    const double others = seconds(CLOCK_PROCESS_CPUTIME_ID) - all_before - own;
    state.counters["busier"] = samples / c.profile->sample_rate_hz / std::max(own, others);
    state.counters["x_real_time"] =
        benchmark::Counter(samples / c.profile->sample_rate_hz, benchmark::Counter::kIsRate);
    state.counters["Msps"] = benchmark::Counter(samples / 1e6, benchmark::Counter::kIsRate);
    state.counters["lost"] = (sent - static_cast<double>(good)) / static_cast<double>(passes);
    state.counters["extra"] = (static_cast<double>(receiver.counters().preambles) - sent) / static_cast<double>(passes);
    state.counters["sic"] = static_cast<double>(receiver.counters().sic_passes) / static_cast<double>(passes);
}

void idle(benchmark::State& state, const Profile* profile) {
    std::vector<Sample> noise;
    bench::make_channel({profile, "", 0, "awgn"}, 0.0).process(std::vector<Sample>(std::size_t{1} << 18), noise);
    Receiver::Config config;
    config.profile = profile;
    Receiver receiver(config);
    std::uint64_t passes = 0;
    for (auto _ : state) {
        receiver.push(noise);
        ++passes;
    }
    const double samples = static_cast<double>(passes * noise.size());
    state.counters["x_real_time"] = benchmark::Counter(samples / profile->sample_rate_hz, benchmark::Counter::kIsRate);
    state.counters["Msps"] = benchmark::Counter(samples / 1e6, benchmark::Counter::kIsRate);
}

void register_all() {
    for (const Profile& profile : profiles()) {
        const auto name = std::string(profile.name);
        benchmark::RegisterBenchmark((name + "/noise").c_str(), [&profile](auto& state) { idle(state, &profile); });
        for (const char* mode : {"qpsk-1/2", "64qam-3/4", "256qam-5/6"}) {
            for (const std::size_t bytes : {300U, 1'400U, 24'000U}) {
                for (const char* channel : {"awgn", "two-ray", "tone-10db", "lora-10db"}) {
                    if (bytes != 1'400 && std::string(channel).ends_with("db")) {
                        continue;  // one size tells what interference costs
                    }
                    const Case c{&profile, mode, bytes, channel};
                    const std::string row = name + "/" + mode + "/" + std::to_string(bytes) + "/" + channel;
                    benchmark::RegisterBenchmark(row.c_str(), [c](auto& state) { receive(state, c, 0); });
                    if (name == "20M") {
                        // By the clock: what two cores do, if no other program uses them.
                        benchmark::RegisterBenchmark((row + "+1").c_str(), [c](auto& state) {
                            receive(state, c, 1);
                        })->UseRealTime();
                    }
                }
            }
        }
    }
}

// One line per case, as short as the table is long.
class Table : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context&) override {
        std::printf("%-32s %9s %9s %7s %7s %7s %7s\n", "profile/mode/bytes/channel", "Msample/s", "x real t", "busier",
                    "lost", "extra", "SIC");
        return true;
    }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const auto& run : runs) {
            const auto value = [&](const char* counter) {
                const auto it = run.counters.find(counter);
                return it == run.counters.end() ? 0.0 : it->second.value;
            };
            const std::string name = run.benchmark_name();
            std::printf("%-32s %9.1f %9.2f %7.2f %7.1f %7.1f %7.1f\n", name.substr(0, name.find("/real_time")).c_str(),
                        value("Msps"), value("x_real_time"), value("busier"), value("lost"), value("extra"),
                        value("sic"));
            std::fflush(stdout);
        }
    }
};

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    register_all();
    Table table;
    benchmark::RunSpecifiedBenchmarks(&table);
    return 0;
}
