// SPDX-License-Identifier: MIT
// Fault: zeros in the place of lost samples, or of what a station does not hear while it sends, pulled the noise floor
// of carrier sense down where they met noise; the channel then counted as busy for up to 2^20 samples, and the station
// held back for a second.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

std::vector<Sample> noise(Rng& rng, std::size_t n, double rms) {
    std::vector<Sample> out(n);
    for (Sample& x : out) {
        x = static_cast<float>(rms * std::sqrt(0.5)) *
            Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
    }
    return out;
}

Receiver make_receiver() {
    Receiver::Config config;
    config.profile = find_profile("1M");
    return Receiver(config);
}

TEST(Regressions, ZerosForLostSamplesHoldTheChannelBusy) {
    Rng rng(31);
    Receiver receiver = make_receiver();
    receiver.push(noise(rng, 300'000, 0.01));
    int busy = 0, looks = 0;
    for (int gap = 0; gap < 200; ++gap) {
        receiver.push(noise(rng, 1 + rng.below(8'000), 0.01));
        receiver.push(std::vector<Sample>(1 + rng.below(4'000)));
        receiver.push(noise(rng, 3'000, 0.01));
        ++looks;
        busy += receiver.carrier_busy() ? 1 : 0;
    }
    EXPECT_EQ(busy, 0) << "of " << looks;
}

// A converter whose least step is above the noise gives zeros too; those are the channel's own.
TEST(Regressions, ZerosOfACoarseConverterAreNotTakenForLostSamples) {
    constexpr double kStep = 1.0 / 128.0;
    Rng rng(32);
    const auto convert = [&](std::vector<Sample> samples) {
        for (Sample& x : samples) {
            x = Sample(static_cast<float>(kStep * std::round(static_cast<double>(x.real()) / kStep)),
                       static_cast<float>(kStep * std::round(static_cast<double>(x.imag()) / kStep)));
        }
        return samples;
    };
    Receiver receiver = make_receiver();
    receiver.push(convert(noise(rng, 300'000, 0.6 * kStep)));
    std::vector<Sample> burst;
    Transmitter(*find_profile("1M")).modulate(*find_mode("qpsk-1/2"), Bytes(2'000, 0x5a), burst);
    ASSERT_FALSE(receiver.carrier_busy());
    receiver.push(convert(std::vector<Sample>(burst.begin(), burst.begin() + 6'000)));
    EXPECT_TRUE(receiver.carrier_busy());
}

}  // namespace
}  // namespace meshnet::phy
