// SPDX-License-Identifier: MIT
// What a program outside the tree does with the libraries: a frame to samples and back.
#include <cstdio>
#include <vector>

#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

int main() {
    using namespace meshnet;
    const auto profile = phy::parse_profile("1M");
    const auto mode = phy::parse_mode("16qam-1/2");
    if (!profile || !mode || phy::parse_mode("no such mode").error().code != ErrorCode::kInvalidArgument) {
        return 1;
    }
    const Bytes payload(500, 0x2a);
    std::vector<phy::Sample> samples(1'000);  // silence, the frame, silence
    phy::Transmitter(**profile).modulate(*mode, payload, samples);
    samples.resize(samples.size() + 10'000);

    phy::Receiver::Config config;
    config.profile = *profile;
    phy::Receiver receiver(config);
    receiver.push(samples);
    receiver.flush();
    const auto frame = receiver.poll_frame();
    if (!frame || !frame->ok() || frame->payload != payload) {
        std::fprintf(stderr, "the frame did not come back\n");
        return 1;
    }
    std::printf("500 bytes came back at %.1f dB\n", static_cast<double>(frame->snr_db));
    return 0;
}
