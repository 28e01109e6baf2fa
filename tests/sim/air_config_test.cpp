// SPDX-License-Identifier: MIT
// The configuration file of the air: the example says what it shows, and mistakes are reported with their place.
#include <gtest/gtest.h>

#include <string>

#include "sim/air_config.hpp"

namespace meshnet::sim {
namespace {

constexpr const char* kExample = MESHNET_SOURCE_DIR "/tools/examples/air-coast-beacon-ship.toml";

TEST(AirConfig, TheExampleHasTheBudgetItsCommentsState) {
    const auto file = load_air_config(kExample);
    ASSERT_TRUE(file.ok()) << file.error().message;
    const Air air(file->air);
    const auto coast = air.find_station("coast");
    const auto beacon = air.find_station("beacon");
    const auto ship = air.find_station("ship");
    ASSERT_TRUE(coast && beacon && ship);
    EXPECT_TRUE(air.budget(*coast, *beacon).heard);
    EXPECT_TRUE(air.budget(*beacon, *ship).heard);
    EXPECT_FALSE(air.budget(*coast, *ship).heard);
    EXPECT_FALSE(air.budget(*ship, *coast).heard);
    EXPECT_NEAR(air.budget(*coast, *beacon).distance_m, 60e3, 10.0);
    EXPECT_NEAR(air.budget(*ship, *beacon).distance_m, 55e3, 10.0);
    EXPECT_NEAR(air.budget(*coast, *beacon).received_dbm, -92.8, 0.05);
    EXPECT_NEAR(air.budget(*beacon, *coast).snr_db, 16.1, 0.05);
    EXPECT_NEAR(air.budget(*ship, *beacon).snr_db, 16.9, 0.05);
}

TEST(AirConfig, EveryKeyReachesItsField) {
    const auto file = parse_air_config(R"(
sample_rate_hz = 2e6
carrier_hz = 2.4e9
seed = 9
socket = "/run/air"
[[station]]
name = "a"
x_m = 1
y_m = 2
height_m = 3
vx_mps = 4
vy_mps = 5
tx_power_dbm = 6
antenna_gain_dbi = 7
noise_figure_db = 8
full_scale_dbm = -9
clock_ppm = 10
switch_time_us = 11.5
full_duplex = true
adc_bits = 12
[[station]]
name = "b"
[[link]]
from = "b"
to = "a"
ignore_horizon = true
distance_m = 14.0
receding_mps = 15
loss_db = 16
extra_loss_db = 17
sea_reflection = 0.5
tap = [ { delay_s = 1e-6, gain_db = -3, phase_turns = 0.25 } ]
)",
                                       "x.toml");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_EQ(file->socket, "/run/air");
    EXPECT_DOUBLE_EQ(file->air.sample_rate_hz, 2e6);
    EXPECT_DOUBLE_EQ(file->air.carrier_hz, 2.4e9);
    EXPECT_EQ(file->air.seed, 9U);
    const AirStation& s = file->air.stations[0];
    EXPECT_DOUBLE_EQ(s.x_m, 1.0);
    EXPECT_DOUBLE_EQ(s.y_m, 2.0);
    EXPECT_DOUBLE_EQ(s.height_m, 3.0);
    EXPECT_DOUBLE_EQ(s.vx_mps, 4.0);
    EXPECT_DOUBLE_EQ(s.vy_mps, 5.0);
    EXPECT_DOUBLE_EQ(s.tx_power_dbm, 6.0);
    EXPECT_DOUBLE_EQ(s.antenna_gain_dbi, 7.0);
    EXPECT_DOUBLE_EQ(s.noise_figure_db, 8.0);
    EXPECT_DOUBLE_EQ(s.full_scale_dbm, -9.0);
    EXPECT_DOUBLE_EQ(s.clock_ppm, 10.0);
    EXPECT_EQ(s.switch_time, 11'500ns);
    EXPECT_TRUE(s.full_duplex);
    EXPECT_EQ(s.adc_bits, 12U);
    ASSERT_EQ(file->air.links.size(), 1U);
    const AirLink& l = file->air.links[0];
    EXPECT_EQ(l.from, 1U);
    EXPECT_EQ(l.to, 0U);
    EXPECT_TRUE(l.ignore_horizon);
    EXPECT_DOUBLE_EQ(*l.distance_m, 14.0);
    EXPECT_DOUBLE_EQ(l.receding_mps, 15.0);
    EXPECT_DOUBLE_EQ(*l.loss_db, 16.0);
    EXPECT_DOUBLE_EQ(l.extra_loss_db, 17.0);
    EXPECT_DOUBLE_EQ(l.sea_reflection, 0.5);
    ASSERT_EQ(l.taps.size(), 1U);
    EXPECT_DOUBLE_EQ(l.taps[0].phase_turns, 0.25);
}

TEST(AirConfig, MistakesAreReportedWithFileLineAndRemedy) {
    const auto message = [](const std::string& text) {
        const auto file = parse_air_config(text, "air.toml");
        return file.ok() ? std::string("accepted") : file.error().message;
    };
    const std::string two = "[[station]]\nname = \"a\"\n[[station]]\nname = \"b\"\n";
    const auto expect = [&](const std::string& text, const std::string& expected) {
        EXPECT_NE(message(text).find(expected), std::string::npos) << text << "\n  said: " << message(text);
    };
    expect("[[station]]\nname = \"a\"\nhight_m = 3",
           "air.toml:3: [station] unknown key 'hight_m'; did you mean 'height_m'?");
    expect("frequency = 3\n" + two, "air.toml:1: unknown key 'frequency'");
    expect("seed = 1.5\n" + two, "air.toml:1: seed must be a whole number");
    expect("carrier_hz = \"868 MHz\"\n" + two, "carrier_hz must be a number");
    expect("carrier_hz = nan\n" + two, "carrier_hz must be a number");
    expect("carrier_hz = 1.0\n" + two, "carrier_hz must be within");
    expect(two + "clock_ppm = 900", "station 'b': clock_ppm must be within -200..200");
    expect(two + "full_duplex = 1", "air.toml:5: station.full_duplex must be true or false");
    expect(two + "switch_time_us = -1", "switch_time_us");
    expect("seed = 3", "at least one [[station]]");
    expect("station = 3", "array of tables");
    expect("[[station]]\nx_m = 3", "needs a 'name'");
    expect(two + "[[link]]\nbetween = [\"a\", \"c\"]", "link.between has an unknown station 'c'; ");
    expect(two + "[[link]]\nbetween = [\"a\"]", "must be two names");
    expect(two + "[[link]]\nfrom = \"a\"", "either 'between'");
    expect(two + "[[link]]\nbetween = [\"a\", \"b\"]\n[[link]]\nfrom = \"a\"\nto = \"b\"", "two links from 'a' to 'b'");
    expect(two + "[[link]]\nbetween = [\"a\", \"a\"]", "two different stations");
    expect("[[station]]\nname = \"a\"\nname = \"b\"", "air.toml:3:");
    expect("[[station]\n", "air.toml:1:");
    expect("[[|tation]]", "air.toml");  // an assert of toml++ 3.3
    expect("carrier_hz = 433\xEF\xBA\xBF\n", "air.toml:1: only ASCII");
    expect(
        "# gr\xC3\xBC\xC3\x9F"
        "e\n" +
            two,
        "accepted");
    EXPECT_FALSE(load_air_config("/nowhere/air.toml").ok());
    EXPECT_NE(load_air_config("/nowhere/air.toml").error().message.find("/nowhere/air.toml"), std::string::npos);
}

}  // namespace
}  // namespace meshnet::sim
