// SPDX-License-Identifier: MIT
// One hot path, once, over a signal that is always the same: for counting its instructions.
//
//     hot_paths receive 20M qpsk-1/2 1400 [CHANNEL] | hot_paths noise 20M | hot_paths transmit 20M qpsk-1/2 1400
//
// Prints how many samples went through hot_path_receive() or hot_path_transmit(), the two functions whose instructions
// tests/phy/instruction_counts.py counts under callgrind.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/realtime_signal.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

using namespace meshnet;

namespace {

constexpr std::size_t kNoise = 200'000;

}  // namespace

extern "C" {

__attribute__((noinline)) void hot_path_receive(phy::Receiver* receiver, const std::vector<phy::Sample>* samples) {
    receiver->push(*samples);
}

__attribute__((noinline)) void hot_path_transmit(phy::Transmitter* transmitter, phy::ModeIndex mode,
                                                 const Bytes* payload, std::vector<phy::Sample>* out) {
    transmitter->modulate(mode, *payload, *out);
}
}

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const phy::Profile* profile = arguments.size() >= 2 ? phy::find_profile(arguments[1]) : nullptr;
    const auto found = arguments.size() >= 4 ? phy::find_mode(arguments[2]) : std::nullopt;
    const phy::ModeIndex mode = found.value_or(0);
    if (profile == nullptr || (arguments[0] != "noise" && !found)) {
        std::fputs(
            "usage: hot_paths receive PROFILE MODE BYTES [CHANNEL], transmit PROFILE MODE BYTES, or hot_paths noise "
            "PROFILE\n",
            stderr);
        return 2;
    }
    std::vector<phy::Sample> samples;
    if (arguments[0] == "transmit") {
        phy::Transmitter transmitter(*profile);
        const Bytes payload(std::strtoul(arguments[3].c_str(), nullptr, 10), 0x5A);
        samples.reserve(transmitter.frame_samples(mode, payload.size()));
        hot_path_transmit(&transmitter, mode, &payload, &samples);
    } else {
        if (arguments[0] == "noise") {
            bench::make_channel({profile, "", 0, "awgn"}, 0.0).process(std::vector<phy::Sample>(kNoise), samples);
        } else {
            const std::string channel = arguments.size() > 4 ? arguments[4] : "awgn";
            samples =
                bench::make_signal({profile, arguments[2], std::strtoul(arguments[3].c_str(), nullptr, 10), channel})
                    .samples;
        }
        phy::Receiver::Config config;
        config.profile = profile;
        phy::Receiver receiver(config);
        hot_path_receive(&receiver, &samples);
    }
    std::printf("%zu\n", samples.size());
    return 0;
}
