// SPDX-License-Identifier: MIT
// Every rule of the transmit guard, in virtual time.
#include "station/guard/transmit_guard.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "tests/station/guard_signals.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

using namespace test;

constexpr double kRate = 500e3;

std::string kind_of(const std::optional<Refused>& refused) {
    return refused ? std::string(to_string(refused->kind)) : "passed";
}

std::string judge(TransmitGuard& guard, const Burst& burst, Instant at, double center = 868.3e6, double rate = kRate) {
    const auto refused = guard.judge({center, rate, burst, at});
    EXPECT_TRUE(!refused || !refused->sentence.empty());
    return kind_of(refused);
}

const Burst& good() {
    static const Burst kBurst = frame("500k", "qpsk-1/2", 300);
    return kBurst;
}

TEST(TransmitGuard, PassesAFrameInsideItsBandAndLeavesItAsItIs) {
    auto guard = make_guard(config_868(), kRate);
    const Burst before = good();
    EXPECT_EQ(judge(*guard, good(), kStart), "passed");
    EXPECT_EQ(before, good());
    EXPECT_EQ(guard->counters().samples_passed, good().size());
}

// What a station really sends must pass: every profile and mode in a band as wide as the sample rate, less the clock's
// error, at the power of the row.
TEST(TransmitGuard, PassesEveryModeOfEveryProfile) {
    for (const auto& profile : phy::profiles()) {
        GuardConfig c = config_868();
        const double half = 0.55 * profile.sample_rate_hz * 1e-6;
        char own[96];
        std::snprintf(own, sizeof own, "test, %.6f, %.6f, 16, 1", 2440 - half, 2440 + half);
        c.own_bands = {own};
        c.bands = {"own test"};
        c.clock_error_ppm = 0.0;
        c.frequency_hz = 2.44e9;
        auto guard = make_guard(c, profile.sample_rate_hz);
        Instant at = kStart;
        for (const auto& mode : phy::modes()) {
            const Burst burst = frame(profile.name.data(), mode.name.data(), 100);
            const auto refused = guard->judge({2.44e9, profile.sample_rate_hz, burst, at});
            EXPECT_FALSE(refused) << profile.name << ' ' << mode.name << ": " << refused->sentence;
            at += 100s;
        }
    }
}

TEST(TransmitGuard, IsSilentUntilTheOperatorNamesBandAndAuthority) {
    auto guard = open_guard({}, kRate, kStart);
    ASSERT_TRUE(guard.ok());
    EXPECT_EQ(judge(**guard, good(), kStart), "silent");
    EXPECT_EQ((*guard)->counters().refused_silent, 1U);
    GuardConfig c = config_868();
    c.authority.clear();
    EXPECT_FALSE(open_guard(c, kRate, kStart).ok());
}

TEST(TransmitGuard, OneSentenceForEachThingWrongInTheConfiguration) {
    const auto sentence = [](auto change, double rate = kRate) {
        GuardConfig c = config_868();
        change(c);
        const auto plan = validate_guard(c, rate);
        return plan ? std::string("fine") : plan.error().message;
    };
    using C = GuardConfig;
    EXPECT_EQ(sentence([](C&) {}), "fine");
    EXPECT_NE(sentence([](C& c) { c.bands = {"EU 868.0-868.7"}; }).find("did you mean 'EU 868.0-868.6'"),
              std::string::npos);
    EXPECT_NE(sentence([](C& c) { c.frequency_hz = 869e6; }).find("choose 868 to 868.6"), std::string::npos);
    EXPECT_NE(sentence([](C& c) { c.full_scale_dbm = C::kUnset; }).find("full_scale_dbm is not set"),
              std::string::npos);
    EXPECT_NE(sentence([](C& c) { c.antenna_gain_dbi = 99; }).find("-20 to 60"), std::string::npos);
    EXPECT_NE(sentence([](C& c) { c.air_time_file.clear(); }).find("air_time_file"), std::string::npos);
    EXPECT_NE(sentence([](C& c) { c.own_bands = {"x, 1"}; }).find("has 2 parts"), std::string::npos);
    EXPECT_NE(sentence([](C&) {}, 0.0).find("sample rate"), std::string::npos);
    const auto amateur = [](C& c) {
        c.bands = {"EU amateur 430-440"};
        c.frequency_hz = 433e6;
    };
    EXPECT_NE(sentence(amateur).find("callsign"), std::string::npos);
    EXPECT_NE(sentence([&](C& c) {
                  amateur(c);
                  c.callsign = "DL0ABC";
              }).find("seals all traffic"),
              std::string::npos);
    EXPECT_NE(sentence([](C& c) {
                  c.bands = {"JP 920.5-928.1"};
                  c.frequency_hz = 924e6;
              }).find("receive_full_scale_dbm"),
              std::string::npos);
    EXPECT_NE(sentence(
                  [](C& c) {
                      c.bands = {"US 902-928"};
                      c.frequency_hz = 915e6;
                  },
                  250e3)
                  .find("500 kHz"),
              std::string::npos);
}

TEST(TransmitGuard, RefusesHostileBursts) {
    auto guard = make_guard(config_868(), kRate);
    Instant at = kStart;
    const auto verdict = [&](const Burst& burst) { return judge(*guard, burst, at += 10s); };
    EXPECT_EQ(verdict(good()), "passed");
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e30F}) {
        for (const std::size_t place : {std::size_t{0}, good().size() / 2, good().size() - 1}) {
            Burst burst = good();
            burst[place].imag(bad);
            EXPECT_EQ(verdict(burst), "not finite");
        }
    }
    Burst one_spike = good();
    one_spike[777] = {1.5F, 0.0F};
    EXPECT_EQ(verdict(one_spike), "clips");
    EXPECT_EQ(verdict(scaled(good(), 1.6F)), "power");
    Burst jump = good();  // 1 ms, 6 dB up
    for (std::size_t i = jump.size() / 2; i < jump.size() / 2 + 500; ++i) {
        jump[i] *= 2.0F;
    }
    EXPECT_EQ(verdict(jump), "power");
}

TEST(TransmitGuard, RefusesEnergyOutsideTheBand) {
    // 1 Msample/s in 863-865: a frame on 864.0 fits, 400 kHz off it still does, 600 kHz off it does not.
    GuardConfig c = config_868();
    c.bands = {"EU 863-865"};
    c.frequency_hz = 864.5e6;
    const Burst burst = frame("1M", "qpsk-1/2", 100);
    auto guard = make_guard(c, 1e6);
    Instant at = kStart;
    const auto verdict = [&](const Burst& b, double center) { return judge(*guard, b, at += 100s, center, 1e6); };
    EXPECT_EQ(verdict(burst, 864.0e6), "passed");
    EXPECT_EQ(verdict(burst, 864.4e6), "passed");
    EXPECT_EQ(verdict(burst, 864.7e6), "spectrum");
    EXPECT_EQ(verdict(shifted(burst, 0.1), 864.55e6), "spectrum") << "off its centre, whatever the profile claims";
    EXPECT_EQ(verdict(burst, 866e6), "outside band");
    // A spur 35 dB below the burst, in a part of the spectrum that is outside.
    Burst spur = burst;
    const Burst line = tone(burst.size(), 0.47, 0.25 * std::pow(10.0, -35.0 / 20.0));
    for (std::size_t i = 0; i < spur.size(); ++i) {
        spur[i] += line[i];
    }
    EXPECT_EQ(verdict(spur, 864.55e6), "spectrum");
    // A click of 60 samples in a long burst.
    Burst click = frame("1M", "qpsk-1/2", 2000);
    const std::size_t middle = click.size() / 2;
    const Burst noise = tone(60, 0.47, 0.7);
    std::copy(noise.begin(), noise.end(), click.begin() + static_cast<std::ptrdiff_t>(middle));
    EXPECT_EQ(verdict(click, 864.55e6), "spectrum");
    EXPECT_EQ(judge(*guard, burst, at += 100s, 864e6, 2e6), "sample rate");
}

TEST(TransmitGuard, BandwidthAndDensity) {
    GuardConfig c = config_868();
    c.bands = {"US 902-928"};
    c.frequency_hz = 915e6;
    c.full_scale_dbm = 40.0;
    c.antenna_gain_dbi = 6.0;
    c.cable_loss_db = 0.0;
    auto guard = make_guard(c, 1e6);
    Instant at = kStart;
    EXPECT_EQ(judge(*guard, frame("1M", "qpsk-1/2", 600), at += 10s, 915e6, 1e6), "passed");
    EXPECT_EQ(judge(*guard, tone(20'000, 0.01, 0.02), at += 10s, 915e6, 1e6), "bandwidth");
    // As wide as asked, but half of its power in one line.
    Burst peaky = frame("1M", "qpsk-1/2", 600);
    const Burst line = tone(peaky.size(), 0.05, 0.2);
    for (std::size_t i = 0; i < peaky.size(); ++i) {
        peaky[i] = 0.5F * peaky[i] + line[i];
    }
    const auto verdict = judge(*guard, peaky, at += 10s, 915e6, 1e6);
    EXPECT_TRUE(verdict == "density" || verdict == "bandwidth") << verdict;
    c.full_scale_dbm = 44.0;
    EXPECT_EQ(judge(*make_guard(c, 1e6), frame("1M", "qpsk-1/2", 600), at, 915e6, 1e6), "power") << "conducted";
}

TEST(TransmitGuard, DutyCycleIsExactOverAnyHour) {
    GuardConfig c = config_868();
    auto guard = make_guard(c, kRate);
    const Burst second = scaled(good(), 0.5F);
    const Duration on{static_cast<std::int64_t>(std::ceil(static_cast<double>(second.size()) * 1e9 / kRate))};
    const auto fits = static_cast<std::uint64_t>(Duration{36s}.count() / on.count());
    Instant at = kStart;
    std::uint64_t passed = 0;
    while (judge(*guard, second, at) == "passed") {
        ++passed;
        at += on + 1ms;
    }
    EXPECT_EQ(passed, fits);
    // The first burst leaves the window an hour after its end; not a nanosecond earlier.
    const Instant free = kStart + on + kDutyWindow;
    const Duration left = Duration{36s} - static_cast<std::int64_t>(fits) * on;
    EXPECT_EQ(judge(*guard, second, free - left - on - 1ns), "air time");
    EXPECT_EQ(judge(*guard, second, free - left), "passed");
    EXPECT_LE(guard->counters().memory_writes, 34U);
}

TEST(TransmitGuard, AirTimeIsWrittenDownBeforeItIsUsed) {
    const auto disk = std::make_shared<MemoryStore::Disk>();
    auto guard = make_guard(config_868(), kRate, disk);
    Instant at = kStart;
    Duration used{};
    for (int i = 0; i < 300; ++i, at += 400ms) {
        if (judge(*guard, good(), at) != "passed") {
            break;
        }
        used += Duration{static_cast<std::int64_t>(std::ceil(static_cast<double>(good().size()) * 1e9 / kRate))};
        // Killed now: what the next start counts is not less than what was sent.
        auto next = make_guard(config_868(), kRate, disk, at + 300ms);
        EXPECT_GE(next->air_time(at + 300ms).front().used, used);
    }
    EXPECT_GT(used, 2s);
    EXPECT_LE(disk->saves, 6);
    disk->full = true;
    Instant late = at;
    std::string verdict;
    for (int i = 0; i < 200 && (verdict = judge(*guard, good(), late += 400ms)) == "passed"; ++i) {
    }
    EXPECT_EQ(verdict, "memory");
}

TEST(TransmitGuard, AnUnknownLastHourCountsAsUsedUp) {
    const auto disk = std::make_shared<MemoryStore::Disk>();
    disk->present = false;
    auto guard = make_guard(config_868(), kRate, disk);
    ASSERT_EQ(guard->notices().size(), 1U);
    EXPECT_EQ(judge(*guard, good(), kStart + 1s), "air time");
    EXPECT_EQ(judge(*guard, good(), kStart + 1h), "passed");
    // A clock that was set back: the file speaks of the future.
    disk->present = true;
    disk->bands = {{"EU 868.0-868.6", {{kStart + 24h, 36s}}, {}}};
    guard = make_guard(config_868(), kRate, disk);
    EXPECT_EQ(judge(*guard, good(), kStart + 1s), "air time");
}

TEST(TransmitGuard, SurvivesKill) {
    const meshnet::test::TemporaryFolder folder;
    GuardConfig c = config_868();
    c.air_time_file = folder.path("air");
    ASSERT_TRUE(air_time_file(c.air_time_file)->save({}).ok());
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const Burst burst = scaled(good(), 0.5F);
    const pid_t child = ::fork();
    if (child == 0) {
        auto guard = open_guard(c, kRate, kStart);
        for (int i = 0;; ++i) {
            const char passed = guard && !(*guard)->judge({868.3e6, kRate, burst, kStart + i * 100ms}) ? 1 : 0;
            if (::write(pipe_fds[1], &passed, 1) != 1 || passed == 0) {
                ::raise(SIGKILL);
            }
        }
    }
    ::close(pipe_fds[1]);
    std::int64_t passed = 0;
    char one = 0;
    while (passed < 200 && ::read(pipe_fds[0], &one, 1) == 1 && one == 1) {
        ++passed;
    }
    ::kill(child, SIGKILL);
    while (::read(pipe_fds[0], &one, 1) == 1) {
        passed += one;  // sent before the signal arrived
    }
    ::close(pipe_fds[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_GE(passed, 200);
    const Duration on{static_cast<std::int64_t>(std::ceil(static_cast<double>(burst.size()) * 1e9 / kRate))};
    auto next = open_guard(c, kRate, kStart + passed * 100ms);
    ASSERT_TRUE(next.ok());
    EXPECT_TRUE((*next)->notices().empty());
    EXPECT_GE((*next)->air_time(kStart + passed * 100ms).front().used, passed * on);
    std::ofstream(c.air_time_file, std::ios::app) << "x";
    next = open_guard(c, kRate, kStart + 1000s);
    EXPECT_EQ((*next)->notices().size(), 1U) << "damaged";
}

TEST(TransmitGuard, BurstsComeInTheOrderOfTimeWithTheirGaps) {
    GuardConfig c = config_868();
    c.bands = {"EU 2400-2483.5 non-adaptive"};
    c.frequency_hz = 2.44e9;
    c.full_scale_dbm = 17.0;
    auto guard = make_guard(c, 2e6);
    const Burst burst = frame("2M", "qpsk-1/2", 300);
    const Duration on{static_cast<std::int64_t>(static_cast<double>(burst.size()) * 500)};
    ASSERT_LT(on, 10ms);
    EXPECT_EQ(judge(*guard, burst, kStart, 2.44e9, 2e6), "passed");
    EXPECT_EQ(judge(*guard, burst, kStart, 2.44e9, 2e6), "out of order");
    EXPECT_EQ(judge(*guard, burst, kStart + on + 9ms, 2.44e9, 2e6), "out of order");
    EXPECT_EQ(judge(*guard, burst, kStart + on + 10ms, 2.44e9, 2e6), "passed");
    EXPECT_EQ(judge(*guard, frame("2M", "qpsk-1/2", 4000), kStart + 1s, 2.44e9, 2e6), "too long");
    EXPECT_EQ(judge(*guard, burst, Instant::max() - 1s, 2.44e9, 2e6), "out of order");
    EXPECT_EQ(judge(*guard, burst, Instant{-1s}, 2.44e9, 2e6), "out of order");
}

TEST(TransmitGuard, ListensBeforeTalk) {
    GuardConfig c = config_868();
    c.bands = {"JP 920.5-928.1"};
    c.frequency_hz = 924.2e6;
    c.full_scale_dbm = 20.0;
    c.receive_full_scale_dbm = -20.0;
    auto guard = make_guard(c, kRate);
    const auto verdict = [&](Instant at) { return judge(*guard, good(), at, 924.2e6); };
    EXPECT_EQ(guard->listen_for(), 128us);
    EXPECT_EQ(verdict(kStart), "not listened");
    guard->on_listened(kStart, -70.0);
    EXPECT_EQ(verdict(kStart + 5ms), "busy");
    guard->on_listened(kStart, std::numeric_limits<double>::quiet_NaN());
    EXPECT_EQ(verdict(kStart + 5ms), "busy");
    guard->on_listened(kStart, -95.0);
    EXPECT_EQ(verdict(kStart + 11ms), "not listened");
    EXPECT_EQ(verdict(kStart - 1ms), "not listened") << "heard after the burst";
    EXPECT_EQ(verdict(kStart + 9ms), "passed");
}

GuardConfig amateur_config() {
    GuardConfig c = config_868();
    c.bands = {"US amateur 902-928"};
    c.authority = "amateur licence";
    c.callsign = "W1AW";
    c.sealed_traffic_permit = "experimental permit";
    c.frequency_hz = 915e6;
    return c;
}

TEST(TransmitGuard, IdentifiesTheStationInTime) {
    auto guard = make_guard(amateur_config(), kRate);
    Instant at = kStart;
    std::vector<TransmitGuard::Mark> marks;
    Instant first_mark{};
    int passed = 0;
    for (; at < kStart + 30min; at += 1s) {
        for (Instant t = at; t < at + 900ms; t += 50ms) {
            if (const auto mark = guard->poll_identification(t)) {
                first_mark = first_mark == Instant{} ? mark->at : first_mark;
                EXPECT_GE(mark->at, t);
            }
        }
        passed += judge(*guard, scaled(good(), 0.2F), at + 980ms, 915e6) == "passed" ? 1 : 0;
    }
    EXPECT_GE(first_mark - kStart, 9min);
    EXPECT_LE(first_mark - kStart, 9min + 3s);
    EXPECT_EQ(guard->counters().identifications, 3U);
    EXPECT_LE(guard->counters().refused_out_of_order, 6U) << "while a last mark is on the air";
    EXPECT_GT(passed, 1'750);
    EXPECT_LT(guard->counters().refused_unidentified, 20U) << "only while the call sign is sent";
    // The end of the communication.
    EXPECT_FALSE(guard->poll_identification(guard->latest() + 10s));
    EXPECT_TRUE(guard->poll_identification(guard->latest() + 31s));
}

TEST(TransmitGuard, RefusesTrafficWithoutItsCallSign) {
    auto guard = make_guard(amateur_config(), kRate);
    EXPECT_EQ(judge(*guard, good(), kStart, 915e6), "passed");
    EXPECT_EQ(judge(*guard, good(), kStart + 9min, 915e6), "passed");
    EXPECT_EQ(judge(*guard, good(), kStart + 10min, 915e6), "unidentified");
    Instant at = kStart + 10min;
    while (guard->counters().identifications == 0 && at < kStart + 11min) {
        static_cast<void>(guard->poll_identification(at += 50ms));
    }
    EXPECT_EQ(judge(*guard, good(), at + 1s, 915e6), "passed");
}

TEST(TransmitGuard, TheCallSignIsMorseCodeOfTwentyWordsAMinute) {
    std::string code;
    Duration last{};
    for (const auto& mark : morse_marks("W1AW")) {
        if (mark.at - last > 2 * kMorseDot) {
            code += ' ';
        }
        code += mark.length == kMorseDot ? '.' : '-';
        last = mark.at + mark.length;
    }
    EXPECT_EQ(code, ".-- .---- .- .--");
    // PARIS with the gap behind it is 50 dots.
    const auto paris = morse_marks("PARIS E");
    EXPECT_EQ(paris.back().at, 50 * kMorseDot);
}

TEST(TransmitGuard, AnySwitchInhibits) {
    const meshnet::test::TemporaryFolder folder;
    bool pressed = false;
    std::vector<std::unique_ptr<Inhibit>> switches;
    switches.push_back(inhibit_while([&] { return pressed; }));
    switches.push_back(inhibit_while_file_exists(folder.path("stop")));
    switches.push_back(inhibit_by_gpio_file(folder.path("gpio")));
    auto guard = make_guard(config_868(), kRate, nullptr, kStart, std::move(switches));
    Instant at = kStart;
    const auto verdict = [&] { return judge(*guard, good(), at += 1s); };
    EXPECT_EQ(verdict(), "inhibited") << "a line that cannot be read forbids";
    std::ofstream(folder.path("gpio")) << "0\n";
    EXPECT_EQ(verdict(), "passed");
    std::ofstream(folder.path("gpio")) << "1\n";
    EXPECT_EQ(verdict(), "inhibited");
    std::ofstream(folder.path("gpio")) << "0\n";
    pressed = true;
    EXPECT_EQ(verdict(), "inhibited");
    pressed = false;
    std::ofstream(folder.path("stop")) << "";
    EXPECT_EQ(verdict(), "inhibited");
    std::filesystem::remove(folder.path("stop"));
    guard->set_inhibited(true);
    EXPECT_EQ(verdict(), "inhibited");
    guard->set_inhibited(false);
    EXPECT_EQ(verdict(), "passed");
}

TEST(BandTable, RowsAreSound) {
    std::set<std::string> names;
    for (const auto& row : band_table()) {
        EXPECT_TRUE(names.insert(row.name).second) << row.name;
        EXPECT_TRUE(row.name.starts_with(row.region + " ")) << row.name;
        EXPECT_NE(std::find(band_regions().begin(), band_regions().end(), row.region), band_regions().end());
        EXPECT_LT(row.low_hz, row.high_hz) << row.name;
        EXPECT_FALSE(row.source.empty()) << row.name;
        EXPECT_TRUE(row.duty_cycle > 0.0 && row.duty_cycle <= 1.0) << row.name;
        EXPECT_TRUE(row.max_eirp_dbm < 80 || row.max_conducted_dbm < 80 || row.max_psd_dbm < 80) << row.name;
        EXPECT_EQ(row.max_psd_dbm<80, row.psd_bandwidth_hz> 0) << row.name;
        EXPECT_EQ(row.authority == AuthorityKind::kAmateur, row.identify_every > Duration{}) << row.name;
        EXPECT_LT(row.min_bandwidth_hz, std::min(row.max_bandwidth_hz, row.width_hz())) << row.name;
    }
    EXPECT_NEAR(find_band("EU 868.0-868.6")->max_eirp_dbm, 16.13, 0.01);
    EXPECT_NEAR(find_band("EU 869.40-869.65")->max_eirp_dbm, 29.14, 0.01);
}

TEST(BandTable, OwnBands) {
    const auto band = parse_own_band("harbour, 434.5, 434.9, 20, 0.1");
    ASSERT_TRUE(band.ok());
    EXPECT_EQ(band->name, "own harbour");
    EXPECT_DOUBLE_EQ(band->low_hz, 434.5e6);
    for (const char* text : {"", ",,,,", "a, 2, 1, 0, 1", "a, 1, 2, 0, 0", "a, nan, 2, 0, 1", "a, 1, 2, inf, 1",
                             "a, 1, 2, 0, 1, 2", "a, 1 x, 2, 0, 1"}) {
        EXPECT_FALSE(parse_own_band(text).ok()) << text;
    }
}

TEST(AirTimeFile, WhatIsWrittenIsRead) {
    const std::vector<BandAirTime> bands{{"EU 868.0-868.6", {{kStart, 5ms}, {kStart + 1s, 7ns}}, 1125ms},
                                         {"own a b", {}, {}}};
    const std::string text = encode_air_time(bands);
    const auto back = decode_air_time(text);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, bands);
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ 1);
        EXPECT_FALSE(decode_air_time(other).ok()) << i;
        EXPECT_FALSE(decode_air_time(text.substr(0, i)).ok()) << i;
    }
}

}  // namespace
}  // namespace meshnet::station
