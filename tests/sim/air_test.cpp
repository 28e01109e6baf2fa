// SPDX-License-Identifier: MIT
// The shared medium against closed formulas: delay, clocks, Doppler, level, noise, deafness, and indifference to how
// time is cut.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <limits>
#include <stdexcept>

#include "sim/air.hpp"
#include "sim/air_geometry.hpp"
#include "tests/sim/test_signals.hpp"

namespace meshnet::sim {
namespace {

using phy::Sample;
using test::db;
using test::Multitone;
using test::power;
using test::Wide;

constexpr double kTurn = 2.0 * std::numbers::pi;

AirStation station(const std::string& name, double x_m, double clock_ppm = 0.0) {
    AirStation s;
    s.name = name;
    s.x_m = x_m;
    s.height_m = 100.0;
    s.clock_ppm = clock_ppm;
    return s;
}

Air::Config pair_of_stations(double distance_m, double ppm_a, double ppm_b) {
    Air::Config config;
    config.stations = {station("a", 0.0, ppm_a), station("b", distance_m, ppm_b)};
    return config;
}

/// Everything `station` receives in `total`, in steps of `step`.
std::vector<Sample> listen(Air& air, std::size_t station, Duration total, Duration step = 1ms) {
    std::vector<Sample> out;
    for (Duration t{}; t < total; t += step) {
        air.advance(std::min(step, total - t));
        const auto heard = air.received(station);
        out.insert(out.end(), heard.samples.begin(), heard.samples.end());
    }
    return out;
}

/// Compares what b hears of a's burst with the exact waveform; returns the error in dB relative to the signal.
double waveform_error_db(Air::Config config, double distance_m, double receding_mps) {
    config.stations[0].tx_power_dbm = 100.0;  // noise far away
    config.stations[1].full_scale_dbm = 0.0;
    Air air(config);
    const double fs_a = config.sample_rate_hz * (1.0 + config.stations[0].clock_ppm * 1e-6);
    const double fs_b = config.sample_rate_hz * (1.0 + config.stations[1].clock_ppm * 1e-6);
    const double fc_a = config.carrier_hz * (1.0 + config.stations[0].clock_ppm * 1e-6);
    const double fc_b = config.carrier_hz * (1.0 + config.stations[1].clock_ppm * 1e-6);
    constexpr std::uint64_t kAt = 5'000;
    constexpr std::size_t kLength = 20'000;
    const Multitone signal(25, 0.4, 0.25, 4);
    EXPECT_EQ(air.transmit(0, 1, kAt, signal.samples(kLength)), AirVerdict::kAccepted);
    const auto heard = listen(air, 1, 40ms);
    const double gain = std::pow(10.0, air.budget(0, 1).received_dbm / 20.0) / 0.25;
    double error = 0.0;
    double reference = 0.0;
    std::size_t counted = 0;
    for (std::size_t n = 0; n < heard.size(); ++n) {
        const double t = static_cast<double>(n) / fs_b;
        const double t0 = static_cast<double>(kAt) / fs_a;
        const double te =
            t0 + (t - t0 - distance_m / kSpeedOfLight) / (1.0 + receding_mps / kSpeedOfLight);  // emission
        const double position = (te - t0) * fs_a;
        if (position < 40.0 || position > static_cast<double>(kLength) - 40.0) {
            continue;
        }
        const Wide expected =
            gain * signal.at(position) * std::polar(1.0, kTurn * std::fmod(fc_a * te - fc_b * t, 1.0));
        error += std::norm(Wide(heard[n]) - expected);
        reference += std::norm(expected);
        ++counted;
    }
    EXPECT_NEAR(static_cast<double>(counted), static_cast<double>(kLength) - 80.0, 5.0);
    return db(error / reference);
}

TEST(Air, WaveformHasExactDelayLevelPhaseAndClocks) {
    EXPECT_LT(waveform_error_db(pair_of_stations(60'000.0, 0.0, 0.0), 60'000.0, 0.0), -60.0);
    EXPECT_LT(waveform_error_db(pair_of_stations(55'123.4, 10.0, -10.0), 55'123.4, 0.0), -60.0);
    EXPECT_LT(waveform_error_db(pair_of_stations(12.3, -7.0, 5.0), 12.3, 0.0), -60.0);
}

TEST(Air, MovingStationsShiftCarrierAndSamples) {
    Air::Config config = pair_of_stations(1.0, 3.0, -2.0);
    AirLink link;
    link.from = 0;
    link.to = 1;
    link.distance_m = 600'000.0;
    link.receding_mps = 7'000.0;
    link.loss_db = 120.0;
    config.links = {link};
    // The distance is taken at the start of the burst: 5000 samples after time 0.
    EXPECT_LT(waveform_error_db(config, 600'000.0 + 7'000.0 * 5e-3 / (1.0 + 3e-6), 7'000.0), -60.0);
    const Air air(config);
    EXPECT_NEAR(air.budget(0, 1).carrier_offset_hz, 868e6 * 5e-6 - 868e6 * 7'000.0 / kSpeedOfLight, 1.0);
}

TEST(Air, NoiseIsThermalAndTheBudgetsSnrHolds) {
    Air::Config config = pair_of_stations(60'000.0, 0.0, 0.0);
    config.stations[0].tx_power_dbm = 24.0;
    Air air(config);
    const AirBudget budget = air.budget(0, 1);
    EXPECT_NEAR(budget.loss_db, 32.45 + 20.0 * std::log10(868.0) + 20.0 * std::log10(60.0), 0.01);  // ITU-R P.525
    EXPECT_NEAR(budget.received_dbm, 24.0 + 2.0 + 2.0 - budget.loss_db, 1e-9);
    const auto quiet = listen(air, 1, 200ms);
    // k 290 K 1 MHz = -113.98 dBm, noise figure 6 dB, full scale -75 dBm.
    EXPECT_NEAR(db(power(quiet)), -113.98 + 6.0 + 75.0, 0.1);
    const Multitone signal(30, 0.405, 0.25, 8);
    const auto burst = signal.samples(100'000);
    ASSERT_EQ(air.transmit(0, 1, air.local_index(0) + 1'000, burst), AirVerdict::kAccepted);
    const auto heard = listen(air, 1, 120ms);
    const std::span<const Sample> middle = std::span(heard).subspan(5'000, 90'000);
    const double signal_power = power(middle) - power(quiet);
    const double rms_ratio = power(burst) / (0.25 * 0.25);
    EXPECT_NEAR(db(signal_power / rms_ratio / (power(quiet) * 0.81)), budget.snr_db, 0.3);
}

TEST(Air, OutputDoesNotDependOnHowTimeIsCut) {
    const auto run = [](Duration step) {
        Air::Config config;
        config.seed = 42;
        config.stations = {station("a", 0.0, 10.0), station("b", 20'000.0, -9.0), station("c", 41'000.0, 4.0)};
        config.stations[2].vx_mps = 30.0;
        config.stations[1].adc_bits = 8;
        AirLink link;
        link.from = 0;
        link.to = 2;
        link.sea_reflection = 0.8;
        link.taps = {{3.3e-6, -6.0, 0.2}};
        config.links = {link};
        Air air(config);
        const Multitone signal(10, 0.4, 0.25, 5);
        std::vector<Sample> out;
        std::vector<std::uint64_t> reports;
        for (int round = 0; round < 4; ++round) {
            // Two bursts that collide at b, and one of b itself that makes it half-duplex blind for the tail of them.
            air.transmit(0, 1, air.local_index(0) + 3'000, signal.samples(15'000));
            air.transmit(2, 2, air.local_index(2) + 9'000, signal.samples(12'000));
            air.transmit(1, 3, air.local_index(1) + 20'000, signal.samples(4'000));
            for (Duration t{}; t < 42ms; t += step) {
                air.advance(std::min(step, 42ms - t));
                for (std::size_t s = 0; s < 3; ++s) {
                    const auto heard = air.received(s);
                    if (s == 1) {
                        out.insert(out.end(), heard.samples.begin(), heard.samples.end());
                    }
                    while (const auto report = air.poll_report(s)) {
                        reports.push_back(report->end_index + report->id + (report->late ? 1'000'000'000U : 0U));
                    }
                }
            }
        }
        std::sort(reports.begin(), reports.end());
        return std::pair{out, reports};
    };
    const auto by_one = run(1ms);
    EXPECT_EQ(by_one.first.size(), 167'998U);  // 168 ms at 1 MHz less 9 ppm
    EXPECT_EQ(by_one.second.size(), 12U);
    EXPECT_EQ(run(7ms), by_one);
    EXPECT_EQ(run(1'234'567ns), by_one);
    EXPECT_EQ(run(1ms), by_one);
}

TEST(Air, LateOverlappingAndImpossibleBurstsAreNotSent) {
    Air air(pair_of_stations(1'000.0, 0.0, 0.0));
    air.advance(100ms);
    const std::vector<Sample> burst(1'000, Sample{0.25F, 0.0F});
    const std::uint64_t now = air.local_index(0);
    const std::uint64_t lead = air.shortest_lead(0);
    EXPECT_EQ(lead, 100U + 32U);
    EXPECT_EQ(air.transmit(0, 1, 0, burst), AirVerdict::kLate);
    EXPECT_EQ(air.transmit(0, 2, now + lead - 1, burst), AirVerdict::kLate);
    EXPECT_EQ(air.transmit(0, 3, now + 5'000, burst), AirVerdict::kAccepted);
    EXPECT_EQ(air.transmit(0, 4, now + 5'999, burst), AirVerdict::kOverlap);
    EXPECT_EQ(air.transmit(0, 5, now + 4'001, burst), AirVerdict::kOverlap);
    EXPECT_EQ(air.transmit(0, 6, now + 6'000, burst), AirVerdict::kAccepted);  // back to back
    EXPECT_EQ(air.transmit(0, 7, now + lead, burst), AirVerdict::kAccepted);   // before them
    EXPECT_EQ(air.transmit(0, 8, ~std::uint64_t{0}, burst), AirVerdict::kRefused);
    EXPECT_EQ(air.transmit(0, 9, now + 10'000, {}), AirVerdict::kRefused);
    air.advance(20ms);
    std::vector<std::pair<std::uint64_t, bool>> fate;
    while (const auto report = air.poll_report(0)) {
        fate.emplace_back(report->id, report->late);
    }
    const std::vector<std::pair<std::uint64_t, bool>> expected{{1, true}, {2, true},  {4, true},  {5, true}, {8, true},
                                                               {9, true}, {7, false}, {3, false}, {6, false}};
    EXPECT_EQ(fate, expected);
    EXPECT_EQ(air.stats(0).bursts, 3U);
    EXPECT_EQ(air.stats(0).bursts_late, 4U);
    EXPECT_EQ(air.stats(0).bursts_refused, 2U);
    EXPECT_EQ(air.stats(0).samples_sent, 3'000U);
}

TEST(Air, AStationIsDeafWhileItTransmitsAndSwitches) {
    Air::Config config = pair_of_stations(30'000.0, 0.0, 0.0);
    config.stations[0].tx_power_dbm = 50.0;
    config.stations[1].switch_time = 500us;
    Air air(config);
    const std::vector<Sample> carrier(30'000, Sample{0.25F, 0.0F});
    ASSERT_EQ(air.transmit(0, 1, 2'000, carrier), AirVerdict::kAccepted);
    ASSERT_EQ(air.transmit(1, 1, 10'000, std::span(carrier).first(5'000)), AirVerdict::kAccepted);
    const auto heard = listen(air, 1, 40ms);
    const auto level = [&](std::size_t from, std::size_t to) {
        return db(power(std::span(heard).subspan(from, to - from)));
    };
    const double noise = level(0, 1'900);
    EXPECT_GT(level(2'200, 9'499), noise + 20.0);
    EXPECT_NEAR(level(9'500, 15'500), noise, 0.5);
    EXPECT_GT(level(15'501, 32'000), noise + 20.0);
    EXPECT_NEAR(level(32'200, 40'000), noise, 0.5);
}

TEST(Air, HorizonAndBlocksHideStations) {
    // 4/3 earth: 4.12 km x (sqrt 120 + sqrt 15) = 61.1 km.
    EXPECT_NEAR(radio_horizon_m(120.0, 15.0), 61'100.0, 100.0);
    Air::Config config;
    config.stations = {station("coast", -60'000.0), station("beacon", 0.0), station("ship", 55'000.0)};
    config.stations[0].height_m = 15.0;
    config.stations[1].height_m = 120.0;
    config.stations[2].height_m = 12.0;
    {
        const Air air(config);
        EXPECT_TRUE(air.budget(0, 1).heard);
        EXPECT_TRUE(air.budget(2, 1).heard);
        EXPECT_FALSE(air.budget(0, 2).heard);
    }
    AirLink blocked;
    blocked.from = 1;
    blocked.to = 0;
    blocked.blocked = true;
    AirLink duct;
    duct.from = 0;
    duct.to = 2;
    duct.ignore_horizon = true;
    config.links = {blocked, duct};
    const Air air(config);
    EXPECT_FALSE(air.budget(1, 0).heard);
    EXPECT_TRUE(air.budget(0, 1).heard);
    EXPECT_TRUE(air.budget(0, 2).heard);
}

TEST(Air, BadSamplesAreMadeHarmlessAndCounted) {
    Air::Config config = pair_of_stations(1'000.0, 0.0, 0.0);
    Air air(config);
    std::vector<Sample> burst(1'000, Sample{0.1F, 0.0F});
    burst[3] = {std::numeric_limits<float>::quiet_NaN(), 0.0F};
    burst[4] = {0.0F, std::numeric_limits<float>::infinity()};
    burst[5] = {1e30F, 0.0F};
    ASSERT_EQ(air.transmit(0, 1, 1'000, burst), AirVerdict::kAccepted);
    for (const Sample& s : listen(air, 1, 4ms)) {
        ASSERT_TRUE(std::isfinite(s.real()) && std::isfinite(s.imag()));
    }
    EXPECT_EQ(air.stats(0).samples_not_finite, 2U);
    EXPECT_EQ(air.stats(0).samples_limited, 1U);
}

TEST(Air, ImpossibleConfigurationsAreRefused) {
    const auto refused = [](auto change) {
        Air::Config config = pair_of_stations(1'000.0, 0.0, 0.0);
        AirLink link;
        link.to = 1;
        config.links = {link};
        change(config);
        EXPECT_THROW(Air{config}, std::invalid_argument);
    };
    refused([](auto& c) { c.stations.clear(); });
    refused([](auto& c) { c.sample_rate_hz = 0.0; });
    refused([](auto& c) { c.carrier_hz = std::numeric_limits<double>::quiet_NaN(); });
    refused([](auto& c) { c.stations[1].name = "a"; });
    refused([](auto& c) { c.stations[1].name = ""; });
    refused([](auto& c) { c.stations[0].clock_ppm = 1e6; });
    refused([](auto& c) { c.stations[0].adc_bits = 1; });
    refused([](auto& c) { c.stations[0].switch_time = -1ns; });
    refused([](auto& c) { c.links[0].to = 2; });
    refused([](auto& c) { c.links[0].to = 0; });
    refused([](auto& c) { c.links[0].loss_db = -5.0; });
    refused([](auto& c) { c.links[0].taps = {{1.0, 0.0, 0.0}}; });
    refused([](auto& c) { c.links.push_back(c.links[0]); });
}

TEST(LocalClock, CountsExactlyOverYears) {
    const LocalClock clock(1e6, 10.0);
    EXPECT_EQ(clock.count(instant_from_ns(0)), 0U);
    EXPECT_EQ(clock.count(instant_from_ns(1'000'000'000)), 1'000'010U);
    constexpr std::int64_t kYear = 365LL * 86'400;
    EXPECT_EQ(clock.count(instant_from_ns(kYear * 1'000'000'000)), static_cast<std::uint64_t>(kYear) * 1'000'010U);
}

// Prints, asserts nothing about time: three stations at 1 Msample/s, one of them on the air at any moment.
TEST(Air, PrintsItsSpeed) {
    Air::Config config;
    config.stations = {station("coast", -60'000.0, 8.0), station("beacon", 0.0, -5.0), station("ship", 55'000.0, 2.0)};
    Air air(config);
    const auto burst = Multitone(10, 0.4, 0.25, 1).samples(50'000);
    const std::clock_t start = std::clock();
    constexpr int kRounds = 10;
    for (int round = 0; round < kRounds; ++round) {
        for (std::size_t s = 0; s < 3; ++s) {
            ASSERT_EQ(air.transmit(s, 1, air.local_index(s) + 1'000 + 52'000 * s, burst), AirVerdict::kAccepted);
        }
        for (int step = 0; step < 160; ++step) {
            air.advance(1ms);
        }
    }
    const double spent = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("air: 3 stations at 1 Msample/s, 94 %% occupied: %.3f of a core (%.1f x)\n", spent / (0.16 * kRounds),
                0.16 * kRounds / spent);
    EXPECT_EQ(air.stats(1).samples, 1'599'992U);
}

}  // namespace
}  // namespace meshnet::sim
