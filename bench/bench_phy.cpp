// SPDX-License-Identifier: MIT
// How fast the modem is, beside liquid-dsp's ofdmflexframe on the same core in the same run.
//
// Signals: back-to-back frames of 1000 bytes with noise 20 dB below, and pure noise. liquid runs with 64 carriers and
// the codes its Debian package has (built without libfec: Golay and Hamming). Items are samples; `payload` is payload
// bits per second. Main prints the ratios of the pairs after the table.
#include <benchmark/benchmark.h>
#include <complex>
// liquid declares its complex type as std::complex if <complex> comes first.
#include <liquid/liquid.h>
#include <malloc.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

constexpr std::size_t kPayload = 1000;
constexpr int kFrames = 20;

void add_noise(std::vector<Sample>& samples, float deviation) {
    Rng rng(1);
    for (auto& s : samples) {
        s += deviation * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
    }
}

std::vector<Sample> our_frames(const char* mode) {
    Transmitter transmitter(*find_profile("1M"));
    std::vector<Sample> out;
    for (int i = 0; i < kFrames; ++i) {
        Bytes payload(kPayload, static_cast<std::uint8_t>(i));
        transmitter.modulate(*find_mode(mode), payload, out);
    }
    out.resize(out.size() + 2000);
    add_noise(out, kTransmitRms * 0.07F);
    return out;
}

void receive(benchmark::State& state, const char* mode) {
    const auto samples = our_frames(mode);
    Receiver::Config config;
    config.profile = find_profile("1M");
    Receiver receiver(config);
    std::uint64_t frames = 0;
    for (auto _ : state) {
        receiver.push(samples);
        while (const auto frame = receiver.poll_frame()) {
            frames += frame->ok() ? 1 : 0;
        }
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * samples.size()));
    state.counters["payload"] =
        benchmark::Counter(static_cast<double>(frames * kPayload * 8), benchmark::Counter::kIsRate);
    state.counters["lost"] = static_cast<double>(state.iterations() * kFrames - frames);
}
BENCHMARK_CAPTURE(receive, qpsk_1_2, "qpsk-1/2");
BENCHMARK_CAPTURE(receive, 16qam_1_2, "16qam-1/2");
BENCHMARK_CAPTURE(receive, 64qam_3_4, "64qam-3/4");

void idle_search(benchmark::State& state, bool all) {
    std::vector<Sample> samples(1 << 18);
    add_noise(samples, 0.1F);
    Receiver::Config config;
    config.profile = find_profile("1M");
    config.search_medium = all;
    config.search_long = all;
    Receiver receiver(config);
    for (auto _ : state) {
        receiver.push(samples);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * samples.size()));
}
BENCHMARK_CAPTURE(idle_search, short_only, false);
BENCHMARK_CAPTURE(idle_search, all_classes, true);

struct LiquidScheme {
    modulation_scheme modulation;
    fec_scheme inner;
};

int count_frame(unsigned char*, int, unsigned char*, unsigned, int payload_valid, framesyncstats_s, void* context) {
    *static_cast<std::uint64_t*>(context) += payload_valid != 0 ? 1 : 0;
    return 0;
}

ofdmflexframegenprops_s liquid_properties(LiquidScheme scheme) {
    ofdmflexframegenprops_s properties;
    ofdmflexframegenprops_init_default(&properties);
    properties.check = LIQUID_CRC_32;
    properties.fec0 = scheme.inner;
    properties.fec1 = LIQUID_FEC_NONE;
    properties.mod_scheme = static_cast<unsigned>(scheme.modulation);
    return properties;
}

void append_liquid_frame(ofdmflexframegen generator, std::vector<Sample>& out) {
    constexpr std::size_t kChunk = 1024;
    static const std::vector<unsigned char> payload(kPayload, 0x5A);
    const unsigned char header[8] = {};
    ofdmflexframegen_assemble(generator, header, payload.data(), kPayload);
    int last = 0;
    while (last == 0) {  // straight into `out`; what it writes behind the frame's end is counted for it
        const std::size_t at = out.size();
        out.resize(at + kChunk);
        last = ofdmflexframegen_write(generator, &out[at], kChunk);
    }
}

std::vector<Sample> liquid_frames(LiquidScheme scheme, int frames) {
    ofdmflexframegenprops_s properties = liquid_properties(scheme);
    ofdmflexframegen generator = ofdmflexframegen_create(64, 8, 4, nullptr, &properties);
    std::vector<Sample> out;
    for (int i = 0; i < frames; ++i) {
        append_liquid_frame(generator, out);
    }
    ofdmflexframegen_destroy(generator);
    return out;
}

void liquid_receive(benchmark::State& state, LiquidScheme scheme) {
    auto samples = liquid_frames(scheme, kFrames);
    double power = 0.0;
    for (const Sample s : samples) {
        power += static_cast<double>(std::norm(s));
    }
    add_noise(samples, static_cast<float>(0.07 * std::sqrt(power / static_cast<double>(samples.size()))));
    std::uint64_t frames = 0;
    ofdmflexframesync sync = ofdmflexframesync_create(64, 8, 4, nullptr, count_frame, &frames);
    for (auto _ : state) {
        ofdmflexframesync_execute(sync, samples.data(), static_cast<unsigned>(samples.size()));
    }
    ofdmflexframesync_destroy(sync);
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * samples.size()));
    state.counters["payload"] =
        benchmark::Counter(static_cast<double>(frames * kPayload * 8), benchmark::Counter::kIsRate);
    state.counters["lost"] = static_cast<double>(state.iterations() * kFrames - frames);
}
BENCHMARK_CAPTURE(liquid_receive, qpsk_golay_1_2, (LiquidScheme{LIQUID_MODEM_QPSK, LIQUID_FEC_GOLAY2412}));
BENCHMARK_CAPTURE(liquid_receive, 16qam_golay_1_2, (LiquidScheme{LIQUID_MODEM_QAM16, LIQUID_FEC_GOLAY2412}));
BENCHMARK_CAPTURE(liquid_receive, 64qam_hamming_2_3, (LiquidScheme{LIQUID_MODEM_QAM64, LIQUID_FEC_HAMMING128}));

void liquid_idle_search(benchmark::State& state) {
    std::vector<Sample> samples(1 << 18);
    add_noise(samples, 0.1F);
    std::uint64_t frames = 0;
    ofdmflexframesync sync = ofdmflexframesync_create(64, 8, 4, nullptr, count_frame, &frames);
    for (auto _ : state) {
        ofdmflexframesync_execute(sync, samples.data(), static_cast<unsigned>(samples.size()));
    }
    ofdmflexframesync_destroy(sync);
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * samples.size()));
}
BENCHMARK(liquid_idle_search);

void transmit(benchmark::State& state, const Profile& profile, const char* mode) {
    Transmitter transmitter(profile);
    std::vector<Sample> out;
    const Bytes payload(kPayload, 0x5A);
    std::size_t samples = 0;
    for (auto _ : state) {
        out.clear();
        transmitter.modulate(*find_mode(mode), payload, out);
        samples += out.size();
        benchmark::DoNotOptimize(out.data());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}

// With as many carriers as the profile's transform, a generator that is made once and memory that is there.
void liquid_transmit(benchmark::State& state, const Profile& profile, LiquidScheme scheme) {
    ofdmflexframegenprops_s properties = liquid_properties(scheme);
    const auto carriers = static_cast<unsigned>(profile.fft_size);
    ofdmflexframegen generator =
        ofdmflexframegen_create(carriers, static_cast<unsigned>(profile.cyclic_prefix), 0, nullptr, &properties);
    std::vector<Sample> out;
    std::size_t samples = 0;
    for (auto _ : state) {
        out.clear();
        append_liquid_frame(generator, out);
        samples += out.size();
        benchmark::DoNotOptimize(out.data());
    }
    ofdmflexframegen_destroy(generator);
    state.SetItemsProcessed(static_cast<std::int64_t>(samples));
}

struct Pair {
    const char* mode;
    LiquidScheme scheme;
};
constexpr Pair kTransmitted[] = {{"qpsk-1/2", {LIQUID_MODEM_QPSK, LIQUID_FEC_GOLAY2412}},
                                 {"qpsk-3/4", {LIQUID_MODEM_QPSK, LIQUID_FEC_HAMMING128}},
                                 {"16qam-1/2", {LIQUID_MODEM_QAM16, LIQUID_FEC_GOLAY2412}},
                                 {"64qam-3/4", {LIQUID_MODEM_QAM64, LIQUID_FEC_HAMMING128}},
                                 {"256qam-5/6", {LIQUID_MODEM_QAM256, LIQUID_FEC_HAMMING128}}};

std::string transmit_row(const Profile& profile, const char* mode) {
    return std::string(profile.name) + "/" + mode;
}

void register_transmit() {
    for (const Profile& profile : profiles()) {
        for (const Pair& pair : kTransmitted) {
            const std::string row = transmit_row(profile, pair.mode);
            benchmark::RegisterBenchmark(("transmit/" + row).c_str(),
                                         [&](auto& state) { transmit(state, profile, pair.mode); });
            benchmark::RegisterBenchmark(("liquid_transmit/" + row).c_str(),
                                         [&](auto& state) { liquid_transmit(state, profile, pair.scheme); });
        }
    }
}

class Ratios : public benchmark::ConsoleReporter {
public:
    void ReportRuns(const std::vector<Run>& runs) override {
        ConsoleReporter::ReportRuns(runs);
        for (const auto& run : runs) {
            const auto it = run.counters.find("items_per_second");
            if (it != run.counters.end()) {
                rate_[run.benchmark_name()] = it->second.value;
            }
        }
    }
    void print() const {
        std::printf("\nsamples per second on one core, ours over liquid-dsp's ofdmflexframe:\n");
        for (const auto& [what, ours, theirs] :
             {std::tuple{"receive QPSK 1/2", "receive/qpsk_1_2", "liquid_receive/qpsk_golay_1_2"},
              std::tuple{"receive 16QAM 1/2", "receive/16qam_1_2", "liquid_receive/16qam_golay_1_2"},
              std::tuple{"receive 64QAM", "receive/64qam_3_4", "liquid_receive/64qam_hamming_2_3"},
              std::tuple{"search, shortest preamble", "idle_search/short_only", "liquid_idle_search"}}) {
            print(what, ours, theirs);
        }
        for (const Profile& profile : profiles()) {
            for (const Pair& pair : kTransmitted) {
                const std::string row = transmit_row(profile, pair.mode);
                print("transmit " + row, "transmit/" + row, "liquid_transmit/" + row);
            }
        }
    }

private:
    void print(const std::string& what, const std::string& ours, const std::string& theirs) const {
        const auto a = rate_.find(ours);
        const auto b = rate_.find(theirs);
        if (a != rate_.end() && b != rate_.end()) {
            std::printf("  %-28s %6.1f / %6.1f Msample/s = %.2f\n", what.c_str(), a->second / 1e6, b->second / 1e6,
                        a->second / b->second);
        }
    }

    std::map<std::string, double> rate_;
};

}  // namespace

int main(int argc, char** argv) {
    // glibc otherwise gives the memory of liquid's growing output back to the system and takes it again, or not, as the
    // heap happens to lie: its speed then halves with what ran before.
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 2;
    }
    register_transmit();
    Ratios reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    reporter.print();
    return 0;
}
