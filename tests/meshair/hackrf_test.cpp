// SPDX-License-Identifier: MIT
// The virtual radio of model=hackrf: transfers, the switch between receiving and transmitting, eight bits.
#include <gtest/gtest.h>

#include "tests/meshair/test_radio.hpp"

namespace meshnet::test {
namespace {

constexpr std::size_t kTransfer = 131'072;

sim::Air::Config two_stations() {
    sim::Air::Config config;
    config.sample_rate_hz = 2e6;
    config.stations.resize(2);
    config.stations[0].name = "alpha";
    config.stations[0].clock_ppm = 20.0;
    config.stations[1].name = "bravo";
    config.stations[1].x_m = 3000.0;
    return config;
}

/// A HackRF and a USRP that hears it.
struct Pair {
    explicit Pair(const std::map<std::string, std::string>& more = {})
        : air(two_stations()), a(air, 0, "alpha", "hackrf", more), b(air, 1, "bravo", "usrp") {
        a.device->setGain(SOAPY_SDR_RX, 0, 40.0);
        a.device->setGain(SOAPY_SDR_TX, 0, 61.0);
        b.device->setGain(SOAPY_SDR_RX, 0, 40.0);
        b.device->setGain(SOAPY_SDR_TX, 0, 89.75);
        b.device->setSampleRate(SOAPY_SDR_RX, 0, 2e6);
        b.device->setSampleRate(SOAPY_SDR_TX, 0, 2e6);
        advance(5);
    }
    /// Millisecond by millisecond: what the radios do at their time reaches the air before it moves on.
    void advance(int ms) {
        for (; ms > 0; --ms) {
            air.advance(1);
            a.settle();
            b.settle();
        }
    }
    SteppedAir air;
    TestRadio a, b;
};

TEST(MeshairHackrf, AShortBurstWaitsUntilItsTransferIsFull) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
    ASSERT_EQ(pair.a.send(tone(1000), 10'000'000), 0);  // its time and its end are ignored
    pair.advance(200);
    EXPECT_EQ(pair.air.bursts(0), 0U);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    ASSERT_EQ(pair.a.send(std::vector<Sample>(kTransfer - 1000), std::nullopt), 0);
    pair.advance(200);
    EXPECT_GE(pair.air.bursts(0), 1U);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_UNDERFLOW);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    // The next burst has its own.
    ASSERT_EQ(pair.a.send(tone(2 * kTransfer), std::nullopt), 0);
    pair.advance(300);
    const TestRadio::Status status = pair.a.status();
    EXPECT_EQ(status.code, SOAPY_SDR_UNDERFLOW);
    EXPECT_EQ(status.flags, 0);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
}

TEST(MeshairHackrf, TransfersInARowLeaveWithoutAGap) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
    ASSERT_EQ(pair.a.send(tone(3 * kTransfer), std::nullopt), 0);
    std::vector<Sample> heard;
    for (int turn = 0; turn < 6; ++turn) {
        pair.advance(50);
        const auto more = pair.b.read_all().samples;
        heard.insert(heard.end(), more.begin(), more.end());
    }
    std::size_t loud = 0;
    for (std::size_t at = 0; at + 64 <= heard.size(); at += 64) {
        loud += power_db({heard.begin() + static_cast<std::ptrdiff_t>(at),
                          heard.begin() + static_cast<std::ptrdiff_t>(at + 64)}) > -25.0
                    ? 64U
                    : 0U;
    }
    EXPECT_NEAR(static_cast<double>(loud), 3.0 * kTransfer, 200.0);
}

TEST(MeshairHackrf, ReceptionComesInTransfersWithoutTime) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.rx), 0);
    pair.advance(60);
    EXPECT_EQ(pair.a.read(1000).status, SOAPY_SDR_TIMEOUT);  // 120 000 samples: no full transfer
    pair.advance(10);
    const TestRadio::Read heard = pair.a.read_all();
    EXPECT_EQ(heard.samples.size(), kTransfer);
    EXPECT_EQ(heard.flags & SOAPY_SDR_HAS_TIME, 0);
    EXPECT_FALSE(pair.a.device->hasHardwareTime());
}

TEST(MeshairHackrf, SwitchingLosesSamplesWithoutAWord) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.rx), 0);
    pair.advance(100);
    (void)pair.a.read_all();
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
    ASSERT_EQ(pair.a.send(tone(kTransfer), std::nullopt), 0);
    pair.advance(129);
    const std::vector<Sample> sent = pair.b.read_all().samples;
    const auto loud = std::find_if(sent.begin(), sent.end(), [](const Sample& s) { return std::abs(s) > 0.15F; });
    const auto switch_ms = static_cast<double>(loud - sent.begin()) / 2000.0;
    EXPECT_GT(switch_ms, 10.0);
    EXPECT_LT(switch_ms, 34.0);
    EXPECT_EQ(pair.a.read(1000).status, SOAPY_SDR_TIMEOUT);  // this read throws the switch
    pair.advance(74);                                        // 10 ms of switching and 65.5 ms of a transfer at least
    EXPECT_EQ(pair.a.read(1000).status, SOAPY_SDR_TIMEOUT);
    pair.advance(26);  // 33 ms at most
    const TestRadio::Read heard = pair.a.read_all();
    EXPECT_EQ(heard.samples.size(), kTransfer);
    EXPECT_EQ(pair.a.last.status, SOAPY_SDR_TIMEOUT);
    EXPECT_EQ(heard.flags, 0);
}

// What is heard of `pair.a`, and when: samples of 2 Msample/s from now on.
struct Heard {
    std::size_t first = 0, loud = 0;
};
Heard listen(Pair& pair, int ms) {
    std::vector<Sample> heard;
    for (; ms > 0; ms -= 50) {
        pair.advance(50);
        const auto more = pair.b.read_all().samples;
        heard.insert(heard.end(), more.begin(), more.end());
    }
    Heard out;
    for (std::size_t at = 0; at + 64 <= heard.size(); at += 64) {
        const auto from = heard.begin() + static_cast<std::ptrdiff_t>(at);
        if (power_db({from, from + 64}) > -25.0) {
            out.first = out.loud == 0 ? at : out.first;
            out.loud += 64;
        }
    }
    return out;
}

TEST(MeshairHackrf, TransfersInFlightAreZerosFirstAndLostAtTheEnd) {
    const std::map<std::string, std::string> four{{"in_flight", "4"}};
    Pair pair(four);
    EXPECT_EQ(pair.a.device->readSetting("in_flight"), "4");
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_UNDERFLOW);  // the first transfers were taken before any was written
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    ASSERT_EQ(pair.a.send(tone(2 * kTransfer), std::nullopt), 0);
    const Heard heard = listen(pair, 500);
    EXPECT_NEAR(static_cast<double>(heard.first), 4.0 * kTransfer, 0.03 * 2e6);
    EXPECT_NEAR(static_cast<double>(heard.loud), 2.0 * kTransfer, 200.0);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_UNDERFLOW);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    // Two transfers are taken into flight, and the stream is stopped before they are on the air.
    ASSERT_EQ(pair.a.send(tone(2 * kTransfer), std::nullopt), 0);
    pair.advance(140);
    (void)pair.b.read_all();
    ASSERT_EQ(pair.a.device->deactivateStream(pair.a.tx), 0);
    EXPECT_EQ(listen(pair, 500).loud, 0U);
}

TEST(MeshairHackrf, ANumberOfTransfersInFlightThatCannotBeIsRefused) {
    for (const char* number : {"9", "-1", "four", "4.5"}) {
        const auto wrong = meshair::DeviceArguments::parse({{"air", "a"}, {"station", "s"}, {"in_flight", number}});
        ASSERT_FALSE(wrong.ok()) << number;
        EXPECT_EQ(wrong.error().message,
                  std::string("meshair: in_flight must be a whole number from 0 to 8, not '") + number + "'");
    }
}

TEST(MeshairHackrf, AReaderThatDoesNotReadLosesTheOldest) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.rx), 0);
    pair.advance(1200);  // 18 transfers; 15 are kept
    const TestRadio::Read first = pair.a.read(1000);
    EXPECT_EQ(first.status, SOAPY_SDR_OVERFLOW);
    EXPECT_EQ(pair.a.read_all().samples.size(), 15 * kTransfer);
}

TEST(MeshairHackrf, EightBitsAndASpikeAtZero) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.rx), 0);
    ASSERT_EQ(pair.b.send(tone(100'000), pair.b.device->getHardwareTime() + 20'000'000), 0);
    pair.advance(100);
    const TestRadio::Read heard = pair.a.read_all();
    ASSERT_EQ(heard.samples.size(), kTransfer);
    std::complex<double> mean{};
    for (const Sample& s : heard.samples) {
        mean += std::complex<double>(s);
        EXPECT_EQ(s.real() * 128.0F, std::nearbyint(s.real() * 128.0F));
    }
    mean /= static_cast<double>(heard.samples.size());
    EXPECT_NEAR(mean.real(), 0.02, 0.004);
    EXPECT_NEAR(mean.imag(), -0.01, 0.004);
    // The image of the tone, 1/64 of the rate below zero, is 25 to 40 dB down.
    std::complex<double> wanted{};
    std::complex<double> image{};
    const double turn = 2.0 * 3.14159265358979 * (1.0 - 20e-6 * 868e6 / 31'250.0) / 64.0;
    for (std::size_t i = 60'000; i < 100'000; ++i) {
        const std::complex<double> x(heard.samples[i]);
        wanted += (x - mean) * std::polar(1.0, -turn * static_cast<double>(i));
        image += (x - mean) * std::polar(1.0, turn * static_cast<double>(i));
    }
    const double rejection_db = 20.0 * std::log10(std::abs(wanted) / std::abs(image));
    EXPECT_GT(rejection_db, 25.0);
    EXPECT_LT(rejection_db, 40.0);
}

TEST(MeshairHackrf, SettingsAreThoseOfTheDevice) {
    Pair pair;
    SoapySDR::Device& device = *pair.a.device;
    try {
        device.setSampleRate(SOAPY_SDR_RX, 0, 1e6);
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "meshair: sample rate 1000000 samples/s is not within 2000000..20000000 samples/s");
    }
    device.setGain(SOAPY_SDR_RX, 0, "LNA", 23.0);
    EXPECT_EQ(device.getGain(SOAPY_SDR_RX, 0, "LNA"), 16.0);
    device.setGain(SOAPY_SDR_RX, 0, "VGA", 63.0);
    EXPECT_EQ(device.getGain(SOAPY_SDR_RX, 0, "VGA"), 62.0);
    device.setGain(SOAPY_SDR_TX, 0, "AMP", 10.0);
    EXPECT_EQ(device.getGain(SOAPY_SDR_TX, 0, "AMP"), 0.0);
    device.setSampleRate(SOAPY_SDR_RX, 0, 8e6);
    EXPECT_EQ(device.getBandwidth(SOAPY_SDR_RX, 0), 6e6);
    device.setBandwidth(SOAPY_SDR_RX, 0, 3e6);
    EXPECT_EQ(device.getBandwidth(SOAPY_SDR_RX, 0), 3.5e6);
    EXPECT_FALSE(device.getFullDuplex(SOAPY_SDR_RX, 0));
    EXPECT_EQ(device.getStreamMTU(pair.a.rx), kTransfer);
    EXPECT_TRUE(device.listSensors().empty());
}

TEST(MeshairHackrf, AfterUnpluggingStreamsFail) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.rx), 0);
    pair.a.device->writeSetting("unplug", "true");
    EXPECT_EQ(pair.a.read(1000, 1'000'000).status, SOAPY_SDR_STREAM_ERROR);
    EXPECT_EQ(pair.a.send(tone(100), std::nullopt), -1);
    EXPECT_THROW(pair.a.device->setGain(SOAPY_SDR_RX, 0, 10.0), std::runtime_error);
}

}  // namespace
}  // namespace meshnet::test
