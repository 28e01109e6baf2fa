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
        const auto about = static_cast<double>(at_ns - heard.time_ns) * rate * 1e-9;
        const auto [place, likeness] = find(sent, heard.samples, static_cast<std::size_t>(about));
        EXPECT_GT(likeness, 0.9) << rate;
        const double arrival_ns = static_cast<double>(heard.time_ns) + static_cast<double>(place) * 1e9 / rate;
        EXPECT_NEAR(arrival_ns, static_cast<double>(at_ns) + 10'000.0, 0.51e9 / rate) << rate;
        const TestRadio::Status status = pair.a.status();
        EXPECT_EQ(status.code, 0);
        EXPECT_NE(status.flags & SOAPY_SDR_END_BURST, 0);
        EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    }
}

TEST(MeshairUsrp, AnUntimedBurstGoesOutAsSoonAsPossible) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.send(tone(5000), std::nullopt, 1000), 0);
    pair.advance(60);
    const TestRadio::Read heard = pair.b.read_all();
    EXPECT_GT(power_db(between(heard, 1e6, 0, 40e6)), power_db(between(heard, 1e6, 50e6, 60e6)) + 10.0);
    EXPECT_NE(pair.a.status().flags & SOAPY_SDR_END_BURST, 0);
}

TEST(MeshairUsrp, AStationOffFrequencyHearsNothing) {
    Pair pair;
    for (const double frequency : {863e6, 866.9e6, 869.1e6, 873e6}) {
        const long long now = pair.a.device->getHardwareTime();
        pair.b.device->setFrequency(SOAPY_SDR_RX, 0, frequency);
        ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
        ASSERT_EQ(pair.a.send(tone(20'000), now + 40'000'000), 0);
        pair.advance(80);
        const TestRadio::Read heard = pair.b.read_all();
        const auto from = static_cast<double>(now);
        const double quiet = power_db(between(heard, 1e6, from + 10e6, from + 38e6));
        EXPECT_LT(power_db(between(heard, 1e6, from + 41e6, from + 59e6)), quiet + 0.5) << frequency;
        EXPECT_NEAR(quiet, -33.0, 1.5) << frequency;  // the receiver's own noise does not depend on where it is tuned
        ASSERT_EQ(pair.b.device->deactivateStream(pair.b.rx), 0);
    }
}

TEST(MeshairUsrp, ATransmitterOffFrequencyIsNotHeard) {
    Pair pair;
    pair.a.device->setFrequency(SOAPY_SDR_TX, 0, 870e6);
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.send(tone(20'000), 40'000'000), 0);
    pair.advance(80);
    const TestRadio::Read heard = pair.b.read_all();
    EXPECT_LT(power_db(between(heard, 1e6, 41e6, 59e6)), power_db(between(heard, 1e6, 10e6, 38e6)) + 0.5);
}

TEST(MeshairUsrp, FrequencyOffsetsAddUp) {
    Pair pair;
    pair.a.device->setFrequency(SOAPY_SDR_TX, 0, 868.1e6);
    pair.b.device->setFrequency(SOAPY_SDR_RX, 0, 867.95e6);
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    ASSERT_EQ(pair.a.send(std::vector<Sample>(20'000, Sample{0.25F}), 40'000'000), 0);
    pair.advance(80);
    const auto heard = between(pair.b.read_all(), 1e6, 41e6, 59e6);
    std::complex<double> turn{};
    for (std::size_t i = 1; i < heard.size(); ++i) {
        turn += std::complex<double>(heard[i]) * std::conj(std::complex<double>(heard[i - 1]));
    }
    EXPECT_NEAR(std::arg(turn) / (2.0 * 3.14159265358979) * 1e6, 150e3, 300.0);
}

TEST(MeshairUsrp, GainsAreHonoured) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    std::vector<double> heard_db;
    for (const auto& [transmit_db, receive_db] : {std::pair{89.75, 40.0}, {83.75, 40.0}, {89.75, 30.0}}) {
        pair.a.device->setGain(SOAPY_SDR_TX, 0, transmit_db);
        pair.b.device->setGain(SOAPY_SDR_RX, 0, receive_db);
        const long long now = pair.a.device->getHardwareTime();
        ASSERT_EQ(pair.a.send(tone(20'000), now + 40'000'000), 0);
        pair.advance(80);
        const auto from = static_cast<double>(now);
        heard_db.push_back(power_db(between(pair.b.read_all(), 1e6, from + 41e6, from + 59e6)));
    }
    EXPECT_NEAR(heard_db[0] - heard_db[1], 6.0, 0.2);
    EXPECT_NEAR(heard_db[0] - heard_db[2], 10.0, 0.2);
}

TEST(MeshairUsrp, ALateBurstIsDroppedWholeAndReportedOnce) {
    Pair pair;
    pair.advance(50);
    ASSERT_EQ(pair.a.send(tone(30'000), 20'000'000, 500), 0);
    pair.advance(100);
    const TestRadio::Status status = pair.a.status();
    EXPECT_EQ(status.code, SOAPY_SDR_TIME_ERROR);
    EXPECT_NE(status.flags & SOAPY_SDR_HAS_TIME, 0);
    EXPECT_EQ(status.time_ns, 20'000'000);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    EXPECT_EQ(pair.air.bursts(0), 0U);
    ASSERT_EQ(pair.a.send(tone(1000), pair.a.device->getHardwareTime() + 30'000'000), 0);
    pair.advance(60);
    EXPECT_EQ(pair.air.bursts(0), 1U);
    EXPECT_NE(pair.a.status().flags & SOAPY_SDR_END_BURST, 0);
}

TEST(MeshairUsrp, AGapInABurstIsAnUnderflow) {
    Pair pair;
    ASSERT_EQ(pair.a.send(tone(5000), 30'000'000, 5000, false), 0);
    pair.advance(100);
    TestRadio::Status status = pair.a.status();
    EXPECT_EQ(status.code, SOAPY_SDR_UNDERFLOW);
    EXPECT_EQ(status.time_ns, 35'000'000);
    ASSERT_EQ(pair.a.send(tone(5000), std::nullopt), 0);
    pair.advance(100);
    status = pair.a.status();
    EXPECT_EQ(status.code, 0);
    EXPECT_NE(status.flags & SOAPY_SDR_END_BURST, 0);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
    EXPECT_GE(pair.air.bursts(0), 2U);
}

TEST(MeshairUsrp, AnEmptyWriteAndStoppingEndABurst) {
    Pair pair;
    ASSERT_EQ(pair.a.device->activateStream(pair.a.tx), 0);
    ASSERT_EQ(pair.a.send(tone(1000), 30'000'000, 1000, false), 0);
    int flags = SOAPY_SDR_END_BURST;
    const void* const buffers[] = {nullptr};
    EXPECT_EQ(pair.a.device->writeStream(pair.a.tx, buffers, 0, flags, 0, 0), 0);
    ASSERT_EQ(pair.a.send(tone(1000), 40'000'000, 1000, false), 0);
    ASSERT_EQ(pair.a.device->deactivateStream(pair.a.tx), 0);
    pair.advance(60);
    for (const long long end_ns : {31'000'000, 41'000'000}) {
        const TestRadio::Status status = pair.a.status();
        EXPECT_EQ(status.code, 0);
        EXPECT_NE(status.flags & SOAPY_SDR_END_BURST, 0);
        EXPECT_EQ(status.time_ns, end_ns);
    }
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_TIMEOUT);
}

TEST(MeshairUsrp, WritesWaitForTheDeviceToSend) {
    Pair pair;
    ASSERT_EQ(pair.a.send(tone(300'000), 30'000'000), -1);  // more than the device's buffer
    pair.advance(400);
    EXPECT_EQ(pair.a.status().code, SOAPY_SDR_UNDERFLOW);
}

TEST(MeshairUsrp, AnOverrunIsAJumpOfTheTimeStamp) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    pair.advance(600);
    const TestRadio::Read before = pair.b.read_all();
    EXPECT_EQ(pair.b.last.status, SOAPY_SDR_TIMEOUT);
    pair.advance(10);
    EXPECT_EQ(pair.b.read(1000).status, SOAPY_SDR_OVERFLOW);
    const TestRadio::Read after = pair.b.read_all();
    const long long end_ns = before.time_ns + static_cast<long long>(before.samples.size()) * 1000;
    EXPECT_GT(after.time_ns, end_ns + 100'000'000);
    EXPECT_EQ(after.time_ns + static_cast<long long>(after.samples.size()) * 1000, pair.b.device->getHardwareTime());
}

TEST(MeshairUsrp, AStreamBeginsAtItsTimeAndEndsAtItsCount) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx, SOAPY_SDR_HAS_TIME, 20'000'000, 3000), 0);
    pair.advance(60);
    const TestRadio::Read heard = pair.b.read_all();
    EXPECT_EQ(heard.time_ns, 20'000'000);
    EXPECT_EQ(heard.samples.size(), 3000U);
    EXPECT_NE(heard.flags & SOAPY_SDR_END_BURST, 0);
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx, SOAPY_SDR_HAS_TIME, 30'000'000, 3000), 0);
    EXPECT_EQ(pair.b.read(1000).status, SOAPY_SDR_TIME_ERROR);
}

TEST(MeshairUsrp, TimeIsSetAtTheNextPps) {
    Pair pair;
    pair.a.device->setHardwareTime(7'000'000'000, "PPS");
    pair.advance(1000);
    EXPECT_EQ(pair.a.device->getHardwareTime("PPS"), 7'000'000'000);
    EXPECT_EQ(pair.a.device->getHardwareTime(), 7'005'000'000);  // 5 ms of air passed before the radios' time began
}

TEST(MeshairUsrp, IntegerFormatsHaveTheirFullScale) {
    for (const auto& [format, full] :
         {std::pair<std::string, double>{SOAPY_SDR_CS16, 32768.0}, {SOAPY_SDR_CS8, 128.0}}) {
        Pair pair;
        pair.b.device->closeStream(pair.b.rx);
        SoapySDR::Stream* const stream = pair.b.device->setupStream(SOAPY_SDR_RX, format);
        ASSERT_EQ(pair.b.device->activateStream(stream), 0);
        ASSERT_EQ(pair.a.send(tone(20'000), 20'000'000), 0);
        pair.advance(40);
        std::vector<std::int16_t> words(2'000);
        double sum = 0.0;
        std::size_t count = 0;
        for (;;) {
            void* const buffers[] = {words.data()};
            int flags = 0;
            long long time_ns = 0;
            const int got = pair.b.device->readStream(stream, buffers, 1000, flags, time_ns, 0);
            if (got <= 0) {
                break;
            }
            if (time_ns < 21'000'000 || time_ns > 38'000'000) {
                continue;
            }
            for (std::size_t i = 0; i < 2 * static_cast<std::size_t>(got); ++i) {
                const double value = full > 1000.0
                                         ? static_cast<double>(words[i])
                                         : static_cast<double>(reinterpret_cast<const std::int8_t*>(words.data())[i]);
                sum += value * value / (full * full);
            }
            count += static_cast<std::size_t>(got);
        }
        ASSERT_GT(count, 1000U);
        const double loss_db = 20.0 * std::log10(4.0 * 3.14159265358979 * 2997.92458 * 868e6 / 299'792'458.0);
        EXPECT_NEAR(10.0 * std::log10(sum / static_cast<double>(count)), 20.0 + 4.0 - loss_db + 75.0, 1.0) << format;
    }
}

TEST(MeshairUsrp, SettingsOutOfRangeAreRefusedWithTheRange) {
    Pair pair;
    try {
        pair.a.device->setSampleRate(SOAPY_SDR_RX, 0, 100e3);
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "meshair: sample rate 100000 samples/s is not within 200000..61440000 samples/s");
    }
    EXPECT_THROW(pair.a.device->setFrequency(SOAPY_SDR_RX, 0, 1e3), std::runtime_error);
    EXPECT_THROW(pair.a.device->setAntenna(SOAPY_SDR_TX, 0, "RX2"), std::runtime_error);
    EXPECT_THROW(pair.a.device->setGain(SOAPY_SDR_RX, 0, "LNA", 1.0), std::runtime_error);
    EXPECT_THROW(pair.a.device->setClockSource("sun"), std::runtime_error);
    EXPECT_THROW(pair.a.device->setupStream(SOAPY_SDR_RX, "CF64"), std::runtime_error);
    EXPECT_THROW(pair.a.device->setupStream(SOAPY_SDR_RX, "CF32"), std::runtime_error);  // open already
    pair.a.device->setGain(SOAPY_SDR_RX, 0, 1000.0);
    EXPECT_EQ(pair.a.device->getGain(SOAPY_SDR_RX, 0), 76.0);
    pair.a.device->writeSetting("ref_locked", "false");
    EXPECT_EQ(pair.a.device->readSensor("ref_locked"), "false");
}

TEST(MeshairUsrp, AStallLosesSamplesAndIsSeen) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    pair.advance(5);
    (void)pair.b.read_all();
    pair.b.device->writeSetting("stall_ms", "50");
    pair.advance(49);
    EXPECT_EQ(pair.b.read(1000).status, SOAPY_SDR_TIMEOUT);
    EXPECT_EQ(pair.b.send(tone(1000), std::nullopt), -1);
    pair.advance(10);
    EXPECT_EQ(pair.b.read(1000).status, SOAPY_SDR_OVERFLOW);
    EXPECT_GT(pair.b.read(1000).status, 0);
    EXPECT_EQ(pair.b.send(tone(1000), std::nullopt), 0);
}

TEST(MeshairUsrp, AfterUnpluggingEveryCallFailsButClosing) {
    Pair pair;
    ASSERT_EQ(pair.b.device->activateStream(pair.b.rx), 0);
    pair.b.device->writeSetting("unplug", "true");
    EXPECT_THROW((void)pair.b.read(1000, 1'000'000), std::runtime_error);
    EXPECT_THROW((void)pair.b.send(tone(100), std::nullopt), std::runtime_error);
    EXPECT_THROW((void)pair.b.status(), std::runtime_error);
    EXPECT_THROW(pair.b.device->setFrequency(SOAPY_SDR_RX, 0, 868e6), std::runtime_error);
    EXPECT_THROW(pair.b.device->getHardwareTime(), std::runtime_error);
    EXPECT_NO_THROW(pair.b.device->closeStream(pair.b.rx));
    // The station is free again: a device that is plugged in once more.
    wait_until([&] {
        const auto listing = sim::AirClient::list(pair.air.path());
        return listing.ok() && !listing->stations[1].connected;
    });
    const TestRadio again(pair.air, 1, "bravo", "usrp");
}

TEST(MeshairUsrp, WrongArgumentsAreOneClearLine) {
    SteppedAir air(two_stations());
    const TestRadio taken(air, 0, "alpha", "usrp");
    const auto fault = [](const std::map<std::string, std::string>& arguments) -> std::string {
        const auto parsed = meshair::DeviceArguments::parse(arguments);
        if (!parsed) {
            return parsed.error().message;
        }
        const auto radio = meshair::VirtualRadio::open(*parsed);
        return radio ? "" : radio.error().message;
    };
    const auto expect = [&](const std::map<std::string, std::string>& arguments, const std::string& words) {
        const std::string line = fault(arguments);
        EXPECT_NE(line.find(words), std::string::npos) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    };
    expect({}, "name no air");
    expect({{"air", air.path()}}, "name no station");
    expect({{"air", air.path() + "x"}, {"station", "alpha"}}, "no air server listens at");
    expect({{"air", air.path()}, {"station", "zulu"}}, "its stations are: alpha, bravo");
    expect({{"air", air.path()}, {"station", "alpha"}}, "already connected");
    expect({{"air", air.path()}, {"station", "bravo"}, {"model", "x"}}, "known: usrp, hackrf");
    expect({{"air", air.path()}, {"station", "bravo"}, {"seed", "-1"}}, "seed must be");
}

}  // namespace
}  // namespace meshnet::test
