// SPDX-License-Identifier: MIT
// Where two frames on top of each other are both received: Monte Carlo over how far apart they are and how strong the
// weaker one is. JSON on standard output; lab/report/plot_sic_region.py draws it.
//
//     sic_region [mode [bytes [trials [seed]]]] > region.json
//
// Both frames have the same mode and length and lie within 300 to 2000 samples of each other, either first; carriers
// are up to 10 kHz off, phases random. The same arguments print the same text.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

struct Setting {
    const Profile* profile = find_profile("1M");
    ModeIndex mode = 0;
    std::size_t bytes = 1000;
    unsigned trials = 20;
    std::uint64_t seed = 1;
};

struct Arrived {
    unsigned both = 0, stronger = 0, weaker = 0, wrong = 0;
};

Bytes random_payload(Rng& rng, std::size_t bytes) {
    Bytes out(bytes);
    rng.fill(out);
    return out;
}

void add_frame(const Setting& s, Transmitter& transmitter, Rng& rng, const Bytes& payload, double power,
               std::size_t start, std::vector<Sample>& air) {
    std::vector<Sample> frame;
    transmitter.modulate(s.mode, payload, frame, 0, {(rng.uniform() - 0.5) * 20e3, 0.0});
    const Sample gain = std::polar(static_cast<float>(std::sqrt(power)) / kTransmitRms,
                                   static_cast<float>(6.283185307179586 * rng.uniform()));
    air.resize(std::max(air.size(), start + frame.size() + 4000));
    for (std::size_t i = 0; i < frame.size(); ++i) {
        air[start + i] += gain * frame[i];
    }
}

Arrived measure(const Setting& s, double apart_db, double weaker_snr_db, bool cancel) {
    constexpr double kNoise = 1e-4;  // per sample
    const double occupied = s.profile->occupied_bandwidth_hz() / s.profile->sample_rate_hz;
    const double weaker = kNoise * occupied * std::pow(10.0, weaker_snr_db / 10.0);
    const double stronger = weaker * std::pow(10.0, apart_db / 10.0);
    const auto deviation = static_cast<float>(std::sqrt(kNoise / 2.0));
    Rng rng(s.seed);  // the same payloads, places and noise at every point
    Transmitter transmitter(*s.profile);
    Arrived out;
    for (unsigned t = 0; t < s.trials; ++t) {
        const Bytes loud = random_payload(rng, s.bytes);
        const Bytes faint = random_payload(rng, s.bytes);
        const std::size_t later = 300 + rng.below(1700);
        const bool loud_first = rng.below(2) == 0;
        std::vector<Sample> air;
        add_frame(s, transmitter, rng, loud, stronger, 4000 + (loud_first ? 0 : later), air);
        add_frame(s, transmitter, rng, faint, weaker, 4000 + (loud_first ? later : 0), air);
        for (auto& v : air) {
            v += deviation * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        }
        Receiver::Config config;
        config.profile = s.profile;
        config.search_long = false;
        config.cancel_interference = cancel;
        Receiver receiver(config);
        receiver.push(air);
        receiver.flush();
        bool got_loud = false;
        bool got_faint = false;
        while (const auto frame = receiver.poll_frame()) {
            if (frame->ok()) {
                got_loud = got_loud || frame->payload == loud;
                got_faint = got_faint || frame->payload == faint;
                out.wrong += frame->payload != loud && frame->payload != faint ? 1 : 0;
            }
        }
        out.stronger += got_loud ? 1 : 0;
        out.weaker += got_faint ? 1 : 0;
        out.both += got_loud && got_faint ? 1 : 0;
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    Setting s;
    const std::string name = argc > 1 ? argv[1] : "qpsk-1/2";
    const auto mode = find_mode(name);
    const auto number = [&](int i, unsigned long long otherwise) {
        return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
    };
    s.bytes = number(2, s.bytes);
    s.trials = static_cast<unsigned>(number(3, s.trials));
    s.seed = number(4, s.seed);
    if (!mode || s.bytes < 1 || s.bytes > kMaxPayloadBytes || s.trials < 1 || argc > 5) {
        std::fprintf(stderr, "usage: sic_region [mode [bytes 1..24576 [trials [seed]]]] > region.json\n");
        return 2;
    }
    s.mode = *mode;
    std::printf(
        "{\"profile\": \"1M\", \"mode\": \"%s\", \"bits_per_point\": %.6f, \"bytes\": %zu, \"trials\": %u, "
        "\"seed\": %llu,\n \"points\": [",
        name.c_str(), modes()[s.mode].efficiency(), s.bytes, s.trials, static_cast<unsigned long long>(s.seed));
    const int lowest = static_cast<int>(std::floor(modes()[s.mode].required_snr_db)) - 2;
    const char* separator = "\n";
    for (int apart = 0; apart <= 20; ++apart) {
        for (int snr = lowest; snr <= lowest + 14; ++snr) {
            const Arrived with = measure(s, apart, snr, true);
            const Arrived without = measure(s, apart, snr, false);
            std::printf(
                "%s  {\"apart_db\": %d, \"weaker_snr_db\": %d, \"both\": %u, \"stronger\": %u, \"weaker\": %u, "
                "\"wrong\": %u, \"both_without\": %u}",
                separator, apart, snr, with.both, with.stronger, with.weaker, with.wrong, without.both);
            separator = ",\n";
            std::fflush(stdout);
        }
    }
    std::printf("\n]}\n");
    return 0;
}
