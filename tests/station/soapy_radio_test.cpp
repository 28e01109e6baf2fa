// SPDX-License-Identifier: MIT
// The daemon's `soapy:` driver on virtual radios in an air whose time the test moves.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "phy/modes.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "station/guard/transmit_guard.hpp"
#include "station/radio/radio.hpp"
#include "tests/meshair/stepped_air.hpp"

namespace meshnet::station {
namespace {

sim::Air::Config two_stations(double rate_hz) {
    sim::Air::Config config;
    config.sample_rate_hz = rate_hz;
    config.stations.resize(2);
    config.stations[0].name = "alpha";
    config.stations[1].name = "bravo";
    config.stations[1].x_m = 2'997.92458;  // 10 us
    config.stations[1].full_scale_dbm = -30.0;
    return config;
}

RadioSettings nominal() {
    RadioSettings out;
    out.frequency_hz = 868e6;
    out.rx_gain_db = 40.0;
    out.tx_gain_db = 89.75;
    return out;
}

std::string device(const test::SteppedAir& air, const std::string& station, const std::string& more = "") {
    return "soapy:driver=meshair,air=" + air.path() + ",station=" + station + ",model=usrp" + more;
}

std::shared_ptr<TransmitGuard> laboratory_guard(const phy::Profile& profile) {
    GuardConfig config;
    config.bands = {"own laboratory"};
    config.own_bands = {"laboratory, 860, 880, 60, 1"};
    config.authority = "antennas that are not there";
    config.frequency_hz = 868e6;
    config.full_scale_dbm = 36.0;
    config.antenna_gain_dbi = 6.0;
    auto guard = open_guard(config, profile.sample_rate_hz, Instant{});
    EXPECT_TRUE(guard.ok()) << (guard.ok() ? "" : guard.error().message);
    return guard.ok() ? *guard : nullptr;
}

/// The radio's time, which a guard needs, comes with its first samples.
void wait_for_time(test::SteppedAir& air, Radio& radio) {
    for (int ms = 0; ms < 40; ms += 2) {
        air.advance(2);
        for (int turn = 0; turn < 40; ++turn) {  // the radio's threads need their turns; the air waits for them
            pollfd p{radio.fd(), POLLIN, 0};
            ::poll(&p, 1, 5);
            const auto got = radio.receive();
            ASSERT_TRUE(got.ok()) << got.error().message;
            if (!got->samples.empty()) {
                return;
            }
        }
    }
    FAIL() << "no samples";
}

struct Setting {
    const char* name;
    double air_hz, device_hz;
};
class SoapyRadio : public ::testing::TestWithParam<Setting> {};

TEST_P(SoapyRadio, AFrameArrivesWhenItWasSent) {
    const phy::Profile& profile = *phy::find_profile("1M");
    test::SteppedAir air(two_stations(GetParam().air_hz));
    RadioSettings settings = nominal();
    settings.sample_rate_hz = GetParam().device_hz;
    const auto guard = laboratory_guard(profile);
    ASSERT_TRUE(guard);
    guard->set_inhibited(true);  // a radio that may not send does not measure its lead, which takes time of the air
    auto a = open_radio(device(air, "alpha"), profile, settings, guard);
    guard->set_inhibited(false);
    auto b = open_radio(device(air, "bravo"), profile, settings);
    ASSERT_TRUE(a.ok()) << a.error().message;
    ASSERT_TRUE(b.ok()) << b.error().message;

    phy::Transmitter transmitter(profile);
    const Bytes payload(300, 0x5A);
    std::vector<phy::Sample> burst;
    transmitter.modulate(*phy::find_mode("qpsk-1/2"), payload, burst);
    wait_for_time(air, **a);
    constexpr std::uint64_t kAt = 200'000;
    ASSERT_TRUE((*a)->transmit(1, kAt, burst).ok());
    // No time passes on the air while a slow machine hands the burst over.
    test::wait_until([&] { return air.bursts(0) > 0; });

    phy::Receiver::Config config;
    config.profile = &profile;
    phy::Receiver receiver(config);
    std::optional<phy::Frame> frame;
    std::vector<TxReport> reports;
    std::uint64_t first = 0, heard = 0;
    for (int ms = 0; ms < 800 && (!frame || reports.empty()); ms += 2) {
        air.advance(2);
        for (int turn = 0; turn < 200; ++turn) {
            pollfd p{(*b)->fd(), POLLIN, 0};
            ::poll(&p, 1, 5);
            auto got = (*b)->receive();
            ASSERT_TRUE(got.ok()) << got.error().message;
            if (!got->samples.empty()) {
                if (heard == 0) {
                    first = got->first_index;
                }
                ASSERT_EQ(got->first_index, first + heard) << "a gap";
                heard += got->samples.size();
                receiver.push(got->samples);
            }
            // Within half a second of the air: buffers of the device, of the resampler.
            if (static_cast<double>(first + heard) * 1e-6 > (ms - 10) * 1e-3) {
                break;
            }
        }
        while (auto next = receiver.poll_frame()) {
            frame = std::move(next);
        }
        auto mine = (*a)->receive();
        ASSERT_TRUE(mine.ok()) << mine.error().message;
        reports.insert(reports.end(), mine->reports.begin(), mine->reports.end());
    }
    ASSERT_TRUE(frame.has_value());
    EXPECT_TRUE(frame->ok());
    EXPECT_EQ(frame->payload, payload);
    // Both devices' time began within the milliseconds between their openings, in which the air stood still.
    EXPECT_NEAR(static_cast<double>(first + frame->sample_index) + static_cast<double>(frame->sample_fraction),
                static_cast<double>(kAt) + 10.0, 1.5);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_TRUE(reports[0].sent);
    EXPECT_EQ(reports[0].end_index, kAt + burst.size());
    EXPECT_EQ((*a)->counters().late, 0U);
    EXPECT_EQ((*a)->counters().unconfirmed, 0U);
}

INSTANTIATE_TEST_SUITE_P(All, SoapyRadio,
                         ::testing::Values(Setting{"SameRate", 1e6, 1e6}, Setting{"Resampled", 1e6, 2.5e6},
                                           Setting{"OffsetTuning", 4e6, 4e6}),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(SoapyRadioGuard, WithoutAGuardNothingIsSent) {
    const phy::Profile& profile = *phy::find_profile("1M");
    test::SteppedAir air(two_stations(1e6));
    auto a = open_radio(device(air, "alpha"), profile, nominal());
    ASSERT_TRUE(a.ok()) << a.error().message;
    wait_for_time(air, **a);
    ASSERT_TRUE((*a)->transmit(1, 60'000, std::vector<phy::Sample>(1'000, phy::Sample(0.1F))).ok());
    std::vector<TxReport> reports;
    for (int ms = 0; ms < 200; ms += 2) {
        air.advance(2);
        auto got = (*a)->receive();
        ASSERT_TRUE(got.ok());
        reports.insert(reports.end(), got->reports.begin(), got->reports.end());
    }
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_FALSE(reports[0].sent);
    EXPECT_EQ(air.bursts(0), 0U);
}

TEST(SoapyRadioErrors, AreOneLineThatNamesWhatIsWrong) {
    const phy::Profile& profile = *phy::find_profile("1M");
    test::SteppedAir air(two_stations(1e6));
    const auto message = [&](const std::string& device_text, const RadioSettings& settings, const phy::Profile& p) {
        auto radio = open_radio(device_text, p, settings);
        const std::string text = radio.ok() ? "opened" : radio.error().message;
        EXPECT_EQ(text.find('\n'), std::string::npos) << text;
        return text;
    };
    const auto says = [](const std::string& text, const std::string& part) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    };
    says(message("soapy:driver=nosuch", nominal(), profile), "SoapySDRUtil --find");
    says(message(device(air, "charlie"), nominal(), profile), "charlie");
    says(message("soapy:driver=meshair,air=/does/not/exist,station=alpha,model=usrp", nominal(), profile),
         "/does/not/exist");
    RadioSettings s = nominal();
    s.frequency_hz = 0.0;
    says(message(device(air, "alpha"), s, profile), "radio.frequency_hz is not set");
    s = nominal();
    s.frequency_hz = 9e9;
    says(message(device(air, "alpha"), s, profile), "radio.frequency_hz = 9000000000 is not possible");
    s = nominal();
    s.rx_gain_db = 90.0;
    says(message(device(air, "alpha"), s, profile), "radio.rx_gain_db = 90 is not possible");
    s = nominal();
    s.sample_rate_hz = 100e6;
    says(message(device(air, "alpha"), s, profile), "radio.sample_rate_hz = 100000000 is not possible");
    s = nominal();
    s.rx_antenna = "RX7";
    says(message(device(air, "alpha"), s, profile), "radio.rx_antenna = \"RX7\"");
    s = nominal();
    s.clock_source = "sundial";
    says(message(device(air, "alpha"), s, profile), "radio.clock_source = \"sundial\"");
    EXPECT_TRUE(open_radio(device(air, "alpha"), profile, nominal()).ok()) << "each refusal let go of the radio";
}

}  // namespace
}  // namespace meshnet::station
