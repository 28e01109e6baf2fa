// SPDX-License-Identifier: MIT
// The virtual radio of model=usrp: times to the sample, frequency, gain, late bursts, underflows, overruns.
#include <gtest/gtest.h>

#include "tests/meshair/test_radio.hpp"

namespace meshnet::test {
namespace {

constexpr double kMicrosecondM = 299.792458;

sim::Air::Config two_stations() {
    sim::Air::Config config;
    config.stations.resize(2);
    config.stations[0].name = "alpha";
    config.stations[1].name = "bravo";
    config.stations[1].x_m = 10.0 * kMicrosecondM;
    return config;
}

/// Both radios of an air, with times that count from one instant.
struct Pair {
    explicit Pair(sim::Air::Config config = two_stations(), double rate_hz = 1e6)
        : air(std::move(config)), a(air, 0, "alpha", "usrp"), b(air, 1, "bravo", "usrp") {
        for (TestRadio* radio : {&a, &b}) {
            for (const int direction : {SOAPY_SDR_RX, SOAPY_SDR_TX}) {
                radio->device->setSampleRate(direction, 0, rate_hz);
                radio->device->setFrequency(direction, 0, 868e6);
            }
            radio->device->setGain(SOAPY_SDR_RX, 0, 40.0);
            radio->device->setGain(SOAPY_SDR_TX, 0, 89.75);
        }
        advance(5);
        a.device->setHardwareTime(0, "");
        b.device->setHardwareTime(0, "");
    }
    void advance(int ms) {
        air.advance(ms);
        a.settle();
        b.settle();
    }
    SteppedAir air;
    TestRadio a, b;
};

TEST(MeshairUsrp, ATimedBurstArrivesAtItsTime) {
    for (const double rate : {1e6, 4e6, 2.4e6, 0.5e6}) {
        Pair pair(two_stations(), rate);
        ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
        ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
        // Twice the air's samples at a rate above it: the band of what is sent must fit the air.
        const std::size_t repeat = rate > 1e6 ? 8 : 2;
        std::vector<Sample> sent;
        for (const Sample& s : random_samples(400, 7)) {
            sent.insert(sent.end(), repeat, s);
        }
        const long long at_ns = 40'000'000;
        ASSERT_EQ(pair.a.send(sent, at_ns, 300), 0);
        pair.advance(60);
        const TestRadio::Read heard = pair.b.read_all();
        const auto [place, likeness] = find(sent, heard.samples);
        EXPECT_GT(likeness, 0.9) << rate;
        const double arrival_ns = static_cast<double>(heard.time_ns) + static_cast<double>(place) * 1e9 / rate;
        EXPECT_NEAR(arrival_ns, static_cast<double>(at_ns) + 10'000.0, 0.51e9 / rate) << rate;
        const TestRadio::Status status = pair.a.status();
        EXPECT_EQ(status.code, 0);
        EXPECT_NE(status.flags & SOAPY_SDR_END_BURST, 0);
        EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    }
}

}  // namespace
}  // namespace meshnet::test
